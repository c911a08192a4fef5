//! Children that do not outlive us, however we end.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// As the first argument it turns this program into the one that follows.
const LEASH: &str = "--leashed-to";
/// After that a child that was asked to end is killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts a program that dies with this process, also where this one is killed. Its output goes to `log`.
///
/// It has a process group of its own, so that Ctrl-C ends us first, and we end it.
pub(crate) fn start(program: &OsStr, arguments: &[&OsStr], log: &File) -> Result<Child> {
    let ourselves = std::env::current_exe().context("cannot find this program")?;
    Command::new(ourselves)
        .args([OsStr::new(LEASH), OsStr::new(&std::process::id().to_string()), program])
        .args(arguments)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))
}

/// Asks a child to end, waits, and kills it when it does not.
pub(crate) async fn stop(mut child: Child) -> Result<()> {
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        kill_process(pid, Signal::TERM).context("cannot end a child")?;
    }
    if timeout(PATIENCE, child.wait()).await.is_err() {
        child.kill().await.context("cannot kill a child")?;
    }
    Ok(())
}

/// Where the command line says so, becomes the program that it names, and returns only if that fails.
///
/// The kernel keeps the wish to die with the parent across `exec`, and this way needs no unsafe code.
pub(crate) fn become_one() -> Option<std::io::Error> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != LEASH {
        return None;
    }
    let (parent, program) = (arguments.next()?, arguments.next()?);
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return Some(error.into());
    }
    let now = getppid().map(|pid| pid.as_raw_nonzero().to_string());
    if now.as_deref().map(OsStr::new) != Some(&parent) {
        return Some(std::io::Error::other("the quickstart ended meanwhile"));
    }
    Some(std::process::Command::new(program).args(arguments).exec())
}
