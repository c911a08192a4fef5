use std::collections::BTreeMap;

use jiff::Timestamp as Time;

use super::{FileMeta, Head, Role, Signed, Version, field, shape};
use crate::json::{JsonError, from_node};
use crate::metadata::snapshot::FileMetaJson;

/// Timestamp metadata (TUF 4.6): which snapshot is the newest.
#[derive(Debug, Clone)]
pub struct Timestamp {
    version: Version,
    expires: Time,
    snapshot: FileMeta,
}

impl Role for Timestamp {
    const TYPE: &'static str = "timestamp";
    const BYTES_MAX: usize = 16_384;

    fn version(&self) -> Version {
        self.version
    }

    fn expires(&self) -> Time {
        self.expires
    }

    fn read(Signed(signed): Signed<'_, '_>) -> Result<Self, JsonError> {
        let (version, expires) = Head::read::<Self>(signed)?;
        let mut meta: BTreeMap<String, FileMetaJson> = from_node(field(signed, "meta")?)?;
        match (meta.remove("snapshot.json"), meta.len()) {
            (Some(snapshot), 0) => Ok(Self { version, expires, snapshot: snapshot.read()? }),
            _ => Err(shape("meta must hold snapshot.json and nothing else".into())),
        }
    }
}

impl Timestamp {
    /// The snapshot it names.
    #[must_use]
    pub fn snapshot(&self) -> &FileMeta {
        &self.snapshot
    }
}
