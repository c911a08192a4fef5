//! A real SPIRE server and agent that look for changes each second.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::geteuid;
use tokio::process::{Child, Command};
use tufpub::AnchorBundle;

use crate::child;
use crate::place::Place;

const NODE: &str = "spiffe://node.example/node";
const TUFD: &str = "spiffe://node.example/tufd";
const READY_WITHIN: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);

/// SPIRE on this machine, in a directory of its own.
pub(crate) struct Spire {
    server: Part,
    agent: Part,
    /// What is handed to the command line.
    bootstrap: PathBuf,
    bundle: PathBuf,
}

/// The server or the agent.
struct Part {
    program: PathBuf,
    configuration: PathBuf,
    socket: PathBuf,
    log: std::fs::File,
    log_path: PathBuf,
    child: Option<Child>,
}

impl Spire {
    pub(crate) fn new(programs: &Path, place: &Place) -> Result<Self> {
        let programs = programs
            .canonicalize()
            .with_context(|| format!("--spire: no directory {}", programs.display()))?;
        let directories = [place.directory("server")?, place.directory("agent")?];
        let [server, agent] = directories.each_ref().map(|directory| directory.display());
        let port = free_port()?;
        let server_conf =
            place.write("server/server.conf", &server_conf(&server.to_string(), port))?;
        let agent_conf = place.write("agent/agent.conf", &agent_conf(&agent.to_string(), port))?;
        let part = |program: &str, configuration, socket, log: &str| -> Result<Part> {
            let program = programs.join(program);
            ensure!(program.exists(), "--spire: there is no {}", program.display());
            let log_path = place.path(log);
            Ok(Part { program, configuration, socket, log: place.log(log)?, log_path, child: None })
        };
        Ok(Self {
            server: part(
                "spire-server",
                server_conf,
                place.path("server/api.sock"),
                "spire-server.log",
            )?,
            agent: part("spire-agent", agent_conf, place.agent_socket(), "spire-agent.log")?,
            bootstrap: place.path("agent/bootstrap.pem"),
            bundle: place.path("server/root-keys.pem"),
        })
    }

    /// Starts both; the entry that lets tufd see the root keys needs their bundle to be there.
    pub(crate) async fn start(&mut self, domain: &str, keys: &AnchorBundle) -> Result<()> {
        self.server.start(&[]).await?;
        let bootstrap = self.server.tell(&["bundle", "show"], &["-format", "pem"]).await?;
        std::fs::write(&self.bootstrap, bootstrap)?;
        let token = self.server.tell(&["token", "generate"], &["-spiffeID", NODE]).await?;
        let token = token.trim().trim_start_matches("Token: ");
        self.set(domain, keys).await?;
        let (selector, domain) =
            (format!("unix:uid:{}", geteuid().as_raw()), format!("spiffe://{domain}"));
        let entry = ["-parentID", NODE, "-spiffeID", TUFD, "-selector", &selector];
        let entry = [entry.as_slice(), &["-federatesWith", &domain]].concat();
        self.server.tell(&["entry", "create"], &entry).await?;
        self.agent.start(&["-joinToken", token]).await
    }

    /// `spire-server bundle set`.
    pub(crate) async fn set(&self, domain: &str, keys: &AnchorBundle) -> Result<()> {
        std::fs::write(&self.bundle, keys.to_pem()?)?;
        let (id, path) = (format!("spiffe://{domain}"), self.bundle.display().to_string());
        self.server.tell(&["bundle", "set"], &["-id", &id, "-path", &path]).await.map(drop)
    }

    pub(crate) async fn stop(&mut self) -> Result<()> {
        self.agent.stop().await?;
        self.server.stop().await
    }

    /// An agent that was attested before needs no token.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.server.start(&[]).await?;
        self.agent.start(&[]).await
    }
}

impl Part {
    async fn start(&mut self, more: &[&str]) -> Result<()> {
        let run = [OsStr::new("run"), OsStr::new("-config"), self.configuration.as_os_str()];
        let arguments: Vec<&OsStr> = run.into_iter().chain(more.iter().map(OsStr::new)).collect();
        let mut child = child::start(self.program.as_os_str(), &arguments, &self.log)?;
        let until = Instant::now() + READY_WITHIN;
        while self.tell(&["healthcheck"], &[]).await.is_err() {
            if Instant::now() > until || child.try_wait()?.is_some() {
                let log = std::fs::read_to_string(&self.log_path).unwrap_or_default();
                bail!("{} does not start:\n{}", self.program.display(), crate::node::tail(&log));
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.child = Some(child);
        Ok(())
    }

    async fn stop(&mut self) -> Result<()> {
        match self.child.take() {
            Some(child) => child::stop(child).await,
            None => Ok(()),
        }
    }

    /// Runs one of its commands and returns what it prints.
    async fn tell(&self, command: &[&str], arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.program)
            .args(command)
            .arg("-socketPath")
            .arg(&self.socket)
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {}", command.join(" "), said.trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// One that nobody listens on now.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    Ok(listener.local_addr()?.port())
}

fn server_conf(directory: &str, port: u16) -> String {
    format!(
        r#"server {{
    bind_address = "127.0.0.1"
    bind_port = "{port}"
    socket_path = "{directory}/api.sock"
    trust_domain = "node.example"
    data_dir = "{directory}"
    log_level = "INFO"
    experimental {{
        cache_reload_interval = "1s"
    }}
}}
plugins {{
    DataStore "sql" {{
        plugin_data {{
            database_type = "sqlite3"
            connection_string = "{directory}/datastore.sqlite3"
        }}
    }}
    NodeAttestor "join_token" {{
        plugin_data {{}}
    }}
    KeyManager "disk" {{
        plugin_data {{
            keys_path = "{directory}/keys.json"
        }}
    }}
}}
"#
    )
}

fn agent_conf(directory: &str, port: u16) -> String {
    format!(
        r#"agent {{
    data_dir = "{directory}"
    log_level = "INFO"
    server_address = "127.0.0.1"
    server_port = "{port}"
    socket_path = "{directory}/api.sock"
    trust_bundle_path = "{directory}/bootstrap.pem"
    trust_domain = "node.example"
    experimental {{
        sync_interval = "1s"
    }}
}}
plugins {{
    NodeAttestor "join_token" {{
        plugin_data {{}}
    }}
    KeyManager "disk" {{
        plugin_data {{
            directory = "{directory}"
        }}
    }}
    WorkloadAttestor "unix" {{
        plugin_data {{}}
    }}
}}
"#
    )
}
