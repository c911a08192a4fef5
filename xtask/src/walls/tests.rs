//! Breaches in made-up metadata must be seen.

use serde_json::{Value, json};

use super::{Metadata, ROOMS, Workspace, breaches, code_in_proto};

/// A workspace of every room with these dependencies: (from, to, kind).
fn workspace(edges: &[(&str, &str, Option<&str>)]) -> Workspace {
    let package = |(room, _): &(&str, _)| -> Value {
        let edges = edges.iter().filter(|(from, ..)| from == room);
        let dependencies: Vec<Value> =
            edges.map(|(_, to, kind)| json!({"name": to, "kind": kind})).collect();
        json!({"name": room, "dependencies": dependencies})
    };
    let document = json!({"packages": ROOMS.iter().map(package).collect::<Vec<_>>()});
    let Metadata { packages } = serde_json::from_str(&document.to_string()).unwrap();
    Workspace { members: packages, rules: Vec::new(), all: Vec::new() }
}

fn found(edges: &[(&str, &str, Option<&str>)]) -> Vec<String> {
    breaches(&workspace(edges))
}

#[test]
fn walls_hold_for_what_is_allowed() {
    let edges = [
        ("tufd", "tufd-tuf", None),
        ("tufd", "sled", None),
        ("tufd", "tonic-health", None),
        ("tufd-tuf", "hex", None),
        ("tufd-tuf", "testkit", Some("dev")),
        ("testkit", "tokio", None),
        ("tufd-proto", "tonic-prost-build", Some("build")),
        ("tufd-examples", "tonic", Some("dev")),
    ];
    assert_eq!(found(&edges), Vec::<String>::new());
}

#[test]
fn walls_breached_by_a_room() {
    assert_eq!(
        found(&[("tufd-verifier", "tufd-tuf", None)]),
        ["tufd-verifier may not depend on tufd-tuf"]
    );
    assert_eq!(
        found(&[("tufd-proto", "testkit", Some("dev"))]),
        ["tufd-proto may not depend on testkit"]
    );
}

#[test]
fn walls_breached_by_a_use() {
    assert_eq!(found(&[("testkit", "sled", None)]), ["testkit may not use sled"]);
    assert_eq!(found(&[("testkit", "reqwest", Some("dev"))]), ["testkit may not use reqwest"]);
    assert_eq!(found(&[("tufpub", "tonic-prost", None)]), ["tufpub may not use tonic-prost"]);
}

#[test]
fn walls_breached_by_the_rules_of_trust() {
    assert_eq!(found(&[("tufd-tuf", "libc", None)]), ["tufd-tuf may not depend on libc"]);
    assert_eq!(found(&[("tufd-tuf", "hex", Some("build"))]), ["tufd-tuf may not depend on hex"]);
    let through = Workspace { rules: vec!["hex".to_owned(), "rand".to_owned()], ..workspace(&[]) };
    assert_eq!(breaches(&through), ["tufd-tuf reaches rand through its dependencies"]);
}

#[test]
fn walls_breached_by_a_second_cryptography() {
    let second =
        Workspace { all: vec!["aws-lc-rs".to_owned(), "ring".to_owned()], ..workspace(&[]) };
    assert_eq!(breaches(&second), ["ring is compiled"]);
}

#[test]
fn walls_breached_by_a_room_without_a_row() {
    let mut more = workspace(&[]);
    more.members.push(serde_json::from_str(r#"{"name": "x", "dependencies": []}"#).unwrap());
    assert_eq!(breaches(&more), ["x has no row in the table of rooms"]);
}

#[test]
fn walls_breached_by_code_in_proto() {
    let generated = "/// Docs.\npub mod v1 {\n    tonic::include_proto!(\"tufd.v1\");\n}\npub const X: u8 = 1;\n";
    assert_eq!(code_in_proto(generated), Vec::<String>::new());
    assert_eq!(code_in_proto("    pub fn verdict() {}").len(), 1);
}
