//! Repositories that misbehave, each way alone and among three mirrors of which two are hostile.
//!
//! Alone, with every file and with each kind of file in turn: the old chain goes on answering, `status` says why
//! nothing newer does, and when the fault is over the newest chain answers. A team's role that cannot be had answers
//! for its own names only, that it is unavailable. Of three mirrors, one says 404 to everything and another
//! misbehaves: the node ends on the newest chain of the third, soon where somebody waits for it. The daemon's memory
//! stays bounded.

mod fault;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use testkit::site::{Manner, Site};
use testkit::{Files, damage};
use tokio::runtime::Runtime;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::sleep;
use tufd_integration::{
    Acme, Change, Client, DOMAIN, Judge, Node, Report, Settings, TEAM, Usage, within,
};
use tufd_proto::v1::{Decision, RefreshResult};

use fault::{Fault, How, PLACES, Place, faults};

/// Most resident memory that a daemon may ever have had, also where it was offered 10 GB.
const PEAK_MIB_MAX: u64 = 128;
/// To the newest chain where a client waits for it, and where nobody does: a mirror that hangs is given 10 s for each
/// of three files. With margins for a busy machine.
const WAITED_FOR_MAX: Duration = Duration::from_secs(30);
const UNASKED_MAX: Duration = Duration::from_secs(90);
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(20);

/// Offers tufd misbehaving repositories.
#[derive(Debug, Parser)]
struct Arguments {
    /// The daemon; the one beside this program if left out.
    #[arg(long, value_name = "PATH")]
    tufd: Option<PathBuf>,
}

/// One node and its mirrors, of which the last is the good one.
struct Case {
    node: Node,
    client: Client,
    sites: Vec<Site>,
    acme: Acme,
    judge: Arc<Judge>,
    /// As they were published first and last.
    oldest: Files,
    files: Files,
}

fn main() -> Result<ExitCode> {
    let Arguments { tufd } = Arguments::parse();
    Runtime::new()?.block_on(LocalSet::new().run_until(run(tufd)))
}

async fn run(tufd: Option<PathBuf>) -> Result<ExitCode> {
    let mut report = Report::new("faults");
    // Nobody may ever be sent there.
    let elsewhere = Site::start(Files::default()).await;
    let began = Instant::now();
    let mut cases = JoinSet::new();
    for fault in faults(&elsewhere) {
        let tufd = tufd.clone();
        cases.spawn_local(
            async move { (format!("alone/{}", fault.name), alone(tufd, &fault).await) },
        );
    }
    for fault in faults(&elsewhere).into_iter().filter(|fault| fault.name != "404") {
        let tufd = tufd.clone();
        cases.spawn_local(
            async move { (format!("three/{}", fault.name), three(tufd, &fault).await) },
        );
    }
    while let Some(ended) = cases.join_next().await {
        let (name, result) = ended?;
        report.case(&name, began, result);
    }
    let nowhere = || {
        ensure!(elsewhere.asked() == 0, "redirects were followed {} times", elsewhere.asked());
        Ok("no redirect was followed".to_owned())
    };
    report.case("redirects", began, nowhere());
    Ok(report.exit())
}

/// The only source has this fault.
async fn alone(tufd: Option<PathBuf>, fault: &Fault) -> Result<String> {
    let mut case = Case::new(tufd, "5m", 1).await?;
    case.node.start()?;
    case.until_newest(UNASKED_MAX).await?;
    case.publish(Change::Team);
    case.until_newest(WAITED_FOR_MAX).await?;
    for place in PLACES {
        // Who hides a root behind 404 is believed: it may be that there is none.
        if fault.name != "404" || place != Place::Role("root") {
            case.suffer(fault, place).await.with_context(|| format!("{place:?}"))?;
        }
    }
    case.conclude("answered from the old chain, said why, and recovered")
}

/// One mirror says 404 to everything, one has this fault, one is good.
async fn three(tufd: Option<PathBuf>, fault: &Fault) -> Result<String> {
    let mut case = Case::new(tufd, "2s", 3).await?;
    case.publish(Change::Root);
    if let ([absent, hostile, _], Fault { how, .. }) = (case.sites.as_slice(), fault) {
        absent.behave(Manner::Absent);
        match how {
            How::Answers(manner) => hostile.behave(manner.clone()),
            How::OldFiles => {}
        }
    }
    let began = case.node.start()?;
    case.until_newest(WAITED_FOR_MAX).await.context("from nothing")?;
    let cold = began.elapsed();

    case.publish(Change::Root);
    let began = Instant::now();
    case.until_newest(WAITED_FOR_MAX).await.context("while somebody waits")?;
    let waited_for = began.elapsed();

    case.publish(Change::Root);
    let began = Instant::now();
    let version = case.acme.version();
    let newest = within(UNASKED_MAX, async || {
        sleep(BETWEEN_QUESTIONS).await;
        let trust = case.client.trust().await.ok()?;
        trust
            .roles
            .iter()
            .any(|role| role.name == "timestamp" && role.version == version)
            .then_some(())
    });
    newest.await.with_context(|| format!("not the newest after {UNASKED_MAX:?}, unasked"))?;
    let unasked = began.elapsed();
    case.conclude(&format!(
        "the newest chain answers {cold:.1?} after a start from nothing, {waited_for:.1?} after it was published where \
         a client waits, {unasked:.1?} where nobody does"
    ))
}

impl Case {
    async fn new(program: Option<PathBuf>, period: &'static str, sources: usize) -> Result<Self> {
        let judge = Judge::new();
        let mut acme = Acme::new(&judge);
        let files = acme.publish(Change::Team);
        let mut sites = Vec::new();
        for _ in 0..sources {
            sites.push(Site::start(files.clone()).await);
        }
        let sources = sites.iter().map(Site::url).collect();
        let node = Node::new(&Settings { program, period, sources, ..Settings::default() })?;
        node.agent.set(DOMAIN, acme.anchor().to_der());
        Ok(Self { client: node.client(), node, sites, acme, judge, oldest: files.clone(), files })
    }

    async fn suffer(&mut self, fault: &Fault, place: Place) -> Result<()> {
        let before = self.acme.version();
        self.publish(place.change());
        if place == Place::Role(TEAM) {
            self.judge.excuse("ROLE_UNAVAILABLE", u64::MAX);
        }
        self.inflict(fault, place);
        let refreshed = self.refresh_while_asking().await?;
        if place == Place::Role(TEAM) {
            self.expect_unavailable(&refreshed).await?;
        } else {
            self.expect_older(&refreshed, before, fault).await?;
        }
        self.heal();
        self.until_newest(WAITED_FOR_MAX).await.context("after it was healed")?;
        self.judge.excuse("ROLE_UNAVAILABLE", 0);
        let verdict = self.judge.ask(&mut self.client, &self.acme.newest()).await;
        ensure!(verdict.is_some_and(|it| it.decision() == Decision::Allow), "the newest image");
        Ok(())
    }

    fn inflict(&self, fault: &Fault, place: Place) {
        let Some(site) = self.sites.last() else { return };
        match (&fault.how, place) {
            (How::Answers(manner), Place::All) => site.behave(manner.clone()),
            (How::Answers(manner), Place::Role(role)) => {
                site.behave_for(&self.files.newest(role), manner.clone());
            }
            (How::OldFiles, Place::All) => site.serve(self.oldest.clone()),
            (How::OldFiles, Place::Role(role)) => {
                site.damage(|files| damage::mix_in(files, &self.oldest, role));
            }
        }
    }

    fn heal(&self) {
        if let Some(site) = self.sites.last() {
            site.behave(Manner::Well);
            site.serve(self.files.clone());
        }
    }

    /// The refresh that meets the fault, and the answers meanwhile, which the judge judges.
    async fn refresh_while_asking(&mut self) -> Result<RefreshResult> {
        let mut operator = self.client.clone();
        let mut refresh = std::pin::pin!(operator.refresh());
        loop {
            tokio::select! {
                refreshed = &mut refresh => return refreshed,
                () = sleep(BETWEEN_QUESTIONS) => {
                    self.judge.ask(&mut self.client, &self.acme.stable).await.context("no verdict")?;
                }
            }
        }
    }

    async fn expect_older(
        &mut self,
        refreshed: &RefreshResult,
        before: u64,
        fault: &Fault,
    ) -> Result<()> {
        ensure!(refreshed.error.contains(fault.says), "no {:?} in {refreshed:?}", fault.says);
        let status = self.client.trust().await?.last_error;
        ensure!(status.contains(fault.says), "no {:?} in status: {status:?}", fault.says);
        let verdict =
            self.judge.ask(&mut self.client, &self.acme.stable).await.context("no verdict")?;
        let by_older = verdict.versions.get("timestamp") == Some(&before);
        ensure!(verdict.decision() == Decision::Allow && by_older, "not of {before}: {verdict:?}");
        Ok(())
    }

    async fn expect_unavailable(&mut self, refreshed: &RefreshResult) -> Result<()> {
        ensure!(refreshed.error.is_empty(), "the rest of the chain is in order: {refreshed:?}");
        for (image, expected) in
            [(&self.acme.stable, "ROLE_UNAVAILABLE"), (&self.acme.of_others, "SIGNED")]
        {
            let verdict = self.judge.ask(&mut self.client, image).await.context("no verdict")?;
            ensure!(verdict.reason == expected, "not {expected}: {verdict:?}");
        }
        Ok(())
    }

    /// A client asks for the newest image until it gets it.
    async fn until_newest(&mut self, patience: Duration) -> Result<()> {
        let newest = self.acme.newest();
        let allowed = within(patience, async || {
            let verdict = self.judge.ask(&mut self.client, &newest).await?;
            (verdict.decision() == Decision::Allow).then_some(())
        });
        let tail =
            || format!("the newest image is not allowed in {patience:?}\n{}", self.node.log_tail());
        allowed.await.with_context(tail)
    }

    /// On the good source.
    fn publish(&mut self, change: Change) {
        self.files = self.acme.publish(change);
        if let Some(site) = self.sites.last() {
            site.serve(self.files.clone());
        }
    }

    fn conclude(&mut self, what: &str) -> Result<String> {
        self.node.check_running()?;
        let answers = self.judge.conclusion()?;
        let peak = Usage::of(self.node.pid()?)?.peak_kib / 1024;
        ensure!(peak < PEAK_MIB_MAX, "{peak} MiB of memory at the peak");
        Ok(format!("{what}; {answers}; {peak} MiB at the peak"))
    }
}
