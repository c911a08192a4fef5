//! The four roles of TUF as typed values that serialize to a file's `signed` part (TUF 4.3-4.6).
//!
//! These types write metadata; reading it with distrust is `tufd-tuf`'s work.

mod root;
mod snapshot;
mod targets;
mod timestamp;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use tufd_tuf::metadata::{Threshold, Version};

use crate::public_key::{KeyId, PublicKey, TufKey};

pub use root::Root;
pub use snapshot::{MetaFile, Snapshot};
pub use targets::{Delegations, Search, TargetFile, Targets};
pub use timestamp::TimestampRole;

/// The specification that the metadata follows.
pub const SPEC_VERSION: &str = "1.0.34";

/// The keys that may sign for a role and how many must.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleKeys {
    /// Ids of keys in the same file, without repetition.
    pub keyids: Vec<KeyId>,
    /// How many of them must sign.
    pub threshold: Threshold,
}

/// A value that serializes to the `signed` part of a file, `_type` included.
pub trait Role: Serialize {
    /// The version in the file.
    fn version(&self) -> Version;
}

/// Puts `keys` into a file's key table and returns the role that they hold together.
fn enter<'k>(
    table: &mut BTreeMap<KeyId, TufKey>,
    keys: impl IntoIterator<Item = &'k PublicKey>,
    threshold: Threshold,
) -> RoleKeys {
    let mut keyids = Vec::new();
    for key in keys {
        table.insert(key.id().clone(), key.tuf_key().clone());
        if !keyids.contains(key.id()) {
            keyids.push(key.id().clone());
        }
    }
    RoleKeys { keyids, threshold }
}

/// TUF's dates are `YYYY-MM-DDTHH:MM:SSZ`; a part of a second is cut off (TUF 4.2.1).
fn whole_seconds<S: Serializer>(time: &Timestamp, out: S) -> Result<S::Ok, S::Error> {
    let cut = Timestamp::from_second(time.as_second()).map_err(serde::ser::Error::custom)?;
    out.collect_str(&cut)
}
