//! Why an answer is what it is: codes that never change their meaning (docs/reasons.md).

use std::fmt;

/// The reason of a verdict, or of there being none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A role that may speak of the image vouches for this digest.
    Signed,
    /// No policy matches the image.
    NoPolicy,
    /// The reference or the digest is none.
    InvalidReference,
    /// No role that may speak of the image vouches for it.
    TargetNotFound,
    /// The image is vouched for, with another digest or size.
    DigestMismatch,
    /// A role that would have to be asked is not to be had.
    RoleUnavailable,
    /// Root, targets or a delegated role has expired.
    RoleExpired,
    /// The timestamp has expired.
    TimestampExpired,
    /// The snapshot has expired.
    SnapshotExpired,
    /// Timestamp or snapshot has expired although the repository answers.
    FreezeSuspected,
    /// No chain verifies under the newest trusted root.
    NoValidChain,
    /// Too few of today's anchor keys signed the trusted root.
    RootNotCovered,
    /// SPIRE took the trust domain away.
    AnchorWithdrawn,
    /// No stream has confirmed the anchor for too long.
    AnchorStale,
    /// Both floor slots were damaged.
    FloorsLost,
    /// The clock stands before this program was built.
    ClockImplausible,
    /// Nothing was ever verified.
    NoTrust,
    /// A policy denies the image.
    PolicyDeny,
    /// The digest is exempt, until a day and for a reason that the operator wrote down.
    Exempt,
    /// Nothing fresh is to be had, but what was verified last and allowed here before still allows it.
    KnownGood,
}

impl Reason {
    /// All of them, in the order they were added.
    pub const ALL: [Self; 20] = [
        Self::Signed,
        Self::NoPolicy,
        Self::InvalidReference,
        Self::TargetNotFound,
        Self::DigestMismatch,
        Self::RoleUnavailable,
        Self::RoleExpired,
        Self::TimestampExpired,
        Self::SnapshotExpired,
        Self::FreezeSuspected,
        Self::NoValidChain,
        Self::RootNotCovered,
        Self::AnchorWithdrawn,
        Self::AnchorStale,
        Self::FloorsLost,
        Self::ClockImplausible,
        Self::NoTrust,
        Self::PolicyDeny,
        Self::Exempt,
        Self::KnownGood,
    ];

    /// The code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Signed => "SIGNED",
            Self::NoPolicy => "NO_POLICY",
            Self::InvalidReference => "INVALID_REFERENCE",
            Self::TargetNotFound => "TARGET_NOT_FOUND",
            Self::DigestMismatch => "DIGEST_MISMATCH",
            Self::RoleUnavailable => "ROLE_UNAVAILABLE",
            Self::RoleExpired => "ROLE_EXPIRED",
            Self::TimestampExpired => "TIMESTAMP_EXPIRED",
            Self::SnapshotExpired => "SNAPSHOT_EXPIRED",
            Self::FreezeSuspected => "FREEZE_SUSPECTED",
            Self::NoValidChain => "NO_VALID_CHAIN",
            Self::RootNotCovered => "ROOT_NOT_COVERED",
            Self::AnchorWithdrawn => "ANCHOR_WITHDRAWN",
            Self::AnchorStale => "ANCHOR_STALE",
            Self::FloorsLost => "FLOORS_LOST",
            Self::ClockImplausible => "CLOCK_IMPLAUSIBLE",
            Self::NoTrust => "NO_TRUST",
            Self::PolicyDeny => "POLICY_DENY",
            Self::Exempt => "EXEMPT",
            Self::KnownGood => "KNOWN_GOOD",
        }
    }

    /// Whether newer metadata could turn the answer into a full yes, so that asking the repository is worth the wait.
    #[must_use]
    pub fn newer_metadata_could_allow(self) -> bool {
        match self {
            Self::TargetNotFound
            | Self::DigestMismatch
            | Self::RoleUnavailable
            | Self::RoleExpired
            | Self::TimestampExpired
            | Self::SnapshotExpired
            | Self::FreezeSuspected
            | Self::NoValidChain
            | Self::NoTrust
            | Self::KnownGood => true,
            Self::Signed
            | Self::NoPolicy
            | Self::InvalidReference
            | Self::RootNotCovered
            | Self::FloorsLost
            | Self::AnchorWithdrawn
            | Self::AnchorStale
            | Self::ClockImplausible
            | Self::PolicyDeny
            | Self::Exempt => false,
        }
    }

    /// Whether known-good may allow what is denied for this reason: only where something fresh could not be had.
    pub(crate) fn is_for_lack_of_freshness(self) -> bool {
        match self {
            Self::TimestampExpired
            | Self::SnapshotExpired
            | Self::FreezeSuspected
            | Self::RoleUnavailable => true,
            Self::Signed
            | Self::Exempt
            | Self::KnownGood
            | Self::PolicyDeny
            | Self::NoPolicy
            | Self::InvalidReference
            | Self::TargetNotFound
            | Self::DigestMismatch
            | Self::RoleExpired
            | Self::NoValidChain
            | Self::RootNotCovered
            | Self::AnchorWithdrawn
            | Self::AnchorStale
            | Self::FloorsLost
            | Self::ClockImplausible
            | Self::NoTrust => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
