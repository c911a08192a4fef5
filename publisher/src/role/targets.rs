//! The targets role and its delegations.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use tufd_tuf::hash::Sha256;
use tufd_tuf::metadata::{Threshold, Version};

use super::{Role, RoleKeys, SPEC_VERSION, enter, whole_seconds};
use crate::public_key::{KeyId, PublicKey, TufKey};

/// The top-level or a delegated targets role (TUF 4.5).
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "_type", rename = "targets")]
pub struct Targets {
    spec_version: &'static str,
    /// The version.
    pub version: Version,
    /// When the file ceases to be valid.
    #[serde(serialize_with = "whole_seconds")]
    pub expires: Timestamp,
    /// Target path → what it must be.
    pub targets: BTreeMap<String, TargetFile>,
    /// Whom this role trusts for which paths, if anybody.
    #[serde(skip_serializing_if = "Delegations::is_empty")]
    pub delegations: Delegations,
}

/// What a target must be (TUF 4.5, `TARGETS`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetFile {
    /// Size in bytes.
    pub length: u64,
    /// Algorithm (`sha256`) → hexadecimal.
    pub hashes: BTreeMap<String, String>,
    /// Free for the application; it decides nothing here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<serde_json::Value>,
}

/// The delegations of a targets role, in the order in which clients search them.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Delegations {
    keys: BTreeMap<KeyId, TufKey>,
    roles: Vec<Delegation>,
}

/// One delegation: a role, its keys and the paths it is trusted for.
#[derive(Debug, Clone, Serialize)]
struct Delegation {
    name: String,
    #[serde(flatten)]
    holders: RoleKeys,
    paths: Vec<String>,
    terminating: bool,
}

/// Whether the search goes on when a delegated role that matches has no such target (TUF 5.6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// Later delegations are asked, too.
    GoesOn,
    /// Nobody later is asked: `terminating`.
    Ends,
}

impl Targets {
    /// A role without targets and delegations.
    pub fn new(version: Version, expires: Timestamp) -> Self {
        Self {
            spec_version: SPEC_VERSION,
            version,
            expires,
            targets: BTreeMap::new(),
            delegations: Delegations::default(),
        }
    }
}

impl Role for Targets {
    fn version(&self) -> Version {
        self.version
    }
}

impl TargetFile {
    /// A target of `length` bytes with this SHA-256.
    pub fn sha256(length: u64, hash: Sha256) -> Self {
        let hashes = BTreeMap::from([("sha256".to_owned(), hash.to_string())]);
        Self { length, hashes, custom: None }
    }
}

impl Delegations {
    /// Appends a delegation of `paths` (shell patterns whose `*` stays inside a `/` segment) to
    /// the role `name`, held by `keys`. Clients ask delegations in this order.
    pub fn delegate(
        &mut self,
        name: impl Into<String>,
        keys: &[PublicKey],
        threshold: Threshold,
        paths: &[String],
        search: Search,
    ) {
        let holders = enter(&mut self.keys, keys, threshold);
        let terminating = search == Search::Ends;
        self.roles.push(Delegation {
            name: name.into(),
            holders,
            paths: paths.to_vec(),
            terminating,
        });
    }

    /// Whether nothing is delegated.
    pub fn is_empty(&self) -> bool {
        self.roles.is_empty()
    }
}
