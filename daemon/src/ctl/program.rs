use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};

use super::command::{Arguments, Command, Output, Sockets, State};
use super::connect::Daemon;
use super::failure::{Exit, Failure};
use super::text::clean;
use super::{state, trust, verify};

/// A lookup may wait for a refresh, which takes the daemon at most 6 s.
const CALL_DEADLINE: Duration = Duration::from_secs(10);
const REFRESH_DEADLINE: Duration = Duration::from_secs(120);

/// An answer in both of its forms.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) exit: Exit,
    pub(super) json: Value,
    pub(super) table: String,
}

/// Reads the command line, asks, prints, and says by the exit code how it went.
pub fn main() -> ExitCode {
    // clap itself ends the program at a bad command line, with 2.
    let Arguments { sockets, output, command } = Arguments::parse();
    let exit = match ask(&sockets, command) {
        Ok(answer) => show(answer, output),
        Err(failure) => explain(&failure, output),
    };
    ExitCode::from(exit as u8)
}

fn ask(sockets: &Sockets, command: Command) -> Result<Answer, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Start)?;
    runtime.block_on(async {
        match command {
            Command::Verify { image } => verify::verify(&verdicts(sockets).await?, image).await,
            Command::Status => trust::status(&verdicts(sockets).await?).await,
            Command::Trust { name } => {
                trust::trust(&verdicts(sockets).await?, name.unwrap_or_default()).await
            }
            Command::State(State::Export { dir, file }) => state::export(&dir, &file),
            Command::State(State::Import { dir, file }) => state::import(&dir, &file),
            Command::State(State::ResetTimeFloor { trust }) => {
                let admin = Daemon::connect(&sockets.admin(), REFRESH_DEADLINE).await?;
                state::reset_time_floor(&admin, trust).await
            }
            Command::Healthcheck => trust::healthcheck(&verdicts(sockets).await?).await,
            Command::Refresh { trust } => {
                let admin = Daemon::connect(&sockets.admin(), REFRESH_DEADLINE).await?;
                trust::refresh(&admin, trust.unwrap_or_default()).await
            }
        }
    })
}

async fn verdicts(sockets: &Sockets) -> Result<Daemon, Failure> {
    let socket = sockets.verdicts();
    Daemon::connect(Path::new(&socket), CALL_DEADLINE).await
}

fn show(answer: Answer, output: Output) -> Exit {
    match output {
        Output::Table => print(&answer.table),
        Output::Json => print(&format!("{:#}\n", answer.json)),
    }
    answer.exit
}

/// People read stderr; a program that asked for JSON gets a document, which has an `error` and no `decision`.
fn explain(failure: &Failure, output: Output) -> Exit {
    let sentence = clean(&failure.sentence());
    if output == Output::Json {
        print(&format!("{:#}\n", json!({ "error": sentence })));
    }
    let _gone = writeln!(std::io::stderr(), "tufctl: {sentence}");
    failure.exit()
}

/// A reader that is gone changes no exit code.
fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _gone = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
