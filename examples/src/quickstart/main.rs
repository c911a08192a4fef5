//! `quickstart`: an organisation, a node and an attacker on one machine, in half a minute.
//!
//! It builds the programs, makes an organisation with root keys and signed images, starts the real daemon, calls the
//! real verifier as containerd does, and prints what was tried, what was expected and what was answered. Only the
//! SPIRE agent is a fake, and with `--spire` it is real, too. Nothing of it stays on the machine.

mod agent;
mod arguments;
mod child;
mod keep;
mod node;
mod organisation;
mod place;
mod programs;
mod pull;
mod report;
mod spire;
mod tour;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use agent::Agent;
use arguments::Arguments;
use node::Node;
use organisation::Organisation;
use place::Place;
use programs::Programs;
use report::Report;

/// What a shell gives for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Everything that plays a part.
struct Scene {
    organisation: Organisation,
    agent: Agent,
    node: Node,
    // Last, so that it is removed after those who live in it are gone.
    place: Place,
}

fn main() -> ExitCode {
    if let Some(failed) = child::become_one() {
        eprintln!("quickstart: {failed}");
        return ExitCode::FAILURE;
    }
    let arguments = Arguments::parse();
    run(&arguments).unwrap_or_else(|error| {
        eprintln!("quickstart: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    let place = Place::new()?;
    let programs = Programs::build()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut scene = Scene::new(place, programs, arguments)?;
        let mut report = Report::new();
        let played = tokio::select! {
            played = play(&mut scene, &mut report, arguments) => played,
            () = interrupted()? => Ok(ExitCode::from(INTERRUPTED)),
        };
        report.finish();
        scene.end(&played).await;
        played
    })
}

async fn play(scene: &mut Scene, report: &mut Report, arguments: &Arguments) -> Result<ExitCode> {
    let played = tour::tour(scene, report).await;
    report.print();
    played?;
    if !report.is_as_expected() {
        scene.node.show_log();
        return Ok(ExitCode::FAILURE);
    }
    if arguments.keep {
        keep::serve(scene, interrupted()?).await?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Scene {
    fn new(place: Place, programs: Programs, arguments: &Arguments) -> Result<Self> {
        let organisation = Organisation::new(place.repository());
        let agent = match &arguments.spire {
            Some(programs) => Agent::spire(programs, &place)?,
            None => Agent::embedded(&place),
        };
        let node = Node::new(programs, &place)?;
        Ok(Self { organisation, agent, node, place })
    }

    /// Takes everything down; what cannot be taken down is said.
    async fn end(mut self, played: &Result<ExitCode>) {
        if played.is_err() {
            self.node.show_log();
        }
        let node = self.node.stop().await;
        let agent = self.agent.stop().await;
        for error in [node, agent, self.place.remove()].into_iter().filter_map(Result::err) {
            eprintln!("quickstart: {error:#}");
        }
    }
}

/// Ends with Ctrl-C, a request to terminate, or a terminal that is gone.
fn interrupted() -> Result<impl Future<Output = ()>> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hangup = listen(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}
