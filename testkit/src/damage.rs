//! A misbehaving repository is a good one that was damaged: each way of it is a function.
//!
//! The first functions take files only: that is what a mirror or a thief in the network can do.
//! The later ones take the [`Org`], too: they sign what they write and list it, as whoever holds
//! the keys can do.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value that we wrote ourselves")]

use serde_json::{Value, json};
use tufd_tuf::hash::Sha256;
use tufpub::{KeyKind, Signed, Version, versioned};

use crate::org::Org;
use crate::repository::Files;
use crate::team::{new_key, signers};

/// Flips one bit in the middle of a file.
pub fn flip_bit(files: &mut Files, name: &str) {
    change_bytes(files, name, |bytes| {
        let middle = bytes.len() / 2;
        for byte in bytes.iter_mut().skip(middle).take(1) {
            *byte ^= 1;
        }
    });
}

/// Makes a file expire in 9999; its signatures stay as they were.
pub fn prolong(files: &mut Files, name: &str) {
    change_json(files, name, |file| file["signed"]["expires"] = json!("9999-01-01T00:00:00Z"));
}

/// Leaves a file only its first `kept` signatures.
pub fn keep_signatures(files: &mut Files, name: &str, kept: usize) {
    change_json(files, name, |file| signatures(file).truncate(kept));
}

/// Lists a file's first signature twice under its one key id.
pub fn duplicate_signature(files: &mut Files, name: &str) {
    change_json(files, name, |file| {
        let first = signatures(file).first().cloned();
        signatures(file).extend(first);
    });
}

/// Turns a file into other bytes of the same length and meaning, so that signatures still verify
/// and only the hash listed for it tells.
pub fn hash_mismatch(files: &mut Files, name: &str) {
    let file = files.json(name);
    let text = format!("{{\"signed\":{},\"signatures\":{}}}", file["signed"], file["signatures"]);
    files.insert(name, text);
}

/// Pads a file with blanks to `bytes`; its meaning and signatures stay.
pub fn oversize(files: &mut Files, name: &str, bytes: usize) {
    change_bytes(files, name, |content| content.resize(bytes.max(content.len()), b' '));
}

/// Puts bytes that are no JSON under a name.
pub fn junk(files: &mut Files, name: &str) {
    files.insert(name, b"\xff\x00{\"signed\": not metadata".as_slice());
}

/// Ceases to serve the newest file of a role.
pub fn withhold(files: &mut Files, role: &str) {
    let name = files.newest(role);
    files.remove(&name);
}

/// Serves the whole older file set again.
pub fn serve_again(files: &mut Files, older: &Files) {
    files.clone_from(older);
}

/// Serves the older set's newest file of a role in place of today's: an older timestamp, or an
/// older snapshot under the new one's name.
pub fn mix_in(files: &mut Files, older: &Files, role: &str) {
    let name = files.newest(role);
    files.insert(name, older.of_role(role));
}

/// Lists another version in a role's newest file, under its old name. For targets roles the
/// snapshot and the timestamp list the damaged file.
pub fn wrong_version(files: &mut Files, org: &Org, role: &str, version: u64) {
    forge(files, org, role, |signed| signed["version"] = json!(version));
}

/// Makes a role's newest file one that expired a second ago, signed and listed.
pub fn expire(files: &mut Files, org: &Org, role: &str) {
    let ended = org.clock().now().as_second() - 1;
    let text = jiff::Timestamp::from_second(ended).expect("a date in range").to_string();
    forge(files, org, role, |signed| signed["expires"] = json!(text));
}

/// Sets a role's threshold to 0 where it is delegated: in the root, or in the targets role.
pub fn threshold_zero(files: &mut Files, org: &Org, role: &str) {
    change_role(files, org, role, |_, role| role["threshold"] = json!(0));
}

/// Gives a role's first key a second id, asks for two signatures, and signs the role's newest file
/// under both ids: one holder passes for two.
pub fn one_key_under_two_ids(files: &mut Files, org: &Org, role: &str) {
    let alias = "ab".repeat(32);
    change_role(files, org, role, |keys, role| {
        let first = role["keyids"][0].as_str().unwrap_or_default().to_owned();
        keys[&alias] = keys[&first].clone();
        role["keyids"] = json!([first, alias]);
        role["threshold"] = json!(2);
    });
    let name = files.newest(role);
    change_json(files, &name, |file| {
        let mut second = signatures(file).first().cloned().unwrap_or_default();
        second["keyid"] = json!(alias);
        signatures(file).truncate(1);
        signatures(file).push(second);
    });
    list_role(files, org, role);
}

/// Adds keys of a kind that nobody knows to a role, without need of them: no reader may mind.
pub fn unknown_keys(files: &mut Files, org: &Org, role: &str) {
    change_role(files, org, role, |keys, role| {
        let id = "cd".repeat(32);
        keys[&id] =
            json!({"keytype": "lattice", "scheme": "lattice-1", "keyval": {"public": "00"}});
        if let Some(keyids) = role["keyids"].as_array_mut() {
            keyids.push(json!(id));
        }
    });
}

/// Signs a role's newest file with a key that nobody gave the role, in place of its own.
pub fn sign_with_strange_key(files: &mut Files, org: &Org, role: &str) {
    let name = files.newest(role);
    let signed = files.json(&name)["signed"].take();
    let strange = [new_key(KeyKind::Ed25519)];
    files.insert(&name, resigned(signed, &strange));
    list_role(files, org, role);
}

/// Changes the `signed` part of a role's newest file, signs it with the role's keys and lists it:
/// any lie that the holders of the keys can tell.
pub fn forge(files: &mut Files, org: &Org, role: &str, change: impl FnOnce(&mut Value)) {
    let name = files.newest(role);
    let mut signed = files.json(&name)["signed"].take();
    change(&mut signed);
    files.insert(&name, resigned(signed, org.keys_of(role)));
    list_role(files, org, role);
}

/// Lists the files as they are now: lengths and hashes in the newest snapshot, and its own in the
/// timestamp, both signed by their keys. Versions stay.
pub fn list(files: &mut Files, org: &Org) {
    let snapshot = files.newest("snapshot");
    let mut signed = files.json(&snapshot)["signed"].take();
    for (role, meta) in signed["meta"].as_object_mut().into_iter().flatten() {
        describe(files, role, meta);
    }
    files.insert(&snapshot, resigned(signed, org.keys_of("snapshot")));
    list_snapshot(files, org);
}

/// Lists a role where it is listed, and nowhere above itself.
fn list_role(files: &mut Files, org: &Org, role: &str) {
    match role {
        "root" | "timestamp" => {}
        "snapshot" => list_snapshot(files, org),
        _ => list(files, org),
    }
}

fn list_snapshot(files: &mut Files, org: &Org) {
    let mut signed = files.json("timestamp.json")["signed"].take();
    describe(files, "snapshot.json", &mut signed["meta"]["snapshot.json"]);
    files.insert("timestamp.json", resigned(signed, org.keys_of("timestamp")));
}

/// Writes a file's length and hash into its entry; a file that is not served keeps its entry.
fn describe(files: &Files, role_file: &str, meta: &mut Value) {
    let role = role_file.trim_end_matches(".json");
    let version = meta["version"].as_u64().and_then(|number| Version::try_from(number).ok());
    if let Some(bytes) = version.and_then(|version| files.get(&versioned(role, version))) {
        meta["length"] = json!(bytes.len());
        meta["hashes"] = json!({"sha256": Sha256::of(bytes).to_string()});
    }
}

/// Changes a role where it is delegated: the key table and the entry of the role.
fn change_role(
    files: &mut Files,
    org: &Org,
    role: &str,
    change: impl FnOnce(&mut Value, &mut Value),
) {
    let top_level = ["root", "timestamp", "snapshot", "targets"].contains(&role);
    let delegator = if top_level { "root" } else { "targets" };
    forge(files, org, delegator, |signed| {
        let (mut table, entry) = if top_level {
            (signed["keys"].take(), &mut signed["roles"][role])
        } else {
            let delegations = &mut signed["delegations"];
            let keys = delegations["keys"].take();
            let roles = delegations["roles"].as_array_mut().into_iter().flatten();
            let entry = roles.into_iter().find(|entry| entry["name"] == role);
            (keys, entry.expect("a delegated role"))
        };
        change(&mut table, entry);
        *if top_level { &mut signed["keys"] } else { &mut signed["delegations"]["keys"] } = table;
    });
}

fn resigned(signed: Value, keys: &[tufpub::SigningKey]) -> Vec<u8> {
    Signed::from_value(signed)
        .and_then(|draft| draft.signed_by(&signers(keys))?.to_bytes())
        .expect("a value that can be signed")
}

fn signatures(file: &mut Value) -> &mut Vec<Value> {
    file["signatures"].as_array_mut().expect("a metadata file")
}

fn change_json(files: &mut Files, name: &str, change: impl FnOnce(&mut Value)) {
    let mut file = files.json(name);
    change(&mut file);
    files.insert(name, serde_json::to_vec(&file).expect("JSON that was read"));
}

fn change_bytes(files: &mut Files, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = files.remove(name).expect("a file to damage");
    change(&mut bytes);
    files.insert(name, bytes);
}
