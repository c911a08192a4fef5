use std::process::Command;

use serde_json::{Value, json};
use tonic::Status;
use tufd_proto::v1::Verdict;

use crate::fake::{DIGEST, IMAGE, Node, verdict, verifying};

#[test]
fn verify_exit_code_is_the_decision() {
    for (decision, exit) in [(1, 0), (2, 1), (0, 3), (7, 3), (-1, 3)] {
        assert_eq!(
            verifying(Ok(verdict(decision))).run(&["verify", IMAGE]).exit,
            Some(exit),
            "{decision}"
        );
    }
    assert_eq!(verifying(Ok(Verdict::default())).run(&["verify", IMAGE]).exit, Some(3));
}

#[test]
fn verify_allow_about_another_digest_is_no_verdict() {
    for digest in ["", "sha256:11"] {
        let said =
            verifying(Ok(Verdict { digest: digest.into(), ..verdict(1) })).run(&["verify", IMAGE]);
        assert_eq!((said.exit, said.stdout.as_str()), (Some(3), ""));
        assert!(said.stderr.contains("not about sha256:00"), "{}", said.stderr);
    }
}

#[test]
fn verify_grpc_error_is_no_verdict() {
    let said = verifying(Err(Status::unavailable("NO_TRUST: nothing verified yet")))
        .run(&["verify", IMAGE]);
    assert_eq!((said.exit, said.stdout.as_str()), (Some(3), ""));
    assert!(said.stderr.contains("no verdict: NO_TRUST: nothing verified yet"), "{}", said.stderr);
}

#[test]
fn daemon_that_closes_the_connection_is_exit_3() {
    let node = Node::empty();
    let listener = std::os::unix::net::UnixListener::bind(node.socket()).unwrap();
    let closing = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let said = node.run(&["verify", IMAGE]);
    closing.join().unwrap();
    assert_eq!((said.exit, said.stdout.as_str()), (Some(3), ""));
    assert!(said.stderr.contains("tufd at "), "{}", said.stderr);
}

#[test]
fn verdict_json_has_every_field() {
    let (exit, json) = verifying(Ok(verdict(1))).json(&["verify", IMAGE]);
    assert_eq!(exit, Some(0));
    let expected = json!({
        "decision": "ALLOW", "reason": "A_REASON", "text": "a text", "reference": "registry.example/app:v1",
        "digest": DIGEST, "trust": "acme", "role_path": ["targets", "payments"], "keys": ["aa"],
        "versions": { "root": 3, "payments": 9 }, "expires": { "root": "2026-01-01T00:00:00Z" }, "generation": 4,
        "would_be": "DENY", "valid_until": "2026-01-01T00:00:00.5Z",
    });
    assert_eq!(json, expected);

    let bare = Verdict { decision: 2, digest: DIGEST.into(), ..Verdict::default() };
    let (exit, json) = verifying(Ok(bare)).json(&["verify", IMAGE]);
    assert_eq!(exit, Some(1));
    assert_eq!(json["decision"], "DENY");
    assert_eq!(json.as_object().unwrap().len(), expected.as_object().unwrap().len());
    assert_eq!((&json["would_be"], &json["valid_until"]), (&Value::Null, &Value::Null));
}

#[test]
fn failures_in_json_are_one_document_too() {
    let (exit, json) = verifying(Ok(verdict(7))).json(&["verify", IMAGE]);
    assert_eq!(exit, Some(3));
    assert!(
        json["error"].as_str().unwrap().contains("decision is 7") && json["decision"].is_null()
    );
    let (exit, json) = Node::empty().json(&["status"]);
    assert_eq!(exit, Some(3));
    assert!(json["error"].as_str().unwrap().contains("cannot reach tufd"));
}

#[test]
fn verdict_table_is_for_people() {
    let said = verifying(Ok(verdict(2))).run(&["verify", IMAGE]);
    assert!(said.stdout.starts_with("DENY A_REASON: a text\n"), "{}", said.stdout);
    for part in ["targets → payments", "2026-01-01T00:00:00Z (", "ROLE", "would be", "generation"]
    {
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    }
}

#[test]
fn one_megabyte_of_text_is_still_an_answer() {
    let long = Verdict { text: "é".repeat(500_000), ..verdict(2) };
    assert_eq!(verifying(Ok(long)).run(&["verify", IMAGE]).exit, Some(1));
}

#[test]
fn closed_stdout_changes_no_exit_code() {
    for (decision, exit) in [(0, 3), (1, 0), (2, 1)] {
        let node = verifying(Ok(verdict(decision)));
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tufctl"));
        command.args(["verify", IMAGE]).env("TUFD_SOCKET", node.socket()).stdout(full);
        assert_eq!(command.status().unwrap().code(), Some(exit), "{decision}");
    }
}
