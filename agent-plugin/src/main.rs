//! tufd-verifier: containerd's image verifier. It asks tufd whether an image may be pulled, and obeys.
//!
//! containerd runs it on each pull as `tufd-verifier -name REF -digest D -stdin-media-type T`, a descriptor on stdin.
//! Exit 0 means ALLOW and nothing else does; 1 is DENY, 3 is "no verdict"; stdout gets one line, once, at the end.
//! It holds no rule of trust: it checks whom it talks to, and that the answer is about what it asked.

mod args;
mod ask;
mod chain;
mod config;
mod descriptor;
mod line;
mod outcome;
mod passed;
mod place;
mod socket;
mod user;

use std::process::ExitCode;
use std::time::Instant;

use args::{Command, Image};
use config::{Config, OnNoVerdict};
use descriptor::Descriptor;
use outcome::{NoVerdict, Outcome};

fn main() -> ExitCode {
    let started = Instant::now();
    outcome::report_panics();
    match Command::parse(std::env::args_os().skip(1)) {
        Ok(Command::Verify(image)) => verify(&image, started).report(),
        Ok(Command::Help) => outcome::say(args::HELP),
        Ok(Command::Version) => {
            outcome::say(concat!("tufd-verifier ", env!("CARGO_PKG_VERSION"), "\n"))
        }
        Err(error) => Outcome::no_verdict(&error.into(), OnNoVerdict::Block).report(),
    }
}

/// Arguments and a configuration that cannot be read always block: `on_no_verdict` is not known before they are.
fn verify(image: &Image, started: Instant) -> Outcome {
    let config = match Config::load() {
        Ok(config) => config,
        Err(error) => return Outcome::no_verdict(&error.into(), OnNoVerdict::Block),
    };
    match decide(image, &config, started) {
        Ok(outcome) => outcome,
        Err(error) => {
            let outcome = Outcome::no_verdict(&error, config.on_no_verdict);
            count_pass(&outcome, &config);
            outcome
        }
    }
}

/// A pass that cannot be counted is told, and stays one.
fn count_pass(outcome: &Outcome, config: &Config) {
    if let Outcome::Passed { .. } = outcome
        && let Err(error) = passed::mark(&config.passed)
    {
        let told = format!("tufd-verifier: a pass is not counted: {}", chain::sentence(&error));
        eprint!("{}", line::line(&told));
    }
}

/// One deadline over everything that can wait: stdin, the connection and the call.
fn decide(image: &Image, config: &Config, started: Instant) -> Result<Outcome, NoVerdict> {
    let deadline = config.deadline.get();
    let until = started.checked_add(deadline).ok_or(NoVerdict::Deadline { deadline })?;
    let descriptor = descriptor::read_stdin(image, until)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(NoVerdict::Runtime)?;
    let exchange = exchange(image, descriptor, config);
    let answer = runtime.block_on(async { tokio::time::timeout_at(until.into(), exchange).await });
    answer.map_err(|_| NoVerdict::Deadline { deadline })?
}

async fn exchange(
    image: &Image,
    descriptor: Descriptor,
    config: &Config,
) -> Result<Outcome, NoVerdict> {
    let daemon = config.daemon_user.uid()?;
    let stream = socket::connect(config.socket.path(), daemon).await?;
    Ok(ask::ask(stream, image, descriptor).await?)
}
