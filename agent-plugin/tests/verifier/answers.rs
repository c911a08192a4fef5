//! What the program makes of each answer, and of none.
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::fake::{Answer, DIGEST, NAME, Node, Said, containerds, verdict, words};
use tonic::Status;
use tufd_proto::v1::Verdict;

fn answering(verdict: Verdict) -> Said {
    Node::answering(Answer::Verdict(Box::new(verdict))).pull()
}

#[test]
fn allow_is_exit_0_and_one_line() {
    let said = answering(verdict(1, DIGEST, "signed by payments-prod"));
    assert_eq!(
        (said.exit, said.line.as_str()),
        (Some(0), "ALLOW A_REASON: signed by payments-prod")
    );
}

#[test]
fn deny_is_exit_1_with_its_reason() {
    let said = answering(verdict(2, DIGEST, "nobody signed it"));
    assert_eq!((said.exit, said.line.as_str()), (Some(1), "DENY A_REASON: nobody signed it"));
}

#[test]
fn the_whole_request_reaches_the_daemon() {
    let said = Node::answering(Answer::Echo).pull();
    assert_eq!(
        said.line,
        format!("ALLOW A_REASON: {NAME} application/vnd.oci.image.index.v1+json 405")
    );
    let double =
        Node::answering(Answer::Echo).run(&words(&["--digest", DIGEST, "--name", NAME]), b"");
    assert_eq!((double.exit, double.line), (Some(0), format!("ALLOW A_REASON: {NAME}  0")));
}

#[test]
fn unspecified_decision_blocks() {
    answering(verdict(0, DIGEST, "")).is_no_verdict_about("decision is 0");
}

#[test]
fn unknown_decision_blocks() {
    answering(verdict(7, DIGEST, "")).is_no_verdict_about("decision is 7");
}

#[test]
fn empty_reply_blocks() {
    answering(Verdict::default()).is_no_verdict_about("decision is 0");
}

#[test]
fn allow_about_another_digest_blocks() {
    answering(verdict(1, "sha256:11", "")).is_no_verdict_about("sha256:11");
    answering(verdict(1, "", "")).is_no_verdict_about("not about");
}

#[test]
fn grpc_error_blocks_with_its_text() {
    let said =
        Node::answering(Answer::Error(Status::unavailable("NO_TRUST: nothing\nverified yet")))
            .pull();
    said.is_no_verdict_about("NO_TRUST: nothing verified yet");
}

#[test]
fn hung_daemon_blocks_at_the_deadline() {
    let said = Node::empty("deadline = '300ms'").serving(Answer::Never).pull();
    said.is_no_verdict_about("no answer from tufd within 300ms");
}

#[test]
fn daemon_that_never_accepts_blocks_at_the_deadline() {
    let node = Node::empty("deadline = '300ms'");
    let _listener = std::os::unix::net::UnixListener::bind(node.socket()).unwrap();
    node.pull().is_no_verdict_about("no answer from tufd within 300ms");
}

/// Whoever floods the socket makes every connect fail with EAGAIN at once; that must not decide a pull in a moment.
#[test]
fn full_backlog_is_waited_for_until_the_deadline() {
    let node = Node::empty("deadline = '300ms'");
    let listener = std::os::unix::net::UnixListener::bind(node.socket()).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _waiting = std::os::unix::net::UnixStream::connect(node.socket()).unwrap();
    node.pull().is_no_verdict_about("no answer from tufd within 300ms");
}

#[test]
fn stdin_that_never_ends_blocks_at_the_deadline() {
    let node = Node::empty("deadline = '300ms'").serving(Answer::Echo);
    let mut child = node.start(&containerds(), Stdio::piped());
    let stdin = child.stdin.take().unwrap();
    Said::of(child).is_no_verdict_about("its end did not come within the deadline");
    drop(stdin);
}

#[test]
fn no_daemon_blocks() {
    Node::empty("").pull().is_no_verdict_about("cannot open");
    let left_over = Node::empty("");
    drop(std::os::unix::net::UnixListener::bind(left_over.socket()).unwrap());
    left_over.pull().is_no_verdict_about("is the service running?");
}

#[test]
fn one_megabyte_of_reason_is_cut() {
    let long = format!("begin {}\n{}", "\u{1b}[31m".repeat(1000), "é".repeat(500_000));
    let said = answering(verdict(2, DIGEST, &long));
    assert_eq!(said.exit, Some(1));
    assert!(
        said.line.starts_with("DENY A_REASON: begin ?[31m") && said.line.ends_with("(cut)"),
        "{said:?}"
    );
}

#[test]
fn text_cannot_forge_a_second_line() {
    let said = answering(verdict(2, DIGEST, "no\nALLOW A_REASON: yes\r\u{9b}2K"));
    assert_eq!(
        (said.exit, said.line.as_str()),
        (Some(1), "DENY A_REASON: no ALLOW A_REASON: yes??2K")
    );
}

#[test]
fn closed_stdout_changes_no_exit_code() {
    for (decision, exit) in [(0, 3), (1, 0), (2, 1)] {
        let node = Node::answering(Answer::Verdict(Box::new(verdict(decision, DIGEST, "text"))));
        let mut child = node.start(&containerds(), Stdio::piped());
        drop(child.stdout.take());
        drop(child.stdin.take());
        assert_eq!(child.wait().unwrap().code(), Some(exit), "closed, decision {decision}");

        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut child = node.start(&containerds(), full.into());
        child.stdin.take().unwrap().write_all(b"{}").unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(exit), "full, decision {decision}");
    }
}

#[test]
fn junk_stdin_blocks() {
    let node = Node::answering(Answer::Echo);
    for junk in
        [&b"\xff\xfe"[..], b"not json", b"[]", b"{\"size\":-1}", &[b' '; 65_537], &[b'['; 1 << 20]]
    {
        node.run(&containerds(), junk).is_no_verdict_about("bad descriptor on stdin");
    }
    node.run(&containerds(), br#"{"digest":"sha256:11"}"#)
        .is_no_verdict_about("bad descriptor on stdin");
}

#[test]
fn bad_arguments_block() {
    let node = Node::answering(Answer::Echo);
    for bad in
        [&[][..], &["-name", NAME], &["-name", NAME, "-digest", DIGEST, "--help"], &["-x", "1"]]
    {
        node.run(&words(bad), b"").is_no_verdict_about("bad command line");
    }
}

#[test]
fn help_and_version_are_exit_0_and_alone() {
    let node = Node::empty("");
    for (argument, word) in [("--help", "Examples:"), ("--version", env!("CARGO_PKG_VERSION"))] {
        let output = node.start(&words(&[argument]), Stdio::piped()).wait_with_output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains(word));
    }
}

/// A node that lets pulls pass without a verdict, and where it marks them.
fn passing() -> (Node, PathBuf) {
    let node = Node::empty("");
    let mark = node.directory().join("marks/passed");
    let lines = "daemon_user = 0\non_no_verdict = 'pass'";
    node.configure(&format!("socket = {:?}\npassed = {mark:?}\n{lines}", node.socket()));
    (node, mark)
}

#[test]
fn pass_lets_no_verdict_through_and_never_a_deny() {
    let (node, mark) = passing();
    let said = node.pull();
    assert_eq!(said.exit, Some(0));
    assert!(said.line.starts_with("ALLOW NO_VERDICT: on_no_verdict = \"pass\""), "{said:?}");
    assert_eq!(length(&mark), Some(1));

    let pass = || Node::empty("on_no_verdict = 'pass'");
    let denied = pass().serving(Answer::Verdict(Box::new(verdict(2, DIGEST, "no")))).pull();
    assert_eq!((denied.exit, denied.line.as_str()), (Some(1), "DENY A_REASON: no"));
    pass().run(&words(&["-name", NAME]), b"").is_no_verdict_about("bad command line");
}

/// The length of a file, if it is there.
fn length(file: &Path) -> Option<u64> {
    std::fs::metadata(file).ok().map(|found| found.len())
}

#[test]
fn each_pass_without_a_verdict_leaves_one_byte() {
    let (node, mark) = passing();
    for passes in 1..=3 {
        let said = node.pull();
        assert_eq!((said.exit, said.stderr.as_str()), (Some(0), ""));
        assert_eq!(length(&mark), Some(passes));
    }
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&mark), mode(mark.parent().unwrap())), (0o600, 0o755));
}

#[test]
fn answers_and_blocks_leave_no_mark() {
    let node = Node::empty("");
    let mark = node.directory().join("passed");
    let configure = |node: &Node, more: &str| {
        let own = rustix::process::geteuid().as_raw();
        let socket = node.socket();
        node.configure(&format!(
            "socket = {socket:?}\ndaemon_user = {own}\npassed = {mark:?}\n{more}"
        ));
    };
    configure(&node, "");
    node.pull().is_no_verdict_about("cannot open");
    configure(&node, "on_no_verdict = 'pass'");
    let node = node.serving(Answer::Echo);
    assert_eq!(node.pull().exit, Some(0));
    assert_eq!(length(&mark), None);
}

/// What stops the mark must not stop the pull, nor be silent; and nothing is written through a link.
#[test]
fn pass_that_cannot_leave_its_mark_passes_and_says_so() {
    let (node, mark) = passing();
    let directory = mark.parent().unwrap();
    let passes = |says: &str| {
        let said = node.pull();
        assert_eq!(said.exit, Some(0), "{said:?}");
        assert!(said.stderr.starts_with("tufd-verifier: a pass is not counted: "), "{said:?}");
        assert!(said.stderr.contains(says) && said.stderr.lines().count() == 1, "{said:?}");
    };
    std::fs::create_dir(directory).unwrap();
    node.mode(directory, 0o777);
    passes("can be written by others");
    node.mode(directory, 0o755);
    let elsewhere = node.directory().join("elsewhere");
    std::fs::write(&elsewhere, "").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &mark).unwrap();
    passes("symbolic links are not followed");
    assert_eq!(length(&elsewhere), Some(0));
    std::fs::remove_file(&mark).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &mark, rustix::fs::Mode::RWXU).unwrap();
    passes("cannot open");
    std::fs::remove_file(&mark).unwrap();
    std::fs::create_dir(&mark).unwrap();
    passes("cannot open");
    std::fs::remove_dir_all(directory).unwrap();
    std::fs::write(directory, "").unwrap();
    passes("is not a directory");
}
