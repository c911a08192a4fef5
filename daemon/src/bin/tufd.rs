//! `tufd`: the daemon.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tufd::clock::Clock;
use tufd::logging::Logging;
use tufd::store::{SlotError, StateDir, StateError};
use tufd::{Running, Setup};

/// `sysexits.h`: a bad command line; a bad configuration, or a state directory that a newer tufd wrote.
const USAGE: u8 = 64;
const CONFIG: u8 = 78;
/// Of a daemon that had to be cut off.
const HUNG: i32 = 1;
/// After SIGTERM. All that has a limit of its own ends before.
const END_AFTER: Duration = Duration::from_secs(6);

/// Verifies container images against TUF metadata whose root keys come from SPIRE.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:\n  tufd validate --config /etc/tufd/tufd.toml\n  tufd run --config /etc/tufd/tufd.toml"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT; SIGHUP takes up changed policies and opens the audit file anew.
    Run {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Check a configuration file and say what is wrong with it; exit 78 if anything is.
    Validate {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    let command = match Arguments::try_parse() {
        Ok(Arguments { command }) => command,
        Err(error) => {
            // What cannot be printed changes nothing about the exit code.
            let _ = error.print();
            return if error.use_stderr() { USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    let (Command::Run { config: file } | Command::Validate { config: file }) = &command;
    let setup = match Setup::load(file) {
        Ok(setup) => setup,
        Err(error) => {
            eprintln!("tufd: {error:#}");
            return CONFIG.into();
        }
    };
    match command {
        Command::Validate { config: file } => {
            let warnings = &setup.config().warnings;
            warnings.iter().for_each(|warning| eprintln!("tufd: warning: {warning}"));
            println!("{} is valid", file.display());
            ExitCode::SUCCESS
        }
        Command::Run { config: file } => run(setup, file),
    }
}

fn run(setup: Setup, file: PathBuf) -> ExitCode {
    let logging = Arc::new(Logging::start(&setup.config().log));
    setup.config().warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    // Without it no https source can be opened, and that is said then.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let ended = serve_to_the_end(setup, file, &logging);
    if let Err(error) = &ended {
        tracing::error!("{error:#}");
    }
    logging.flush();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_for_a_newer_tufd(&error) => CONFIG.into(),
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve_to_the_end(setup: Setup, file: PathBuf, logging: &Arc<Logging>) -> anyhow::Result<()> {
    let state = StateDir::open(&setup.config().state_dir).context("state.dir")?;
    let runtime = tokio::runtime::Runtime::new().context("no runtime")?;
    let ended = runtime.block_on(serve(setup, &state, file, Arc::clone(logging)));
    // What hangs on a disk is left behind, and may still write: the lock is held until the process is gone.
    runtime.shutdown_background();
    std::mem::forget(state);
    ended
}

async fn serve(
    setup: Setup,
    state: &StateDir,
    file: PathBuf,
    logging: Arc<Logging>,
) -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // Taken over before anything runs: by default it ends a process.
    let hangups = signal(SignalKind::hangup())?;
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        notify(&[NotifyState::Stopping]);
        let _ = stop.send(());
        tokio::time::sleep(END_AFTER).await;
        // The thread that starts the daemon, or takes it down, hangs on a disk itself.
        std::process::exit(HUNG);
    });
    let shutdown = async move {
        let _ = stopped.await;
    };
    let ready = |running| {
        notify(&[NotifyState::Ready]);
        tokio::spawn(reload_on(hangups, running, file, logging));
    };
    tufd::run(setup, state, Clock::system(), ready, shutdown).await
}

/// Reloads at each SIGHUP, one after the other.
async fn reload_on(mut hangups: Signal, running: Running, file: PathBuf, logging: Arc<Logging>) {
    while hangups.recv().await.is_some() {
        let begun = NotifyState::monotonic_usec_now().ok();
        let states: Vec<_> = [NotifyState::Reloading].into_iter().chain(begun).collect();
        notify(&states);
        logging.reopen();
        let (running, file) = (running.clone(), file.clone());
        // The file may lie on a disk that hangs.
        let log = tokio::task::spawn_blocking(move || running.reload(&file)).await;
        if let Ok(Some(log)) = log {
            logging.reload(&log);
        }
        notify(&[NotifyState::Ready]);
    }
}

/// A state directory of a newer layout, or with fields that only a newer tufd knows, stays one: trying again does not
/// help.
fn is_for_a_newer_tufd(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(StateError::Newer { .. }))
            || matches!(
                cause.downcast_ref(),
                Some(SlotError::Newer { .. } | SlotError::Content { .. })
            )
    })
}

/// systemd is told where it listens; elsewhere nobody is.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}
