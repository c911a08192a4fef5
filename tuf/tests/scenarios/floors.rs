//! Floors across rotations and restarts (TUF 5.3.11).

use serde_json::json;
use testkit::{Files, damage};
use tufd_tuf::floors::Floors;
use tufd_tuf::metadata::Role as _;
use tufd_tuf::refusal::Refusal;
use tufpub::SigningKey;

use super::node::{Node, v};
use super::world::{World, give_role, new_key};

/// Fast-forward: a thief of the role's key numbers it far ahead.
fn fast_forwarded(role: &str) -> (World, Node) {
    let world = World::new();
    let mut node = world.node();
    let far = 1_000_000;
    let bad = match role {
        "timestamp" => world.forged("timestamp", |signed| signed["version"] = json!(far)),
        _ => jumped_snapshot(&world, far, None),
    };
    node.refresh(&bad).unwrap();
    (world, node)
}

/// The snapshot under a far version, signed by its own key or a given one, and a timestamp that names it.
fn jumped_snapshot(world: &World, far: u64, key: Option<&SigningKey>) -> Files {
    world.damaged(|files, org| {
        let mut signed = files.json(&files.newest("snapshot"))["signed"].take();
        signed["version"] = json!(far);
        let draft = tufpub::Signed::from_value(signed).unwrap();
        let key = key.unwrap_or(&org.keys_of("snapshot")[0]);
        let snapshot = draft.signed_by(&[key]).unwrap().to_bytes().unwrap();
        files.insert(format!("{far}.snapshot.json"), snapshot);
        damage::forge(files, org, "timestamp", |signed| {
            signed["version"] = json!(2);
            signed["meta"]["snapshot.json"] = json!({"version": far});
        });
    })
}

#[test]
fn fast_forward_recovery_timestamp() {
    let (mut world, mut node) = fast_forwarded("timestamp");
    assert!(matches!(node.refresh(&world.publish_change()), Err(Refusal::Rollback { .. })));
    // Another role's keys free nothing.
    world.org.rotate_targets_key();
    assert!(matches!(node.refresh(&world.publish()), Err(Refusal::Rollback { .. })));
    world.org.rotate_timestamp_key();
    node.refresh(&world.publish()).unwrap();
    assert!(node.held.as_ref().unwrap().timestamp().version() < v(10));
}

#[test]
fn fast_forward_recovery_snapshot() {
    let (mut world, mut node) = fast_forwarded("snapshot");
    world.publish_change();
    assert!(matches!(node.refresh(&world.publish_change()), Err(Refusal::Rollback { .. })));
    world.org.rotate_snapshot_key();
    node.refresh(&world.publish()).unwrap();
    assert!(node.held.as_ref().unwrap().snapshot().version() < v(10));
}

/// The thief held one of the snapshot's two keys, each of which may sign. When it goes, the version that the timestamp
/// named goes with it, although the other key and the timestamp's stay.
#[test]
fn fast_forward_recovery_snapshot_one_of_two_keys() {
    let mut world = World::new();
    let stolen = new_key();
    let honest = world.org.keys_of("snapshot")[0].clone();
    let both = [stolen.clone(), honest.clone()];
    world.good = world.forged("root", |root| give_role(root, "snapshot", &both, 1));
    let mut node = world.node();
    node.refresh(&jumped_snapshot(&world, 1_000_000, Some(&stolen))).unwrap();
    let first_root = world.good.get("1.root.json").unwrap().to_vec();
    world.org.rotate_root(&[], &[]);
    world.publish_change();
    world.publish_change();
    world.good.insert("1.root.json", first_root);
    node.refresh(&world.good).unwrap();
    assert_eq!(node.held.as_ref().unwrap().snapshot().version(), v(3));
}

/// A lapse is written down before anything older is accepted, and survives a restart in between.
#[test]
fn fast_forward_recovery_over_a_restart() {
    let (mut world, mut node) = fast_forwarded("timestamp");
    world.org.rotate_timestamp_key();
    let good = world.publish();
    let root_only = world.damaged(|files, _| damage::withhold(files, "timestamp"));
    node.refresh(&root_only).unwrap_err();
    assert!(node.held.is_none(), "the thief's chain answers no more");
    node.restart(&good);
    node.refresh(&good).unwrap();
}

/// Adding a key or changing a threshold lapses nothing.
#[test]
fn raising_a_threshold_lapses_nothing() {
    for (role, threshold) in [("timestamp", 1), ("timestamp", 2), ("snapshot", 1), ("snapshot", 2)]
    {
        let mut world = World::new();
        world.publish_change();
        let mut node = world.node();
        let before = kept(&node.floors);
        world.org.rotate_root(&[], &[]);
        let files = world.publish_change();
        world.good = files;
        let keys = [world.org.keys_of(role)[0].clone(), new_key()];
        let files = world.forged("root", |root| give_role(root, role, &keys, threshold));
        let session = node.at_timestamp(&files);
        assert_eq!(kept(session.floors()), before, "{role} {threshold}");
        node.root = session.trusted_root().clone();
        assert_eq!(session.held().is_some(), threshold == 1, "{role} {threshold}");
    }
}

/// A key that one root drops and the next one takes back stands for its floors, where both come in one run.
#[test]
fn key_dropped_and_taken_back_lapses_nothing() {
    let mut world = World::new();
    let old = world.good.clone();
    world.publish_change();
    let mut node = world.node();
    let key = [world.org.keys_of("timestamp")[0].clone()];
    world.org.rotate_timestamp_key();
    world.org.rotate_root(&[], &[]);
    world.publish();
    world.good = world.forged("root", |root| give_role(root, "timestamp", &key, 1));
    let replayed = world.damaged(|files, _| damage::mix_in(files, &old, "timestamp"));
    let refused = node.refresh(&replayed).unwrap_err();
    assert!(refused.to_string().starts_with("timestamp: version 1 is older than 2"), "{refused}");
    assert_eq!(node.root.version(), v(3));
}

/// Replacing one of two keys that both had to sign lapses; replacing one of two that sufficed alone does not.
#[test]
fn replacing_a_key_lapses_what_it_set() {
    let mut world = World::new();
    let mine = world.org.keys_of("timestamp")[0].clone();
    let one_of_two = [mine.clone(), new_key()];
    world.good = world.forged("root", |root| give_role(root, "timestamp", &one_of_two, 1));
    let node = world.node();
    world.org.rotate_root(&[], &[]);
    let first = world.good.get("1.root.json").unwrap().to_vec();
    world.publish();
    world.good.insert("1.root.json", first);
    for (keys, stands) in [([mine, new_key()], true), ([new_key(), new_key()], false)] {
        let files = world.forged("root", |root| give_role(root, "timestamp", &keys, 1));
        let floors = kept(node.at_timestamp(&files).floors());
        assert_eq!(floors["timestamp"] != json!(null), stands);
        assert_ne!(floors["snapshot"], json!(null));
    }
}

/// Our own copy is held against what it was, and not against what was seen since.
#[test]
fn replay_of_own_copy_after_floor_moved_on() {
    let mut world = World::new();
    let (mut node, cache) = (world.node(), world.good.clone());
    world.publish_change();
    let bare = world.damaged(|files, _| damage::withhold(files, "targets"));
    let bare = {
        let mut files = bare;
        files.remove("2.payments.json");
        files.remove("1.targets.json");
        files
    };
    node.refresh(&bare).unwrap_err();
    node.restart(&cache);
    assert_eq!(node.held.as_ref().unwrap().timestamp().version(), v(1));
    node.refresh(&world.good).unwrap();
    // What answered before is no copy of what answers now.
    assert!(matches!(node.replay(&cache), Err(Refusal::Rollback { .. })));
    node.restart(&cache);
    assert!(node.held.is_none());
    node.refresh(&world.good).unwrap();
}

/// Where no chain has answered yet, a planted older copy is held against all that was seen.
#[test]
fn replay_of_an_older_copy_where_nothing_answered_yet() {
    let mut world = World::new();
    let old = world.good.clone();
    world.publish_change();
    let bare = world.damaged(|files, _| damage::withhold(files, "snapshot"));
    let mut node = world.fresh_node(&bare);
    node.refresh(&bare).unwrap_err();
    assert!(matches!(node.replay(&old), Err(Refusal::Rollback { .. })));
    node.replay(&world.good).unwrap();
}

/// After a rotation the new chain may be older in number than what answered: a copy written before a crash passes.
#[test]
fn replay_of_a_copy_after_a_lapse() {
    for role in ["timestamp", "snapshot"] {
        let (mut world, mut node) = fast_forwarded(role);
        match role {
            "timestamp" => world.org.rotate_timestamp_key(),
            _ => world.org.rotate_snapshot_key(),
        };
        world.publish_change();
        world.publish_change();
        let crashed = world.good.clone();
        let targets_missing = world.damaged(|files, _| files.insert(files.newest("targets"), "{}"));
        node.refresh(&targets_missing).unwrap_err();
        node.restart(&crashed);
        assert!(node.held.is_some(), "{role}");
    }
}

/// A crash left the newer chain on the disk and its floor unwritten: from its first update on it is one.
#[test]
fn replay_of_a_newer_copy_becomes_a_floor() {
    let mut world = World::new();
    let (mut node, old) = (world.node(), world.good.clone());
    let newer = world.publish_change();
    node.restart(&newer);
    assert_eq!(node.held.as_ref().unwrap().timestamp().version(), v(2));
    assert!(matches!(node.refresh(&old), Err(Refusal::Rollback { .. })));
    node.restart(&newer);
    assert!(node.held.is_some());
}

/// A chain of which a crash kept the floor from being written answers after the restart: it is not forgotten when a
/// newer timestamp was seen and the node crashes again.
#[test]
fn replay_of_a_copy_that_answered_only_after_a_crash() {
    for rotate in [testkit::Org::rotate_timestamp_key, testkit::Org::rotate_snapshot_key] {
        let mut world = World::new();
        let mut node = world.node();
        rotate(&mut world.org);
        let crashed = world.publish_change();
        for seen in [2, 3] {
            let bare = world.damaged(|files, _| files.insert(files.newest("targets"), "{}"));
            node.refresh(&bare).unwrap_err();
            node.restart(&crashed);
            assert!(node.held.is_some(), "{seen} was seen");
            world.publish_change();
        }
    }
}

/// The store is untrusted input: damaged copies are refused by the same gate.
#[test]
fn replay_of_a_damaged_copy() {
    let world = World::new();
    let node = world.node();
    for role in ["timestamp", "snapshot", "targets"] {
        let bad = world.damaged(|files, _| damage::flip_bit(files, &files.newest(role)));
        node.replay(&bad).unwrap_err();
    }
    node.replay(&world.good).unwrap();
}

/// An expired copy is no error of the replay; it answers nothing.
#[test]
fn replay_of_an_expired_copy_answers_nothing() {
    let world = World::new();
    let mut node = world.node();
    world.clock.advance(jiff::SignedDuration::from_hours(25));
    node.restart(&world.good);
    assert!(matches!(node.held.unwrap().fresh(world.clock.now()), Err(Refusal::Expired { .. })));
}

/// A chain whose keys a new root replaced answers no more, from the moment the root verifies.
#[test]
fn held_chain_falls_with_its_keys() {
    type Rotate = fn(&mut testkit::Org) -> &tufpub::Signed;
    let cases: [(Rotate, bool); 4] = [
        (testkit::Org::rotate_timestamp_key, false),
        (testkit::Org::rotate_snapshot_key, false),
        (testkit::Org::rotate_targets_key, false),
        (|org| org.rotate_root(&[], &[]), true),
    ];
    for (number, (rotate, stays)) in cases.into_iter().enumerate() {
        let mut world = World::new();
        let node = world.node();
        rotate(&mut world.org);
        world.publish();
        let session = node.rooting().root(world.good.get("2.root.json").unwrap()).unwrap();
        assert_eq!(session.held().is_some(), stays, "{number}");
        if let Some(held) = session.held() {
            assert_eq!(held.root().hash(), session.trusted_root().hash());
        }
    }
}

#[test]
fn floors_of_another_form_are_refused() {
    let world = World::new();
    let good = serde_json::to_value(&world.node().floors).unwrap();
    serde_json::from_value::<Floors>(good.clone()).unwrap();
    let lies = [
        ("newer", json!(1)),
        ("timestamp", json!({"version": 1})),
        ("root", json!({"version": 0})),
    ];
    for (field, lie) in lies {
        let mut bad = good.clone();
        bad[field] = lie;
        assert!(serde_json::from_value::<Floors>(bad).is_err(), "{field}");
    }
}

/// The floors of timestamp and snapshot as they are written.
pub(crate) fn kept(floors: &Floors) -> serde_json::Value {
    let mut written = serde_json::to_value(floors).unwrap();
    written["root"].take();
    written
}
