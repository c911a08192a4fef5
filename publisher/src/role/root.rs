//! The root role: which keys hold which role.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use tufd_tuf::metadata::{Threshold, Version};

use super::{Role, RoleKeys, SPEC_VERSION, enter, whole_seconds};
use crate::public_key::{KeyId, PublicKey, TufKey};

/// The root role (TUF 4.3), always of a repository with consistent snapshots.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "_type", rename = "root")]
pub struct Root {
    spec_version: &'static str,
    /// The version; N+1 follows N.
    pub version: Version,
    /// When the file ceases to be valid.
    #[serde(serialize_with = "whole_seconds")]
    pub expires: Timestamp,
    consistent_snapshot: bool,
    keys: BTreeMap<KeyId, TufKey>,
    roles: Roles,
}

#[derive(Debug, Clone, Serialize)]
struct Roles {
    root: RoleKeys,
    timestamp: RoleKeys,
    snapshot: RoleKeys,
    targets: RoleKeys,
}

impl Root {
    /// A root whose four roles are held by the given keys.
    pub fn new(
        version: Version,
        expires: Timestamp,
        roles: [(&[PublicKey], Threshold); 4],
    ) -> Self {
        let mut keys = BTreeMap::new();
        let [root, timestamp, snapshot, targets] =
            roles.map(|(holders, threshold)| enter(&mut keys, holders, threshold));
        let roles = Roles { root, timestamp, snapshot, targets };
        let spec_version = SPEC_VERSION;
        Self { spec_version, version, expires, consistent_snapshot: true, keys, roles }
    }
}

impl Role for Root {
    fn version(&self) -> Version {
        self.version
    }
}
