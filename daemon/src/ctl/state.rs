use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};
use serde_json::json;
use tempfile::NamedTempFile;
use tufd_proto::v1::ResetTimeFloorRequest;
use tufd_proto::v1::admin_client::AdminClient;

use super::connect::Daemon;
use super::failure::{Exit, Failure};
use super::program::Answer;
use super::text::{clean, moment};
use crate::backup::Backup;
use crate::regular_file::{self, ReadError};

/// Dozens of trusts with the largest chains.
const EXPORT_BYTES_MAX: u64 = 1 << 30;
const STANDARD: &str = "-";

/// `tufctl state export [FILE]`: reads the state directory and not the daemon.
pub(super) fn export(dir: &Path, file: &Path) -> Result<Answer, Failure> {
    let backup = Backup::export(dir, Timestamp::now())?;
    let json = backup.to_json()?;
    let document = format!("{json:#}\n");
    if file.as_os_str() == STANDARD {
        return Ok(Answer { exit: Exit::Fine, table: document, json });
    }
    write(file, &document).map_err(|source| Failure::File { file: file.to_owned(), source })?;
    Ok(done("exported", &backup, dir, file))
}

/// `tufctl state import FILE`: takes the directory as a daemon would.
pub(super) fn import(dir: &Path, file: &Path) -> Result<Answer, Failure> {
    let failed = |source| Failure::File { file: file.to_owned(), source };
    let backup = Backup::parse(&read(file).map_err(failed)?)?;
    become_owner(dir).map_err(|source| Failure::File { file: dir.to_owned(), source })?;
    backup.import(dir)?;
    Ok(done("imported", &backup, dir, file))
}

/// `tufctl state reset-time-floor TRUST`.
pub(super) async fn reset_time_floor(daemon: &Daemon, trust: String) -> Result<Answer, Failure> {
    let mut client = AdminClient::new(daemon.channel.clone());
    let request = ResetTimeFloorRequest { trust: trust.clone() };
    let response = daemon
        .answer(client.reset_time_floor(request))
        .await?
        .map_err(|status| Failure::about_trust(&status, &trust))?;
    let before = moment(response.before).map(|before| before.to_string());
    let table = match &before {
        Some(before) => format!("{trust}: the time floor {before} was dropped\n"),
        None => format!("{trust}: there was no time floor\n"),
    };
    let json = json!({ "trust": response.trust, "before": before });
    Ok(Answer { exit: Exit::Fine, table: clean_line(&table), json })
}

fn done(what: &str, backup: &Backup, dir: &Path, file: &Path) -> Answer {
    let domains: Vec<&str> = backup.domains().collect();
    let (list, of) = (domains.join(", "), backup.exported());
    let (shown, named) = (dir.display(), file.display());
    let table = format!("{what}: {list} (as of {of}); directory {shown}, document {named}\n");
    let json = json!({
        "done": what, "trust_domains": domains, "exported": of.to_string(),
        "dir": shown.to_string(), "file": named.to_string(),
    });
    Answer { exit: Exit::Fine, table: clean_line(&table), json }
}

fn clean_line(text: &str) -> String {
    format!("{}\n", clean(text.trim_end()))
}

/// Whole or not at all, and for its owner only: a document of floors is to be kept like the directory.
fn write(file: &Path, document: &str) -> io::Result<()> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut whole = NamedTempFile::new_in(parent.unwrap_or(Path::new(".")))?;
    whole.write_all(document.as_bytes())?;
    whole.as_file().sync_all()?;
    whole.persist(file)?;
    Ok(())
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    if file.as_os_str() == STANDARD {
        let mut document = Vec::new();
        io::stdin().lock().take(EXPORT_BYTES_MAX).read_to_end(&mut document)?;
        return Ok(document);
    }
    match regular_file::read(file, EXPORT_BYTES_MAX) {
        Ok(Some(document)) => Ok(document),
        Ok(None) => Err(io::ErrorKind::NotFound.into()),
        Err(ReadError::Io(error)) => Err(error),
        Err(error) => Err(io::Error::other(error.to_string())),
    }
}

/// Root writes into a daemon's directory as that daemon, which could not use root's files.
fn become_owner(dir: &Path) -> io::Result<()> {
    let owner = match std::fs::metadata(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    if !geteuid().is_root() || owner.uid() == geteuid().as_raw() {
        return Ok(());
    }
    set_thread_groups(&[])?;
    set_thread_gid(Gid::from_raw(owner.gid()))?;
    Ok(set_thread_uid(Uid::from_raw(owner.uid()))?)
}
