//! The search (TUF 5.6.7) over graphs of delegations.

use serde_json::json;
use testkit::{Files, Team, damage};
use tufpub::{KeyKind, Search};

use super::node::Node;
use super::roles::{nested, say};
use super::world::{To, World, delegate, target};

const ANY: &[&str] = &["*/*"];

/// Roles `a` to `e` that sign one target each, `NAME/x`, and `d`, `e` also `any/x`; targets delegates to the first
/// three in order.
fn world(first: [(&str, Search); 3]) -> World {
    let mut world = World::empty();
    for (name, search) in first {
        world.org.add_team(Team::new(name, ANY).search(search));
    }
    for name in ["d", "e"] {
        world.org.add_team(Team::new(name, &[]).search(Search::GoesOn));
        world.org.sign_target(name, "any/x", target(name));
    }
    for name in ["a", "b", "c", "d", "e"] {
        world.org.sign_target(name, &format!("{name}/x"), target(name));
    }
    world.publish();
    world
}

fn node(world: &World, edges: &[(&str, &[To<'_>])]) -> Node {
    let files = world.damaged(|files, org| {
        edges.iter().for_each(|(from, to)| delegate(files, org, from, to));
    });
    let mut node = world.fresh_node(&files);
    node.refresh(&files).unwrap();
    node
}

const ALL_GO_ON: [(&str, Search); 3] =
    [("a", Search::GoesOn), ("b", Search::GoesOn), ("c", Search::GoesOn)];

/// CVE-2024-47534: depth first, in order of appearance.
#[test]
fn delegation_order_is_pre_order() {
    let world = world(ALL_GO_ON);
    let node = node(&world, &[("a", &[("e", ANY, "")]), ("b", &[("d", ANY, "")])]);
    assert_eq!(say(&node, "none/x"), "none targets,a,e,b,d,c");
    assert_eq!(say(&node, "any/x"), "found targets>a>e");
    assert_eq!(say(&node, "c/x"), "found targets>c");
}

/// CVE-2025-2886: what terminates ends the search, and what it delegates to is still asked.
#[test]
fn delegation_terminating() {
    let first = [("a", Search::GoesOn), ("b", Search::Ends), ("c", Search::GoesOn)];
    let world = world(first);
    let node = node(&world, &[("b", &[("d", ANY, "")])]);
    assert_eq!(say(&node, "c/x"), "none targets,a,b,d");
    assert_eq!(say(&node, "d/x"), "found targets>b>d");
    assert_eq!(say(&node, "a/x"), "found targets>a");
}

/// A terminating delegation deep down ends the whole search, not only its branch.
#[test]
fn delegation_terminating_below() {
    let world = world(ALL_GO_ON);
    let node = node(&world, &[("a", &[("d", ANY, "terminating"), ("e", ANY, "")])]);
    assert_eq!(say(&node, "e/x"), "none targets,a,d");
    assert_eq!(say(&node, "b/x"), "none targets,a,d");
}

/// A terminating delegation whose paths do not match ends nothing.
#[test]
fn delegation_terminating_elsewhere() {
    let world = world(ALL_GO_ON);
    let node = node(&world, &[("a", &[("d", &["d/*"], "terminating"), ("e", ANY, "")])]);
    assert_eq!(say(&node, "b/x"), "found targets>b");
}

/// GHSA-j8x2-777p-23fc: circles end.
#[test]
fn delegation_cycle() {
    let world = world(ALL_GO_ON);
    let node = node(
        &world,
        &[
            ("a", &[("a", ANY, ""), ("d", ANY, "")]),
            ("d", &[("e", ANY, "")]),
            ("e", &[("d", ANY, ""), ("a", ANY, "")]),
        ],
    );
    assert_eq!(say(&node, "none/x"), "none targets,a,d,e,b,c");
    assert_eq!(say(&node, "c/x"), "found targets>c");
}

/// A graph deeper than the limit is not searched to its end, and the answer is no.
#[test]
fn delegation_chain_longer_than_the_limit() {
    let mut world = World::empty();
    let names: Vec<String> = (0..40).map(|number| format!("r{number}")).collect();
    let key = super::world::key_of(KeyKind::Ed25519);
    for name in &names {
        let paths: &[&str] = if name == "r0" { ANY } else { &[] };
        let team = Team::new(name, paths).search(Search::GoesOn);
        world.org.add_team(team.held_by(std::slice::from_ref(&key), 1.try_into().unwrap()));
        world.org.sign_target(name, &format!("{name}/x"), target(name));
    }
    world.publish();
    let links: Vec<_> = names.windows(2).map(|pair| [(pair[1].as_str(), ANY, "")]).collect();
    let edges: Vec<(&str, &[To<'_>])> =
        names.iter().map(String::as_str).zip(links.iter().map(<[_; 1]>::as_slice)).collect();
    let node = node(&world, &edges);
    assert!(say(&node, "r30/x").starts_with("found "));
    assert!(say(&node, "r31/x").starts_with("none "));
}

/// Bins by hash (TUF 4.5): only the prefix of the path's own hash leads to the role.
#[test]
fn delegation_by_hash_prefix() {
    let world = nested();
    let hash = tufd_tuf::hash::Sha256::of(b"a/x").to_string();
    let other = if hash.starts_with('0') { "1" } else { "0" };
    let cases = [
        (json!([&hash[..2]]), "found targets>below"),
        (json!([other, &hash[..1]]), "found targets>below"),
        (json!([hash.to_uppercase() + "0"]), "none targets,above"),
        (json!([other]), "none targets,above"),
        (json!([]), "none targets,above"),
    ];
    for (prefixes, expected) in cases {
        let files = world.forged("targets", |signed| {
            let role = &mut signed["delegations"]["roles"][1];
            role.as_object_mut().unwrap().remove("paths");
            role["path_hash_prefixes"] = prefixes.clone();
        });
        let mut node = world.fresh_node(&files);
        node.refresh(&files).unwrap();
        assert_eq!(say(&node, "a/x"), expected, "{prefixes}");
    }
}

/// Neither kind of scope covers nothing; it is not everything.
#[test]
fn delegation_without_a_scope() {
    let world = nested();
    let files = world.forged("targets", |signed| {
        for role in signed["delegations"]["roles"].as_array_mut().unwrap() {
            role.as_object_mut().unwrap().remove("paths");
        }
    });
    let mut node = world.fresh_node(&files);
    node.refresh(&files).unwrap();
    assert_eq!(say(&node, "a/x"), "none targets");
}

/// CVE-2021-41131, CVE-2021-41150: names are names, whatever they look like, and are shown on one line.
#[test]
fn role_name_that_is_a_path_or_a_line() {
    for name in
        ["../../etc/x", "/abs", "a/b", "..", "\u{e4}%2f\u{202e}", "x\nALLOW: signed", "targets "]
    {
        let mut world = World::empty();
        world.org.add_team(Team::new(name, ANY));
        world.org.sign_target(name, "a/x", target("x"));
        world.publish();
        let mut node = world.node();
        assert_eq!(say(&node, "a/x"), format!("found targets>{name}"));
        let bad: Files = world.damaged(|files, _| damage::withhold(files, name));
        node = world.fresh_node(&bad);
        node.refresh(&bad).unwrap();
        let said = say(&node, "a/x");
        assert!(said.starts_with("unavailable ") && !said.contains(['\n', '\u{202e}']), "{said}");
    }
}
