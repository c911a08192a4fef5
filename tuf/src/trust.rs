//! A complete verified chain, and the proof that it is unexpired now.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp as Time};

use crate::metadata::{Role, RoleName, Snapshot, Targets, Timestamp, Version};
use crate::refusal::Refusal;
use crate::root::TrustedRoot;
use crate::verified::{Raw, Verified};

/// All roles of one chain, verified in order.
#[derive(Debug, Clone)]
pub struct Trust {
    root: TrustedRoot,
    timestamp: Verified<Timestamp>,
    snapshot: Verified<Snapshot>,
    targets: Verified<Targets>,
    /// A role is verified once per delegator: who delegates decides whose keys count.
    roles: BTreeMap<Edge, Verified<Targets>>,
}

/// One delegation: from whom to whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The role that delegates; `targets` for the top-level role.
    pub delegator: RoleName,
    /// The role delegated to.
    pub role: RoleName,
}

/// A chain of which root, timestamp, snapshot and targets are unexpired at [`Fresh::now`]. All that may decide.
#[derive(Debug, Clone, Copy)]
pub struct Fresh<'t> {
    trust: &'t Trust,
    now: Time,
}

/// The proof that a chain is past the expiry of nothing but its timestamp or snapshot, and for less than a grace
/// (docs/operators.md, known-good). Only [`Trust::in_grace`] makes one, and it is no [`Fresh`].
#[derive(Debug, Clone, Copy)]
pub struct Grace<'t> {
    fresh: Fresh<'t>,
    until: Time,
}

impl Trust {
    pub(crate) fn new(
        root: TrustedRoot,
        timestamp: Verified<Timestamp>,
        snapshot: Verified<Snapshot>,
        targets: Verified<Targets>,
    ) -> Self {
        Self { root, timestamp, snapshot, targets, roles: BTreeMap::new() }
    }

    /// The same chain under another root, where all of it still verifies there.
    ///
    /// # Errors
    /// [`Refusal`] of the first role whose signatures no longer count.
    pub fn under(&self, root: &TrustedRoot) -> Result<Self, Refusal> {
        if self.root.hash() == root.hash() {
            return Ok(self.clone());
        }
        Ok(Self {
            root: root.clone(),
            timestamp: Raw::new(self.timestamp.bytes().clone())?.verify(root.timestamp())?,
            snapshot: Raw::new(self.snapshot.bytes().clone())?.verify(root.snapshot())?,
            targets: Raw::new(self.targets.bytes().clone())?.verify(root.targets())?,
            // Their keys stand in `targets`, whose bytes are the same.
            roles: self.roles.clone(),
        })
    }

    /// Proves that the chain is unexpired at `now`.
    ///
    /// # Errors
    /// [`Refusal::Expired`] of the first role in the order root, timestamp, snapshot, targets.
    pub fn fresh(&self, now: Time) -> Result<Fresh<'_>, Refusal> {
        self.root.expect_unexpired(now)?;
        self.timestamp.expect_unexpired(now)?;
        self.snapshot.expect_unexpired(now)?;
        self.targets.expect_unexpired(now)?;
        Ok(Fresh { trust: self, now })
    }

    /// Proves that it is in its grace at a time: root and targets unexpired, timestamp and snapshot not, or for less than
    /// `grace`. Delegated roles are looked at when they are asked.
    #[must_use]
    pub(crate) fn in_grace(&self, now: Time, grace: SignedDuration) -> Option<Grace<'_>> {
        self.root.expect_unexpired(now).ok()?;
        self.targets.expect_unexpired(now).ok()?;
        let first = self.timestamp.expires().min(self.snapshot.expires());
        let until = first.checked_add(grace).ok()?;
        (now < until).then_some(Grace { fresh: Fresh { trust: self, now }, until })
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> &TrustedRoot {
        &self.root
    }

    /// The timestamp.
    #[must_use]
    pub fn timestamp(&self) -> &Verified<Timestamp> {
        &self.timestamp
    }

    /// The snapshot.
    #[must_use]
    pub fn snapshot(&self) -> &Verified<Snapshot> {
        &self.snapshot
    }

    /// The top-level targets.
    #[must_use]
    pub fn targets(&self) -> &Verified<Targets> {
        &self.targets
    }

    /// A delegated role as its delegator vouches for it.
    #[must_use]
    pub fn role(&self, edge: &Edge) -> Option<&Verified<Targets>> {
        self.roles.get(edge)
    }

    /// The delegated roles that are loaded.
    pub fn roles(&self) -> impl Iterator<Item = (&Edge, &Verified<Targets>)> {
        self.roles.iter()
    }

    /// The bytes of a role at a version, whoever delegates to it.
    pub(crate) fn bytes_of(&self, role: &RoleName, version: Version) -> Option<Arc<[u8]>> {
        let mut copies = self.roles.iter().filter(|(edge, _)| edge.role == *role);
        copies
            .find(|(_, targets)| targets.version() == version)
            .map(|(_, targets)| targets.bytes().clone())
    }

    pub(crate) fn insert(&mut self, edge: Edge, targets: Verified<Targets>) {
        self.roles.insert(edge, targets);
    }

    /// Whether every delegated role that the snapshot lists is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.edges().all(|(from, targets)| {
            let listed = targets.delegations().iter().map(|delegation| &delegation.name);
            let mut edges = listed
                .filter(|role| self.snapshot.role(role).is_some())
                .map(|role| Edge { delegator: from.clone(), role: role.clone() });
            edges.all(|edge| self.roles.contains_key(&edge))
        })
    }

    /// Every role that delegates, with its name.
    pub(crate) fn edges(&self) -> impl Iterator<Item = (&RoleName, &Verified<Targets>)> {
        let delegated = self.roles.iter().map(|(edge, targets)| (&edge.role, targets));
        std::iter::once((self.targets.name(), &self.targets)).chain(delegated)
    }
}

impl<'t> Fresh<'t> {
    /// The chain.
    #[must_use]
    pub fn trust(&self) -> &'t Trust {
        self.trust
    }

    /// The time it is unexpired at.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }
}

impl<'t> Grace<'t> {
    /// What it says, expired as it may be.
    pub(crate) fn chain(&self) -> Fresh<'t> {
        self.fresh
    }

    /// When the grace ends.
    #[must_use]
    pub fn until(&self) -> Time {
        self.until
    }

    /// The same, ending no later than `at`.
    pub(crate) fn ending(self, at: Time) -> Option<Self> {
        let until = self.until.min(at);
        (self.fresh.now < until).then_some(Self { until, ..self })
    }
}
