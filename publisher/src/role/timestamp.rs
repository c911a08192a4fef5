//! The timestamp role: which snapshot is the newest.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use tufd_tuf::metadata::Version;

use super::{MetaFile, Role, SPEC_VERSION, whole_seconds};

/// The timestamp role (TUF 4.6); named so because a [`Timestamp`] is a time.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "_type", rename = "timestamp")]
pub struct TimestampRole {
    spec_version: &'static str,
    /// The version.
    pub version: Version,
    /// When the file ceases to be valid.
    #[serde(serialize_with = "whole_seconds")]
    pub expires: Timestamp,
    meta: BTreeMap<&'static str, MetaFile>,
}

impl TimestampRole {
    /// A timestamp that names `snapshot` as the newest.
    pub fn new(version: Version, expires: Timestamp, snapshot: MetaFile) -> Self {
        let meta = BTreeMap::from([("snapshot.json", snapshot)]);
        Self { spec_version: SPEC_VERSION, version, expires, meta }
    }
}

impl Role for TimestampRole {
    fn version(&self) -> Version {
        self.version
    }
}
