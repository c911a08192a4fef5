use serde_json::Value;

use super::{is_listed, org, signed_by};
use crate::{Files, damage};

fn signatures(files: &Files, role: &str) -> usize {
    files.json(&files.newest(role))["signatures"].as_array().unwrap().len()
}

fn role_entry(files: &Files, role: &str) -> Value {
    files.json(&files.newest("root"))["signed"]["roles"][role].clone()
}

#[test]
fn flip_bit_changes_one_byte_of_one_file() {
    let (_, good) = org();
    let mut files = good.clone();
    damage::flip_bit(&mut files, "1.targets.json");
    let pairs = good.of_role("targets").iter().zip(files.of_role("targets"));
    assert_eq!(pairs.filter(|(a, b)| a != b).count(), 1);
    assert!(!is_listed(&files));
    damage::flip_bit(&mut files, "1.targets.json");
    assert_eq!(files, good);
}

#[test]
fn prolong_voids_the_signature() {
    let (org, mut files) = org();
    damage::prolong(&mut files, "timestamp.json");
    assert_eq!(signatures(&files, "timestamp"), 1);
    assert_eq!(signed_by(&files, &org, "timestamp"), 0);
}

#[test]
fn keep_signatures_leaves_valid_ones() {
    let (org, mut files) = org();
    damage::keep_signatures(&mut files, "1.root.json", 1);
    assert_eq!((signatures(&files, "root"), signed_by(&files, &org, "root")), (1, 1));
}

#[test]
fn duplicate_signature_is_in_the_file_twice() {
    let (_, mut files) = org();
    damage::duplicate_signature(&mut files, "1.root.json");
    let root = files.json("1.root.json");
    assert_eq!(signatures(&files, "root"), 4);
    assert_eq!(root["signatures"][0], root["signatures"][3]);
}

#[test]
fn hash_mismatch_keeps_length_and_signature() {
    let (org, good) = org();
    let mut files = good.clone();
    damage::hash_mismatch(&mut files, "1.payments.json");
    assert_eq!(files.of_role("payments").len(), good.of_role("payments").len());
    assert_eq!(signed_by(&files, &org, "payments"), 1);
    assert!(!is_listed(&files));
}

#[test]
fn oversize_keeps_the_meaning() {
    let (org, mut files) = org();
    damage::oversize(&mut files, "timestamp.json", 20_000);
    assert_eq!(files.of_role("timestamp").len(), 20_000);
    assert_eq!(signed_by(&files, &org, "timestamp"), 1);
}

#[test]
fn serve_again_and_mix_in_bring_back_old_bytes() {
    let (mut org, old) = org();
    org.renew("payments");
    let new = org.publish();
    let mut files = new.clone();
    damage::mix_in(&mut files, &old, "snapshot");
    assert_eq!(files.get("2.snapshot.json"), old.get("1.snapshot.json"));
    assert_eq!(files.get("timestamp.json"), new.get("timestamp.json"));
    damage::serve_again(&mut files, &old);
    assert_eq!(files, old);
}

#[test]
fn withhold_leaves_the_rest() {
    let (_, good) = org();
    let mut files = good.clone();
    damage::withhold(&mut files, "payments");
    assert_eq!(files.get("1.payments.json"), None);
    assert_eq!(files.iter().count(), good.iter().count() - 1);
}

#[test]
fn wrong_version_is_signed_and_listed_under_the_old_name() {
    for role in ["snapshot", "targets", "payments"] {
        let (org, mut files) = org();
        damage::wrong_version(&mut files, &org, role, 7);
        assert_eq!(files.json(&format!("1.{role}.json"))["signed"]["version"], 7);
        assert_eq!(signed_by(&files, &org, role), 1, "{role}");
        assert!(is_listed(&files), "{role}");
    }
}

#[test]
fn expired_role_is_signed_and_listed() {
    for role in ["root", "timestamp", "snapshot", "targets", "payments"] {
        let (org, mut files) = org();
        damage::expire(&mut files, &org, role);
        let file = files.json(&files.newest(role));
        assert_eq!(file["signed"]["expires"], "2029-12-31T23:59:59Z", "{role}");
        assert_eq!(signed_by(&files, &org, role), org.keys_of(role).len(), "{role}");
        assert!(is_listed(&files), "{role}");
    }
}

#[test]
fn threshold_zero_stands_where_the_role_is_delegated() {
    let (org, mut files) = org();
    damage::threshold_zero(&mut files, &org, "timestamp");
    assert_eq!(role_entry(&files, "timestamp")["threshold"], 0);
    assert_eq!(signed_by(&files, &org, "root"), 3);
    damage::threshold_zero(&mut files, &org, "payments");
    let targets = files.json("1.targets.json");
    assert_eq!(targets["signed"]["delegations"]["roles"][0]["threshold"], 0);
    assert_eq!(targets["signed"]["delegations"]["keys"].as_object().unwrap().len(), 1);
    assert_eq!(signed_by(&files, &org, "targets"), 1);
    assert!(is_listed(&files));
}

#[test]
fn one_key_under_two_ids_signs_twice() {
    let (org, mut files) = org();
    damage::one_key_under_two_ids(&mut files, &org, "timestamp");
    let (root, timestamp) = (files.json("1.root.json"), files.json("timestamp.json"));
    let role = &root["signed"]["roles"]["timestamp"];
    let (first, second) =
        (role["keyids"][0].as_str().unwrap(), role["keyids"][1].as_str().unwrap());
    assert_ne!(first, second);
    assert_eq!(root["signed"]["keys"][first], root["signed"]["keys"][second]);
    assert_eq!(role["threshold"], 2);
    assert_eq!(signed_by(&files, &org, "timestamp"), 1);
    assert_eq!(signatures(&files, "timestamp"), 2);
    for (signature, id) in timestamp["signatures"].as_array().unwrap().iter().zip([first, second]) {
        assert_eq!(signature["keyid"], id);
    }
}

#[test]
fn one_key_of_a_team_under_two_ids_is_listed_with_both_signatures() {
    let (org, mut files) = org();
    damage::one_key_under_two_ids(&mut files, &org, "payments");
    assert_eq!(signatures(&files, "payments"), 2);
    assert!(is_listed(&files));
}

#[test]
fn one_root_key_under_two_ids_passes_for_two_without_the_others() {
    let (org, mut files) = org();
    damage::one_key_under_two_ids(&mut files, &org, "root");
    assert_eq!(role_entry(&files, "root")["keyids"].as_array().unwrap().len(), 2);
    assert_eq!((signatures(&files, "root"), signed_by(&files, &org, "root")), (2, 1));
}

#[test]
fn unknown_keys_stand_beside_the_known_ones() {
    let (org, mut files) = org();
    damage::unknown_keys(&mut files, &org, "snapshot");
    assert_eq!(role_entry(&files, "snapshot")["keyids"].as_array().unwrap().len(), 2);
    assert_eq!(signed_by(&files, &org, "root"), 3);
}

#[test]
fn strange_key_signs_and_the_roles_own_does_not() {
    let (org, mut files) = org();
    damage::sign_with_strange_key(&mut files, &org, "payments");
    assert_eq!(signatures(&files, "payments"), 1);
    assert_eq!(signed_by(&files, &org, "payments"), 0);
    assert!(is_listed(&files));
}
