//! The chain of roots (TUF 5.3).

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::{Files, damage};
use tufd_tuf::key::Fingerprint;
use tufd_tuf::metadata::{FileNames, Role as _};
use tufd_tuf::refusal::Refusal;
use tufd_tuf::root::TrustedRoot;
use tufpub::{KeyKind, Signer as _};

use super::node::{Node, anchor, bytes, raw, refuse, v};
use super::world::{World, give_role, key_of, new_key};

/// The node is at root 1; root 2 is published and good.
pub(crate) fn world() -> (World, Node) {
    let mut world = World::new();
    let node = world.node();
    world.org.rotate_root(&[], &[]);
    world.publish();
    (world, node)
}

/// The bad root 2 is refused; then the good one passes through the same gate.
pub(crate) fn refused(world: &World, node: &Node, bad: &Files) -> Refusal {
    let (session, why) = refuse(node.rooting(), |s| s.root(bytes(bad, "2.root.json")));
    assert!(session.held().is_some(), "what answers goes on");
    let session = session.root(bytes(&world.good, "2.root.json")).unwrap();
    assert_eq!(session.trusted_root().version(), v(2));
    session.newest().unwrap();
    why
}

fn too_few(found: usize, needed: u32) -> Refusal {
    let needed = needed.try_into().unwrap();
    Refusal::TooFewSignatures { role: tufd_tuf::metadata::RoleName::new("root"), found, needed }
}

pub(crate) fn malformed(why: &Refusal) -> bool {
    matches!(why, Refusal::Malformed { .. })
}

#[test]
fn root_version_skipped() {
    let (mut world, node) = world();
    world.org.rotate_root(&[], &[]);
    world.publish();
    let mut bad = world.good.clone();
    bad.insert("2.root.json", world.good.get("3.root.json").unwrap());
    let why = refused(&world, &node, &bad);
    assert!(
        matches!(why, Refusal::VersionMismatch { found, expected, .. } if (found, expected) == (v(3), v(2)))
    );
}

#[test]
fn root_version_repeated() {
    let (world, node) = world();
    let mut bad = world.good.clone();
    bad.insert("2.root.json", world.good.get("1.root.json").unwrap());
    assert!(
        matches!(refused(&world, &node, &bad), Refusal::VersionMismatch { found, .. } if found == v(1))
    );
}

/// CVE-2020-15163: a root that was refused is never a step to a later one.
#[test]
fn root_chain_stops_before_a_bad_link() {
    let (mut world, node) = world();
    world.org.rotate_root(&[], &[]);
    world.org.rotate_root(&[], &[]);
    world.publish();
    let bad = world.damaged(|files, _| damage::keep_signatures(files, "3.root.json", 1));
    let session = node.rooting().root(bytes(&bad, "2.root.json")).unwrap();
    let (session, why) = refuse(session, |s| s.root(bytes(&bad, "3.root.json")));
    assert_eq!(why, too_few(1, 2));
    let (session, _) = refuse(session, |s| s.root(bytes(&bad, "4.root.json")));
    assert_eq!(session.trusted_root().version(), v(2));
    session.root(bytes(&world.good, "3.root.json")).unwrap();
}

/// A root 2 of five other keys: what each side's signatures are good for alone.
fn replaced() -> (World, Node) {
    let mut world = World::new();
    let node = world.node();
    let old = world.org.root_keys().to_vec();
    world.org.rotate_root(&[new_key(), new_key()], &old);
    world.publish();
    (world, node)
}

#[test]
fn root_signed_by_old_keys_only() {
    let (world, node) = replaced();
    let bad = world.damaged(|files, _| damage::keep_signatures(files, "2.root.json", 3));
    assert_eq!(refused(&world, &node, &bad), too_few(0, 2));
}

#[test]
fn root_signed_by_new_keys_only() {
    let (world, node) = replaced();
    let bad = world.damaged(|files, _| {
        change(files, "2.root.json", |file| {
            file["signatures"].as_array_mut().unwrap().drain(..3);
        })
    });
    assert_eq!(refused(&world, &node, &bad), too_few(0, 2));
}

#[test]
fn root_signed_by_fewer_than_threshold() {
    let (world, node) = world();
    for kept in 0..2 {
        let bad = world.damaged(|files, _| damage::keep_signatures(files, "2.root.json", kept));
        assert_eq!(refused(&world, &node, &bad), too_few(kept, 2));
    }
}

/// CVE-2020-6174, GHSA-r7vq-6425-j94w, CVE-2026-6966.
#[test]
fn root_duplicate_signature() {
    let (world, node) = world();
    let bad = world.damaged(|files, _| {
        damage::keep_signatures(files, "2.root.json", 1);
        damage::duplicate_signature(files, "2.root.json");
    });
    assert!(matches!(refused(&world, &node, &bad), Refusal::DuplicateSignature { .. }));
}

/// GHSA-3633-5h82-39pq: for the predecessor's threshold.
#[test]
fn root_threshold_one_key_under_two_ids_as_predecessor() {
    let (world, node) = world();
    let bad = world.damaged(|files, org| damage::one_key_under_two_ids(files, org, "root"));
    assert_eq!(refused(&world, &node, &bad), too_few(1, 2));
}

/// The same for the new root's own threshold: the predecessor asks for one.
#[test]
fn root_threshold_one_key_under_two_ids_by_itself() {
    let clock = testkit::Clock::default();
    let mut org = testkit::Org::with_root_keys(&clock, &[new_key()], 1);
    let node = Node::enter(&clock, &org.publish(), &anchor(&org.anchor().to_der(), 1));
    org.rotate_root(&[], &[]);
    let good = org.publish();
    let mut bad = good.clone();
    damage::one_key_under_two_ids(&mut bad, &org, "root");
    let (session, why) = refuse(node.rooting(), |s| s.root(bytes(&bad, "2.root.json")));
    assert_eq!(why, too_few(1, 2));
    session.root(bytes(&good, "2.root.json")).unwrap();
}

/// go-tuf PR 733: one key as two keytypes is one key.
#[test]
fn root_threshold_one_key_in_two_encodings() {
    let clock = testkit::Clock::default();
    let key = key_of(KeyKind::EcdsaP256);
    let mut org = testkit::Org::with_root_keys(&clock, &[key], 1);
    let node = Node::enter(&clock, &org.publish(), &anchor(&org.anchor().to_der(), 1));
    org.rotate_root(&[], &[]);
    let good = org.publish();
    let mut bad = good.clone();
    damage::forge(&mut bad, &org, "root", |root| {
        let first = root["roles"]["root"]["keyids"][0].as_str().unwrap().to_owned();
        let mut other = root["keys"][&first].clone();
        other["keytype"] = json!("ecdsa-sha2-nistp256");
        let pem = other["keyval"]["public"].as_str().unwrap().trim_end().to_owned();
        other["keyval"]["public"] = json!(pem);
        root["keys"]["other"] = other;
        root["roles"]["root"] = json!({"keyids": [first, "other"], "threshold": 2});
    });
    change(&mut bad, "2.root.json", |file| {
        let mut second = file["signatures"][0].clone();
        second["keyid"] = json!("other");
        file["signatures"].as_array_mut().unwrap().push(second);
    });
    let (_, why) = refuse(node.rooting(), |s| s.root(bytes(&bad, "2.root.json")));
    assert_eq!(why, too_few(1, 2));
}

/// CVE-2026-23992: no root that turns a threshold off is ever trusted.
#[test]
fn root_threshold_zero() {
    let (world, node) = world();
    for role in ["root", "timestamp", "snapshot", "targets"] {
        let bad = world.damaged(|files, org| damage::threshold_zero(files, org, role));
        assert!(malformed(&refused(&world, &node, &bad)), "{role}");
    }
}

#[test]
fn root_threshold_of_no_number() {
    let (world, node) = world();
    for lie in
        [json!(-1), json!("1"), json!(null), json!(true), json!(4_294_967_296_u64), json!([1])]
    {
        let bad =
            world.forged("root", |root| root["roles"]["timestamp"]["threshold"] = lie.clone());
        assert!(malformed(&refused(&world, &node, &bad)), "{lie}");
    }
}

/// A threshold that cannot be met locks out; it never lets in.
#[test]
fn root_threshold_above_its_keys() {
    let (world, node) = world();
    let bad = world.forged("root", |root| root["roles"]["root"]["threshold"] = json!(4));
    assert_eq!(refused(&world, &node, &bad), too_few(3, 4));
}

/// A newest root that has expired ends the update; the next one heals it.
#[test]
fn root_expired() {
    let (mut world, node) = world();
    let expired = world.damaged(|files, org| damage::expire(files, org, "root"));
    let session = node.rooting().root(bytes(&expired, "2.root.json")).unwrap();
    let (session, why) = refuse(session, |s| s.newest());
    assert!(matches!(why, Refusal::Expired { ref role, .. } if role.as_str() == "root"));
    assert_eq!(session.trusted_root().version(), v(2));
    world.org.rotate_root(&[], &[]);
    world.publish();
    session.root(bytes(&world.good, "3.root.json")).unwrap().newest().unwrap();
}

#[test]
fn root_expires_at_the_second() {
    let (world, node) = world();
    let ends = node.rooting().root(bytes(&world.good, "2.root.json")).unwrap();
    let ends = ends.trusted_root().expires();
    for (seconds, fits) in [(-1, true), (0, false), (1, false)] {
        world.clock.set(ends + jiff::SignedDuration::from_secs(seconds));
        let session = node.rooting().root(bytes(&world.good, "2.root.json")).unwrap();
        assert_eq!(session.newest().is_ok(), fits, "{seconds}");
    }
}

/// Thief of fewer keys than the threshold, in the old and in the new root.
#[test]
fn root_of_a_thief_below_threshold() {
    let (world, node) = world();
    let stolen = &world.org.root_keys()[..1];
    let own = new_key();
    let bad = world.damaged(|files, _| {
        let mut root = files.json("2.root.json")["signed"].take();
        give_role(&mut root, "root", std::slice::from_ref(&own), 1);
        let draft = tufpub::Signed::from_value(root).unwrap();
        let signed = draft.signed_by(&[&stolen[0], &own]).unwrap();
        files.insert("2.root.json", signed.to_bytes().unwrap());
    });
    assert_eq!(refused(&world, &node, &bad), too_few(1, 2));
}

#[test]
fn restored_root_must_be_the_trusted_one() {
    let (world, node) = world();
    let floor = node.root.floor();
    let restore = |files: &Files, name: &str| TrustedRoot::restore(raw(files, name), &floor);
    let mut other = World { good: world.good.clone(), ..world.clone() };
    other.good.remove("2.root.json");
    let same_version = other.forged("root", |root| root["x"] = json!(1));
    for (files, name) in [(&same_version, "1.root.json"), (&world.good, "2.root.json")] {
        let why = restore(files, name).unwrap_err();
        assert!(matches!(why, Refusal::NotTheTrustedRoot { .. }), "{name}");
    }
    assert_eq!(restore(&world.good, "1.root.json").unwrap().floor(), floor);
}

/// A mirror that strips signatures down to the threshold takes no signature from a root that another one gives whole,
/// in whichever order they come. Both the copy that is kept and the floor have all of them.
#[test]
fn root_stripped_by_one_mirror_is_completed_by_another() {
    let (world, node) = replaced();
    let all: BTreeSet<Fingerprint> = world
        .org
        .keys_of("root")
        .iter()
        .map(|key| key.public_key().material().fingerprint())
        .collect();
    let stripped = world.damaged(|files, _| {
        change(files, "2.root.json", |file| {
            file["signatures"].as_array_mut().unwrap().remove(0);
        });
    });
    for (first, second) in [(&stripped, &world.good), (&world.good, &stripped)] {
        let session = node.rooting().root(bytes(first, "2.root.json")).unwrap();
        let session = session.also(bytes(second, "2.root.json")).unwrap();
        let root = session.trusted_root();
        assert_eq!(*root.signed_by(), all);
        assert!(session.held().is_some(), "what answers goes on");
        assert_eq!(session.floors().root.as_ref().unwrap().signed_by, all);
        let old = anchor(&world.org.anchor_of(&world.org.keys_of("root")[..3], None).to_der(), 3);
        assert!(root.coverage(&old).is_covered());
        let restored = TrustedRoot::restore(raw(&stripped, "2.root.json"), &root.floor()).unwrap();
        assert!(restored.coverage(&old).is_covered(), "the floor lacks what the copy lacks");
    }
}

/// The copy that is kept is the one of the most signers: it proves them where the floor file is lost.
#[test]
fn root_stripped_is_kept_as_the_fullest_copy() {
    let (world, node) = world();
    let stripped = world.damaged(|files, _| damage::keep_signatures(files, "2.root.json", 2));
    let whole = bytes(&world.good, "2.root.json");
    for (first, second) in [(&stripped, &world.good), (&world.good, &stripped)] {
        let session = node.rooting().root(bytes(first, "2.root.json")).unwrap();
        let session = session.also(bytes(second, "2.root.json")).unwrap();
        assert_eq!(*session.trusted_root().bytes(), whole);
        assert_eq!(*session.held().unwrap().root().bytes(), whole);
    }
}

/// Signatures on anything else, and copies that would not have passed alone, are nobody's word for the trusted root.
#[test]
fn root_other_content_adds_nothing() {
    let (world, node) = world();
    let stripped = world.damaged(|files, _| damage::keep_signatures(files, "2.root.json", 2));
    let session = node.rooting().root(bytes(&stripped, "2.root.json")).unwrap();
    let other = world.forged("root", |root| root["x"] = json!(1));
    let (session, why) = refuse(session, |s| s.also(bytes(&other, "2.root.json")));
    assert_eq!(why, Refusal::NotTheTrustedRoot { version: v(2) });
    let (session, why) = refuse(session, |s| s.also(bytes(&world.good, "1.root.json")));
    assert_eq!(why, Refusal::NotTheTrustedRoot { version: v(1) });
    let moved = world.damaged(|files, _| {
        let lent = files.json("2.root.json")["signatures"].take();
        files.insert("2.root.json", bytes(&other, "2.root.json").to_vec());
        change(files, "2.root.json", |file| file["signatures"] = lent);
    });
    let (session, why) = refuse(session, |s| s.also(bytes(&moved, "2.root.json")));
    assert_eq!(why, too_few(0, 2));
    let one = world.damaged(|files, _| damage::keep_signatures(files, "2.root.json", 1));
    let (session, why) = refuse(session, |s| s.also(bytes(&one, "2.root.json")));
    assert_eq!(why, too_few(1, 2));
    assert_eq!(session.trusted_root().signed_by().len(), 2);
}

/// A mirror that strips signatures down to the threshold leaves a node with another file, not with another root: the
/// copies of others are taken up again, and who covers it is counted from what they carry and from the floor.
#[test]
fn restored_root_with_other_signatures_is_the_same_root() {
    let (world, node) = world();
    let stripped = world.damaged(|files, _| damage::keep_signatures(files, "2.root.json", 2));
    let session = node.rooting().root(bytes(&stripped, "2.root.json")).unwrap();
    let taken = session.trusted_root().clone();
    let all = anchor(&world.org.anchor().to_der(), 3);
    assert!(!taken.coverage(&all).is_covered());
    let whole = TrustedRoot::restore(raw(&world.good, "2.root.json"), &taken.floor()).unwrap();
    assert_eq!(whole.floor().sha256, taken.floor().sha256);
    assert!(whole.coverage(&all).is_covered());
    let session = node.rooting().root(bytes(&world.good, "2.root.json")).unwrap();
    let floor = session.trusted_root().floor();
    let again = TrustedRoot::restore(raw(&stripped, "2.root.json"), &floor).unwrap();
    assert!(again.coverage(&all).is_covered());
    let unsigned = world.damaged(|files, _| damage::keep_signatures(files, "2.root.json", 1));
    let why = TrustedRoot::restore(raw(&unsigned, "2.root.json"), &floor).unwrap_err();
    assert_eq!(why, too_few(1, 2));
}

#[test]
fn root_says_how_files_are_named() {
    let (world, node) = world();
    for (lie, expected) in [(true, FileNames::Versioned), (false, FileNames::Plain)] {
        let odd = world.forged("root", |root| root["consistent_snapshot"] = json!(lie));
        let session = node.rooting().root(bytes(&odd, "2.root.json")).unwrap();
        assert_eq!(session.trusted_root().file_names(), expected);
    }
    let odd = world.forged("root", |root| {
        root.as_object_mut().unwrap().remove("consistent_snapshot");
    });
    let session = node.rooting().root(bytes(&odd, "2.root.json")).unwrap();
    assert_eq!(session.trusted_root().file_names(), FileNames::Plain);
}

pub(crate) fn change(files: &mut Files, name: &str, change: impl FnOnce(&mut Value)) {
    let mut file = files.json(name);
    change(&mut file);
    files.insert(name, serde_json::to_vec(&file).unwrap());
}
