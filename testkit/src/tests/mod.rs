//! The testkit's own promises: what it publishes is right, what it damages is wrong in one way.

mod damage;
mod org;
mod site;

use tufpub::{Image, PublicKey, Signed, Signer};

use crate::{Clock, FakeImage, Files, Org, Team};

const NAME: &str = "registry.acme.example/payments/api";

fn image() -> Image {
    FakeImage::new("api 1.0").named("registry.acme.example/payments/api:1.0")
}

/// An organisation with one team that has signed one image, published once.
fn org() -> (Org, Files) {
    let mut org = Org::new(&Clock::default());
    org.add_team(Team::new("payments", &["registry.acme.example/payments/*"]));
    org.sign_image("payments", &image());
    let files = org.publish();
    (org, files)
}

/// How many of a role's keys have validly signed its newest file.
fn signed_by(files: &Files, org: &Org, role: &str) -> usize {
    let keys: Vec<PublicKey> =
        org.keys_of(role).iter().map(|key| key.public_key().clone()).collect();
    Signed::from_bytes(files.of_role(role)).unwrap().signers(&keys).unwrap().len()
}

/// Whether snapshot and timestamp list exactly what is served.
fn is_listed(files: &Files) -> bool {
    let snapshot = files.json(&files.newest("snapshot"));
    let timestamp = files.json("timestamp.json");
    [snapshot, timestamp].iter().all(|file| {
        file["signed"]["meta"].as_object().unwrap().iter().all(|(name, meta)| {
            let role = name.trim_end_matches(".json");
            let version = tufpub::Version::try_from(meta["version"].as_u64().unwrap()).unwrap();
            files.get(&tufpub::versioned(role, version)).is_some_and(|bytes| {
                meta["length"] == bytes.len()
                    && meta["hashes"]["sha256"] == tufd_tuf::hash::Sha256::of(bytes).to_string()
            })
        })
    })
}
