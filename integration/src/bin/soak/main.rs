//! A node that is left alone for a while: an organisation publishes and rotates its keys, mirrors misbehave, the agent
//! restarts, refuses, loses the bundle and finds it again, clients and an operator ask all the time. At the end no
//! answer was wrong, none was missing, and memory and descriptors have not grown.

mod samples;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use tokio::runtime::Runtime;
use tokio::time::sleep;
use tufd_integration::{Client, Judge, Load, Report, Usage};

use samples::Samples;
use world::World;

const SAMPLE_EVERY: Duration = Duration::from_secs(1);
const PROGRESS_EVERY: u32 = 10;
const OPERATOR_EVERY: Duration = Duration::from_millis(500);

/// Leaves tufd alone with everything that happens to a node, and looks whether it answers rightly and stays small.
#[derive(Debug, Parser)]
#[command(after_help = "Example:\n  soak --minutes 20")]
struct Arguments {
    /// How long.
    #[arg(long, default_value_t = 2.0)]
    minutes: f64,
    /// Draws the same events again.
    #[arg(long)]
    seed: Option<u64>,
    /// The daemon; the one beside this program if left out.
    #[arg(long, value_name = "PATH")]
    tufd: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    Runtime::new()?.block_on(run(arguments))
}

async fn run(Arguments { minutes, seed, tufd }: Arguments) -> Result<ExitCode> {
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("soak: seed {seed}, {minutes} minutes");
    let mut report = Report::new("soak");
    let (began, mut samples) = (Instant::now(), Samples::default());
    let mut world = World::start(tufd, seed).await?;
    let (judge, pid, client) = (Arc::clone(&world.judge), world.node.pid()?, world.node.client());
    let load = Load::start(&world.node, &judge, &world.acme.questions, seed);
    let lived = tokio::select! {
        lived = world.live(Duration::from_secs_f64(minutes * 60.0)) => lived,
        failed = operate(client, &judge) => Err(failed),
        failed = sample(pid, &mut samples, &judge) => Err(failed),
    };
    load.stop().await;
    report.case("life", began, lived.map(|()| world.figures()));
    report.case("answers", began, judge.conclusion());
    report.case("memory", began, samples.memory());
    report.case("descriptors", began, samples.descriptors());
    Ok(report.exit())
}

/// What an operator's tools do. What they are told must not be older in any answer that follows.
async fn operate(mut client: Client, judge: &Judge) -> anyhow::Error {
    for number in 0_u64.. {
        let told = match number % 8 {
            0 => client.refresh().await.map(|refreshed| refreshed.versions),
            _ => client.trust().await.map(|trust| {
                let roles = trust.roles.into_iter().map(|role| (role.name, role.version));
                roles.chain(trust.root.map(|root| ("root".to_owned(), root.version))).collect()
            }),
        };
        match told {
            Ok(versions) => judge.told(&versions),
            Err(error) => return error.context("the operator gets no answer"),
        }
        sleep(OPERATOR_EVERY).await;
    }
    unreachable!("it goes on")
}

async fn sample(pid: u32, samples: &mut Samples, judge: &Judge) -> anyhow::Error {
    for number in 1_u32.. {
        match Usage::of(pid) {
            Ok(usage) => samples.add(usage),
            Err(error) => return error.context("tufd is gone"),
        }
        if number % PROGRESS_EVERY == 0 {
            eprintln!("  {samples}; {}", judge.summary());
        }
        sleep(SAMPLE_EVERY).await;
    }
    unreachable!("it goes on")
}
