//! The top-level targets (TUF 5.6).

use serde_json::json;
use testkit::{Files, damage};
use tufd_tuf::refusal::Refusal;

use super::node::{Node, bytes, refuse, v};
use super::world::{World, target};

/// The node holds version 1; version 2 is published and good.
fn world() -> (World, Node, Files) {
    let mut world = World::new();
    let (node, old) = (world.node(), world.good.clone());
    world.org.sign_target("targets", "x", target("x"));
    world.publish();
    (world, node, old)
}

fn refused_by_mirror(world: &World, node: &Node, bad: &Files) -> Refusal {
    let (session, why) =
        refuse(node.at_targets(&world.good), |s| s.targets(bytes(bad, "2.targets.json")));
    session.targets(bytes(&world.good, "2.targets.json")).unwrap();
    why
}

fn refused_lie(world: &mut World, node: &Node, bad: &Files) -> Refusal {
    let mut node = node.clone();
    let why = node.refresh(bad).unwrap_err();
    assert_eq!(node.held.as_ref().unwrap().targets().bytes()[..], *old_targets(world));
    node.refresh(&world.publish_change()).unwrap();
    why
}

fn old_targets(world: &World) -> Vec<u8> {
    world.good.get("1.targets.json").unwrap().to_vec()
}

#[test]
fn targets_hash_mismatch() {
    let (world, node, _) = world();
    let bad = world.damaged(|files, _| damage::hash_mismatch(files, "2.targets.json"));
    assert!(matches!(refused_by_mirror(&world, &node, &bad), Refusal::HashMismatch { .. }));
}

#[test]
fn targets_length_mismatch() {
    let (world, node, _) = world();
    let bad = world.damaged(|files, _| damage::oversize(files, "2.targets.json", 100_000));
    assert!(matches!(refused_by_mirror(&world, &node, &bad), Refusal::LengthMismatch { .. }));
}

/// sha512 alone binds as sha256 does; where both stand, both must fit.
#[test]
fn targets_hash_mismatch_of_either_kind() {
    let (mut world, node, _) = world();
    let good = world.good.of_role("targets").to_vec();
    let sha512 = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, &good));
    let sha256 = tufd_tuf::hash::Sha256::of(&good).to_string();
    let zero = "00".repeat(64);
    let cases = [
        (json!({"sha512": sha512}), true),
        (json!({"sha512": sha512, "sha256": sha256, "md5": "1"}), true),
        (json!({"sha512": zero, "sha256": sha256}), false),
        (json!({"sha512": zero}), false),
    ];
    for (hashes, fits) in cases {
        world.good = world.forged("snapshot", |signed| {
            signed["meta"]["targets.json"]["hashes"] = hashes.clone();
        });
        let session = node.at_targets(&world.good);
        assert_eq!(session.targets(good.clone()).is_ok(), fits, "{hashes}");
    }
}

#[test]
fn targets_of_an_older_release() {
    let (mut world, node, old) = world();
    let bad =
        world.damaged(|files, _| files.insert("2.targets.json", old.of_role("targets").to_vec()));
    refused_by_mirror(&world, &node, &bad);
    // Without hashes the version tells.
    world.good =
        world.forged("snapshot", |signed| signed["meta"]["targets.json"] = json!({"version": 2}));
    let why = refused_by_mirror(&world, &node, &bad);
    assert!(matches!(why, Refusal::VersionMismatch { found, .. } if found == v(1)));
}

#[test]
fn targets_version_differs_from_the_snapshots() {
    let (mut world, node, _) = world();
    let bad = world.damaged(|files, org| damage::wrong_version(files, org, "targets", 7));
    assert!(matches!(refused_lie(&mut world, &node, &bad), Refusal::VersionMismatch { .. }));
}

#[test]
fn targets_signed_by_strangers() {
    let (mut world, node, _) = world();
    let bad = world.damaged(|files, org| damage::sign_with_strange_key(files, org, "targets"));
    assert!(matches!(refused_lie(&mut world, &node, &bad), Refusal::TooFewSignatures { .. }));
}

#[test]
fn expired_targets() {
    let (mut world, node, _) = world();
    let bad = world.damaged(|files, org| damage::expire(files, org, "targets"));
    assert!(matches!(refused_lie(&mut world, &node, &bad), Refusal::Expired { .. }));
}

/// Forms that are not understood are refused; they never read as "delegates to nobody".
#[test]
fn targets_delegations_that_are_none() {
    let delegation = json!({"name": "x", "keyids": [], "threshold": 1, "paths": []});
    let with = |field: &str, value: serde_json::Value| {
        let mut delegation = delegation.clone();
        delegation[field] = value;
        json!({"keys": {}, "roles": [delegation]})
    };
    let lies = [
        json!([]),
        json!(null),
        json!({"keys": {}}),
        json!({"keys": {}, "roles": {}}),
        json!({"keys": {}, "roles": "none"}),
        json!({"keys": [], "roles": []}),
        json!({"keys": {}, "succinct_roles": {"keyids": [], "threshold": 1, "bit_length": 8, "name_prefix": "b"}}),
        json!({"keys": {}, "roles": [], "succinct_roles": {}}),
        json!({"keys": {}, "roles": [delegation, delegation]}),
        with("name", json!("targets")),
        with("name", json!("root")),
        with("name", json!("snapshot")),
        with("name", json!("timestamp")),
        with("name", json!("")),
        with("threshold", json!(0)),
        with("path_hash_prefixes", json!([""])),
        with("terminating", json!("yes")),
        with("keyids", json!(["a", "a"])),
    ];
    for lie in lies {
        let (mut world, node, _) = world();
        let bad = world.forged("targets", |signed| signed["delegations"] = lie.clone());
        let why = refused_lie(&mut world, &node, &bad);
        assert!(matches!(why, Refusal::Malformed { .. }), "{lie}: {why}");
    }
}

#[test]
fn targets_that_are_none() {
    let lies = [
        json!(["x", {"length": 1, "hashes": {"sha256": "00".repeat(32)}}]),
        json!({"x": null}),
        json!({"x": {"length": -1, "hashes": {"sha256": "00".repeat(32)}}}),
        json!({"x": {"length": 1, "hashes": {}}}),
        json!({"x": {"length": 1, "hashes": {"md5": "00"}}}),
        json!({"x": {"length": 1, "hashes": {"sha256": "0x"}}}),
        json!({"x": {"length": 1}}),
    ];
    for lie in lies {
        let (mut world, node, _) = world();
        let bad = world.forged("targets", |signed| signed["targets"] = lie.clone());
        let why = refused_lie(&mut world, &node, &bad);
        assert!(matches!(why, Refusal::Malformed { .. }), "{lie}: {why}");
    }
}
