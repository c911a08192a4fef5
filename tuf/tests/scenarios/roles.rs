//! Delegated roles: loading them, one by one, each under its delegator (TUF 5.6).

use serde_json::json;
use testkit::{Files, Team, damage};
use tufd_tuf::refusal::Refusal;
use tufd_tuf::search::{Answer, Found, search};
use tufd_tuf::trust::Trust;
use tufpub::Search;

use super::node::{Node, bytes, refuse};
use super::world::{API, World, delegate, target};

/// What the chain says of a path, in a word and the roles: `found targets>payments`.
pub(crate) fn say(node: &Node, path: &str) -> String {
    say_of(node.held.as_ref().unwrap(), path, node.clock.now())
}

pub(crate) fn say_of(trust: &Trust, path: &str, now: jiff::Timestamp) -> String {
    let fresh = trust.fresh(now).unwrap();
    let joined = |names: &[tufd_tuf::metadata::RoleName], by: &str| {
        names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(by)
    };
    let Found { asked, answer } = search(&fresh, path);
    let asked: Vec<_> = asked.iter().map(|role| role.name().clone()).collect();
    match answer {
        Answer::Target { path, .. } => format!("found {}", joined(&path, ">")),
        Answer::NotFound => format!("none {}", joined(&asked, ",")),
        Answer::Unavailable { role } => format!("unavailable {role}"),
        Answer::Expired { role, .. } => format!("expired {role}"),
        Answer::TooCostly { role } => format!("costly {role}"),
    }
}

/// A bad file of the team is refused; the good one passes through the same gate.
fn refused(world: &World, bad: &Files) -> Refusal {
    let session = world.fresh_node(&world.good).at_roles(&world.good);
    let (session, why) = refuse(session, |s| s.role(bytes(bad, "1.payments.json")));
    let session = session.role(bytes(&world.good, "1.payments.json")).unwrap();
    assert!(session.wanted().is_none());
    let (trust, _) = session.finish();
    assert_eq!(say_of(&trust, API, world.clock.now()), "found targets>payments");
    why
}

#[test]
fn role_hash_mismatch() {
    let world = World::new();
    let bad = world.damaged(|files, _| damage::hash_mismatch(files, "1.payments.json"));
    assert!(matches!(refused(&world, &bad), Refusal::HashMismatch { .. }));
}

#[test]
fn role_bits_flipped_and_junk() {
    let world = World::new();
    let flipped = world.damaged(|files, _| damage::flip_bit(files, "1.payments.json"));
    let junk = world.damaged(|files, _| damage::junk(files, "1.payments.json"));
    let long = world.damaged(|files, _| damage::oversize(files, "1.payments.json", 5_000_001));
    assert!(matches!(refused(&world, &flipped), Refusal::HashMismatch { .. }));
    assert!(matches!(refused(&world, &junk), Refusal::HashMismatch { .. }));
    assert!(matches!(refused(&world, &long), Refusal::TooBig { .. }));
}

/// What its holders lie about costs the names of that team and no others.
#[test]
fn role_damaged_by_whoever_signs_is_unavailable_for_its_names_only() {
    type Damage = fn(&mut Files, &testkit::Org);
    let cases: [Damage; 4] = [
        |files, org| damage::sign_with_strange_key(files, org, "payments"),
        |files, org| damage::wrong_version(files, org, "payments", 7),
        |files, org| damage::threshold_zero(files, org, "other"),
        |files, _| damage::withhold(files, "payments"),
    ];
    for (number, case) in cases.into_iter().enumerate() {
        let mut world = two_teams();
        let bad = world.damaged(case);
        let mut node = world.fresh_node(&bad);
        let done = node.refresh(&bad);
        if number == 2 {
            // The delegator's own lie refuses the delegator.
            assert!(matches!(done, Err(Refusal::Malformed { .. })));
        } else {
            done.unwrap();
            assert_eq!(say(&node, API), "unavailable payments", "{number}");
            assert_eq!(say(&node, "other/x"), "found targets>other", "{number}");
            assert_eq!(say(&node, "free"), "none targets", "{number}");
        }
        node.refresh(&world.publish_change()).unwrap();
        assert_eq!(say(&node, API), "found targets>payments", "{number}");
    }
}

pub(crate) fn two_teams() -> World {
    let mut world = World::new();
    world.org.add_team(Team::new("other", &["other/*"]));
    world.org.sign_target("other", "other/x", target("x"));
    world.publish();
    world
}

/// CVE-2020-15093, CVE-2026-6966 on every role: one signature listed twice is no second one, and refuses the file.
#[test]
fn duplicate_signature_on_every_role() {
    for role in ["timestamp", "snapshot", "targets", "payments"] {
        let world = World::new();
        let bad = world.damaged(|files, org| {
            damage::duplicate_signature(files, &files.newest(role));
            if role != "timestamp" && role != "snapshot" {
                damage::list(files, org);
            }
            if role == "snapshot" {
                damage::forge(files, org, "timestamp", |signed| {
                    signed["meta"]["snapshot.json"] = json!({"version": 1});
                });
            }
        });
        let mut node = world.fresh_node(&bad);
        match (role, node.refresh(&bad)) {
            ("payments", done) => {
                done.unwrap();
                assert_eq!(say(&node, API), "unavailable payments");
            }
            (_, done) => assert!(matches!(done, Err(Refusal::DuplicateSignature { .. })), "{role}"),
        }
        node.refresh(&world.good).unwrap();
    }
}

/// GHSA-3633-5h82-39pq on every role below the root.
#[test]
fn threshold_one_key_under_two_ids_on_every_role() {
    for role in ["timestamp", "snapshot", "targets", "payments"] {
        let world = World::new();
        let bad = world.damaged(|files, org| damage::one_key_under_two_ids(files, org, role));
        let mut node = world.fresh_node(&bad);
        match (role, node.refresh(&bad)) {
            ("payments", done) => {
                done.unwrap();
                assert_eq!(say(&node, API), "unavailable payments");
            }
            (_, Err(Refusal::TooFewSignatures { found, .. })) => assert_eq!(found, 1, "{role}"),
            (_, done) => panic!("{role}: {done:?}"),
        }
    }
}

/// Keys of a kind nobody knows beside usable ones: no role minds.
#[test]
fn unknown_key_types_beside_usable_ones() {
    for role in ["timestamp", "snapshot", "targets", "payments"] {
        let world = World::new();
        let odd = world.damaged(|files, org| damage::unknown_keys(files, org, role));
        let mut node = world.fresh_node(&odd);
        node.refresh(&odd).unwrap();
        assert_eq!(say(&node, API), "found targets>payments", "{role}");
    }
}

/// Withholding a role that comes first never lets a later one answer in its place.
#[test]
fn withheld_role_answers_unavailable_for_its_names_only() {
    let mut world = World::empty();
    for name in ["first", "second"] {
        world.org.add_team(Team::new(name, &["a/*"]).search(Search::GoesOn));
        world.org.sign_target(name, "a/x", target(name));
    }
    world.org.add_team(Team::new("third", &["b/*"]));
    world.org.sign_target("third", "b/x", target("third"));
    world.publish();
    let bad = world.damaged(|files, _| damage::withhold(files, "first"));
    let mut node = world.fresh_node(&bad);
    node.refresh(&bad).unwrap();
    assert_eq!(say(&node, "a/x"), "unavailable first");
    assert_eq!(say(&node, "b/x"), "found targets>third");
    // The same timestamp again, and now the role is to be had: it is asked for and answers.
    node.refresh(&world.good).unwrap();
    assert_eq!(say(&node, "a/x"), "found targets>first");
}

#[test]
fn expired_role_answers_for_its_names_only() {
    let world = two_teams();
    let bad = world.damaged(|files, org| damage::expire(files, org, "payments"));
    let mut node = world.fresh_node(&bad);
    node.refresh(&bad).unwrap();
    assert_eq!(say(&node, API), "expired payments");
    assert_eq!(say(&node, "other/x"), "found targets>other");
}

#[test]
fn role_outside_its_paths() {
    let mut world = two_teams();
    for path in [
        "free",
        "other/y",
        "registry.acme.example/payments/a/b:1",
        "registry.acme.example/payments",
    ] {
        world.org.sign_target("payments", path, target("evil"));
    }
    world.publish();
    let node = world.node();
    assert_eq!(say(&node, "free"), "none targets");
    assert_eq!(say(&node, "other/y"), "none targets,other");
    assert_eq!(say(&node, "registry.acme.example/payments/a/b:1"), "none targets");
    assert_eq!(say(&node, "registry.acme.example/payments"), "none targets");
}

/// A target must match the paths of every delegation on the way.
#[test]
fn role_widened_by_a_delegate() {
    let mut world = nested();
    world.org.sign_target("below", "b/x", target("evil"));
    world.publish();
    let files =
        world.damaged(|files, org| delegate(files, org, "above", &[("below", &["*/*"], "")]));
    let mut node = world.fresh_node(&files);
    node.refresh(&files).unwrap();
    assert_eq!(say(&node, "a/x"), "found targets>above>below");
    assert_eq!(say(&node, "b/x"), "none targets");
}

/// `above` may sign `a/*`; `below` is known to the snapshot, and `targets` gives it nothing.
pub(crate) fn nested() -> World {
    let mut world = World::empty();
    world.org.add_team(Team::new("above", &["a/*"]).search(Search::GoesOn));
    world.org.add_team(Team::new("below", &[]).search(Search::GoesOn));
    world.org.sign_target("below", "a/x", target("x"));
    world.publish();
    world
}

/// It ends the search: whoever comes after it does not answer in its place (TUF 5.6).
#[test]
fn role_not_in_the_snapshot_is_not_asked() {
    let mut world = nested();
    world.org.add_team(Team::new("after", &["a/*"]));
    world.org.sign_target("after", "a/x", target("after"));
    world.publish();
    let files = world.damaged(|files, org| {
        delegate(files, org, "above", &[("below", &["a/*"], "")]);
        damage::forge(files, org, "snapshot", |signed| {
            signed["meta"].as_object_mut().unwrap().remove("below.json");
        });
    });
    let mut node = world.fresh_node(&files);
    node.refresh(&files).unwrap();
    assert_eq!(say(&node, "a/x"), "none targets,above");
}
