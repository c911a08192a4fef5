//! An organisation with one team and one image, and nodes that trust it.

use std::sync::LazyLock;

use serde_json::{Value, json};
use testkit::{Clock, FakeImage, Files, Org, Team, damage};
use tufd_tuf::hash::Sha256;
use tufpub::{Image, KeyKind, PublicKey, Signer as _, SigningKey, TargetFile};

use super::node::{Node, anchor};

pub(crate) const API: &str = "registry.acme.example/payments/api:1.0";

/// Root keys of three kinds, made once: the RSA key is most of a test's time.
static ROOT_KEYS: LazyLock<[SigningKey; 3]> =
    LazyLock::new(|| [KeyKind::Ed25519, KeyKind::EcdsaP256, KeyKind::Rsa2048].map(key_of));

/// Two of three root keys, a team `payments`, an image of its, published once.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) org: Org,
    /// What was published last.
    pub(crate) good: Files,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut world = Self::empty();
        world.org.add_team(Team::new("payments", &["registry.acme.example/payments/*"]));
        world.org.sign_image("payments", &image("api 1.0"));
        world.publish();
        world
    }

    /// Without teams and not yet published.
    pub(crate) fn empty() -> Self {
        let clock = Clock::default();
        let org = Org::with_root_keys(&clock, &*ROOT_KEYS, 2);
        Self { clock, org, good: Files::default() }
    }

    pub(crate) fn publish(&mut self) -> Files {
        self.good = self.org.publish();
        self.good.clone()
    }

    /// The next version of the team's role, of targets' snapshot and of the timestamp.
    pub(crate) fn publish_change(&mut self) -> Files {
        self.org.renew("payments");
        self.publish()
    }

    /// A node that has entered and verified nothing else.
    pub(crate) fn fresh_node(&self, files: &Files) -> Node {
        Node::enter(&self.clock, files, &anchor(&self.org.anchor().to_der(), 2))
    }

    /// A node on which what was published last answers.
    pub(crate) fn node(&self) -> Node {
        let mut node = self.fresh_node(&self.good);
        node.refresh(&self.good).unwrap();
        node
    }

    /// A damaged copy of what was published last.
    pub(crate) fn damaged(&self, damage: impl FnOnce(&mut Files, &Org)) -> Files {
        let mut files = self.good.clone();
        damage(&mut files, &self.org);
        files
    }

    /// A lie of whoever holds a role's keys.
    pub(crate) fn forged(&self, role: &str, lie: impl FnOnce(&mut Value)) -> Files {
        self.damaged(|files, org| damage::forge(files, org, role, lie))
    }
}

pub(crate) fn key_of(kind: KeyKind) -> SigningKey {
    SigningKey::generate(kind).unwrap()
}

pub(crate) fn new_key() -> SigningKey {
    key_of(KeyKind::Ed25519)
}

/// The image [`API`] made of a seed.
pub(crate) fn image(seed: &str) -> Image {
    FakeImage::new(seed).named(API)
}

pub(crate) fn target(seed: &str) -> TargetFile {
    TargetFile::sha256(seed.len() as u64, Sha256::of(seed.as_bytes()))
}

/// A key table entry: id and value.
pub(crate) fn entry(key: &PublicKey) -> (String, Value) {
    (key.id().as_str().to_owned(), serde_json::to_value(key.tuf_key()).unwrap())
}

/// Gives a top-level role other keys in a root's `signed` part.
pub(crate) fn give_role(root: &mut Value, role: &str, keys: &[SigningKey], threshold: u32) {
    let mut ids = Vec::new();
    for key in keys {
        let (id, value) = entry(key.public_key());
        root["keys"][&id] = value;
        ids.push(id);
    }
    root["roles"][role] = json!({"keyids": ids, "threshold": threshold});
}

/// A delegation to a role: its name, its paths, and `terminating` or nothing.
pub(crate) type To<'a> = (&'a str, &'a [&'a str], &'a str);

/// Makes a role delegate to others, held by their teams' keys.
pub(crate) fn delegate(files: &mut Files, org: &Org, from: &str, to: &[To<'_>]) {
    damage::forge(files, org, from, |signed| {
        let mut delegations = json!({"keys": {}, "roles": []});
        for (name, paths, after) in to {
            let keys = org.keys_of(name);
            let mut ids = Vec::new();
            for key in keys {
                let (id, value) = entry(key.public_key());
                delegations["keys"][&id] = value;
                ids.push(id);
            }
            delegations["roles"].as_array_mut().unwrap().push(json!({
                "name": name, "keyids": ids, "threshold": 1, "paths": paths,
                "terminating": *after == "terminating",
            }));
        }
        signed["delegations"] = delegations;
    });
}
