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
    /// For roles that could not be had. Known-good only may look at them.
    stand_ins: BTreeMap<Edge, StandIn>,
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

/// The proof that nothing but a lack of freshness stands in a chain's way, and for less than a grace
/// (docs/operators.md, known-good). Only [`Trust::in_grace`] makes one, and it is no [`Fresh`].
#[derive(Debug, Clone, Copy)]
pub struct Grace<'t> {
    trust: &'t Trust,
    now: Time,
    grace: SignedDuration,
    until: Time,
}

/// What a node last loaded of a role that it cannot have any more, verified for who delegates to it now.
#[derive(Debug, Clone)]
pub(crate) struct StandIn {
    pub(crate) targets: Verified<Targets>,
    /// When the role went missing.
    pub(crate) since: Time,
}

impl Trust {
    pub(crate) fn new(
        root: TrustedRoot,
        timestamp: Verified<Timestamp>,
        snapshot: Verified<Snapshot>,
        targets: Verified<Targets>,
    ) -> Self {
        let (roles, stand_ins) = (BTreeMap::new(), BTreeMap::new());
        Self { root, timestamp, snapshot, targets, roles, stand_ins }
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
            stand_ins: self.stand_ins.clone(),
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
        let expired = self.timestamp.expires().min(self.snapshot.expires());
        let until = expired.checked_add(grace).ok()?;
        (now < until).then_some(Grace { trust: self, now, grace, until })
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
        self.stand_ins.remove(&edge);
        self.roles.insert(edge, targets);
    }

    /// What stands in for a role.
    pub(crate) fn stand_in(&self, edge: &Edge) -> Option<&StandIn> {
        self.stand_ins.get(edge)
    }

    pub(crate) fn insert_stand_in(&mut self, edge: Edge, stand_in: StandIn) {
        self.stand_ins.insert(edge, stand_in);
    }

    /// The newest copy of a role, loaded or standing in, whoever delegates to it; and since when it was missing, if it
    /// was.
    pub(crate) fn last_of(&self, role: &RoleName) -> Option<(&Verified<Targets>, Option<Time>)> {
        let of_role = |edge: &Edge| edge.role == *role;
        let loaded = self.roles.iter().filter(|(edge, _)| of_role(edge)).map(|(_, t)| (t, None));
        let missing = self.stand_ins.iter().filter(|(edge, _)| of_role(edge));
        let missing = missing.map(|(_, stand_in)| (&stand_in.targets, Some(stand_in.since)));
        missing.chain(loaded).max_by_key(|(targets, _)| targets.version())
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
    /// The chain.
    pub(crate) fn trust(&self) -> &'t Trust {
        self.trust
    }

    /// The time at which it is asked.
    pub(crate) fn now(&self) -> Time {
        self.now
    }

    /// A role as it may be asked: itself, or what stands in for it and has not for too long.
    pub(crate) fn role(&self, edge: &Edge) -> Option<&'t Verified<Targets>> {
        let stands_in = || {
            let stand_in = self.trust.stand_ins.get(edge)?;
            (self.now < stand_in.since.checked_add(self.grace).ok()?).then_some(&stand_in.targets)
        };
        self.trust.role(edge).or_else(stands_in)
    }

    /// When the first of what it rests on ends: the grace of an expiry, or of a role that is missing.
    #[must_use]
    pub fn until(&self) -> Time {
        let ends =
            self.trust.stand_ins.values().filter_map(|s| s.since.checked_add(self.grace).ok());
        ends.filter(|end| *end > self.now).chain([self.until]).min().unwrap_or(self.until)
    }
}
