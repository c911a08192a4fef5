//! The node: the real daemon, its operator's command and the verifier.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::geteuid;
use tokio::process::{Child, Command};

use crate::child;
use crate::place::Place;
use crate::programs::Programs;
use crate::pull::{Answer, Pull};

const READY_WITHIN: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);
const LOG: &str = "tufd.log";
const TAIL_LINES: usize = 20;

/// A node, whose daemon may be down.
pub(crate) struct Node {
    programs: Programs,
    configuration: PathBuf,
    verifier_configuration: PathBuf,
    socket: PathBuf,
    admin_socket: PathBuf,
    log: std::fs::File,
    log_path: PathBuf,
    daemon: Option<Child>,
}

/// How `tufctl refresh` is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refresh {
    /// With every step verified.
    Verified,
    /// With a file that was refused.
    Refused,
}

impl Node {
    /// Writes its configuration.
    pub(crate) fn new(programs: Programs, place: &Place) -> Result<Self> {
        let verifier = format!(
            "socket = \"{}\"\ndaemon_user = {}\n",
            place.socket().display(),
            geteuid().as_raw()
        );
        Ok(Self {
            programs,
            configuration: place.write("tufd.toml", &configuration(place))?,
            verifier_configuration: place.write("verifier.toml", &verifier)?,
            socket: place.socket(),
            admin_socket: place.admin_socket(),
            log: place.log(LOG)?,
            log_path: place.path(LOG),
            daemon: None,
        })
    }

    /// Starts the daemon and waits until it can answer ALLOW.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let program = self.programs.daemon();
        let arguments = ["run".as_ref(), "--config".as_ref(), self.configuration.as_os_str()];
        let daemon = self.daemon.insert(child::start(program.as_os_str(), &arguments, &self.log)?);
        let until = Instant::now() + READY_WITHIN;
        loop {
            if let Some(status) = daemon.try_wait()? {
                bail!("tufd ended: {status}");
            }
            let mut health = control(&self.programs, &self.socket, &self.admin_socket);
            if run(health.arg("healthcheck")).await?.success() {
                return Ok(());
            }
            ensure!(Instant::now() < until, "tufd trusts nothing after {READY_WITHIN:?}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(crate) async fn stop(&mut self) -> Result<()> {
        match self.daemon.take() {
            Some(daemon) => child::stop(daemon).await,
            None => Ok(()),
        }
    }

    /// Calls the verifier as containerd does.
    pub(crate) async fn ask(&self, pull: &Pull) -> Result<Answer> {
        pull.ask(&self.programs.verifier(), &self.verifier_configuration).await
    }

    /// `tufctl refresh`: afterwards the daemon knows what is served now.
    pub(crate) async fn refresh(&self, expected: Refresh) -> Result<()> {
        let mut refresh = control(&self.programs, &self.socket, &self.admin_socket);
        let status = run(refresh.arg("refresh")).await?;
        let ended = match status.code() {
            Some(0) => Refresh::Verified,
            Some(1) => Refresh::Refused,
            Some(_) | None => bail!("tufctl refresh: {status}"),
        };
        ensure!(ended == expected, "tufctl refresh ended as {ended:?}, not as {expected:?}");
        Ok(())
    }

    /// What a shell needs for the programs to find each other.
    pub(crate) fn environment(&self) -> [(&'static str, String); 3] {
        [
            ("TUFD_SOCKET", self.socket.display().to_string()),
            ("TUFD_ADMIN_SOCKET", self.admin_socket.display().to_string()),
            ("TUFD_VERIFIER_CONFIG", self.verifier_configuration.display().to_string()),
        ]
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The daemon's last words, on stderr.
    pub(crate) fn show_log(&self) {
        let log = std::fs::read_to_string(&self.log_path).unwrap_or_default();
        if !log.is_empty() {
            eprintln!("\nThe end of tufd's log:\n{}", tail(&log));
        }
    }
}

/// The last lines of a log.
pub(crate) fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let skipped = lines.len().saturating_sub(TAIL_LINES);
    lines.into_iter().skip(skipped).collect::<Vec<_>>().join("\n")
}

fn control(programs: &Programs, socket: &Path, admin_socket: &Path) -> Command {
    let mut control = Command::new(programs.control());
    control.args([OsStr::new("--socket"), socket.as_os_str()]);
    control.args([OsStr::new("--admin-socket"), admin_socket.as_os_str()]);
    control
}

async fn run(command: &mut Command) -> Result<ExitStatus> {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.kill_on_drop(true).status().await.context("cannot run tufctl")
}

/// Short clocks; everything else is as on any node.
fn configuration(place: &Place) -> String {
    format!(
        r#"[workload_api]
socket = "unix://{agent}"

[serve]
socket = "{socket}"
allow_uids = ["own"]

[admin]
socket = "{admin}"
allow_uids = ["own"]

[state]
dir = "{state}"

[refresh]
period = "1s"

[[trust]]
name = "acme"
trust_domain = "tuf-root.acme.example"
threshold = 2
metadata = ["file://{repository}/"]

[[policy]]
images = "registry.acme.example/**"
trust = ["acme"]
"#,
        agent = place.agent_socket().display(),
        socket = place.socket().display(),
        admin = place.admin_socket().display(),
        state = place.path("state").display(),
        repository = place.repository().display(),
    )
}
