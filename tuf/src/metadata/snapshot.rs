use std::collections::BTreeMap;

use jiff::Timestamp as Time;
use serde::Deserialize;

use super::{Head, Role, RoleName, Signed, Version, field, shape};
use crate::hash::Hashes;
use crate::json::{JsonError, from_node};

/// Snapshot metadata (TUF 4.4): the version of every targets role.
#[derive(Debug, Clone)]
pub struct Snapshot {
    version: Version,
    expires: Time,
    roles: BTreeMap<RoleName, FileMeta>,
}

/// What one file says of another (TUF 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMeta {
    /// The version it has.
    pub version: Version,
    /// Its length in bytes, where given.
    pub length: Option<u64>,
    /// Its hashes, where given.
    pub hashes: Option<Hashes>,
}

#[derive(Deserialize)]
pub(crate) struct FileMetaJson {
    version: Version,
    #[serde(default)]
    length: Option<u64>,
    #[serde(default)]
    hashes: Option<BTreeMap<String, String>>,
}

impl FileMetaJson {
    pub(crate) fn read(self) -> Result<FileMeta, JsonError> {
        let Self { version, length, hashes } = self;
        let hashes =
            hashes.map(|map| Hashes::from_map(map.iter().map(|(k, v)| (k.as_str(), v.as_str()))));
        Ok(FileMeta {
            version,
            length,
            hashes: hashes.transpose().map_err(|e| shape(e.to_string()))?,
        })
    }
}

impl Role for Snapshot {
    const TYPE: &'static str = "snapshot";
    const BYTES_MAX: usize = 2_000_000;

    fn version(&self) -> Version {
        self.version
    }

    fn expires(&self) -> Time {
        self.expires
    }

    fn read(Signed(signed): Signed<'_, '_>) -> Result<Self, JsonError> {
        let (version, expires) = Head::read::<Self>(signed)?;
        let mut roles = BTreeMap::new();
        for (name, meta) in field(signed, "meta")?.object()?.entries() {
            let name = name.string();
            let role = name
                .strip_suffix(".json")
                .ok_or_else(|| shape(format!("meta {name:?} is no .json")))?;
            roles.insert(RoleName::new(role), from_node::<FileMetaJson>(meta)?.read()?);
        }
        Ok(Self { version, expires, roles })
    }
}

impl Snapshot {
    /// What it says of a role's file.
    #[must_use]
    pub fn role(&self, name: &RoleName) -> Option<&FileMeta> {
        self.roles.get(name)
    }

    /// All roles.
    #[must_use]
    pub fn roles(&self) -> &BTreeMap<RoleName, FileMeta> {
        &self.roles
    }
}
