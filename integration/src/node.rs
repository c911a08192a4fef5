//! The real daemon in a process of its own, and the fake agent that it listens to.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use testkit::workload_api::FakeWorkloadApi;

use crate::acme::DOMAIN;
use crate::client::Client;

/// Lines of the daemon's log that are shown where something failed.
const TAIL_LINES: usize = 60;

/// A private directory with a configuration, an agent, and the daemon while it runs. What it started ends with it.
#[derive(Debug)]
pub struct Node {
    dir: TempDir,
    program: PathBuf,
    /// The agent.
    pub agent: FakeWorkloadApi,
    running: Option<Child>,
}

/// What differs between the drivers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `tufd`; `None` for the one beside this program.
    pub program: Option<PathBuf>,
    /// `[refresh] period`.
    pub period: &'static str,
    /// `[workload_api] withdraw_after`.
    pub withdraw_after: &'static str,
    /// Where the metadata is, the preferred source first.
    pub sources: Vec<String>,
}

/// What the daemon holds of the machine.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Resident memory, KiB.
    pub rss_kib: u64,
    /// The most that it ever was, KiB.
    pub peak_kib: u64,
    /// Open descriptors.
    pub descriptors: u64,
}

impl Default for Settings {
    /// As tufd's own, with the program beside this one and no source.
    fn default() -> Self {
        Self { program: None, period: "5m", withdraw_after: "60s", sources: Vec::new() }
    }
}

impl Node {
    /// Writes the configuration and starts the agent, which knows no bundle yet. Wants a tokio runtime.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(settings: &Settings) -> Result<Self> {
        // A socket's path has at most 107 bytes, so not below a deep TMPDIR.
        let dir = tempfile::Builder::new().prefix("tufd-").tempdir_in("/tmp")?;
        let agent = FakeWorkloadApi::start(dir.path().join("agent.sock"))?;
        let program = match &settings.program {
            Some(program) => program.clone(),
            None => std::env::current_exe()?.with_file_name("tufd"),
        };
        ensure!(program.is_file(), "no {}: cargo build --release --bins", program.display());
        fs::write(dir.path().join("tufd.toml"), configuration(&dir, settings))?;
        Ok(Self { dir, program, agent, running: None })
    }

    /// Starts the daemon and returns when that was.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&mut self) -> Result<Instant> {
        let log = File::options().create(true).append(true).open(self.path("tufd.log"))?;
        let mut command = Command::new(&self.program);
        command.args(["run", "--config"]).arg(self.path("tufd.toml"));
        command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let began = Instant::now();
        let child = command.spawn();
        self.running = Some(child.with_context(|| self.program.display().to_string())?);
        Ok(began)
    }

    /// Kills the daemon with SIGKILL.
    ///
    /// # Errors
    /// When it had ended by itself, with the end of its log.
    pub fn kill(&mut self) -> Result<()> {
        self.check_running()?;
        if let Some(mut child) = self.running.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// # Errors
    /// When the daemon does not run, with the end of its log.
    pub fn check_running(&mut self) -> Result<()> {
        let child = self.running.as_mut().context("tufd was not started")?;
        if let Some(status) = child.try_wait()? {
            bail!("tufd ended by itself: {status}\n{}", self.log_tail());
        }
        Ok(())
    }

    /// New connections to the daemon.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.path("serve/tufd.sock"), &self.path("admin/admin.sock"))
    }

    /// The daemon's process.
    ///
    /// # Errors
    /// When it was not started.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.running.as_ref().context("tufd was not started")?.id())
    }

    /// Bytes of all files in the state directory.
    ///
    /// # Errors
    /// What the system says.
    pub fn state_bytes(&self) -> Result<u64> {
        let (mut bytes, mut directories) = (0, vec![self.path("state")]);
        while let Some(directory) = directories.pop() {
            for entry in directory.read_dir()? {
                let entry = entry?;
                match entry.metadata()? {
                    found if found.is_dir() => directories.push(entry.path()),
                    found => bytes += found.len(),
                }
            }
        }
        Ok(bytes)
    }

    /// The daemon's last words.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.path("tufd.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("\n")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Usage {
    /// Of a process, now.
    ///
    /// # Errors
    /// When there is none.
    pub fn of(pid: u32) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            number.with_context(|| format!("no {key} in /proc/{pid}/status"))
        };
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64;
        Ok(Self { rss_kib: kib("VmRSS:")?, peak_kib: kib("VmHWM:")?, descriptors })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn configuration(dir: &TempDir, settings: &Settings) -> String {
    let Settings { program: _, period, withdraw_after, sources } = settings;
    let dir = dir.path().display();
    format!(
        r#"[workload_api]
socket = "{dir}/agent.sock"
allowed_uids = ["own"]
withdraw_after = "{withdraw_after}"
[serve]
socket = "{dir}/serve/tufd.sock"
allow_uids = ["own"]
[admin]
socket = "{dir}/admin/admin.sock"
allow_uids = ["own"]
[state]
dir = "{dir}/state"
[refresh]
period = "{period}"
[[trust]]
name = "acme"
trust_domain = "{DOMAIN}"
threshold = 2
metadata = {sources:?}
[[policy]]
images = "registry.acme.example/**"
trust = ["acme"]
"#
    )
}
