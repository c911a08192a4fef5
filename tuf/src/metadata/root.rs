use jiff::Timestamp as Time;
use serde::Deserialize;

use super::{Head, KeyTable, Role, RoleKeys, RoleKeysJson, Signed, Version, field};
use crate::json::{JsonError, from_node};

/// Root metadata (TUF 4.3): who may sign the four top-level roles.
#[derive(Debug, Clone)]
pub struct Root {
    version: Version,
    expires: Time,
    file_names: FileNames,
    root: RoleKeys,
    timestamp: RoleKeys,
    snapshot: RoleKeys,
    targets: RoleKeys,
}

/// How snapshot and targets files are named (TUF 6.2, `consistent_snapshot`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileNames {
    /// `VERSION.ROLE.json`
    Versioned,
    /// `ROLE.json`
    Plain,
}

#[derive(Deserialize)]
struct Roles {
    root: RoleKeysJson,
    timestamp: RoleKeysJson,
    snapshot: RoleKeysJson,
    targets: RoleKeysJson,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    consistent_snapshot: bool,
    roles: Roles,
}

impl Role for Root {
    const TYPE: &'static str = "root";
    const BYTES_MAX: usize = 512_000;

    fn version(&self) -> Version {
        self.version
    }

    fn expires(&self) -> Time {
        self.expires
    }

    fn read(Signed(signed): Signed<'_, '_>) -> Result<Self, JsonError> {
        let (version, expires) = Head::read::<Self>(signed)?;
        let keys = KeyTable::read(field(signed, "keys")?.object()?)?;
        let Body { consistent_snapshot, roles } = from_node(signed)?;
        Ok(Self {
            version,
            expires,
            file_names: if consistent_snapshot { FileNames::Versioned } else { FileNames::Plain },
            root: keys.role(roles.root)?,
            timestamp: keys.role(roles.timestamp)?,
            snapshot: keys.role(roles.snapshot)?,
            targets: keys.role(roles.targets)?,
        })
    }
}

impl Root {
    /// Who may sign the next root.
    #[must_use]
    pub fn root(&self) -> &RoleKeys {
        &self.root
    }

    /// Who may sign timestamps.
    #[must_use]
    pub fn timestamp(&self) -> &RoleKeys {
        &self.timestamp
    }

    /// Who may sign snapshots.
    #[must_use]
    pub fn snapshot(&self) -> &RoleKeys {
        &self.snapshot
    }

    /// Who may sign the top-level targets.
    #[must_use]
    pub fn targets(&self) -> &RoleKeys {
        &self.targets
    }

    /// How files are named.
    #[must_use]
    pub fn file_names(&self) -> FileNames {
        self.file_names
    }
}
