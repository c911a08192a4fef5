//! Audit lines: where they go, and that nobody who is named in one can forge or hide another.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt as _;
use tufd::audit::{Audit, failures};
use tufd::config::AuditTo;

/// What this thread audits, in a file.
struct Audited {
    dir: tempfile::TempDir,
    audit: Audit,
    _guard: DefaultGuard,
}

impl Audited {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let audit = Audit::new(AuditTo::File(dir.path().join("audit.log")));
        let subscriber = tracing_subscriber::registry().with(audit.layer());
        let _guard = tracing::subscriber::set_default(subscriber);
        let audited = Self { dir, audit, _guard };
        audited.written(); // opened, too
        audited
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("audit.log")
    }

    /// Once all of it is written.
    fn text(&self) -> String {
        self.written();
        fs::read_to_string(self.file()).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        self.written();
        lines(&self.file())
    }

    fn written(&self) {
        self.audit.flush(Duration::from_secs(60));
    }
}

fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn audit_line_of_hostile_names_is_one_line_and_says_what_was_asked() {
    let audited = Audited::new();
    let hostile =
        "a\n{\"event\":\"PASSED\"}\r\u{1b}[2K\u{7f}\u{9b}2K\u{202e}\u{2028}\0\"\\\u{1f600}é";
    tracing::warn!(target: "audit", reference = hostile, text = ?hostile, "DENY");
    let text = audited.text();
    assert!(text.ends_with('\n') && text.lines().count() == 1, "{text:?}");
    assert!(text.trim_end().bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text:?}");
    let [line] = audited.lines().try_into().unwrap();
    assert_eq!((line["event"].as_str(), line["reference"].as_str()), (Some("DENY"), Some(hostile)));
    assert_eq!(line["text"], format!("{hostile:?}"));
}

#[test]
fn audit_line_has_time_and_event_first_and_leaves_out_what_is_unknown() {
    let audited = Audited::new();
    let (trust, uid): (_, Option<u32>) = (Some("acme"), None);
    tracing::warn!(target: "audit", trust, uid, generation = 7_u64, "DENY");
    tracing::error!(trust, "no audit event");
    let text = audited.text();
    assert!(
        text.starts_with("{\"time\":\"2") && text.contains("Z\",\"event\":\"DENY\",\"level\":")
    );
    assert!(text.ends_with("\"WARN\",\"trust\":\"acme\",\"generation\":7}\n"), "{text}");
    assert_eq!(audited.lines().len(), 1);
}

#[test]
fn audit_file_is_reopened_after_a_rotation_and_only_its_owner_writes_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let audited = Audited::new();
    tracing::warn!(target: "audit", "FIRST");
    audited.written();
    let rotated = audited.file().with_extension("1");
    fs::rename(audited.file(), &rotated).unwrap();
    tracing::warn!(target: "audit", "SECOND");
    audited.audit.reopen();
    tracing::warn!(target: "audit", "THIRD");
    audited.written();
    assert_eq!(lines(&rotated).len(), 2);
    assert_eq!(audited.lines()[0]["event"], "THIRD");
    let mode = fs::metadata(audited.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}");
}

/// A denial goes on without its line, and that is counted.
#[test]
fn audit_file_that_is_a_link_or_a_fifo_is_not_written_and_counted() {
    let audited = Audited::new();
    let elsewhere = audited.dir.path().join("elsewhere");
    fs::write(&elsewhere, "").unwrap();
    fs::remove_file(audited.file()).unwrap();
    std::os::unix::fs::symlink(&elsewhere, audited.file()).unwrap();
    audited.audit.reopen();
    let before = failures();
    tracing::warn!(target: "audit", "DENY");
    audited.written();
    fs::remove_file(audited.file()).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, audited.file(), rustix::fs::Mode::RWXU).unwrap();
    tracing::warn!(target: "audit", "DENY");
    audited.written();
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "");
    assert_eq!(failures() - before, 2);
    // It heals without a signal.
    fs::remove_file(audited.file()).unwrap();
    tracing::warn!(target: "audit", "DENY");
    assert_eq!(audited.lines().len(), 1);
    assert_eq!(failures() - before, 2);
}

/// Every event that the code audits has a row, and every row an event.
#[test]
fn audit_events_are_those_of_the_documents() {
    let operators = include_str!("../../docs/operators.md");
    let table = operators.split("## Audit").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    let told: BTreeSet<String> = rows
        .flat_map(|cell| cell.split("`, `").map(|name| name.trim_matches('`').to_owned()))
        .collect();
    let mut audited = BTreeSet::new();
    audited_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut audited);
    assert_eq!(audited, told);
}

/// The message is the last string of the macro.
fn audited_in(path: &Path, events: &mut BTreeSet<String>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap();
        return entries.for_each(|entry| audited_in(&entry.unwrap().path(), events));
    }
    let text = fs::read_to_string(path).unwrap();
    for event in text.split("target: \"audit\"").skip(1) {
        let event = event.split("\");").next().unwrap().rsplit('"').next().unwrap();
        events.insert(event.to_owned());
    }
}
