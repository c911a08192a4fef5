use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::artifact::Artifacts;
use super::command::{Request, Task};
use super::directory::MetadataDir;
use super::error::ClientError;
use super::search::Found;
use super::update::Update;
use crate::causes::in_one_line;
use crate::ctl::text::clean;
use crate::fetch::{Limits, Source, SourceUrl};

/// Reads the command line, does it, and says by the exit code how it went.
pub fn main() -> ExitCode {
    match run(Request::read()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _gone = writeln!(std::io::stderr(), "tuf-client: {}", clean(&in_one_line(&error)));
            ExitCode::FAILURE
        }
    }
}

fn run(Request { metadata_dir, time, task }: Request) -> Result<(), ClientError> {
    let update = |from: SourceUrl| -> Result<Update, ClientError> {
        let dir = MetadataDir::open(&metadata_dir)?;
        Ok(Update { dir, source: Source::open(from, Limits::default())?, now: time })
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ClientError::Start)?;
    match task {
        Task::Init { root } => MetadataDir::create(&metadata_dir)?.init(&root),
        Task::Refresh { from } => runtime.block_on(update(from)?.refresh()).map(drop),
        Task::Download { from, targets, base, into } => {
            let artifacts = Artifacts::open(base, into)?;
            runtime.block_on(download(&update(from)?, &artifacts, &targets))
        }
        Task::Resolve { from, target } => {
            let found = runtime.block_on(resolve(&update(from)?, &target))?;
            print(&format!("{:#}", as_json(&target, &found)));
            Ok(())
        }
    }
}

async fn download(
    update: &Update,
    artifacts: &Artifacts,
    targets: &[String],
) -> Result<(), ClientError> {
    let mut chain = update.refresh().await?;
    for name in targets {
        let Found { target, role_path: _ } = update.find(&mut chain, name).await?;
        let path = artifacts.obtain(name, &target, chain.trust.root().file_names()).await?;
        print(&path.display().to_string());
    }
    Ok(())
}

async fn resolve(update: &Update, target: &str) -> Result<Found, ClientError> {
    let mut chain = update.refresh().await?;
    update.find(&mut chain, target).await
}

fn as_json(name: &str, Found { target, role_path }: &Found) -> serde_json::Value {
    let hashes: serde_json::Map<String, serde_json::Value> =
        target.hashes.listed().map(|(kind, hash)| (kind.to_owned(), hash.into())).collect();
    json!({
        "target": name,
        "role_path": role_path,
        "length": target.length,
        "hashes": hashes,
    })
}

/// A reader that is gone changes no exit code.
fn print(line: &str) {
    let _gone = writeln!(std::io::stdout(), "{line}");
}
