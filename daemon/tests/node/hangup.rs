//! SIGHUP on the real program: policies, the log's level, the audit file, and what systemd is told.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use testkit::Clock;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

use crate::node::{API, Node, digest_of};
use crate::program::Program;
use crate::reload::{Asking, POLICY, RELOADS, ROUND, write};

/// Where `sd_notify` ends.
struct Systemd(UnixDatagram);

impl Systemd {
    async fn told(&self) -> String {
        let mut bytes = [0; 256];
        let told = timeout(Duration::from_secs(60), self.0.recv(&mut bytes)).await.unwrap();
        String::from_utf8_lossy(&bytes[..told.unwrap()]).trim().to_owned()
    }

    /// A reload from its beginning to its end.
    async fn told_of_a_reload(&self) {
        let begun = self.told().await;
        let at = begun.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(at.parse::<u64>().unwrap() > 0, "{begun}");
        assert_eq!(self.told().await, "READY=1");
    }
}

/// A program that answers ALLOW, writes audit lines to a file, and has a systemd.
async fn started(log: &str) -> (Node, Program, Systemd) {
    let mut node = Node::at(Clock::at(jiff::Timestamp::now())).await;
    let audit = audit_file(&node);
    node.settings.more = format!("[log]\n{log}\naudit = {audit:?}");
    fs::write(node.config_file(), node.config_text()).unwrap();
    let socket = node.config_file().with_file_name("notify");
    let systemd = Systemd(UnixDatagram::bind(&socket).unwrap());
    let program = Program::start_under(&node, &[("NOTIFY_SOCKET", socket.as_os_str())]);
    assert_eq!(systemd.told().await, "READY=1");
    node.attach();
    node.trust_becomes("").await;
    (node, program, systemd)
}

fn audit_file(node: &Node) -> std::path::PathBuf {
    node.config_file().with_file_name("audit.log")
}

/// Lines of an audit file that have this event.
fn audited(file: &Path, event: &str) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["event"] == event).collect()
}

/// A line is written soon, and not before the answer.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(60), waiting).await.unwrap_or_else(|_| panic!("never {what}"));
}

#[tokio::test]
async fn hangup_a_hundred_times_tears_and_loses_no_verdict() {
    let (node, program, systemd) = started("level = \"error\"").await;
    let asking = Asking::start(&node);
    for number in 0..RELOADS {
        let (policy, reason) = ROUND[number % 2];
        write(&node, POLICY, policy);
        program.signal(Signal::HUP);
        systemd.told_of_a_reload().await;
        assert_eq!(node.reason().await, reason, "after {number}");
    }
    asking.saw_at_least(RELOADS / 2).await;
    let file = audit_file(&node);
    until("all reloads", || audited(&file, "POLICY_RELOADED").len() >= RELOADS).await;
    assert_eq!(audited(&file, "POLICY_RELOADED").len(), RELOADS);
}

#[tokio::test]
async fn every_audited_event_is_in_the_audit_file_once_and_only_there() {
    let (node, program, systemd) = started("level = \"error\"").await;
    let hostile = "x\n{\"event\":\"PASSED\"}";
    node.verify(hostile, &digest_of(API)).await.unwrap();
    assert_eq!(node.reason_of("registry.acme.example/payments/none:1").await, "TARGET_NOT_FOUND");
    let (file, rotated) = (audit_file(&node), audit_file(&node).with_extension("log.1"));
    until("both denials", || audited(&file, "DENY").len() == 2).await;
    fs::rename(&file, &rotated).unwrap();
    // A bad configuration does not keep the file from being opened anew.
    write(&node, "threshold = 2", "threshold = 0");
    program.signal(Signal::HUP);
    systemd.told_of_a_reload().await;
    assert_eq!(node.reason_of("other.example/x:1").await, "NO_POLICY");

    until("a denial", || file.exists() && !audited(&file, "DENY").is_empty()).await;
    let [invalid, missing] = audited(&rotated, "DENY").try_into().unwrap();
    assert_eq!(
        (&invalid["reference"], &invalid["reason"]),
        (&hostile.into(), &"INVALID_REFERENCE".into())
    );
    assert_eq!(
        (&missing["trust"], &missing["reason"]),
        (&"acme".into(), &"TARGET_NOT_FOUND".into())
    );
    assert_eq!(missing["uid"], rustix::process::geteuid().as_raw());
    assert_eq!(missing["pid"], std::process::id());
    let digest = digest_of("registry.acme.example/payments/none:1");
    assert_eq!(missing["digest"], digest.as_str());
    for event in ["ROOT_TRUSTED", "ANCHOR_CHANGED"] {
        assert_eq!(audited(&rotated, event).len(), 1, "{event}");
    }
    assert_eq!(audited(&file, "DENY").len(), 1);
    let log = || fs::read_to_string(node.config_file().with_extension("log")).unwrap();
    until("a refusal", || log().contains("reload refused")).await;
    let log = log();
    assert!(log.contains("trust[0].threshold"), "{log}");
    for audited in ["DENY", "ROOT_TRUSTED", "ANCHOR_"] {
        assert!(!log.contains(audited), "{log}");
    }
}

/// A FIFO stands for a file system that hangs.
#[tokio::test]
async fn hangup_on_a_file_that_hangs_holds_up_no_verdict_and_no_end() {
    let (node, mut program, systemd) = started("level = \"error\"").await;
    fs::remove_file(node.config_file()).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, node.config_file(), rustix::fs::Mode::RWXU).unwrap();
    program.signal(Signal::HUP);
    assert!(systemd.told().await.starts_with("RELOADING=1"));
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut options = fs::OpenOptions::new();
    options.write(true).custom_flags(flags);
    // It can be opened once somebody reads, and is silent until it is closed.
    until("a reader", || options.open(node.config_file()).map(std::mem::forget).is_ok()).await;
    assert_eq!(node.reason().await, "SIGNED");
    program.signal(Signal::TERM);
    assert_eq!(systemd.told().await, "STOPPING=1");
    assert_eq!(program.ends().await, Some(0));
}

#[tokio::test]
async fn hangup_takes_up_the_log_level() {
    let (node, program, systemd) = started("level = \"error\"").await;
    let log = || fs::read_to_string(node.config_file().with_extension("log")).unwrap();
    node.reason().await;
    assert!(!log().contains("ALLOW"), "{}", log());
    write(&node, "level = \"error\"", "level = \"debug\"");
    program.signal(Signal::HUP);
    systemd.told_of_a_reload().await;
    node.reason().await;
    until("a line", || log().contains("ALLOW")).await;
    let text = log();
    let line = text.lines().find(|line| line.contains("ALLOW")).unwrap();
    assert!(line.contains(&format!("verdict{{reference={API:?}")), "{line}");
}
