use jiff::SignedDuration;
use tufpub::{KeyKind, Signer, SigningKey, Version};

use super::{NAME, image, is_listed, org, signed_by};
use crate::{Clock, FakeImage, Files};

const ROLES: [&str; 5] = ["root", "timestamp", "snapshot", "targets", "payments"];

fn version_of(files: &Files, role: &str) -> u64 {
    files.json(&files.newest(role))["signed"]["version"].as_u64().unwrap()
}

fn versions(files: &Files) -> [u64; 5] {
    ROLES.map(|role| version_of(files, role))
}

fn targets(files: &Files) -> Vec<String> {
    let file = files.json(&files.newest("payments"));
    file["signed"]["targets"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn published_files_are_listed_and_signed_by_all_their_keys() {
    let (org, files) = org();
    assert_eq!(files.iter().count(), ROLES.len());
    assert!(is_listed(&files));
    assert_eq!(ROLES.map(|role| signed_by(&files, &org, role)), [3, 1, 1, 1, 1]);
    assert_eq!(versions(&files), [1; 5]);
}

#[test]
fn published_root_has_three_kinds_of_keys_and_asks_for_two() {
    let (_, files) = org();
    let root = files.json("1.root.json");
    let role = &root["signed"]["roles"]["root"];
    assert_eq!(role["threshold"], 2);
    let kind =
        |id: &serde_json::Value| root["signed"]["keys"][id.as_str().unwrap()]["keytype"].clone();
    let kinds: Vec<_> = role["keyids"].as_array().unwrap().iter().map(kind).collect();
    assert_eq!(kinds, ["ed25519", "ecdsa", "rsa"]);
}

#[test]
fn publishing_raises_only_what_changed() {
    let (mut org, _) = org();
    assert_eq!(versions(&org.publish()), [1, 2, 1, 1, 1]);
    org.sign_image("payments", &FakeImage::new("api 1.1").named(&format!("{NAME}:1.1")));
    let files = org.publish();
    assert_eq!(versions(&files), [1, 3, 2, 1, 2]);
    assert!(is_listed(&files));
}

#[test]
fn snapshot_that_expired_is_replaced() {
    let (mut org, _) = org();
    org.clock().advance(SignedDuration::from_hours(24 * 7));
    assert_eq!(versions(&org.publish()), [1, 2, 2, 1, 1]);
}

#[test]
fn timestamp_lives_as_long_as_it_is_told() {
    let (mut org, _) = org();
    org.lifetimes.timestamp = SignedDuration::from_secs(6);
    let files = org.publish();
    assert_eq!(files.json("timestamp.json")["signed"]["expires"], "2030-01-01T00:00:06Z");
}

#[test]
fn image_is_there_by_tag_and_digests_until_it_is_rescinded() {
    let (mut org, files) = org();
    assert_eq!(targets(&files).len(), 4);
    assert!(targets(&files).contains(&format!("{NAME}:1.0")));
    org.rescind("payments", &image());
    assert_eq!(targets(&org.publish()), [""; 0]);
}

#[test]
fn root_rotation_is_signed_by_old_and_new_holders() {
    let (mut org, _) = org();
    let old = org.root_keys().to_vec();
    let new = SigningKey::generate(KeyKind::Ed25519).unwrap();
    let root = org.rotate_root(std::slice::from_ref(&new), &old[..1]).clone();
    let all: Vec<_> = old.iter().chain([&new]).map(|key| key.public_key().clone()).collect();
    assert_eq!(root.signers(&all).unwrap().len(), 4);
    let held: Vec<_> = org.root_keys().iter().map(|key| key.public_key().id().as_str()).collect();
    assert_eq!(root.signed()["roles"]["root"]["keyids"], serde_json::json!(held));
    assert!(!held.contains(&old[0].public_key().id().as_str()));
    let files = org.publish();
    assert!(files.get("1.root.json").is_some());
    assert_eq!(version_of(&files, "root"), 2);
}

#[test]
fn rotated_timestamp_key_signs_and_the_old_one_does_not() {
    let (mut org, _) = org();
    let old = org.clone();
    org.rotate_timestamp_key();
    let files = org.publish();
    assert_eq!(signed_by(&files, &org, "timestamp"), 1);
    assert_eq!(signed_by(&files, &old, "timestamp"), 0);
    let key = org.keys_of("timestamp")[0].public_key().id().as_str();
    assert_eq!(files.json("2.root.json")["signed"]["roles"]["timestamp"]["keyids"][0], key);
}

#[test]
fn rotated_keys_of_snapshot_targets_and_team_sign() {
    let (mut org, _) = org();
    let old = org.clone();
    org.rotate_snapshot_key();
    org.rotate_targets_key();
    org.rotate_team_key("payments");
    let files = org.publish();
    for role in ["snapshot", "targets", "payments"] {
        assert_eq!(signed_by(&files, &org, role), 1, "{role}");
        assert_eq!(signed_by(&files, &old, role), 0, "{role}");
    }
    assert_eq!(version_of(&files, "root"), 3);
}

#[test]
fn directory_serves_what_was_published() {
    let directory = tempfile::tempdir().unwrap();
    let (mut org, _) = org();
    let files = org.publish_to(directory.path()).unwrap();
    for (name, bytes) in files.iter() {
        assert_eq!(std::fs::read(directory.path().join(name)).unwrap(), bytes, "{name}");
    }
}

#[test]
fn directory_serves_exactly_the_damaged_files() {
    let directory = tempfile::tempdir().unwrap();
    let (mut org, _) = org();
    let mut files = org.publish_to(directory.path()).unwrap();
    crate::damage::withhold(&mut files, "payments");
    crate::damage::junk(&mut files, "timestamp.json");
    files.write_to(directory.path()).unwrap();
    let names = directory.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, files.iter().map(|(name, _)| name).collect::<Vec<_>>());
    let timestamp = std::fs::read(directory.path().join("timestamp.json")).unwrap();
    assert_eq!(Some(timestamp.as_slice()), files.get("timestamp.json"));
}

#[test]
fn anchor_wraps_the_root_keys() {
    let (org, _) = org();
    assert_eq!(org.anchor().certificates().len(), 3);
    let some = org.anchor_of(&org.root_keys()[..1], Some(Version::FIRST));
    let der = some.to_der();
    let spki = org.root_keys()[0].public_key().spki_der();
    assert!(der.windows(spki.len()).any(|window| window == spki));
    let least: &[u8] = b"spiffe://tuf-root.acme.example/tuf-root/1";
    assert!(der.windows(least.len()).any(|window| window == least));
}

#[test]
fn clock_moves_only_when_told() {
    let clock = Clock::default();
    let shown = clock.clone();
    assert_eq!(clock.now(), shown.now());
    let later = clock.advance(SignedDuration::from_secs(6));
    assert_eq!(shown.now(), later);
    assert_eq!(later.to_string(), "2030-01-01T00:00:06Z");
}
