//! Breaches in made-up metadata must be seen.

use serde_json::{Value, json};

use super::graph::Metadata;
use super::{ROOMS, breaches, code_in_proto};

/// A workspace with every room, plus `edges`: (from, to, kind). Names that are no room are foreign.
fn found(edges: &[(&str, &str, Option<&str>)]) -> Vec<String> {
    let mut names: Vec<&str> = ROOMS.iter().map(|(room, _)| *room).collect();
    let members = names.clone();
    for (from, to, _) in edges {
        names.extend([*from, *to]);
    }
    names.sort_unstable();
    names.dedup();
    let of = |name: &str| edges.iter().filter(move |(from, ..)| *from == name).collect::<Vec<_>>();
    let package = |name: &&str| -> Value {
        let dependencies: Vec<Value> =
            of(name).iter().map(|(_, to, kind)| json!({"name": to, "kind": kind})).collect();
        json!({"id": name, "name": name, "version": "1.0.0", "dependencies": dependencies})
    };
    let node = |name: &&str| -> Value {
        let deps: Vec<Value> = of(name)
            .iter()
            .map(|(_, to, kind)| json!({"pkg": to, "dep_kinds": [{"kind": kind}]}))
            .collect();
        json!({"id": name, "deps": deps})
    };
    let document = json!({
        "packages": names.iter().map(package).collect::<Vec<_>>(),
        "workspace_members": members,
        "resolve": {"nodes": names.iter().map(node).collect::<Vec<_>>()},
    });
    breaches(&Metadata::parse(&document.to_string()).unwrap())
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
        ("tufd-integration", "tonic", Some("dev")),
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
    let through = [("tufd-tuf", "hex", None), ("hex", "deep", None), ("deep", "rand", None)];
    assert_eq!(found(&through), ["tufd-tuf reaches rand through its dependencies"]);
}

#[test]
fn walls_breached_by_a_second_cryptography() {
    let through = [("tufd", "rustls", None), ("rustls", "ring", None)];
    assert_eq!(found(&through), ["ring 1.0.0 is compiled"]);
    let unused_dev = [("tufd", "rustls", None), ("rustls", "ring", Some("dev"))];
    assert_eq!(found(&unused_dev), Vec::<String>::new());
}

#[test]
fn walls_breached_by_a_room_without_a_row() {
    let document = json!({
        "packages": [{"id": "x", "name": "x", "version": "1", "dependencies": []}],
        "workspace_members": ["x"],
        "resolve": {"nodes": []},
    });
    let breaches = breaches(&Metadata::parse(&document.to_string()).unwrap());
    assert!(breaches.contains(&"x has no row in the table of rooms".to_owned()), "{breaches:?}");
}

#[test]
fn walls_breached_by_code_in_proto() {
    let generated = "/// Docs.\npub mod v1 {\n    tonic::include_proto!(\"tufd.v1\");\n}\npub const X: u8 = 1;\n";
    assert_eq!(code_in_proto(generated), Vec::<String>::new());
    assert_eq!(code_in_proto("    pub fn verdict() {}").len(), 1);
}
