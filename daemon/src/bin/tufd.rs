//! `tufd`: the daemon.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;
use tufd::clock::Clock;
use tufd::config::{Config, Log, LogFormat};
use tufd::store::{SlotError, StateError};

/// `sysexits.h`: a bad command line; a bad configuration, or a state directory that a newer tufd wrote.
const USAGE: u8 = 64;
const CONFIG: u8 = 78;

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
    /// Serve until SIGTERM or SIGINT.
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
    let config = match load(file) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("tufd: {error:#}");
            return CONFIG.into();
        }
    };
    match command {
        Command::Validate { config: file } => {
            config.warnings.iter().for_each(|warning| eprintln!("tufd: warning: {warning}"));
            println!("{} is valid", file.display());
            ExitCode::SUCCESS
        }
        Command::Run { .. } => run(config),
    }
}

fn load(file: &Path) -> anyhow::Result<Config> {
    let config = Config::load(file)?;
    tufd::policies(&config).with_context(|| file.display().to_string())?;
    Ok(config)
}

fn run(config: Config) -> ExitCode {
    log_to_stderr(&config.log);
    config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    // Without it no https source can be opened, and that is said then.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let served = tokio::runtime::Runtime::new().context("no runtime").and_then(|runtime| {
        runtime.block_on(async {
            let (mut terminate, mut interrupt) =
                (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
            let shutdown = async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                notify(sd_notify::NotifyState::Stopping);
            };
            tufd::run(config, Clock::system(), || notify(sd_notify::NotifyState::Ready), shutdown)
                .await
        })
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            if is_for_a_newer_tufd(&error) { CONFIG.into() } else { ExitCode::FAILURE }
        }
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
fn notify(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!(%error, "systemd was not told");
    }
}

fn log_to_stderr(log: &Log) {
    let level: LevelFilter = log.level.as_str().parse().unwrap_or(LevelFilter::INFO);
    let builder = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        LogFormat::Text => builder.with_ansi(false).init(),
    }
}
