use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use tufd_tuf::hash::Sha256;

use super::{expires, root, three_kinds};
use crate::{
    Issue, PublishError, Release, Repository, Search, Signed, Signer, SigningKey, Targets,
    Threshold, Version,
};

const TEAM: &str = "../team a/ü";
const TEAM_FILE: &str = "1...%2Fteam%20a%2F%C3%BC.json";

fn key() -> &'static SigningKey {
    &three_kinds()[0]
}

fn release(team_version: Version) -> Repository {
    let held = [key().public_key().clone()];
    let mut targets = Targets::new(Version::FIRST, expires());
    let paths = ["registry.acme.example/a:*".to_owned()];
    targets.delegations.delegate(
        TEAM,
        &held,
        Threshold::try_from(1).unwrap(),
        &paths,
        Search::Ends,
    );
    let team = Targets::new(team_version, expires());
    let sign = |role: &Targets| Signed::new(role, &[key()]).unwrap();
    let issue = Issue { version: Version::FIRST, expires: expires(), signers: &[key()] };
    Release::new()
        .root(&Signed::new(&root(), &[key()]).unwrap())
        .and_then(|release| release.targets("targets", &sign(&targets)))
        .and_then(|release| release.targets(TEAM, &sign(&team)))
        .and_then(|release| release.clone().finish(&release.snapshot(issue)?, issue))
        .unwrap()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn release_names_its_files_and_no_role_leaves_the_directory() {
    let names: Vec<_> = release(Version::FIRST).into_files().into_keys().collect();
    let expected =
        [TEAM_FILE, "1.root.json", "1.snapshot.json", "1.targets.json", "timestamp.json"];
    assert_eq!(names, expected);
}

#[test]
fn release_lists_length_hash_and_version_of_what_it_holds() {
    let files = release(Version::FIRST).into_files();
    let snapshot = json(&files["1.snapshot.json"]);
    let timestamp = json(&files["timestamp.json"]);
    let meta = &snapshot["signed"]["meta"];
    assert_eq!(meta.as_object().unwrap().len(), 2);
    for (entry, file) in [
        (&meta["targets.json"], "1.targets.json"),
        (&meta[format!("{TEAM}.json")], TEAM_FILE),
        (&timestamp["signed"]["meta"]["snapshot.json"], "1.snapshot.json"),
    ] {
        assert_eq!(entry["version"], 1, "{file}");
        assert_eq!(entry["length"], files[file].len(), "{file}");
        assert_eq!(entry["hashes"]["sha256"], Sha256::of(&files[file]).to_string(), "{file}");
    }
}

#[test]
fn delegation_is_written_as_the_specification_has_it() {
    let targets = json(&release(Version::FIRST).files()["1.targets.json"]);
    let role = &targets["signed"]["delegations"]["roles"][0];
    assert_eq!(role["name"], TEAM);
    assert_eq!(role["terminating"], true);
    assert_eq!(role["threshold"], 1);
    assert_eq!(role["paths"][0], "registry.acme.example/a:*");
    let keyid = role["keyids"][0].as_str().unwrap();
    assert_eq!(targets["signed"]["delegations"]["keys"][keyid]["keytype"], "ed25519");
}

#[test]
fn written_repository_is_readable_by_all_and_complete() {
    let directory = tempfile::tempdir().unwrap();
    let repository = release(Version::FIRST);
    repository.write_to(directory.path()).unwrap();
    let mut found = BTreeMap::new();
    for entry in directory.path().read_dir().unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        let name = entry.file_name().into_string().unwrap();
        found.insert(name, std::fs::read(entry.path()).unwrap());
    }
    assert_eq!(&found, repository.files());
    repository.write_to(directory.path()).unwrap();
}

#[test]
fn version_published_with_other_content_is_refused_and_the_timestamp_stays() {
    let directory = tempfile::tempdir().unwrap();
    let old = release(Version::FIRST);
    old.write_to(directory.path()).unwrap();
    // The team's file is a new one, but the snapshot that lists it re-uses version 1.
    let refused = release(Version::FIRST.next()).write_to(directory.path()).unwrap_err();
    assert!(matches!(refused, PublishError::VersionReused { path }
        if path.ends_with("1.snapshot.json")));
    let timestamp = std::fs::read(directory.path().join("timestamp.json")).unwrap();
    assert_eq!(timestamp, old.files()["timestamp.json"]);
}

#[test]
fn targets_role_named_like_a_top_level_role_is_refused() {
    let signed = Signed::new(&Targets::new(Version::FIRST, expires()), &[key()]).unwrap();
    for name in ["root", "timestamp", "snapshot", ""] {
        let refused = Release::new().targets(name, &signed).unwrap_err();
        assert!(matches!(refused, PublishError::RoleName { role } if role == name));
    }
}
