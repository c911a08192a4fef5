//! The timestamp (TUF 5.4).

use jiff::SignedDuration;
use serde_json::json;
use testkit::{Files, damage};
use tufd_tuf::metadata::Role as _;
use tufd_tuf::refusal::Refusal;
use tufd_tuf::session::Next;

use super::node::{Node, bytes, refuse, v};
use super::root::change;
use super::world::{World, give_role, new_key};

const FILE: &str = "timestamp.json";

/// The node holds version 1; version 2 is published and good.
fn world() -> (World, Node, Files) {
    let mut world = World::new();
    let (node, old) = (world.node(), world.good.clone());
    world.publish_change();
    (world, node, old)
}

/// The bad timestamp is refused; then the good one passes through the same gate.
fn refused(world: &World, node: &Node, bad: &Files) -> Refusal {
    let (session, why) =
        refuse(node.at_timestamp(&world.good), |s| s.timestamp([bytes(bad, FILE)]));
    assert!(matches!(session.timestamp([bytes(&world.good, FILE)]), Ok(Next::Snapshot(_))));
    why
}

#[test]
fn timestamp_rollback() {
    let (mut world, mut node, old) = world();
    node.refresh(&world.good).unwrap();
    world.publish_change();
    let why = refused(&world, &node, &old);
    assert!(
        matches!(why, Refusal::Rollback { found, trusted, .. } if (found, trusted) == (v(1), v(2)))
    );
}

#[test]
fn timestamp_rollback_after_restart() {
    let (mut world, mut node, old) = world();
    node.refresh(&world.good).unwrap();
    node.restart(&world.good);
    world.publish_change();
    assert!(matches!(refused(&world, &node, &old), Refusal::Rollback { .. }));
}

/// What was seen is a floor, although its snapshot could not be had: withholding files takes nobody back.
#[test]
fn timestamp_rollback_to_what_still_answers() {
    let (mut world, mut node, old) = world();
    let bare = world.damaged(|files, _| damage::withhold(files, "snapshot"));
    node.refresh(&bare).unwrap_err();
    assert_eq!(node.held.as_ref().unwrap().timestamp().version(), v(1));
    node.restart(&old);
    assert_eq!(node.held.as_ref().unwrap().timestamp().version(), v(1));
    world.publish_change();
    assert!(matches!(refused(&world, &node, &old), Refusal::Rollback { .. }));
}

/// CVE-2022-29173: a newer timestamp may not name an older snapshot.
#[test]
fn timestamp_names_an_older_snapshot() {
    let (mut world, mut node, _) = world();
    node.refresh(&world.good).unwrap();
    world.publish_change();
    let bad =
        world.forged("timestamp", |signed| signed["meta"]["snapshot.json"]["version"] = json!(1));
    let why = refused(&world, &node, &bad);
    assert!(matches!(why, Refusal::Rollback { ref role, .. } if role.as_str() == "snapshot"));
}

/// TUF 5.4.3: whatever an equal version says, it is discarded without an error.
#[test]
fn timestamp_equal_version_is_discarded() {
    let (world, mut node, _) = world();
    node.refresh(&world.good).unwrap();
    let other =
        world.forged("timestamp", |signed| signed["meta"]["snapshot.json"]["version"] = json!(9));
    for offer in [&world.good, &other] {
        let session = node.at_timestamp(&world.good);
        let Ok(Next::Roles(session)) = session.timestamp([bytes(offer, FILE)]) else { panic!() };
        let (trust, floors) = session.finish();
        assert_eq!(trust.timestamp().hash(), node.held.as_ref().unwrap().timestamp().hash());
        assert_eq!(floors, node.floors);
    }
}

#[test]
fn expired_timestamp() {
    let (world, node, _) = world();
    let bad = world.damaged(|files, org| damage::expire(files, org, "timestamp"));
    assert!(matches!(refused(&world, &node, &bad), Refusal::Expired { .. }));
}

#[test]
fn timestamp_expires_at_the_second() {
    let (world, node, _) = world();
    let ends = node.held.as_ref().unwrap().timestamp().expires();
    for (seconds, fits) in [(-1, true), (0, false), (1, false)] {
        world.clock.set(ends + SignedDuration::from_secs(seconds));
        let session = node.at_timestamp(&world.good);
        assert_eq!(session.timestamp([bytes(&world.good, FILE)]).is_ok(), fits, "{seconds}");
    }
}

/// Freeze: the same bytes for ever are refused once they expire, and so is the chain that stands on them.
#[test]
fn timestamp_frozen() {
    let (mut world, mut node, _) = world();
    node.refresh(&world.good).unwrap();
    let frozen = world.good.clone();
    world.clock.advance(SignedDuration::from_hours(24));
    let why = node.refresh(&frozen).unwrap_err();
    assert!(matches!(why, Refusal::Expired { .. }));
    node.held.as_ref().unwrap().fresh(world.clock.now()).unwrap_err();
    node.refresh(&world.publish()).unwrap();
    node.held.as_ref().unwrap().fresh(world.clock.now()).unwrap();
}

#[test]
fn timestamp_prolonged_without_a_key() {
    let (world, node, _) = world();
    let bad = world.damaged(|files, _| damage::prolong(files, FILE));
    assert!(matches!(refused(&world, &node, &bad), Refusal::TooFewSignatures { found: 0, .. }));
}

#[test]
fn timestamp_signed_by_strangers() {
    let (world, node, _) = world();
    let unsigned = world.damaged(|files, _| damage::keep_signatures(files, FILE, 0));
    let strange =
        world.damaged(|files, org| damage::sign_with_strange_key(files, org, "timestamp"));
    for bad in [unsigned, strange] {
        assert!(matches!(refused(&world, &node, &bad), Refusal::TooFewSignatures { found: 0, .. }));
    }
}

/// Root keys sign roots, not timestamps.
#[test]
fn timestamp_signed_by_another_role() {
    let (world, node, _) = world();
    for role in ["root", "snapshot", "targets", "payments"] {
        let bad = world.damaged(|files, org| {
            let signed = files.json(FILE)["signed"].take();
            let draft = tufpub::Signed::from_value(signed).unwrap();
            let signed = draft.signed_by(&[&org.keys_of(role)[0]]).unwrap();
            files.insert(FILE, signed.to_bytes().unwrap());
        });
        assert!(matches!(refused(&world, &node, &bad), Refusal::TooFewSignatures { .. }), "{role}");
    }
}

/// CVE-2022-35929's kind: a file of another role, validly signed for that role.
#[test]
fn timestamp_that_is_another_role() {
    let (world, node, _) = world();
    for role in ["root", "snapshot", "targets"] {
        let bad = world.damaged(|files, _| files.insert(FILE, files.of_role(role).to_vec()));
        assert!(matches!(refused(&world, &node, &bad), Refusal::TooFewSignatures { .. }), "{role}");
        // Signed by the timestamp's own key, too.
        let bad = world.damaged(|files, org| {
            let signed = files.json(&files.newest(role))["signed"].clone();
            let draft = tufpub::Signed::from_value(signed).unwrap();
            let signed = draft.signed_by(&[&org.keys_of("timestamp")[0]]).unwrap();
            files.insert(FILE, signed.to_bytes().unwrap());
        });
        assert!(matches!(refused(&world, &node, &bad), Refusal::Malformed { .. }), "{role}");
    }
}

#[test]
fn timestamp_meta_of_more_or_less() {
    let (world, node, _) = world();
    let lies = [
        json!({}),
        json!({"snapshot.json": {"version": 2}, "root.json": {"version": 1}}),
        json!({"targets.json": {"version": 1}}),
        json!({"snapshot.json": {"version": 0}}),
        json!({"snapshot.json": {"version": 2, "length": -1}}),
        json!({"snapshot.json": {"version": 2, "hashes": {}}}),
        json!({"snapshot.json": {"version": 2, "hashes": {"md5": "00"}}}),
        json!({"snapshot.json": {"version": 2, "hashes": {"sha256": "00"}}}),
        json!(["snapshot.json", {"version": 2}]),
        json!(null),
    ];
    for lie in lies {
        let bad = world.forged("timestamp", |signed| signed["meta"] = lie.clone());
        assert!(matches!(refused(&world, &node, &bad), Refusal::Malformed { .. }), "{lie}");
    }
}

#[test]
fn timestamp_oversize() {
    let (world, node, _) = world();
    let bad = world.damaged(|files, _| damage::oversize(files, FILE, 16_385));
    assert!(matches!(refused(&world, &node, &bad), Refusal::TooBig { limit: 16_384, .. }));
}

#[test]
fn timestamp_of_no_source() {
    let (_, node, old) = world();
    let (_, why) = refuse(node.at_timestamp(&old), |s| s.timestamp([]));
    assert!(matches!(why, Refusal::NotInSnapshot { .. }));
}

/// Never worse than the best mirror: junk, old and frozen copies beside the newest.
#[test]
fn timestamp_highest_of_many_sources_wins() {
    let (mut world, mut node, old) = world();
    node.refresh(&world.good).unwrap();
    let frozen = world.good.clone();
    world.publish_change();
    let junk = world.damaged(|files, _| damage::junk(files, FILE));
    let expired = world.damaged(|files, org| damage::expire(files, org, "timestamp"));
    let mut offers = [&old, &world.good, &frozen, &junk, &expired].map(|files| bytes(files, FILE));
    for _ in 0..offers.len() {
        offers.rotate_left(1);
        let next = node.at_timestamp(&world.good).timestamp(offers.clone()).unwrap();
        let Next::Snapshot(session) = next else { panic!("the newest lost") };
        assert_eq!(session.wanted().version, v(3));
    }
}

#[test]
fn timestamp_threshold_one_key_under_two_ids() {
    let mut world = World::new();
    let bad = world.damaged(|files, org| damage::one_key_under_two_ids(files, org, "timestamp"));
    let mut node = world.fresh_node(&bad);
    let why = node.refresh(&bad).unwrap_err();
    assert!(matches!(why, Refusal::TooFewSignatures { found: 1, .. }));
    world.org.rotate_root(&[], &[]);
    node.refresh(&world.publish()).unwrap();
}

/// Every kind of key that a file can write, once as two keys and once as one.
#[test]
fn timestamp_threshold_of_two_distinct_keys() {
    let world = World::new();
    let (a, b) = (new_key(), new_key());
    for (signers, fits) in [(vec![&a, &b], true), (vec![&a], false), (vec![&b], false)] {
        let files = world.damaged(|files, org| {
            damage::forge(files, org, "root", |root| {
                give_role(root, "timestamp", &[a.clone(), b.clone()], 2)
            });
            let signed = files.json(FILE)["signed"].take();
            let signers: Vec<&dyn tufpub::Signer> =
                signers.iter().map(|key| *key as &dyn tufpub::Signer).collect();
            let draft = tufpub::Signed::from_value(signed).unwrap();
            files.insert(FILE, draft.signed_by(&signers).unwrap().to_bytes().unwrap());
        });
        assert_eq!(world.fresh_node(&files).refresh(&files).is_ok(), fits);
    }
}

/// Ed25519 in capitals is the same key.
#[test]
fn timestamp_threshold_one_key_in_two_spellings() {
    let world = World::new();
    let key = new_key();
    let bad = world.damaged(|files, org| {
        damage::forge(files, org, "root", |root| {
            give_role(root, "timestamp", std::slice::from_ref(&key), 2);
            let first = root["roles"]["timestamp"]["keyids"][0].as_str().unwrap().to_owned();
            let mut loud = root["keys"][&first].clone();
            loud["keyval"]["public"] =
                json!(loud["keyval"]["public"].as_str().unwrap().to_uppercase());
            root["keys"]["loud"] = loud;
            root["roles"]["timestamp"]["keyids"] = json!([first, "loud"]);
        });
        let signed = files.json(FILE)["signed"].take();
        let draft = tufpub::Signed::from_value(signed).unwrap();
        files.insert(FILE, draft.signed_by(&[&key]).unwrap().to_bytes().unwrap());
        change(files, FILE, |file| {
            let mut second = file["signatures"][0].clone();
            second["keyid"] = json!("loud");
            file["signatures"].as_array_mut().unwrap().push(second);
        });
    });
    let why = world.fresh_node(&bad).refresh(&bad).unwrap_err();
    assert!(matches!(why, Refusal::TooFewSignatures { found: 1, .. }));
}

/// A refusal quotes the beginning of a lie, not all of it: it goes into logs and verdicts.
#[test]
fn timestamp_lies_are_quoted_cut() {
    let (world, node, _) = world();
    let long = "y\n".repeat(1_000);
    let escaped = json!(long);
    let lies = [
        format!(r#"{{"signed": {{"spec_version": [{escaped}]}}, "signatures": []}}"#),
        format!(
            r#"{{"signed": {{"_type": {escaped}, "spec_version": "1", "version": 1, "expires": ""}}, "signatures": []}}"#
        ),
        format!(r#"{{"signed": {{"version": {escaped}}}, "signatures": []}}"#),
        format!(r#"{{"signed": {{}}, "signatures": {escaped}}}"#),
        format!(r#"{{{escaped}: 1, {escaped}: 2}}"#),
    ];
    for lie in lies {
        let bad = world.damaged(|files, _| files.insert(FILE, lie.clone()));
        let why = refused(&world, &node, &bad);
        let source = std::error::Error::source(&why).map(ToString::to_string);
        let quoted = source.unwrap_or(why.to_string());
        assert!(!quoted.contains('\n') && quoted.len() < 1_000, "{quoted}");
    }
}

/// A mirror chooses the key ids of a file that nobody signed; a refusal shows them on one line, cut.
#[test]
fn timestamp_keyid_writes_no_line_of_its_own() {
    let (world, node, _) = world();
    let id = format!("x\nALLOW\u{202e}{}", "y".repeat(5_000));
    let bad = world.damaged(|files, _| {
        change(files, FILE, |file| {
            file["signatures"] = json!([{"keyid": id, "sig": ""}, {"keyid": id, "sig": ""}]);
        })
    });
    let text = refused(&world, &node, &bad).to_string();
    assert!(!text.contains(['\n', '\u{202e}']) && text.len() < 300, "{text}");
}
