//! The real program: its exit codes, its end, and its death at any moment. Here time is the machine's.

use std::ffi::OsStr;
use std::fs;
use std::io::{PipeReader, PipeWriter, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use testkit::Clock;
use tufd_proto::v1;
use tufd_proto::v1::admin_client::AdminClient;

use crate::node::{API, DOMAIN, Node, look_up};
use crate::site::Manner;

const TUFD: &str = env!("CARGO_BIN_EXE_tufd");
const PUBLISHES: u32 = 20;
/// A refresh on this machine ends well within that, so the kill comes before, within or after it.
const KILL_WITHIN: Duration = Duration::from_millis(60);

#[tokio::test]
async fn kill_at_any_moment_loses_no_floor_and_always_answers() {
    let mut node = Node::at(Clock::at(jiff::Timestamp::now())).await;
    let mut program = Program::start(&node);
    node.attach();
    node.trust_becomes("").await;
    let mut seen = version(&node.trust().await);
    for number in 1..=PUBLISHES {
        if number % 4 == 0 {
            node.org.rotate_root(&[], &[]);
        }
        node.publish_image(&format!("registry.acme.example/payments/api:{number}"));
        node.site.behave(Manner::Well);
        let admin = node.admin();
        let refresh = tokio::spawn(async move {
            let _ = AdminClient::new(admin).refresh(v1::RefreshRequest::default()).await;
        });
        tokio::time::sleep(KILL_WITHIN.mul_f64(fastrand::f64())).await;
        seen = seen.max(version(&node.trust().await));
        program.kill();
        refresh.await.unwrap();

        node.site.behave(Manner::Gone);
        program = Program::start(&node);
        node.attach();
        assert_eq!(node.reason_of(API).await, "SIGNED", "after {number}");
        let found = version(&node.trust().await);
        assert!(found >= seen, "after {number}: {found:?} is older than {seen:?}");
        seen = found;
    }
    node.site.behave(Manner::Well);
    assert_eq!(node.refresh().await.error, "");
    let newest = format!("registry.acme.example/payments/api:{PUBLISHES}");
    assert_eq!(look_up(node.channel(), &newest).await, "SIGNED");
}

#[tokio::test]
async fn terminated_it_leaves_no_socket_and_exits_0() {
    let mut node = Node::at(Clock::at(jiff::Timestamp::now())).await;
    let mut program = Program::start(&node);
    node.attach();
    node.trust_becomes("").await;
    // A second one on the same state is refused, and does not disturb the first.
    let second = tufd(&["run", "--config", node.config_file().to_str().unwrap()]);
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains("state.dir"), "{}", stderr(&second));
    assert_eq!(node.reason().await, "SIGNED");

    program.signal(rustix::process::Signal::TERM);
    assert_eq!(program.0.wait().unwrap().code(), Some(0));
    assert!(!node.socket().exists() && !node.admin_socket().exists());
}

/// A journal that hangs: whoever holds the other end of stderr does not read.
#[tokio::test]
async fn log_that_hangs_holds_up_no_withdrawal_no_verdict_and_no_end() {
    let mut node = Node::at(Clock::at(jiff::Timestamp::now())).await;
    node.settings.more = "[log]\nlevel = \"debug\"".to_owned();
    fs::write(node.config_file(), node.config_text()).unwrap();
    let (_mute, full) = full_pipe();
    let mut program = Program::start_saying(&node, &[], full.into());
    node.attach();
    node.trust_becomes("").await;
    let image = "registry.acme.example/payments/none:1";
    assert_eq!(node.reason_of(image).await, "TARGET_NOT_FOUND");
    let one_key = node.org.anchor_of(&node.org.root_keys()[..1], None);
    node.agent.set(DOMAIN, one_key.to_der());
    node.trust_becomes("ROOT_NOT_COVERED").await;
    assert_eq!(node.reason_of(image).await, "ROOT_NOT_COVERED");

    program.signal(rustix::process::Signal::TERM);
    assert_eq!(program.ends().await, Some(0));
}

fn full_pipe() -> (PipeReader, PipeWriter) {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let (reader, mut writer) = std::io::pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    while writer.write(b"\n").is_ok() {}
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

#[tokio::test]
async fn configuration_wrong_exits_78_and_names_the_key() {
    let node = Node::at(Clock::default()).await;
    let good = node.config_text();
    let file = node.config_file();
    for (from, to, key) in [
        ("[refresh]", "[refresh]\nperiods = 1", "refresh.periods"),
        ("period = \"5m\"", "period = \"0s\"", "refresh.period"),
        ("threshold = 2", "threshold = 0", "trust[0].threshold"),
        ("threshold = 2", "", "trust[0].threshold"),
        ("images = \"registry.acme.example/**\"", "images = \"a/**b\"", "policy[0].images"),
        ("trust = [\"acme\"]", "trust = [\"acne\"]", "policy[0].trust"),
        ("[state]", "[state", "line"),
    ] {
        assert!(good.contains(from), "{from}");
        fs::write(&file, good.replace(from, to)).unwrap();
        for command in ["run", "validate"] {
            let output = tufd(&[command, "--config", file.to_str().unwrap()]);
            assert_eq!(output.status.code(), Some(78), "{key}: {}", stderr(&output));
            assert!(stderr(&output).contains(key), "{key}: {}", stderr(&output));
        }
    }
    fs::write(&file, good).unwrap();
    let output = tufd(&["validate", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = tufd(&["run", "--config", "/nowhere/tufd.toml"]);
    assert_eq!(output.status.code(), Some(78), "{}", stderr(&output));
    assert!(stderr(&output).contains("/nowhere/tufd.toml"));
}

#[tokio::test]
async fn state_of_a_newer_tufd_exits_78_untouched() {
    let node = Node::at(Clock::default()).await;
    fs::create_dir_all(node.state()).unwrap();
    let schema = node.state().join("schema");
    fs::write(&schema, "tufd-state 2\n").unwrap();
    let config = node.config_file();
    let output = tufd(&["run", "--config", config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(78), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&schema).unwrap(), "tufd-state 2\n");
}

#[test]
fn command_line_wrong_exits_64() {
    for arguments in
        [&[][..], &["run"], &["serve"], &["run", "--config"], &["run", "--time", "now"]]
    {
        let output = tufd(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {}", stderr(&output));
    }
    assert_eq!(tufd(&["--help"]).status.code(), Some(0));
}

/// A running `tufd run`; it does not outlive the test.
pub(crate) struct Program(Child);

impl Program {
    pub(crate) fn start(node: &Node) -> Self {
        Self::start_under(node, &[])
    }

    /// With more in its environment.
    pub(crate) fn start_under(node: &Node, environment: &[(&str, &OsStr)]) -> Self {
        let log = fs::File::create(node.config_file().with_extension("log")).unwrap();
        Self::start_saying(node, environment, log.into())
    }

    fn start_saying(node: &Node, environment: &[(&str, &OsStr)], stderr: Stdio) -> Self {
        let mut command = Command::new(TUFD);
        command.args(["run", "--config"]).arg(node.config_file());
        command.envs(environment.iter().copied());
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn().unwrap())
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Its exit code. It has limits of its own, of a few seconds.
    pub(crate) async fn ends(&mut self) -> Option<i32> {
        let ended = async {
            loop {
                if let Some(status) = self.0.try_wait().unwrap() {
                    break status.code();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it ends")
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn tufd(arguments: &[&str]) -> Output {
    Command::new(TUFD).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Of root and timestamp, as they answer.
fn version(entry: &v1::TrustEntry) -> (u64, u64) {
    let role = entry.roles.iter().find(|role| role.name == "timestamp").unwrap();
    (entry.root.as_ref().unwrap().version, role.version)
}
