//! What a running daemon takes up from a changed configuration: policies and `[verdicts]`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::{Result, bail};
use tufd_tuf::image::Rule;

use crate::board::Board;
use crate::config::{Config, Log, PolicyMode};
use crate::metrics::Counts;
use crate::serve::Shared;
use crate::setup::Setup;

/// A daemon that runs, as far as it can be looked at and changed.
#[derive(Debug, Clone)]
pub struct Running {
    board: Arc<Board>,
    counts: Arc<Counts>,
    started_with: Arc<Config>,
    metrics: Option<SocketAddr>,
}

impl Running {
    pub(crate) fn new(config: Config, shared: &Shared, metrics: Option<SocketAddr>) -> Self {
        let (board, counts) = (Arc::clone(&shared.board), Arc::clone(&shared.counts));
        Self { board, counts, started_with: Arc::new(config), metrics }
    }

    /// Where `GET /metrics` is answered, if that could be had at the start.
    #[must_use]
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Puts policies and `[verdicts]` of the file in force with the next verdict, and says so. Gives back its `[log]`,
    /// which belongs to the process; `None` where the file changes nothing, because something is wrong with it.
    pub fn reload(&self, file: &Path) -> Option<Log> {
        let taken_up = Setup::load(file).and_then(|setup| self.take_up(setup));
        self.counts.reload_refused.store(taken_up.is_err(), Relaxed);
        match taken_up {
            Ok(log) => Some(log),
            Err(error) => {
                tracing::error!("reload refused, everything stays as it was: {error:#}");
                None
            }
        }
    }

    fn take_up(&self, Setup { config, policies, availability }: Setup) -> Result<Log> {
        self.check_trusts(&config)?;
        config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let waiting = changed(&self.started_with, &config);
        if !waiting.is_empty() {
            tracing::warn!(keys = waiting.join(", "), "changed keys take effect after a restart");
        }
        let generation = self.board.govern(policies, availability);
        tracing::warn!(target: "audit", generation, policies = config.policies.len(), ?availability, "POLICY_RELOADED");
        Ok(config.log)
    }

    /// A policy goes with the trust that its file describes: one that does not run, or runs with other keys, another
    /// threshold or other sources, would answer for it in silence.
    fn check_trusts(&self, config: &Config) -> Result<()> {
        let of = |config: &Config, name: &str| {
            config.trusts.iter().find(|trust| trust.name == name).cloned()
        };
        for (at, policy) in config.policies.iter().enumerate() {
            let trust = match &policy.mode {
                PolicyMode::Rule(Rule::Enforce { trust } | Rule::Warn { trust }) => trust,
                PolicyMode::Rule(Rule::Deny) | PolicyMode::Exempt { .. } => continue,
            };
            if of(config, trust) != of(&self.started_with, trust) {
                bail!("policy[{at}].trust: [[trust]] {trust:?} needs a restart first");
            }
        }
        Ok(())
    }
}

/// Keys, or sections, that are other ones now and are only read at the start.
fn changed(old: &Config, new: &Config) -> Vec<&'static str> {
    let Config {
        workload_api,
        serve,
        admin,
        state_dir,
        refresh_period,
        verdicts: _,
        metrics,
        log: Log { level: _, format, audit },
        trusts,
        policies: _,
        warnings: _,
    } = new;
    let keys = [
        ("workload_api", *workload_api != old.workload_api),
        ("serve", *serve != old.serve),
        ("admin", *admin != old.admin),
        ("state.dir", *state_dir != old.state_dir),
        ("refresh.period", *refresh_period != old.refresh_period),
        ("metrics.listen", metrics.listen != old.metrics.listen),
        ("metrics.verifier_passed", metrics.verifier_passed != old.metrics.verifier_passed),
        ("log.format", *format != old.log.format),
        ("log.audit", *audit != old.log.audit),
        ("trust", *trusts != old.trusts),
    ];
    keys.into_iter().filter_map(|(key, other)| other.then_some(key)).collect()
}
