//! A role counts as its delegator vouches for it: copies at hand, diamonds, and files that differ.

use serde_json::json;
use testkit::{Files, Org, Team, damage};
use tufpub::Search;

use super::node::{bytes, load};
use super::roles::{say, say_of, two_teams};
use super::world::{API, World, delegate, new_key, target};

/// CVE-2026-6967 and sigstore-rust 173: a copy at hand is verified again for whoever delegates today.
#[test]
fn role_held_copy_is_verified_under_todays_delegator() {
    let mut world = World::new();
    let mut node = world.node();
    let key = new_key();
    world.org.sign_target("targets", "x", target("x"));
    world.publish();
    // The delegator takes the team's key away, and the team's file stays as it is.
    let files = world.forged("targets", |signed| {
        let (id, value) = super::world::entry(tufpub::Signer::public_key(&key));
        signed["delegations"]["keys"] = json!({ &id: value });
        signed["delegations"]["roles"][0]["keyids"] = json!([id]);
    });
    node.refresh(&files).unwrap();
    assert_eq!(say(&node, API), "unavailable payments");
    node.restart(&files);
    assert_eq!(say(&node, API), "unavailable payments");
    world.org.rotate_team_key("payments");
    node.refresh(&world.publish()).unwrap();
    assert_eq!(say(&node, API), "found targets>payments");
}

/// A refresh costs what changed: a copy of the same version is not asked for again.
#[test]
fn role_of_the_same_version_is_not_asked_for() {
    let mut world = two_teams();
    let node = world.node();
    world.publish_change();
    let session = node.at_roles(&world.good);
    let wanted = session.wanted().unwrap();
    assert_eq!((wanted.edge.role.as_str(), u64::from(wanted.meta.version)), ("payments", 2));
    assert!(load(session, &world.good).wanted().is_none());
}

/// A delegate that names every role of others by keys of its own costs nobody a download: each is at hand, and fails.
#[test]
fn role_that_cannot_verify_is_not_asked_for() {
    let world = two_teams();
    let files = world.damaged(|files, org| {
        delegate(files, org, "payments", &[("other", &["*/*"], "")]);
        let (id, value) = super::world::entry(tufpub::Signer::public_key(&new_key()));
        damage::forge(files, org, "payments", |signed| {
            signed["delegations"]["keys"] = json!({ &id: value });
            signed["delegations"]["roles"][0]["keyids"] = json!([id]);
        });
    });
    let mut session = world.fresh_node(&files).at_roles(&files);
    let mut asked = Vec::new();
    while let Some(wanted) = session.wanted() {
        let role = wanted.edge.role.as_str().to_owned();
        session = session.role(bytes(&files, &format!("1.{role}.json"))).unwrap();
        asked.push(role);
    }
    assert_eq!(asked, ["payments", "other"]);
    let (trust, _) = session.finish();
    assert_eq!(trust.roles().count(), 2);
    assert_eq!(say_of(&trust, "other/x", world.clock.now()), "found targets>other");
}

/// TOB-SIGSTORE-14, python-tuf 2978: one role under two delegators is verified for each.
#[test]
fn delegation_diamond_verified_per_delegator() {
    let mut world = World::empty();
    for name in ["left", "right"] {
        let path = format!("{name}/*");
        world.org.add_team(Team::new(name, &[path.as_str()]).search(Search::GoesOn));
    }
    world.org.add_team(Team::new("both", &[]));
    for path in ["left/x", "right/x"] {
        world.org.sign_target("both", path, target(path));
    }
    world.publish();
    let files = world.damaged(|files, org| {
        delegate(files, org, "left", &[("both", &["*/*"], "")]);
        delegate(files, org, "right", &[("both", &["*/*"], "")]);
        // The right one vouches for another key.
        let (id, value) = super::world::entry(tufpub::Signer::public_key(&new_key()));
        damage::forge(files, org, "right", |signed| {
            signed["delegations"]["keys"][&id] = value;
            signed["delegations"]["roles"][0]["keyids"] = json!([id]);
        });
    });
    let mut node = world.fresh_node(&files);
    node.refresh(&files).unwrap();
    assert_eq!(say(&node, "left/x"), "found targets>left>both");
    assert_eq!(say(&node, "right/x"), "unavailable both");
}

/// Without hashes in the snapshot a mirror may show two files of one version. What the second delegates would be kept
/// under the same name as what the first does: a delegate's keys would answer for names it has no right to.
#[test]
fn role_two_files_of_one_version() {
    let mut world = World::empty();
    world.org.add_team(Team::new("evil", &["evil/*"]).search(Search::GoesOn));
    world.org.add_team(Team::new("middle", &["good/*"]).search(Search::GoesOn));
    world.org.add_team(Team::new("leaf", &[]));
    world.org.sign_target("leaf", "good/x", target("good"));
    world.publish();
    let own = new_key();
    let (id, value) = super::world::entry(tufpub::Signer::public_key(&own));
    let files = world.damaged(|files, org| {
        delegate(files, org, "middle", &[("leaf", &["good/*"], "")]);
        delegate(files, org, "evil", &[("middle", &["*/*"], "")]);
        damage::forge(files, org, "evil", |signed| {
            signed["delegations"]["keys"] = json!({ &id: value });
            signed["delegations"]["roles"][0]["keyids"] = json!([id]);
        });
        without_hashes(files, org);
    });
    let sign = |signed: serde_json::Value| {
        let draft = tufpub::Signed::from_value(signed).unwrap();
        draft.signed_by(&[&own]).unwrap().to_bytes().unwrap()
    };
    let mut second = files.clone();
    let mut middle = files.json("1.middle.json")["signed"].take();
    middle["delegations"]["keys"] = json!({ &id: value });
    middle["delegations"]["roles"][0]["keyids"] = json!([id]);
    second.insert("1.middle.json", sign(middle));
    let mut leaf = files.json("1.leaf.json")["signed"].take();
    leaf["targets"] = json!({"good/x": target("evil")});
    second.insert("1.leaf.json", sign(leaf));
    // The mirror withholds the real file where targets delegates, and shows its own where `evil` does.
    let mut node = world.fresh_node(&files);
    let mut session = node.at_roles(&files);
    while let Some(wanted) = session.wanted() {
        let name = tufpub::versioned(wanted.edge.role.as_str(), wanted.meta.version);
        let from = if name == "1.evil.json" { &files } else { &second };
        session =
            session.role(bytes(from, &name)).unwrap_or_else(|refused| refused.session.without());
    }
    let (trust, floors) = session.finish();
    (node.held, node.floors) = (Some(trust), floors);
    assert_eq!(say(&node, "good/x"), "unavailable middle");
    // Then it shows the real ones: nothing of its own answers for them.
    node.refresh(&files).unwrap();
    assert_ne!(say(&node, "good/x"), "found targets>middle>leaf");
    // An honest source from the start has all of it.
    let mut other = world.fresh_node(&files);
    other.refresh(&files).unwrap();
    assert_eq!(say(&other, "good/x"), "found targets>middle>leaf");
}

/// The same where the real file is at hand from the chain that answers, and the mirror's comes in first.
#[test]
fn role_two_files_of_one_version_beside_a_held_copy() {
    let mut world = World::empty();
    for (name, paths) in [("evil", &["evil/*"]), ("good", &["good/*"])] {
        world.org.add_team(Team::new(name, paths).search(Search::GoesOn));
    }
    for name in ["middle", "leaf"] {
        world.org.add_team(Team::new(name, &[]));
    }
    world.org.sign_target("leaf", "good/x", target("good"));
    world.publish();
    let own = new_key();
    let (id, value) = super::world::entry(tufpub::Signer::public_key(&own));
    let delegations = |world: &World| {
        world.damaged(|files, org| {
            // Nobody but the two of them speaks of the roles below.
            damage::forge(files, org, "targets", |signed| {
                signed["delegations"]["roles"].as_array_mut().unwrap().truncate(2);
            });
            delegate(files, org, "good", &[("middle", &["good/*"], "")]);
            delegate(files, org, "middle", &[("leaf", &["good/*"], "")]);
            delegate(files, org, "evil", &[("middle", &["*/*"], "")]);
            damage::forge(files, org, "evil", |signed| {
                signed["delegations"]["keys"] = json!({ &id: value });
                signed["delegations"]["roles"][0]["keyids"] = json!([id]);
            });
            without_hashes(files, org);
        })
    };
    let first = delegations(&world);
    let mut node = world.fresh_node(&first);
    node.refresh(&first).unwrap();
    assert_eq!(say(&node, "good/x"), "found targets>good>middle>leaf");
    world.org.renew("evil");
    world.org.renew("good");
    world.publish();
    world.good.insert("1.middle.json", first.get("1.middle.json").unwrap());
    let mut files = delegations(&world);
    let mut middle = files.json("1.middle.json")["signed"].take();
    middle["delegations"]["keys"] = json!({ &id: value });
    middle["delegations"]["roles"][0]["keyids"] = json!([id]);
    let mut leaf = files.json("1.leaf.json")["signed"].take();
    leaf["targets"] = json!({"good/x": target("evil")});
    for (name, signed) in [("1.middle.json", middle), ("1.leaf.json", leaf)] {
        let draft = tufpub::Signed::from_value(signed).unwrap();
        files.insert(name, draft.signed_by(&[&own]).unwrap().to_bytes().unwrap());
    }
    node.refresh(&files).unwrap();
    assert_eq!(say(&node, "good/x"), "unavailable middle");
}

/// Lists versions only, as many repositories do.
fn without_hashes(files: &mut Files, org: &Org) {
    damage::forge(files, org, "snapshot", |signed| {
        for meta in signed["meta"].as_object_mut().unwrap().values_mut() {
            *meta = json!({"version": meta["version"]});
        }
    });
}

/// A diamond whose tip is large costs memory and time per delegator; beyond the bound its names are unavailable.
#[test]
fn roles_are_bounded_together_counted_per_delegator() {
    let mut world = World::empty();
    let teams: Vec<String> = (0..8).map(|number| format!("team{number}")).collect();
    for name in &teams {
        let path = format!("{name}/*");
        world.org.add_team(Team::new(name, &[path.as_str()]).search(Search::GoesOn));
    }
    world.org.add_team(Team::new("tip", &[]));
    for name in &teams {
        world.org.sign_target("tip", &format!("{name}/x"), target("x"));
    }
    world.publish();
    let files = world.damaged(|files, org| {
        damage::forge(files, org, "tip", |signed| signed["padding"] = "x".repeat(4_900_000).into());
        for name in &teams {
            delegate(files, org, name, &[("tip", &["*/*"], "")]);
        }
    });
    let mut node = world.fresh_node(&files);
    node.refresh(&files).unwrap();
    let found = teams.iter().filter(|team| say(&node, &format!("{team}/x")).starts_with("found"));
    // 32 MiB hold it six times: as `targets` delegates to it, and for five teams.
    assert_eq!(found.count(), 5);
    assert_eq!(say(&node, "team7/x"), "unavailable tip");
}

/// Patterns are a delegate's, and matching `*aaa…b` takes a step for each pair of characters.
#[test]
fn delegation_patterns_too_costly_end_the_search() {
    let mut world = World::empty();
    world.org.add_team(Team::new("evil", &["evil/*"]).search(Search::Ends));
    world.org.add_team(Team::new("good", &["good/*"]).search(Search::GoesOn));
    world.org.add_team(Team::new("leaf", &[]));
    world.org.sign_target("good", "good/x", target("x"));
    world.publish();
    let pattern = format!("evil/*{}b", "a".repeat(170));
    let patterns: Vec<&str> = vec![&pattern; 2_000];
    let files =
        world.damaged(|files, org| delegate(files, org, "evil", &[("leaf", &patterns, "")]));
    let mut node = world.fresh_node(&files);
    node.refresh(&files).unwrap();
    assert_eq!(say(&node, &format!("evil/{}", "a".repeat(340))), "costly evil");
    assert_eq!(say(&node, "good/x"), "found targets>good");
}
