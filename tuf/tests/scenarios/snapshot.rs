//! The snapshot (TUF 5.5).

use serde_json::json;
use testkit::{Files, damage};
use tufd_tuf::refusal::Refusal;

use super::node::{Node, bytes, refuse, v};
use super::world::World;

/// The node holds version 1; version 2 is published and good.
fn world() -> (World, Node, Files) {
    let mut world = World::new();
    let (node, old) = (world.node(), world.good.clone());
    world.publish_change();
    (world, node, old)
}

/// A bad snapshot under the good timestamp: refused; then the good one passes through the same gate.
fn refused_by_mirror(world: &World, node: &Node, bad: &Files) -> Refusal {
    let (session, why) =
        refuse(node.at_snapshot(&world.good), |s| s.snapshot(bytes(bad, "2.snapshot.json")));
    session.snapshot(bytes(&world.good, "2.snapshot.json")).unwrap();
    why
}

/// A snapshot that the holders of the keys signed and listed: refused; then the next timestamp leads on.
fn refused_lie(world: &mut World, node: &Node, bad: &Files) -> Refusal {
    let mut node = node.clone();
    let before = node.held.as_ref().unwrap().snapshot().hash();
    let why = node.refresh(bad).unwrap_err();
    assert_eq!(node.held.as_ref().unwrap().snapshot().hash(), before);
    node.refresh(&world.publish_change()).unwrap();
    assert_eq!(node.held.as_ref().unwrap().snapshot().hash(), hash(&world.good));
    why
}

fn hash(files: &Files) -> tufd_tuf::hash::Sha256 {
    tufd_tuf::hash::Sha256::of(files.of_role("snapshot"))
}

#[test]
fn snapshot_hash_mismatch() {
    let (world, node, _) = world();
    let bad = world.damaged(|files, _| damage::hash_mismatch(files, "2.snapshot.json"));
    assert!(matches!(refused_by_mirror(&world, &node, &bad), Refusal::HashMismatch { .. }));
}

#[test]
fn snapshot_length_mismatch() {
    let (world, node, _) = world();
    let length = world.good.of_role("snapshot").len();
    let bad = world.damaged(|files, _| damage::oversize(files, "2.snapshot.json", length + 1));
    assert!(matches!(refused_by_mirror(&world, &node, &bad), Refusal::LengthMismatch { .. }));
}

#[test]
fn snapshot_oversize() {
    let (world, node, _) = world();
    let bad = world.damaged(|files, _| damage::oversize(files, "2.snapshot.json", 2_000_001));
    assert!(matches!(
        refused_by_mirror(&world, &node, &bad),
        Refusal::TooBig { limit: 2_000_000, .. }
    ));
}

/// Mix and match: the old snapshot under the new timestamp.
#[test]
fn snapshot_of_an_older_release() {
    let (world, node, old) = world();
    let bad = world.damaged(|files, _| damage::mix_in(files, &old, "snapshot"));
    refused_by_mirror(&world, &node, &bad);
}

/// The same where the timestamp lists no hashes, as many repositories do: the version tells.
#[test]
fn snapshot_of_an_older_release_without_hashes() {
    let (mut world, node, old) = world();
    let bare =
        world.forged("timestamp", |signed| signed["meta"]["snapshot.json"] = json!({"version": 2}));
    world.good = bare;
    let bad =
        world.damaged(|files, _| files.insert("2.snapshot.json", old.of_role("snapshot").to_vec()));
    let why = refused_by_mirror(&world, &node, &bad);
    assert!(
        matches!(why, Refusal::VersionMismatch { found, expected, .. } if (found, expected) == (v(1), v(2)))
    );
}

#[test]
fn snapshot_version_differs_from_the_timestamps() {
    let (mut world, node, _) = world();
    let bad = world.damaged(|files, org| damage::wrong_version(files, org, "snapshot", 7));
    // The testkit lists 2 still, so the file's own 7 is the lie.
    assert!(matches!(refused_lie(&mut world, &node, &bad), Refusal::VersionMismatch { .. }));
}

#[test]
fn snapshot_signed_by_strangers() {
    let (mut world, node, _) = world();
    let bad = world.damaged(|files, org| damage::sign_with_strange_key(files, org, "snapshot"));
    let why = refused_lie(&mut world, &node, &bad);
    assert!(matches!(why, Refusal::TooFewSignatures { found: 0, .. }));
}

#[test]
fn expired_snapshot() {
    let (mut world, node, _) = world();
    let bad = world.damaged(|files, org| damage::expire(files, org, "snapshot"));
    assert!(matches!(refused_lie(&mut world, &node, &bad), Refusal::Expired { .. }));
}

/// sigstore-rust 198: an expired snapshot that was trusted once is a floor still.
#[test]
fn snapshot_floor_outlives_its_expiry() {
    let (mut world, mut node, old) = world();
    let cache = world.good.clone();
    node.refresh(&cache).unwrap();
    world.clock.advance(jiff::SignedDuration::from_hours(24 * 8));
    world.publish();
    let bad =
        world.forged("snapshot", |signed| signed["meta"]["payments.json"]["version"] = json!(1));
    node.restart(&cache);
    assert!(matches!(node.refresh(&bad), Err(Refusal::Rollback { .. })));
    node.refresh(&old).unwrap_err();
    node.refresh(&world.publish_change()).unwrap();
}

/// When the timestamp's floor lapses with its key, the snapshot's own stands: an older one that lists the same roles is
/// refused.
#[test]
fn snapshot_rollback_after_the_timestamps_key_was_replaced() {
    let mut world = World::new();
    world.clock.advance(jiff::SignedDuration::from_hours(24 * 8));
    world.publish();
    let mut node = world.node();
    world.org.rotate_timestamp_key();
    world.publish();
    let bad = world.forged("timestamp", |signed| {
        signed["meta"]["snapshot.json"] = json!({"version": 1});
    });
    let why = node.refresh(&bad).unwrap_err();
    assert!(
        matches!(why, Refusal::Rollback { found, trusted, .. } if (found, trusted) == (v(1), v(2)))
    );
    node.refresh(&world.publish()).unwrap();
}

/// CVE-2025-2887: no role may become older, not even under a newer snapshot, also after a restart.
#[test]
fn snapshot_rollback_of_a_role() {
    for role in ["payments.json", "targets.json"] {
        let (mut world, mut node, _) = world();
        world.org.sign_target("targets", "x", super::world::target("x"));
        world.publish();
        node.refresh(&world.good).unwrap();
        node.restart(&world.good);
        world.publish_change();
        let bad = world.forged("snapshot", |signed| signed["meta"][role]["version"] = json!(1));
        let why = refused_lie(&mut world, &node, &bad);
        assert!(
            matches!(why, Refusal::Rollback { ref role, .. } if role.as_str() != "snapshot"),
            "{why}"
        );
    }
}

#[test]
fn snapshot_role_vanished() {
    for role in ["payments", "targets"] {
        let (mut world, node, _) = world();
        let bad = world.forged("snapshot", |signed| {
            signed["meta"].as_object_mut().unwrap().remove(&format!("{role}.json"));
        });
        let why = refused_lie(&mut world, &node, &bad);
        assert!(matches!(why, Refusal::RoleVanished { role: ref gone } if gone.as_str() == role));
    }
}

/// A first snapshot without the top-level targets leads nowhere, and a later one with them does.
#[test]
fn snapshot_without_targets() {
    let mut world = World::new();
    let bad = world.forged("snapshot", |signed| {
        signed["meta"].as_object_mut().unwrap().remove("targets.json");
    });
    let mut node = world.fresh_node(&bad);
    assert!(matches!(node.refresh(&bad), Err(Refusal::NotInSnapshot { .. })));
    node.refresh(&world.publish_change()).unwrap();
}

#[test]
fn snapshot_meta_that_is_none() {
    let lies = [
        json!(["targets.json", {"version": 1}]),
        json!({"targets": {"version": 1}}),
        json!({"targets.json": {"version": 0}}),
        json!({"targets.json": [1]}),
        json!({"targets.json": null}),
        json!(null),
    ];
    for lie in lies {
        let (mut world, node, _) = world();
        let bad = world.damaged(|files, org| {
            damage::forge(files, org, "snapshot", |signed| signed["meta"] = lie.clone());
        });
        let why = refused_lie(&mut world, &node, &bad);
        assert!(matches!(why, Refusal::Malformed { .. }), "{lie}: {why}");
    }
}

/// A snapshot may list what is no role of ours: old repositories list root.json.
#[test]
fn snapshot_lists_more_than_roles() {
    let world = World::new();
    let odd =
        world.forged("snapshot", |signed| signed["meta"]["root.json"] = json!({"version": 1}));
    world.fresh_node(&odd).refresh(&odd).unwrap();
}
