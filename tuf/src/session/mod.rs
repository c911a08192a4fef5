//! The one way from a trusted root to a chain that may answer (TUF 5.3 to 5.6), one type per step.
//!
//! A step that succeeds consumes the session and returns the next one; a refusal gives the session back, so a bad copy
//! from one place is followed by a copy from another through the same gate. Nothing here knows where bytes come from.

mod roles;
mod top;

use std::sync::Arc;

use jiff::Timestamp as Time;
pub use roles::{AwaitRoles, ROLES_BYTES_MAX, ROLES_MAX, Wanted};

use crate::floors::Floors;
use crate::metadata::{FileMeta, Role, RoleKeys, RoleName, Snapshot, Targets, Timestamp};
use crate::refusal::Refusal;
use crate::root::TrustedRoot;
use crate::trust::Trust;

use crate::verified::{Raw, Verified};

/// One update, or one replay of our own copy, at stage `S`.
#[derive(Debug)]
pub struct Session<S> {
    expiry: Expiry,
    floors: Floors,
    root: TrustedRoot,
    /// What answers now, if all of it still verifies under `root`.
    held: Option<Arc<Trust>>,
    stage: S,
}

/// Looking for newer roots.
#[derive(Debug)]
pub struct Rooting(());
/// The root is the newest there is.
#[derive(Debug)]
pub struct AwaitTimestamp(());
/// The timestamp names the snapshot to get.
#[derive(Debug)]
pub struct AwaitSnapshot {
    timestamp: Verified<Timestamp>,
}
/// The snapshot names the version of the top-level targets.
#[derive(Debug)]
pub struct AwaitTargets {
    timestamp: Verified<Timestamp>,
    snapshot: Verified<Snapshot>,
}
/// A refused step: the session as it was, and why.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Refused<S> {
    /// Unchanged.
    pub session: S,
    /// Why.
    pub why: Refusal,
}

/// Where a timestamp leads.
#[derive(Debug)]
pub enum Next {
    /// To a snapshot.
    Snapshot(Session<AwaitSnapshot>),
    /// Nothing is newer than what is held (TUF 5.4.3: an equal version is discarded); roles may still be missing.
    Roles(Session<AwaitRoles>),
}

/// At which time expiry is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expiry {
    /// The fixed start of the update (TUF 5.1).
    At(Time),
    /// Not here: our own copy is replayed, and [`Trust::fresh`] looks at each answer's time.
    WhenAnswering,
}

impl Expiry {
    fn check<R: Role>(self, file: &Verified<R>) -> Result<(), Refusal> {
        match self {
            Self::At(now) => file.expect_unexpired(now),
            Self::WhenAnswering => Ok(()),
        }
    }
}

type Step<From, To> = Result<Session<To>, Refused<Session<From>>>;

impl<S> Session<S> {
    /// The newest trusted root.
    #[must_use]
    pub fn trusted_root(&self) -> &TrustedRoot {
        &self.root
    }

    /// The floors as they stand.
    #[must_use]
    pub fn floors(&self) -> &Floors {
        &self.floors
    }

    /// What answers now, if all of it still verifies under the newest trusted root.
    #[must_use]
    pub fn held(&self) -> Option<&Arc<Trust>> {
        self.held.as_ref()
    }

    fn with<T>(self, stage: T) -> Session<T> {
        let Self { expiry, floors, root, held, stage: _ } = self;
        Session { expiry, floors, root, held, stage }
    }
}

/// Length, hashes, signatures and version of any targets role (TUF 5.6.2 to 5.6.4).
fn verify_targets(
    name: RoleName,
    bytes: Arc<[u8]>,
    meta: &FileMeta,
    keys: &RoleKeys,
) -> Result<Verified<Targets>, Refusal> {
    let targets = Raw::<Targets>::named(name, bytes)?.matching(meta)?.verify(keys)?;
    targets.expect_version(meta.version)?;
    Ok(targets)
}
