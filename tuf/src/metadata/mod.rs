//! The four kinds of metadata (TUF 4.3 to 4.6) as typed structs, and the numbers and names in them.

mod pattern;
mod root;
mod snapshot;
mod targets;
mod timestamp;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::Timestamp as Time;
use serde::{Deserialize, Serialize};

pub use pattern::{Effort, Pattern};
pub use root::{FileNames, Root};
pub use snapshot::{FileMeta, Snapshot};
pub use targets::{After, Delegation, Scope, SearchPath, Target, Targets};
pub use timestamp::Timestamp;

use crate::json::{JsonError, Node, from_node};
use crate::key::{Fingerprint, Key, KeyJson};

/// One kind of signed metadata.
pub trait Role: Sized {
    /// The `_type` of such a file.
    const TYPE: &'static str;
    /// Larger files are refused (the values of python-tuf and go-tuf).
    const BYTES_MAX: usize;

    /// The file's version.
    fn version(&self) -> Version;
    /// When it stops being of use.
    fn expires(&self) -> Time;

    /// Reads the `signed` part. Sealed by a type only this crate can name.
    #[doc(hidden)]
    fn read(signed: Signed<'_, '_>) -> Result<Self, JsonError>;
}

/// The `signed` part of a file, before its signatures were checked.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'d, 'a>(pub(crate) Node<'d, 'a>);

/// A version of metadata: 1 to 2^53, so that no reader anywhere rounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u64", try_from = "u64")]
pub struct Version(u64);

impl Version {
    /// The first version of any role.
    pub const FIRST: Self = Self(1);
    const MAX: u64 = 1 << 53;

    /// The version after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl TryFrom<u64> for Version {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        match number {
            1..=Self::MAX => Ok(Self(number)),
            _ => Err(format!("version {number} is not between 1 and 2^53")),
        }
    }
}

impl From<Version> for u64 {
    fn from(version: Version) -> Self {
        version.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many distinct keys must have signed: at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "u32")]
pub struct Threshold(NonZeroU32);

impl Threshold {
    /// One key is enough.
    pub const ONE: Self = Self(NonZeroU32::MIN);

    /// Whether so many are enough.
    #[must_use]
    pub fn is_met_by(self, count: usize) -> bool {
        count >= self.0.get() as usize
    }

    /// As a number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl TryFrom<u32> for Threshold {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        NonZeroU32::new(number).map(Self).ok_or("a threshold is at least 1")
    }
}

impl From<Threshold> for u32 {
    fn from(threshold: Threshold) -> Self {
        threshold.0.get()
    }
}

/// The name of a role. Hostile until a file that lists it was verified, and never a path. Shown with control and other
/// invisible characters escaped, so that no name writes lines of its own into a log or an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoleName(Arc<str>);

impl RoleName {
    /// Takes a name as it is, bytewise.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_top_level(&self) -> bool {
        [Root::TYPE, Timestamp::TYPE, Snapshot::TYPE, Targets::TYPE].contains(&self.as_str())
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(&self.0, f)
    }
}

/// An id that a file gives to a key; it means something in that file only (TAP 12). Shown like a [`RoleName`], and no
/// longer than an id needs to be: nobody has signed it yet when it is shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.0.chars().take(80).collect();
        show(&shown, f)
    }
}

fn show(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{}", name.escape_debug())
}

/// Who may sign a role, and how many of them must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleKeys {
    threshold: Threshold,
    keys: BTreeMap<KeyId, Arc<Key>>,
}

impl RoleKeys {
    /// How many distinct keys must sign.
    #[must_use]
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// The distinct keys.
    #[must_use]
    pub fn fingerprints(&self) -> BTreeSet<Fingerprint> {
        self.keys.values().map(|key| key.public().fingerprint()).collect()
    }

    pub(crate) fn get(&self, id: &KeyId) -> Option<&Key> {
        self.keys.get(id).map(AsRef::as_ref)
    }
}

/// The `keys` of a file. Keys of a kind that is not supported are left out: they count for nothing.
pub(crate) struct KeyTable(BTreeMap<KeyId, Arc<Key>>);

/// A role's keyids and threshold as a file writes them.
#[derive(Deserialize)]
pub(crate) struct RoleKeysJson {
    keyids: Vec<KeyId>,
    threshold: Threshold,
}

/// More keys in one file are refused.
const KEYS_MAX: usize = 8_192;

impl KeyTable {
    /// Reads `{"keyid": {keytype, scheme, keyval}, …}`.
    pub(crate) fn read(keys: Node<'_, '_>) -> Result<Self, JsonError> {
        let mut table = BTreeMap::new();
        for (id, value) in keys.entries() {
            if table.len() >= KEYS_MAX {
                return Err(shape(format!("more than {KEYS_MAX} keys")));
            }
            let key = from_node::<KeyJson>(value).ok().and_then(|json| Key::from_json(&json).ok());
            table.extend(key.map(|key| (KeyId(id.string().into_owned()), Arc::new(key))));
        }
        Ok(Self(table))
    }

    /// The keys of one role, by the ids of this file alone (TAP 12).
    pub(crate) fn role(&self, json: RoleKeysJson) -> Result<RoleKeys, JsonError> {
        let listed = json.keyids.len();
        let ids: BTreeSet<KeyId> = json.keyids.into_iter().collect();
        if ids.len() != listed {
            return Err(shape("a keyid is listed twice for one role".into()));
        }
        let keys = ids
            .into_iter()
            .filter_map(|id| self.0.get(&id).cloned().map(|key| (id, key)))
            .collect();
        Ok(RoleKeys { threshold: json.threshold, keys })
    }
}

/// What every `signed` part has (TUF 4.3).
#[derive(Deserialize)]
pub(crate) struct Head {
    #[serde(rename = "_type")]
    kind: String,
    spec_version: String,
    pub(crate) version: Version,
    expires: String,
}

impl Head {
    /// Reads and checks `_type`, `spec_version` (major 1), `version` and `expires`.
    pub(crate) fn read<R: Role>(signed: Node<'_, '_>) -> Result<(Version, Time), JsonError> {
        let head: Self = from_node(signed)?;
        if head.kind != R::TYPE {
            return Err(shape(format!("_type is {:?}, expected {:?}", head.kind, R::TYPE)));
        }
        if head.spec_version.split('.').next() != Some("1") {
            return Err(shape(format!("spec_version {:?} is not 1.x", head.spec_version)));
        }
        let expires = head
            .expires
            .parse()
            .map_err(|_| shape(format!("expires {:?} is no date", head.expires)))?;
        Ok((head.version, expires))
    }
}

pub(crate) fn field<'d, 'a>(
    node: Node<'d, 'a>,
    name: &'static str,
) -> Result<Node<'d, 'a>, JsonError> {
    node.get(name).ok_or_else(|| shape(format!("missing field `{name}`")))
}

pub(crate) fn shape(message: String) -> JsonError {
    JsonError::shape(message)
}
