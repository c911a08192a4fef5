//! Everything that happens to the node.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use testkit::Files;
use testkit::site::{Manner, Site};
use tokio::time::sleep;
use tufd_integration::{Acme, Change, Client, DOMAIN, Judge, Node, Settings, within};
use tufd_proto::v1::Decision;

const WITHDRAW_AFTER: &str = "3s";
/// A flap is shorter.
const FLAP_MAX: Duration = Duration::from_millis(1500);
/// For what the node does next; with a margin for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);
const WITHDRAWN: &str = "ANCHOR_WITHDRAWN";

/// The node and all around it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) node: Node,
    pub(crate) judge: Arc<Judge>,
    pub(crate) acme: Acme,
    client: Client,
    /// One of them always serves the newest files; the others may misbehave.
    mirrors: [Site; 3],
    good: usize,
    files: Files,
    random: fastrand::Rng,
    events: Events,
}

#[derive(Debug, Default)]
struct Events {
    mirrors_changed: u32,
    outages: u32,
    agent_events: u32,
    withdrawals: u32,
    slowest: Duration,
}

impl World {
    /// Returns when the first image is allowed.
    pub(crate) async fn start(program: Option<PathBuf>, seed: u64) -> Result<Self> {
        let judge = Judge::new();
        let mut acme = Acme::new(&judge);
        let files = acme.publish(Change::Images);
        let mirrors = [
            Site::start(files.clone()).await,
            Site::start(files.clone()).await,
            Site::start(files.clone()).await,
        ];
        let sources = mirrors.iter().map(Site::url).collect();
        let settings = Settings { program, period: "2s", withdraw_after: WITHDRAW_AFTER, sources };
        let mut node = Node::new(&settings)?;
        node.agent.set(DOMAIN, acme.anchor().to_der());
        node.start()?;
        let (client, random) = (node.client(), fastrand::Rng::with_seed(seed));
        let mut world = Self {
            node,
            judge,
            acme,
            client,
            mirrors,
            good: 0,
            files,
            random,
            events: Events::default(),
        };
        world.until_newest().await?;
        world.judge.expect_no_outage();
        Ok(world)
    }

    /// One thing after the other for that long.
    pub(crate) async fn live(&mut self, long: Duration) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < long {
            match self.random.u8(..24) {
                0..14 => self.publish(),
                14..18 => self.change_mirrors().await?,
                18 => self.outage().await?,
                19 => self.agent_restarts().await?,
                20 => self.agent_refuses().await,
                21 => self.bundle_flaps().await,
                22 => self.withdrawal().await?,
                _ => self.until_newest().await?,
            }
            sleep(Duration::from_millis(self.random.u64(100..1000))).await;
        }
        self.until_newest().await?;
        self.node.check_running()
    }

    pub(crate) fn figures(&self) -> String {
        let Events { mirrors_changed, outages, agent_events, withdrawals, slowest } = &self.events;
        let refreshes = self.mirrors.iter().map(|site| site.asked_for("timestamp.json")).max();
        format!(
            "{} versions published, some {} refreshes, mirrors changed {mirrors_changed} times, {outages} times all \
             down, {agent_events} restarts, refusals and flaps of the agent, {withdrawals} withdrawals; the newest \
             version answered after {slowest:.1?} at the latest",
            self.acme.version(),
            refreshes.unwrap_or_default()
        )
    }

    fn publish(&mut self) {
        let change = match self.random.u8(..40) {
            0..4 => Change::Root,
            4 => Change::RootKey,
            5..7 => Change::TimestampKey,
            7 => Change::SnapshotKey,
            8 => Change::TargetsKey,
            9..13 => Change::Team,
            _ => Change::Images,
        };
        self.files = self.acme.publish(change);
        self.node.agent.set(DOMAIN, self.acme.anchor().to_der());
        for (at, mirror) in self.mirrors.iter().enumerate() {
            // The others are brought up to date now and then, and serve old files meanwhile.
            if at == self.good || self.random.bool() {
                mirror.serve(self.files.clone());
            }
        }
    }

    /// Another one is good, and the others misbehave. The node has caught up before: who is asked for the files of one
    /// chain while all mirrors change places may find each of them at its bad time.
    async fn change_mirrors(&mut self) -> Result<()> {
        self.until_newest().await?;
        self.good = self.random.usize(..self.mirrors.len());
        for (at, mirror) in self.mirrors.iter().enumerate() {
            if at == self.good {
                mirror.serve(self.files.clone());
                mirror.behave(Manner::Well);
            } else {
                mirror.behave(any_manner(&mut self.random));
            }
        }
        self.events.mirrors_changed += 1;
        Ok(())
    }

    /// Nobody has the newest files for a while, and nothing is published.
    async fn outage(&mut self) -> Result<()> {
        self.until_newest().await?;
        for mirror in &self.mirrors {
            mirror.behave(Manner::Unavailable);
        }
        sleep(Duration::from_millis(self.random.u64(2000..6000))).await;
        self.events.outages += 1;
        self.change_mirrors_back();
        Ok(())
    }

    fn change_mirrors_back(&self) {
        for mirror in &self.mirrors {
            mirror.behave(Manner::Well);
        }
    }

    async fn agent_restarts(&mut self) -> Result<()> {
        self.node.agent.stop();
        sleep(Duration::from_millis(self.random.u64(500..4000))).await;
        self.events.agent_events += 1;
        self.node.agent.restart().context("the agent")
    }

    async fn agent_refuses(&mut self) {
        self.node.agent.deny();
        sleep(Duration::from_millis(self.random.u64(500..4000))).await;
        self.events.agent_events += 1;
        self.node.agent.allow();
    }

    async fn bundle_flaps(&mut self) {
        self.node.agent.remove(DOMAIN);
        sleep(FLAP_MAX.mul_f64(self.random.f64())).await;
        self.events.agent_events += 1;
        self.return_bundle();
    }

    /// Until it is over every image is denied for that reason, and none afterwards.
    async fn withdrawal(&mut self) -> Result<()> {
        self.judge.excuse(WITHDRAWN, u64::MAX);
        self.node.agent.remove(DOMAIN);
        self.until_answer(|reason| reason == WITHDRAWN).await.context("withdrawn")?;
        self.judge.require(Some(WITHDRAWN));
        sleep(Duration::from_millis(self.random.u64(500..4000))).await;
        self.judge.require(None);
        self.return_bundle();
        self.until_answer(|reason| reason != WITHDRAWN).await.context("returned")?;
        self.judge.excuse(WITHDRAWN, 0);
        self.events.withdrawals += 1;
        Ok(())
    }

    fn return_bundle(&self) {
        self.node.agent.set(DOMAIN, self.acme.anchor().to_der());
    }

    async fn until_answer(&mut self, is_it: impl Fn(&str) -> bool) -> Result<()> {
        let (judge, client, stable) = (&self.judge, &mut self.client, &self.acme.stable);
        let answered = within(PATIENCE, async || {
            sleep(PAUSE).await;
            judge.ask(client, stable).await.filter(|verdict| is_it(&verdict.reason))
        });
        answered.await.map(drop).with_context(|| format!("not so\n{}", self.node.log_tail()))
    }

    /// A client asks for the newest image until it gets it.
    async fn until_newest(&mut self) -> Result<()> {
        let (judge, client, newest) = (&self.judge, &mut self.client, self.acme.newest());
        let began = Instant::now();
        let allowed = within(PATIENCE, async || {
            sleep(PAUSE).await;
            let verdict = judge.ask(client, &newest).await?;
            (verdict.decision() == Decision::Allow).then_some(())
        });
        let tail =
            || format!("the newest image is not allowed in {PATIENCE:?}\n{}", self.node.log_tail());
        allowed.await.with_context(tail)?;
        self.events.slowest = self.events.slowest.max(began.elapsed());
        Ok(())
    }
}

fn any_manner(random: &mut fastrand::Rng) -> Manner {
    match random.u8(..11) {
        0 => Manner::Gone,
        1 => Manner::Hang,
        2 => Manner::Html,
        3 => Manner::Absent,
        4 => Manner::Unavailable,
        5 => Manner::Drip,
        6 => Manner::Truncated,
        7 => Manner::Long,
        8 => Manner::Endless,
        9 => Manner::Redirect("http://127.0.0.1:9/".to_owned()),
        // With whatever files it was given last.
        _ => Manner::Well,
    }
}
