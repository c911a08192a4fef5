//! What a publisher promises, seen from outside the modules.

mod image;
mod key;
mod public_key;
mod repository;
mod sign;
mod wrapper;

use std::sync::OnceLock;

use jiff::Timestamp;

use crate::{KeyKind, PublicKey, Root, Signer, SigningKey, Threshold, Version};

/// One key of each kind, made once a process: RSA takes a while.
fn three_kinds() -> &'static [SigningKey] {
    static KEYS: OnceLock<Vec<SigningKey>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let kinds = [KeyKind::Ed25519, KeyKind::EcdsaP256, KeyKind::Rsa3072];
        kinds.map(|kind| SigningKey::generate(kind).unwrap()).to_vec()
    })
}

fn publics(keys: &[SigningKey]) -> Vec<PublicKey> {
    keys.iter().map(|key| key.public_key().clone()).collect()
}

fn expires() -> Timestamp {
    "2030-01-02T03:04:05.678Z".parse().unwrap()
}

fn root() -> Root {
    let held = publics(three_kinds());
    Root::new(Version::FIRST, expires(), [(&held, Threshold::try_from(2).unwrap()); 4])
}
