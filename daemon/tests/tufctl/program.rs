use std::collections::HashMap;

use prost_types::Timestamp;
use tonic::Status;
use tufd_proto::v1::{Source, Verdict};

use crate::fake::{IMAGE, Node, Says, refreshed, state, verdict, verifying};

#[test]
fn usage_is_exit_2() {
    let node = Node::saying(Says::default());
    for usage in [
        &["verify", "registry.example/app:v1"][..],
        &["verify", "app@"],
        &["verify"],
        &["verify", IMAGE, "more"],
        &["verify", IMAGE, "-o", "yaml"],
        &["status", "--unknown"],
        &["frobnicate"],
        &["trust", "unknown"],
        &["trust", "nothing"],
        &["refresh", "unknown"],
        &["state"],
        &["state", "import"],
        &["state", "reset-time-floor"],
        &["state", "reset-time-floor", "unknown"],
        &[],
    ] {
        let said = node.run(usage);
        assert_eq!((said.exit, said.stdout.as_str()), (Some(2), ""), "{usage:?}");
        assert!(!said.stderr.is_empty(), "{usage:?}");
    }
    assert!(node.run(&["verify", "app:v1"]).stderr.contains("it has no digest"));
    assert!(node.run(&["trust", "unknown"]).stderr.contains("no [[trust]] named \"unknown\""));
}

#[test]
fn no_daemon_is_exit_3_and_says_what_to_do() {
    let node = Node::empty();
    for command in [
        &["verify", IMAGE][..],
        &["status"],
        &["trust"],
        &["refresh"],
        &["healthcheck"],
        &["state", "reset-time-floor", "acme"],
    ] {
        let said = node.run(command);
        assert_eq!((said.exit, said.stdout.as_str()), (Some(3), ""), "{command:?}");
        assert!(
            said.stderr.contains("is the service running? (systemctl status tufd)"),
            "{}",
            said.stderr
        );
        assert!(said.stderr.contains(node.directory().to_str().unwrap()), "{}", said.stderr);
    }
}

#[test]
fn texts_cannot_steer_the_terminal() {
    let junk = "x\u{1b}[2J\u{9b}31m\r\nALLOW\u{202e}".to_owned();
    let evil = Verdict {
        reason: junk.clone(),
        text: junk.clone(),
        reference: junk.clone(),
        trust: junk.clone(),
        role_path: vec![junk.clone()],
        keys: vec![junk.clone()],
        versions: HashMap::from([(junk.clone(), u64::MAX)]),
        valid_until: Some(Timestamp { seconds: i64::MAX, nanos: -1 }),
        ..verdict(2)
    };
    let mut trust = state(&junk);
    trust.version.clone_from(&junk);
    for entry in &mut trust.trusts {
        entry.name.clone_from(&junk);
        entry.last_error.clone_from(&junk);
        entry.sources = vec![Source { url: junk.clone(), error: junk.clone(), last_answer: None }];
    }
    let says = Says { verdict: Ok(evil), state: Ok(trust), refresh: Ok(refreshed(&junk)) };
    let node = Node::saying(says);
    for command in [&["verify", IMAGE][..], &["status"], &["trust"], &["refresh"], &["healthcheck"]]
    {
        let said = node.run(command);
        assert_eq!(
            said.exit,
            Some(if matches!(command, ["status"] | ["trust"]) { 0 } else { 1 }),
            "{command:?}"
        );
        assert!(said.stdout.contains("x?[2J?31m? ALLOW?"), "{command:?}: {}", said.stdout);
        assert!(said.stdout.chars().all(|c| c == '\n' || !c.is_control()), "{command:?}");
        let (_, document) = node.json(command);
        assert!(document.is_object());
    }
    let error = verifying(Err(Status::internal(junk))).run(&["verify", IMAGE]).stderr;
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn sockets_are_paths_or_uris() {
    let node = Node::saying(Says::default());
    let path = node.socket().to_str().unwrap().to_owned();
    let empty = Node::empty();
    for socket in [path.clone(), format!("unix:{path}"), format!("unix://{path}")] {
        assert_eq!(empty.run(&["--socket", &socket, "status"]).exit, Some(0), "{socket}");
        assert_eq!(empty.run(&["status", "--socket", &socket]).exit, Some(0), "{socket}");
    }
    let admin = node.admin();
    assert_eq!(empty.run(&["--admin-socket", admin.to_str().unwrap(), "refresh"]).exit, Some(0));
}

#[test]
fn help_has_examples() {
    let said = Node::empty().run(&["--help"]);
    assert_eq!(said.exit, Some(0));
    assert!(said.stdout.contains("Examples:") && said.stdout.contains("Exit codes:"));
}

#[test]
fn reset_time_floor_tells_what_was_dropped() {
    let node = Node::saying(Says::default());
    let said = node.run(&["state", "reset-time-floor", "acme"]);
    assert_eq!(said.exit, Some(0), "{}", said.stderr);
    assert_eq!(said.stdout, "acme: the time floor 2027-01-15T08:00:00Z was dropped\n");
    let said = node.run(&["state", "reset-time-floor", "acme", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(json, serde_json::json!({"trust": "acme", "before": "2027-01-15T08:00:00Z"}));
}
