//! The board, the refreshers and the counters as they stand when Prometheus asks.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::sheet::Sheet;
use super::trusts::Trusts;
use crate::audit;
use crate::follower::Follower;
use crate::refresh::Refresher;
use crate::serve::Shared;

/// What there is to tell.
#[derive(Debug)]
pub struct Picture {
    /// What services work with.
    pub shared: Shared,
    /// The database.
    pub follower: Follower,
}

impl Collector for Picture {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut sheet = Sheet(encoder);
        self.program(&mut sheet)?;
        self.state(&mut sheet)?;
        self.verdicts(&mut sheet)?;
        let (generation, now) = (self.shared.board.now(), self.shared.clock.now());
        let trusts = Trusts { generation: &generation, now };
        trusts.anchors(&mut sheet)?;
        trusts.chains(&mut sheet)?;
        self.refreshes(&mut sheet)
    }
}

impl Picture {
    fn program(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let built = crate::built().to_string();
        let labels = [("version", env!("CARGO_PKG_VERSION")), ("built", built.as_str())];
        let help = "The program that runs here";
        sheet.0.encode_descriptor("build", help, None, MetricType::Info)?.encode_info(&labels)?;
        let generation = self.shared.board.now().number;
        sheet.gauges("generation", "Number of the generation that answers", [([], generation)])?;
        let counts = &self.shared.counts;
        let refused = u32::from(counts.reload_refused.load(Relaxed));
        let help = "Whether the newest changed configuration was refused";
        sheet.gauges("reload_refused", help, [([], refused)])?;
        let help = "How often the clock was found to have gone back";
        sheet.counters("clock_steps_back", help, [([], counts.clock_steps_back.load(Relaxed))])
    }

    fn state(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let unwritten = u32::from(self.shared.counts.floors_unwritten.load(Relaxed));
        let help = "Whether the floor file lacks what is in memory";
        sheet.gauges("floors_unwritten", help, [([], unwritten)])?;
        let help = "Whether the database follows; verdicts do not need it";
        sheet.gauges("database_follows", help, [([], u32::from(self.follower.follows()))])?;
        let help = "Audit lines that could not be written where they belong";
        sheet.counters("audit_write_failures", help, [([], audit::failures())])
    }

    fn verdicts(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let counts = &self.shared.counts;
        sheet.counters("verdicts", "Verdicts, by decision and reason", counts.verdicts())?;
        let help = "Requests that got no verdict, since nothing was ever verified";
        sheet.counters("no_verdicts", help, [([], counts.no_verdicts())])?;
        let help = "Time to decide, without the wait for a refresh";
        sheet.histogram("decision_duration_seconds", help, counts.took())?;
        let help = "Images that passed without a full yes, by what let them";
        sheet.counters("passed_without_yes", help, counts.passed())
    }

    fn refreshes(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let refreshers = || self.shared.refreshers.iter();
        let statuses: Vec<_> =
            refreshers().map(|(name, it)| (name.as_str(), it.status())).collect();
        let results = statuses.iter().flat_map(|(trust, status)| {
            let results = [
                ("changed", status.changed),
                ("unchanged", status.unchanged),
                ("failed", status.failed),
                ("unkept", status.unkept),
            ];
            results.map(|(result, count)| ([("trust", *trust), ("result", result)], count))
        });
        sheet.counters("refreshes", "Refreshes, by how they ended", results)?;
        let success = statuses.iter().filter_map(|(trust, status)| {
            Some(([("trust", *trust)], status.last_success?.as_second()))
        });
        let help = "When a refresh of this run last verified every step";
        sheet.gauges("last_refresh_timestamp_seconds", help, success)?;
        let next = statuses
            .iter()
            .filter_map(|(trust, status)| Some(([("trust", *trust)], status.next?.as_second())));
        sheet.gauges("next_refresh_timestamp_seconds", "When the next refresh is due", next)?;
        self.sources(sheet)
    }

    /// By their place in the configuration, from 0: an address may hold a secret.
    fn sources(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let of = |(trust, refresher): (&String, &Refresher)| {
            let sources = refresher.sources().into_iter().enumerate();
            let row = |(at, health): (usize, _)| (trust.clone(), at.to_string(), health);
            sources.map(row).collect::<Vec<_>>()
        };
        let sources: Vec<_> = self.shared.refreshers.iter().flat_map(of).collect();
        let up = sources.iter().filter_map(|(trust, at, health)| {
            let asked = health.last_answer.is_some() || health.last_error.is_some();
            let labels = [("trust", trust.as_str()), ("source", at.as_str())];
            asked.then(|| (labels, u32::from(health.last_error.is_none())))
        });
        sheet.gauges("source_up", "Whether the source's last answer was in order", up)?;
        let refused = sources.iter().map(|(trust, at, health)| {
            ([("trust", trust.as_str()), ("source", at.as_str())], health.refused)
        });
        sheet.counters("refused_files", "Files of the source that were refused", refused)
    }
}
