//! Measures a running tufd, each thing beside its floor in the same run; starts no daemon and asserts no time.
//!
//! A verdict beside `grpc.health.v1` Check on the same connection (tonic's cost without ours), the same over eight
//! connections, and the verifier's exec-to-exit time beside `/bin/true`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use comfy_table::{CellAlignment, Table, presets};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::runtime::Builder;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tufd_proto::v1::verifier_client::VerifierClient;
use tufd_proto::v1::{Decision, VerifyImageRequest};

/// Blocks of both kinds take turns, so that a machine that gets slower slows both.
const BLOCKS: usize = 20;
const CONNECTIONS: usize = 8;

/// Measures a running tufd: verdicts beside empty calls, the verifier beside /bin/true.
#[derive(Debug, Parser)]
#[command(
    after_help = "Example:\n  bench --socket /run/tufd/tufd.sock --reference app:v1 --digest sha256:0123… \
    --plugin /opt/containerd/image-verifier/bin/tufd-verifier"
)]
struct Arguments {
    /// tufd's socket.
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,
    /// The image to ask about.
    #[arg(long, value_name = "REF")]
    reference: String,
    /// Its digest.
    #[arg(long, value_name = "DIGEST")]
    digest: String,
    /// tufd-verifier, to measure it too.
    #[arg(long, value_name = "PATH")]
    plugin: Option<PathBuf>,
    /// Its configuration; /etc/tufd/verifier.toml without it.
    #[arg(long, value_name = "PATH", requires = "plugin")]
    plugin_config: Option<PathBuf>,
    /// Calls of each kind.
    #[arg(long, default_value_t = 20_000)]
    calls: usize,
    /// Runs of each program.
    #[arg(long, default_value_t = 200)]
    runs: usize,
    /// One JSON document instead of a table.
    #[arg(long)]
    json: bool,
}

/// Durations of one kind of thing.
#[derive(Debug, Default)]
struct Sample(Vec<Duration>);

/// A thing and its floor, measured in turns.
#[derive(Debug)]
struct Pair {
    name: &'static str,
    floor_name: &'static str,
    sample: Sample,
    floor: Sample,
}

/// Calls a second over `CONNECTIONS`.
#[derive(Debug)]
struct Throughput {
    verdicts: f64,
    empty: f64,
}

#[derive(Debug, Clone, Copy)]
enum Call {
    /// Another decision than this one ends the run.
    Verdict(Decision),
    Empty,
}

/// One connection.
#[derive(Debug)]
struct Daemon {
    verifier: VerifierClient<Channel>,
    health: HealthClient<Channel>,
    request: VerifyImageRequest,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(
        arguments.calls >= BLOCKS && arguments.runs > 0,
        "--calls is at least {BLOCKS}, --runs at least 1"
    );
    let (pair, decision) =
        Builder::new_current_thread().enable_all().build()?.block_on(verdicts(&arguments))?;
    let throughput = Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(throughput(&arguments, decision))?;
    let mut pairs = vec![pair];
    if let Some(plugin) = &arguments.plugin {
        pairs.push(programs(plugin, &arguments, decision)?);
    }
    let text = match arguments.json {
        true => format!("{:#}", as_json(&pairs, &throughput, decision)),
        false => as_table(&pairs, &throughput, decision),
    };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

async fn verdicts(arguments: &Arguments) -> Result<(Pair, Decision)> {
    let mut daemon = Daemon::connect(arguments).await?;
    let decision = daemon.decision().await?;
    let block = arguments.calls / BLOCKS;
    let (mut sample, mut floor) = (Sample::default(), Sample::default());
    for turn in 0..=BLOCKS {
        let verdicts = daemon.block(block, Call::Verdict(decision)).await?;
        let empty = daemon.block(block, Call::Empty).await?;
        // The first turn is warm-up.
        if turn > 0 {
            sample.0.extend(verdicts);
            floor.0.extend(empty);
        }
    }
    Ok((Pair { name: "verdict", floor_name: "empty call", sample, floor }, decision))
}

async fn throughput(arguments: &Arguments, decision: Decision) -> Result<Throughput> {
    let empty = rate(arguments, Call::Empty).await?;
    Ok(Throughput { empty, verdicts: rate(arguments, Call::Verdict(decision)).await? })
}

/// Calls a second, one after the other on each connection.
async fn rate(arguments: &Arguments, call: Call) -> Result<f64> {
    let calls = arguments.calls / CONNECTIONS;
    let mut daemons = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut daemon = Daemon::connect(arguments).await?;
        daemon.call(call).await?;
        daemons.push(daemon);
    }
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for mut daemon in daemons {
        tasks.spawn(async move { daemon.block(calls, call).await });
    }
    let done = tasks.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(done.iter().map(Vec::len).sum::<usize>() as f64 / start.elapsed().as_secs_f64())
}

/// Exec to exit, in turns; the first ten of each are warm-up.
fn programs(plugin: &Path, arguments: &Arguments, decision: Decision) -> Result<Pair> {
    let exit = if decision == Decision::Allow { 0 } else { 1 };
    let (mut sample, mut floor) = (Sample::default(), Sample::default());
    for run in 0..arguments.runs + 10 {
        let verifier = exec(plugin, arguments, exit)?;
        let nothing = exec(Path::new("/bin/true"), arguments, 0)?;
        if run >= 10 {
            sample.0.push(verifier);
            floor.0.push(nothing);
        }
    }
    Ok(Pair { name: "tufd-verifier", floor_name: "/bin/true", sample, floor })
}

/// Both programs get containerd's arguments and stdin.
fn exec(program: &Path, arguments: &Arguments, exit: i32) -> Result<Duration> {
    let mut command = Command::new(program);
    command.args(["-name", &arguments.reference, "-digest", &arguments.digest]);
    command.args(["-stdin-media-type", "application/vnd.oci.descriptor.v1+json"]);
    if let Some(config) = &arguments.plugin_config {
        command.env("TUFD_VERIFIER_CONFIG", config);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
    if let Some(mut stdin) = child.stdin.take() {
        let _ended = stdin.write_all(b"{\"size\":405}\n");
    }
    let output = child.wait_with_output()?;
    let elapsed = start.elapsed();
    let line = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.code() == Some(exit), "{}: {}: {line}", program.display(), output.status);
    Ok(elapsed)
}

impl Daemon {
    async fn connect(arguments: &Arguments) -> Result<Self> {
        let socket = arguments.socket.clone();
        let connector = tower::service_fn(move |_| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        let channel = Endpoint::from_static("http://tufd")
            .connect_with_connector(connector)
            .await
            .with_context(|| format!("cannot reach tufd at {}", arguments.socket.display()))?;
        let Arguments { reference, digest, .. } = arguments;
        let request = VerifyImageRequest {
            reference: reference.clone(),
            digest: digest.clone(),
            ..Default::default()
        };
        Ok(Self {
            verifier: VerifierClient::new(channel.clone()),
            health: HealthClient::new(channel),
            request,
        })
    }

    async fn decision(&mut self) -> Result<Decision> {
        let verdict = self
            .verifier
            .verify_image(self.request.clone())
            .await
            .context("no verdict")?
            .into_inner();
        Ok(Decision::try_from(verdict.decision)?)
    }

    async fn call(&mut self, call: Call) -> Result<()> {
        match call {
            Call::Verdict(before) => {
                let found = self.decision().await?;
                let (before_name, name) = (before.as_str_name(), found.as_str_name());
                ensure!(found == before, "the verdict changed from {before_name} to {name}");
            }
            Call::Empty => {
                let request = HealthCheckRequest::default();
                self.health.check(request).await.context("grpc.health.v1 does not answer")?;
            }
        }
        Ok(())
    }

    /// One call after the other, each timed.
    async fn block(&mut self, calls: usize, call: Call) -> Result<Vec<Duration>> {
        let mut took = Vec::with_capacity(calls);
        for _ in 0..calls {
            let start = Instant::now();
            self.call(call).await?;
            took.push(start.elapsed());
        }
        Ok(took)
    }
}

impl Sample {
    /// Microseconds that `percent` of the sample do not exceed.
    fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(rank).map_or(f64::NAN, |found| found.as_secs_f64() * 1e6)
    }
}

fn as_json(pairs: &[Pair], throughput: &Throughput, decision: Decision) -> Value {
    let pairs = pairs.iter().map(|pair| {
        let sample = |sample: &Sample| {
            json!({ "count": sample.0.len(), "p50_us": sample.percentile(50), "p99_us": sample.percentile(99) })
        };
        json!({ "name": pair.name, "measured": sample(&pair.sample),
            "floor_name": pair.floor_name, "floor": sample(&pair.floor) })
    });
    json!({
        "decision": decision.as_str_name(), "pairs": pairs.collect::<Vec<_>>(),
        "throughput": { "connections": CONNECTIONS, "verdicts_per_s": throughput.verdicts,
            "empty_calls_per_s": throughput.empty, "ratio": throughput.verdicts / throughput.empty },
    })
}

fn as_table(pairs: &[Pair], throughput: &Throughput, decision: Decision) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["what", "value", "floor", "ratio"]);
    for pair in pairs {
        for percent in [50, 99] {
            let (value, floor) = (pair.sample.percentile(percent), pair.floor.percentile(percent));
            let what = format!(
                "{} p{percent} beside {} ({} each)",
                pair.name,
                pair.floor_name,
                pair.sample.0.len()
            );
            table.add_row([
                what,
                format!("{value:.1} µs"),
                format!("{floor:.1} µs"),
                format!("{:.2}", value / floor),
            ]);
        }
    }
    table.add_row([
        format!("verdicts beside empty calls over {CONNECTIONS} connections"),
        format!("{:.0}/s", throughput.verdicts),
        format!("{:.0}/s", throughput.empty),
        format!("{:.2}", throughput.verdicts / throughput.empty),
    ]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("decision measured: {}\n{table}", decision.as_str_name())
}
