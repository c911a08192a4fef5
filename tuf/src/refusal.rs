//! Why a file was refused. A refused file changes nothing.

use jiff::Timestamp as Time;

use crate::json::JsonError;
use crate::metadata::{KeyId, RoleName, Threshold, Version};

/// Why a file was refused, with the evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Larger than the role's limit.
    #[error("{role}: larger than {limit} bytes")]
    TooBig {
        /// The role.
        role: RoleName,
        /// Bytes allowed.
        limit: usize,
    },
    /// With it, the delegated roles of the chain are larger than all of them may be. No fault of who gave it.
    #[error("{role}: with it, the delegated roles are larger than {limit} bytes")]
    RolesTooBig {
        /// The role.
        role: RoleName,
        /// Bytes allowed for all.
        limit: usize,
    },
    /// Not the metadata it should be.
    #[error("{role}: malformed")]
    Malformed {
        /// The role.
        role: RoleName,
        /// What is wrong with it.
        source: JsonError,
    },
    /// One keyid signs twice (TUF 4.2).
    #[error("{role}: key {keyid} has two signatures")]
    DuplicateSignature {
        /// The role.
        role: RoleName,
        /// The key.
        keyid: KeyId,
    },
    /// Fewer distinct keys signed than must.
    #[error("{role}: {found} valid signatures by distinct keys, {} needed", needed.get())]
    TooFewSignatures {
        /// The role.
        role: RoleName,
        /// Distinct keys whose signatures are valid.
        found: usize,
        /// How many must.
        needed: Threshold,
    },
    /// Longer than another file says.
    #[error("{role}: {found} bytes, {limit} listed")]
    LengthMismatch {
        /// The role.
        role: RoleName,
        /// Bytes found.
        found: u64,
        /// Bytes listed.
        limit: u64,
    },
    /// Not the bytes that another file lists.
    #[error("{role}: hash differs from the one listed")]
    HashMismatch {
        /// The role.
        role: RoleName,
    },
    /// Another version than the one asked for.
    #[error("{role}: version {found}, expected {expected}")]
    VersionMismatch {
        /// The role.
        role: RoleName,
        /// The file's version.
        found: Version,
        /// What it must be.
        expected: Version,
    },
    /// Older than what was trusted before.
    #[error("{role}: version {found} is older than {trusted}, which was trusted before")]
    Rollback {
        /// The role.
        role: RoleName,
        /// The version offered.
        found: Version,
        /// The floor.
        trusted: Version,
    },
    /// A role that the trusted snapshot listed is gone from this one (TUF 5.5.5).
    #[error("snapshot: role {role} is no longer listed")]
    RoleVanished {
        /// The role that is gone.
        role: RoleName,
    },
    /// The snapshot does not list the role.
    #[error("{role}: not listed by the snapshot")]
    NotInSnapshot {
        /// The role.
        role: RoleName,
    },
    /// No longer of use.
    #[error("{role}: expired at {expires}")]
    Expired {
        /// The role.
        role: RoleName,
        /// Since when.
        expires: Time,
    },
    /// Too few of today's anchor keys signed this root.
    #[error("root {version}: {covering} of today's anchor keys signed it, {} needed", needed.get())]
    NotCovered {
        /// The root's version.
        version: Version,
        /// Anchor keys that signed it.
        covering: usize,
        /// The anchor's threshold.
        needed: Threshold,
    },
    /// The anchor asks for a newer root.
    #[error("root {version}: the anchor asks for at least version {least}")]
    BelowLeastRoot {
        /// The root's version.
        version: Version,
        /// The least version.
        least: Version,
    },
    /// Not the root that this node trusted at that version.
    #[error("root {version}: not the file that was trusted before")]
    NotTheTrustedRoot {
        /// Its version.
        version: Version,
    },
}
