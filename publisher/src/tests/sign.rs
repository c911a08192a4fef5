use serde_json::{Value, json};

use super::{publics, root, three_kinds};
use crate::{SignError, Signed, Signer};

#[test]
fn role_is_written_as_the_specification_has_it() {
    let bytes = Signed::new(&root(), &[&three_kinds()[0]]).unwrap().to_bytes().unwrap();
    let file: Value = serde_json::from_slice(&bytes).unwrap();
    let signed = &file["signed"];
    assert_eq!(signed["_type"], "root");
    assert_eq!(signed["spec_version"], "1.0.34");
    assert_eq!(signed["version"], 1);
    assert_eq!(signed["expires"], "2030-01-02T03:04:05Z");
    assert_eq!(signed["consistent_snapshot"], true);
    assert_eq!(signed["keys"].as_object().unwrap().len(), 3);
    let roles: Vec<_> = signed["roles"].as_object().unwrap().keys().collect();
    assert_eq!(roles, ["root", "snapshot", "targets", "timestamp"]);
    assert_eq!(signed["roles"]["root"]["threshold"], 2);
    assert_eq!(signed["roles"]["root"]["keyids"].as_array().unwrap().len(), 3);
}

#[test]
fn holders_sign_one_after_the_other_over_a_file() {
    let reviewed = Signed::draft(&root()).unwrap().digest().unwrap();
    let mut file = Signed::draft(&root()).unwrap().to_bytes().unwrap();
    for holder in three_kinds() {
        let mut signed = Signed::from_bytes(&file).unwrap();
        signed.add(holder, reviewed).unwrap();
        file = signed.to_bytes().unwrap();
    }
    let keys = publics(three_kinds());
    let ids: Vec<_> = keys.iter().map(|key| key.id().clone()).collect();
    assert_eq!(Signed::from_bytes(&file).unwrap().signers(&keys).unwrap(), ids);
}

#[test]
fn draft_changed_after_review_is_refused() {
    let mut signed = Signed::new(&root(), &[&three_kinds()[0]]).unwrap();
    let reviewed = signed.digest().unwrap();
    let mut file: Value = serde_json::from_slice(&signed.to_bytes().unwrap()).unwrap();
    file["signed"]["roles"]["root"]["threshold"] = json!(1);
    signed = Signed::from_bytes(&serde_json::to_vec(&file).unwrap()).unwrap();
    let refused = signed.add(&three_kinds()[1], reviewed).unwrap_err();
    assert!(matches!(refused, SignError::Changed { reviewed: told, .. } if told == reviewed));
    let keys = publics(three_kinds());
    assert_eq!(signed.signers(&keys).unwrap(), [], "the first signature is void as well");
}

#[test]
fn same_key_twice_is_refused() {
    let mut signed = Signed::new(&root(), &[&three_kinds()[0]]).unwrap();
    let reviewed = signed.digest().unwrap();
    let before = signed.to_bytes().unwrap();
    let refused = signed.add(&three_kinds()[0], reviewed).unwrap_err();
    assert!(matches!(refused, SignError::SignedAlready { keyid }
        if keyid == *three_kinds()[0].public_key().id()));
    assert_eq!(signed.to_bytes().unwrap(), before);
}

#[test]
fn file_with_a_key_twice_in_an_object_is_refused() {
    let file = br#"{"signatures":[],"signed":{"version":1,"version":2}}"#;
    assert!(matches!(Signed::from_bytes(file), Err(SignError::NotCanonical(_))));
}

#[test]
fn what_others_wrote_into_a_file_stays() {
    let file = br#"{"x":[1],"signatures":[{"keyid":"a","sig":"","b":{}}],"signed":{"version":7}}"#;
    let again = Signed::from_bytes(file).unwrap().to_bytes().unwrap();
    let read = |bytes| serde_json::from_slice::<Value>(bytes).unwrap();
    assert_eq!(read(&again), read(file));
}

#[test]
fn file_without_a_version_has_none() {
    for signed in [json!({}), json!({"version": 0}), json!({"version": "1"})] {
        let refused = Signed::from_value(signed).unwrap().version().unwrap_err();
        assert!(matches!(refused, SignError::NoVersion));
    }
}
