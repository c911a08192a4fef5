use serde_json::{Value, json};
use tonic::{Code, Status};
use tufd_proto::v1::{Role, TrustState};

use crate::fake::{Node, Says, refreshed, role, state, trusting};

#[test]
fn healthcheck_needs_one_trust_that_can_allow() {
    let mixed = TrustState {
        trusts: [state("TIMESTAMP_EXPIRED").trusts, state("").trusts].concat(),
        ..state("")
    };
    for (state, exit, text) in [
        (state(""), 0, "healthy: acme"),
        (mixed, 0, "healthy: acme"),
        (state("ROOT_NOT_COVERED"), 1, "unhealthy: acme: ROOT_NOT_COVERED: why"),
        (TrustState::default(), 1, "unhealthy: there is no [[trust]]"),
    ] {
        let node = trusting(state);
        let said = node.run(&["healthcheck"]);
        assert_eq!((said.exit, said.stdout.trim_end()), (Some(exit), text));
        let (code, document) = node.json(&["healthcheck"]);
        assert_eq!((code, document["healthy"].as_bool()), (Some(exit), Some(exit == 0)));
    }
}

#[test]
fn healthcheck_of_a_daemon_that_refuses_is_not_healthy() {
    let node =
        Node::saying(Says { state: Err(Status::new(Code::Internal, "broken")), ..Says::default() });
    let said = node.run(&["healthcheck"]);
    assert_eq!(said.exit, Some(3));
    assert!(said.stderr.contains("broken"));
}

#[test]
fn trust_shows_keys_roles_sources_and_warnings() {
    let node = trusting(state(""));
    let said = node.run(&["trust", "acme"]);
    assert_eq!(said.exit, Some(0));
    for part in [
        "spiffe-domain.example",
        "fresh since 2025-12-31T23:59:00Z (1 min ago)",
        "fingerprint-1",
        "not in the root",
        "does not cover",
        "covered by 1",
        "in 6 d 3 h",
        "delegated by targets",
        "https://mirror.example/",
        "warning ANCHOR_BEHIND: a warning",
    ] {
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    }
    let (_, document) = node.json(&["trust", "acme"]);
    assert_eq!(document, node.json(&["status"]).1);
    let trust = &document["trusts"][0];
    assert_eq!(trust["anchor"]["keys"][0]["fingerprint"], "fingerprint-1");
    assert_eq!(trust["anchor"]["withdraws"], Value::Null);
    assert_eq!(trust["root"]["covered"], true);
    assert_eq!(trust["roles"][0]["expires"], "2026-01-07T03:00:00Z");
    assert_eq!(trust["last_error"], "");
    assert_eq!(trust["warnings"][0]["code"], "ANCHOR_BEHIND");
}

/// Above the 4 MiB that a client of tonic takes by itself.
#[test]
fn answer_of_many_roles_is_read() {
    let mut many = state("");
    let keys = vec!["a".repeat(64); 16];
    many.trusts[0].roles = vec![Role { keys, ..role("payments", "targets") }; 6_000];
    let node = trusting(many);
    for command in ["status", "trust", "healthcheck"] {
        let said = node.run(&[command]);
        assert_eq!(said.exit, Some(0), "{command}: {}", said.stderr);
    }
}

#[test]
fn status_is_a_line_for_each_trust() {
    let said = trusting(state("FREEZE_SUSPECTED")).run(&["status"]);
    assert_eq!(said.exit, Some(0));
    for part in [
        "tufd 0.1.0, generation 4",
        "FREEZE_SUSPECTED: why",
        "fresh since 2025-12-31T23:59:00Z (1 min ago)",
        "3, covered by 1",
        "TIMESTAMP EXPIRES",
    ] {
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    }
}

#[test]
fn refresh_fails_when_one_trust_did() {
    let said = Node::saying(Says::default()).run(&["refresh", "acme"]);
    assert_eq!(said.exit, Some(0));
    assert!(
        said.stdout.contains("changed") && said.stdout.contains("root 3, payments 9"),
        "{}",
        said.stdout
    );
    let node =
        Node::saying(Says { refresh: Ok(refreshed("no source answers")), ..Says::default() });
    let said = node.run(&["refresh"]);
    assert_eq!(said.exit, Some(1));
    assert!(said.stdout.contains("acme: no source answers"), "{}", said.stdout);
    let (exit, document) = node.json(&["refresh"]);
    let result = json!({
        "trust": "acme", "error": "no source answers", "changed": true, "generation": 4,
        "versions": { "root": 3, "payments": 9 },
    });
    assert_eq!((exit, document), (Some(1), json!({ "results": [result] })));
}
