//! The snapshot role: which version of each targets role belongs together.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use tufd_tuf::hash::Sha256;
use tufd_tuf::metadata::Version;

use super::{Role, SPEC_VERSION, whole_seconds};

/// The snapshot role (TUF 4.4).
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "_type", rename = "snapshot")]
pub struct Snapshot {
    spec_version: &'static str,
    /// The version.
    pub version: Version,
    /// When the file ceases to be valid.
    #[serde(serialize_with = "whole_seconds")]
    pub expires: Timestamp,
    /// `ROLE.json` → the one file of it that belongs to this snapshot.
    pub meta: BTreeMap<String, MetaFile>,
}

/// One metadata file as snapshot and timestamp list it, with length and hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetaFile {
    version: Version,
    length: u64,
    hashes: BTreeMap<&'static str, Sha256>,
}

impl Snapshot {
    /// A snapshot of the listed files.
    pub fn new(version: Version, expires: Timestamp, meta: BTreeMap<String, MetaFile>) -> Self {
        Self { spec_version: SPEC_VERSION, version, expires, meta }
    }
}

impl Role for Snapshot {
    fn version(&self) -> Version {
        self.version
    }
}

impl MetaFile {
    /// The entry of a file with this version and these bytes.
    pub fn of(version: Version, bytes: &[u8]) -> Self {
        let hashes = BTreeMap::from([("sha256", Sha256::of(bytes))]);
        Self { version, length: bytes.len() as u64, hashes }
    }
}
