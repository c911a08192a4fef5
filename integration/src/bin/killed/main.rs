//! `kill -9` at random points through hundreds of refreshes, each of a version published for it, while clients ask all
//! the time. Then the repository replays older metadata.
//!
//! No answer may be wrong for the version that it names, nor older than anything seen before, whatever died when; the
//! state must reopen after each kill, and the first verdict come soon, out of the node's own files: at that moment the
//! repository is down, or replays.

mod figures;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use testkit::site::{Manner, Site};
use testkit::{Files, damage};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tufd_integration::{Acme, Change, Client, DOMAIN, Judge, Load, Node, Report, Settings, within};
use tufd_proto::v1::Decision;

use figures::{Figures, Point};

/// For a verdict, from exec; with a margin for a busy machine.
const FIRST_VERDICT_MAX: Duration = Duration::from_secs(10);
/// A refresh or start that is not killed ends by then.
const PATIENCE: Duration = Duration::from_secs(20);
/// While a version is published file by file, so long pass between two of them at most.
const BETWEEN_FILES_MAX: Duration = Duration::from_millis(4);
/// The database follows a quarter of a second later.
const LATER: Duration = Duration::from_millis(600);
/// What is left in the state directory by killed writers must not add up.
const STATE_BYTES_MAX: u64 = 64 << 20;
const MEASURED: u32 = 5;
const REPLAYED: u32 = 2;
const OLDER_KEPT: usize = 8;

/// Kills tufd at random points and looks whether it ever answers wrongly or forgets.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  killed --kills 500 --seed 7")]
struct Arguments {
    /// Versions to publish, and to kill the daemon at.
    #[arg(long, default_value_t = 500)]
    kills: u32,
    /// Draws the same points again.
    #[arg(long)]
    seed: Option<u64>,
    /// The daemon; the one beside this program if left out.
    #[arg(long, value_name = "PATH")]
    tufd: Option<PathBuf>,
}

struct Run {
    node: Node,
    client: Client,
    site: Site,
    acme: Acme,
    judge: Arc<Judge>,
    random: fastrand::Rng,
    /// What was published, the newest last.
    served: VecDeque<Files>,
    /// How long an undisturbed start and refresh take.
    start: Duration,
    refresh: Duration,
    figures: Figures,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    Runtime::new()?.block_on(run(arguments))
}

async fn run(Arguments { kills, seed, tufd }: Arguments) -> Result<ExitCode> {
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("killed: seed {seed}");
    let mut report = Report::new("killed");
    let began = Instant::now();
    let mut run = Run::new(tufd, seed).await?;
    let load = Load::start(&run.node, &run.judge, &run.acme.questions, seed);
    report.case("refreshes", began, run.kills(kills).await);
    load.stop().await;
    let began = Instant::now();
    report.case("replay", began, run.replay().await);
    report.case("answers", began, run.judge.conclusion());
    Ok(report.exit())
}

impl Run {
    async fn new(program: Option<PathBuf>, seed: u64) -> Result<Self> {
        let judge = Judge::new();
        let acme = Acme::new(&judge);
        let site = Site::start(Files::default()).await;
        let sources = vec![site.url()];
        let node = Node::new(&Settings { program, sources, ..Settings::default() })?;
        let mut run = Self {
            client: node.client(),
            node,
            site,
            acme,
            judge,
            random: fastrand::Rng::with_seed(seed),
            served: VecDeque::new(),
            start: Duration::ZERO,
            refresh: Duration::ZERO,
            figures: Figures::default(),
        };
        run.publish(Change::Images);
        Ok(run)
    }

    async fn kills(&mut self, kills: u32) -> Result<String> {
        self.measure().await?;
        for number in 1..=kills {
            let point = Point::any(&mut self.random);
            self.kill_at(point).await.with_context(|| format!("kill {number}, {point:?}"))?;
            let log = || format!("after kill {number}, {point:?}\n{}", self.node.log_tail());
            self.judge.conclusion().with_context(log)?;
            if number % 50 == 0 {
                eprintln!("  {number} kills, {}", self.judge.summary());
            }
        }
        let state = self.node.state_bytes()?;
        ensure!(state < STATE_BYTES_MAX, "the state directory has grown to {state} bytes");
        Ok(format!("{}; the state has {} KiB", self.figures, state / 1024))
    }

    /// Takes the time of undisturbed starts and refreshes, so that kills fall before, within and after them.
    async fn measure(&mut self) -> Result<()> {
        self.node.start()?;
        self.until_newest().await?;
        for _ in 0..MEASURED {
            self.publish(Change::Images);
            let began = Instant::now();
            self.until_newest().await?;
            self.refresh = self.refresh.max(began.elapsed());
            self.node.kill()?;
            let began = self.node.start()?;
            self.publish(Change::Images);
            self.until_newest().await?;
            self.start = self.start.max(began.elapsed());
        }
        println!(
            "killed: undisturbed, a start takes {:?}, a refresh {:?}",
            self.start, self.refresh
        );
        self.node.kill()
    }

    /// The daemon is down before and after.
    async fn kill_at(&mut self, point: Point) -> Result<()> {
        let change = self.any_change();
        let mut busy = JoinSet::new();
        let span = match point {
            Point::Start => {
                self.publish(change);
                self.node.start()?;
                self.start
            }
            Point::Refresh | Point::Later => {
                self.restart_alone().await?;
                self.publish(change);
                busy.spawn(refresh_on(self.client.clone(), Arc::clone(&self.judge)));
                if point == Point::Later { LATER } else { self.refresh * 2 }
            }
            Point::Publish => {
                self.restart_alone().await?;
                let files = self.sign(change);
                busy.spawn(publish_slowly(self.site.clone(), files, self.random.fork()));
                busy.spawn(refresh_on(self.client.clone(), Arc::clone(&self.judge)));
                self.refresh * 3
            }
        };
        sleep(span.mul_f64(self.random.f64())).await;
        self.figures.killed(point, self.acme.version(), self.judge.seen());
        self.node.kill()?;
        busy.shutdown().await;
        Ok(())
    }

    /// Starts the daemon while the repository is down or serves older files, and takes the time to its first verdict.
    async fn restart_alone(&mut self) -> Result<()> {
        if self.random.bool() {
            self.site.behave(Manner::Gone);
        } else if let Some(older) = self.random.choice(&self.served) {
            self.site.serve(older.clone());
        }
        let before = self.judge.seen();
        let began = self.node.start()?;
        let verdict = within(FIRST_VERDICT_MAX, async || {
            self.judge.ask(&mut self.client, &self.acme.stable).await
        });
        let verdict =
            verdict.await.with_context(|| format!("no verdict\n{}", self.node.log_tail()))?;
        // A chain that does not verify under the newest root waits for newer files before it denies.
        if verdict.decision() == Decision::Allow {
            self.figures.first_verdicts.push(began.elapsed());
        }
        self.figures.kept_unseen += u32::from(self.judge.seen() > before);
        self.site.behave(Manner::Well);
        self.site.serve(self.newest());
        Ok(())
    }

    /// Whole older sets of files, and an older timestamp alone, to a running daemon and to one that was killed.
    async fn replay(&mut self) -> Result<String> {
        self.node.start()?;
        let mut older = Vec::new();
        for _ in 0..REPLAYED {
            older.push(self.newest());
            self.publish(Change::Images);
            self.until_newest().await?;
        }
        for replayed in older {
            let mut mixed = self.newest();
            damage::mix_in(&mut mixed, &replayed, "timestamp");
            for files in [replayed, mixed] {
                self.site.serve(files);
                self.expect_floor().await?;
                self.node.kill()?;
                self.node.start()?;
                self.expect_floor().await?;
            }
        }
        self.site.serve(self.newest());
        self.until_newest().await?;
        Ok(format!("timestamp {} stayed, older ones were refused as such", self.acme.version()))
    }

    async fn expect_floor(&mut self) -> Result<()> {
        let refused = within(PATIENCE, async || self.client.refresh().await.ok()).await;
        let refused = refused.context("no refresh")?;
        ensure!(refused.error.contains("is older than"), "not refused as older: {refused:?}");
        let newest = self.acme.version();
        ensure!(refused.versions.get("timestamp") == Some(&newest), "not {newest}: {refused:?}");
        for image in [Some(self.acme.newest()), self.acme.rescinded()].into_iter().flatten() {
            self.judge.ask(&mut self.client, &image).await.context("no verdict")?;
        }
        ensure!(self.judge.seen() == newest, "timestamp {newest} answers no longer");
        Ok(())
    }

    /// Asks for refreshes until the newest version answers.
    async fn until_newest(&mut self) -> Result<()> {
        let (judge, stable, version) = (&self.judge, &self.acme.stable, self.acme.version());
        let mut client = self.client.clone();
        let newest = within(PATIENCE, async || {
            client.refresh().await.ok()?;
            let verdict = judge.ask(&mut client, stable).await?;
            (verdict.versions.get("timestamp") == Some(&version)).then_some(())
        });
        newest.await.with_context(|| format!("never {version}\n{}", self.node.log_tail()))
    }

    fn publish(&mut self, change: Change) {
        let files = self.sign(change);
        self.site.serve(files);
    }

    fn sign(&mut self, change: Change) -> Files {
        let files = self.acme.publish(change);
        self.node.agent.set(DOMAIN, self.acme.anchor().to_der());
        self.served.push_back(files.clone());
        if self.served.len() > OLDER_KEPT {
            self.served.pop_front();
        }
        files
    }

    fn newest(&self) -> Files {
        self.served.back().cloned().unwrap_or_default()
    }

    fn any_change(&mut self) -> Change {
        match self.random.u8(..60) {
            0..5 => Change::Root,
            5 => Change::RootKey,
            6 => Change::TimestampKey,
            7 => Change::SnapshotKey,
            8 => Change::TargetsKey,
            9..12 => Change::Team,
            _ => Change::Images,
        }
    }
}

/// The version appears file by file, the timestamp last.
async fn publish_slowly(site: Site, files: Files, mut random: fastrand::Rng) {
    let (last, first): (Vec<_>, Vec<_>) =
        files.iter().partition(|(name, _)| *name == "timestamp.json");
    for (name, bytes) in first.into_iter().chain(last) {
        let mut is_new = false;
        site.damage(|served| {
            is_new = served.get(name) != Some(bytes);
            served.insert(name, bytes);
        });
        if is_new {
            sleep(BETWEEN_FILES_MAX.mul_f64(random.f64())).await;
        }
    }
}

async fn refresh_on(mut client: Client, judge: Arc<Judge>) {
    loop {
        if let Ok(refreshed) = client.refresh().await {
            judge.told(&refreshed.versions);
        }
        sleep(Duration::from_millis(1)).await;
    }
}
