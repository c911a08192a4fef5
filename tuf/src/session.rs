//! The one way from a trusted root to a chain that may answer (TUF 5.3 to 5.6), one type per step.
//!
//! A step that succeeds consumes the session and returns the next one; a refusal gives the session back, so a bad copy
//! from one place is followed by a copy from another through the same gate. Nothing here knows where bytes come from.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp as Time;

use crate::floors::Floors;
use crate::metadata::{
    FileMeta, Role, RoleKeys, RoleName, Root, Snapshot, Targets, Timestamp, Version,
};
use crate::refusal::Refusal;
use crate::root::TrustedRoot;
use crate::trust::{Edge, Trust};
use crate::verified::{Raw, Verified};

/// More delegated roles are not loaded; what lies behind them answers "unavailable".
pub const ROLES_MAX: usize = 4_096;
/// Bytes of all delegated roles of a chain, each counted per delegator, since each is parsed for itself.
pub const ROLES_BYTES_MAX: usize = 32 << 20;

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
/// The top-level roles are complete; delegated ones are loaded.
#[derive(Debug)]
pub struct AwaitRoles {
    trust: Trust,
    wanted: VecDeque<Wanted>,
    /// All that were ever wanted or are loaded.
    edges: BTreeSet<Edge>,
    /// Bytes of what is loaded.
    bytes: usize,
}

/// A delegated role to load.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Who delegates to it, and its name.
    pub edge: Edge,
    /// What the snapshot says of its file.
    pub meta: FileMeta,
    keys: RoleKeys,
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

impl Session<Rooting> {
    /// Starts an update at its fixed time (TUF 5.1, 5.2): the clock's, or the time floor where the clock is behind it.
    #[must_use]
    pub fn update(root: TrustedRoot, held: Option<Arc<Trust>>, floors: Floors, now: Time) -> Self {
        let expiry = Expiry::At(floors.time_at_least(now));
        Self { expiry, floors, root, held, stage: Rooting(()) }.settled()
    }

    /// The version to ask for next.
    #[must_use]
    pub fn wanted(&self) -> Version {
        self.root.version().next()
    }

    /// Takes the next root (TUF 5.3.3 to 5.3.8). It is to be written down before the session goes on.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn root(self, bytes: impl Into<Arc<[u8]>>) -> Step<Rooting, Rooting> {
        match Raw::<Root>::new(bytes).and_then(|raw| self.root.succeed(raw)) {
            Ok(root) => Ok(Self { root, ..self }.settled()),
            Err(why) => Err(Refused { session: self, why }),
        }
    }

    /// Takes another copy of the trusted root: the signatures of all copies add up. It is to be written down before the
    /// session goes on.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn also(self, bytes: impl Into<Arc<[u8]>>) -> Step<Rooting, Rooting> {
        match Raw::<Root>::new(bytes).and_then(|raw| self.root.also(raw)) {
            Ok(root) => Ok(Self { root, ..self }.settled()),
            Err(why) => Err(Refused { session: self, why }),
        }
    }

    /// Ends the walk: there is no newer root (TUF 5.3.9 to 5.3.11). The floors are to be written down.
    ///
    /// # Errors
    /// [`Refusal::Expired`]
    pub fn newest(mut self) -> Step<Rooting, AwaitTimestamp> {
        if let Err(why) = self.expiry.check(&self.root) {
            return Err(Refused { session: self, why });
        }
        // Only now: a key that one root dropped and the next one took back has not lapsed anything.
        self.floors.lapse(&self.root);
        Ok(self.with(AwaitTimestamp(())))
    }

    /// Floors and held chain under the root of this moment.
    fn settled(mut self) -> Self {
        self.floors.root = Some(self.root.floor());
        self.held = self.held.take().and_then(|held| held.under(&self.root).ok().map(Arc::new));
        if let Some(held) = &self.held {
            self.floors.catch_up(held.timestamp(), held.snapshot(), &self.root);
        }
        self
    }
}

impl Session<AwaitTimestamp> {
    /// Starts a replay of our own copy of the chain that answered: through the same gate, but against the versions it
    /// had, and with expiry left to each answer.
    #[must_use]
    pub fn replay(root: TrustedRoot, floors: &Floors) -> Self {
        let floors = floors.of_served();
        Self { expiry: Expiry::WhenAnswering, floors, root, held: None, stage: AwaitTimestamp(()) }
    }

    /// Whether a timestamp would be taken: to tell which place offers one that would not.
    ///
    /// # Errors
    /// [`Refusal`]
    pub fn in_order(&self, bytes: &Arc<[u8]>) -> Result<(), Refusal> {
        self.check_timestamp(Arc::clone(bytes)).map(drop)
    }

    /// Takes timestamps from several places; the highest version that is in order wins (TUF 5.4). The floors are to be
    /// written down before the session goes on.
    ///
    /// # Errors
    /// [`Refused`] with the last refusal where none is in order. Refusals beside a good one are of no consequence.
    pub fn timestamp(
        self,
        offers: impl IntoIterator<Item = Arc<[u8]>>,
    ) -> Result<Next, Refused<Self>> {
        let (good, bad): (Vec<_>, Vec<_>) =
            offers.into_iter().map(|bytes| self.check_timestamp(bytes)).partition(Result::is_ok);
        let best = good.into_iter().flatten().max_by_key(|timestamp| timestamp.version());
        match (best, bad.into_iter().filter_map(Result::err).next_back()) {
            (Some(timestamp), _) => Ok(self.go_on(timestamp)),
            (None, Some(why)) => Err(Refused { session: self, why }),
            (None, None) => {
                let why = Refusal::NotInSnapshot { role: RoleName::new(Timestamp::TYPE) };
                Err(Refused { session: self, why })
            }
        }
    }

    fn check_timestamp(&self, bytes: Arc<[u8]>) -> Result<Verified<Timestamp>, Refusal> {
        let timestamp = Raw::new(bytes)?.verify(self.root.timestamp())?;
        self.floors.allow_timestamp(&timestamp)?;
        self.expiry.check(&timestamp)?;
        Ok(timestamp)
    }

    fn go_on(mut self, timestamp: Verified<Timestamp>) -> Next {
        if let Some(held) = self.held.take() {
            if held.timestamp().version() >= timestamp.version() {
                return Next::Roles(self.with_roles(Trust::clone(&held)));
            }
            self.held = Some(held);
        }
        if let Expiry::At(now) = self.expiry {
            self.floors.raise_time(now, &timestamp);
        }
        self.floors.raise_timestamp(&timestamp, &self.root);
        Next::Snapshot(self.with(AwaitSnapshot { timestamp }))
    }
}

impl Session<AwaitSnapshot> {
    /// What the timestamp says of the snapshot.
    #[must_use]
    pub fn wanted(&self) -> &FileMeta {
        self.stage.timestamp.snapshot()
    }

    /// Takes the snapshot (TUF 5.5). The floors are to be written down before the session goes on.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn snapshot(mut self, bytes: impl Into<Arc<[u8]>>) -> Step<AwaitSnapshot, AwaitTargets> {
        match self.check_snapshot(bytes.into()) {
            Ok(snapshot) => {
                self.floors.raise_snapshot(&snapshot, &self.root);
                let Self { expiry, floors, root, held, stage: AwaitSnapshot { timestamp } } = self;
                Ok(Session {
                    expiry,
                    floors,
                    root,
                    held,
                    stage: AwaitTargets { timestamp, snapshot },
                })
            }
            Err(why) => Err(Refused { session: self, why }),
        }
    }

    fn check_snapshot(&self, bytes: Arc<[u8]>) -> Result<Verified<Snapshot>, Refusal> {
        let meta = self.wanted();
        let snapshot = Raw::<Snapshot>::new(bytes)?.matching(meta)?.verify(self.root.snapshot())?;
        snapshot.expect_version(meta.version)?;
        self.floors.allow_snapshot(&snapshot)?;
        self.expiry.check(&snapshot)?;
        Ok(snapshot)
    }
}

impl Session<AwaitTargets> {
    /// What the snapshot says of the top-level targets.
    ///
    /// # Errors
    /// [`Refusal::NotInSnapshot`]
    pub fn wanted(&self) -> Result<&FileMeta, Refusal> {
        let name = RoleName::new(Targets::TYPE);
        self.stage.snapshot.role(&name).ok_or(Refusal::NotInSnapshot { role: name })
    }

    /// Takes the top-level targets (TUF 5.6).
    ///
    /// # Errors
    /// [`Refused`]
    pub fn targets(self, bytes: impl Into<Arc<[u8]>>) -> Step<AwaitTargets, AwaitRoles> {
        match self.check_targets(bytes.into()) {
            Ok(targets) => {
                let Self {
                    expiry,
                    floors,
                    root,
                    held,
                    stage: AwaitTargets { timestamp, snapshot },
                } = self;
                let trust = Trust::new(root.clone(), timestamp, snapshot, targets);
                Ok(Session { expiry, floors, root, held, stage: () }.with_roles(trust))
            }
            Err(why) => Err(Refused { session: self, why }),
        }
    }

    fn check_targets(&self, bytes: Arc<[u8]>) -> Result<Verified<Targets>, Refusal> {
        let targets = verify_targets(
            RoleName::new(Targets::TYPE),
            bytes,
            self.wanted()?,
            self.root.targets(),
        )?;
        self.expiry.check(&targets)?;
        Ok(targets)
    }
}

impl Session<AwaitRoles> {
    /// Goes on with roles that a verified chain lacks, for who loads them at first use.
    #[must_use]
    pub fn more(chain: &Trust, floors: Floors) -> Self {
        let root = chain.root().clone();
        Session { expiry: Expiry::WhenAnswering, floors, root, held: None, stage: () }
            .with_roles(chain.clone())
    }

    /// The next delegated role to load; nothing when all are there.
    #[must_use]
    pub fn wanted(&self) -> Option<&Wanted> {
        self.stage.wanted.front()
    }

    /// Takes the role that is wanted, and then wants those it delegates to. An expired one is taken: it answers so.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn role(mut self, bytes: impl Into<Arc<[u8]>>) -> Step<AwaitRoles, AwaitRoles> {
        let Some(wanted) = self.stage.wanted.pop_front() else { return Ok(self) };
        match self.check_role(&wanted, bytes.into()) {
            Ok(targets) => {
                self.load(wanted.edge, targets);
                Ok(self.load_held())
            }
            Err(why) => {
                self.stage.wanted.push_front(wanted);
                Err(Refused { session: self, why })
            }
        }
    }

    /// Gives up the role that is wanted: its names answer "unavailable", no others.
    #[must_use]
    pub fn without(mut self) -> Self {
        self.stage.wanted.pop_front();
        self.load_held()
    }

    /// Ends the session. The chain is to be written down, then the floors, then it may answer.
    #[must_use]
    pub fn finish(self) -> (Arc<Trust>, Floors) {
        let Self { expiry: _, mut floors, root: _, held: _, stage: AwaitRoles { trust, .. } } =
            self;
        floors.serve(trust.timestamp(), trust.snapshot());
        (Arc::new(trust), floors)
    }

    /// One version of a role is one file, whoever delegates to it: what it delegates is kept under its name, so
    /// another file would lend its keys to names it has no right to.
    fn check_role(&self, wanted: &Wanted, bytes: Arc<[u8]>) -> Result<Verified<Targets>, Refusal> {
        let Wanted { edge, meta, keys } = wanted;
        if self.stage.bytes + bytes.len() > ROLES_BYTES_MAX {
            return Err(Refusal::RolesTooBig { role: edge.role.clone(), limit: ROLES_BYTES_MAX });
        }
        if self.loaded(wanted).is_some_and(|known| known != bytes) {
            return Err(Refusal::HashMismatch { role: edge.role.clone() });
        }
        verify_targets(edge.role.clone(), bytes, meta, keys)
    }

    fn load(&mut self, edge: Edge, targets: Verified<Targets>) {
        let wanted = wanted_by(&self.stage.trust, &edge.role, &targets);
        self.stage.bytes += targets.bytes().len();
        self.stage.trust.insert(edge, targets);
        self.want(wanted);
    }

    /// Queues what was not wanted before.
    fn want(&mut self, all: Vec<Wanted>) {
        let AwaitRoles { trust: _, wanted: queue, edges, bytes: _ } = &mut self.stage;
        for wanted in all {
            if edges.len() < ROLES_MAX && edges.insert(wanted.edge.clone()) {
                queue.push_back(wanted);
            }
        }
    }

    /// Loads what is wanted as long as a copy is at hand: from the chain that answers, or under another delegator. What
    /// is loaded and does not verify for this delegator is given up: no other file of that version would be taken.
    fn load_held(mut self) -> Self {
        while let Some(wanted) = self.stage.wanted.pop_front() {
            if let Some(targets) = self.copy_of(&wanted) {
                self.load(wanted.edge, targets);
            } else if self.loaded(&wanted).is_none() {
                self.stage.wanted.push_front(wanted);
                break;
            }
        }
        self
    }

    /// What is wanted, verified from a copy at hand.
    fn copy_of(&self, wanted: &Wanted) -> Option<Verified<Targets>> {
        let Wanted { edge, meta, keys: _ } = wanted;
        let held = self.held.iter().filter_map(|held| held.bytes_of(&edge.role, meta.version));
        let mut copies = held.chain(self.loaded(wanted));
        copies.find_map(|bytes| self.check_role(wanted, bytes).ok())
    }

    /// The file of that role and version in this chain, whoever delegates to it.
    fn loaded(&self, Wanted { edge, meta, keys: _ }: &Wanted) -> Option<Arc<[u8]>> {
        self.stage.trust.bytes_of(&edge.role, meta.version)
    }
}

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

    fn with_roles(self, trust: Trust) -> Session<AwaitRoles> {
        let missing: Vec<Wanted> =
            trust.edges().flat_map(|(from, targets)| wanted_by(&trust, from, targets)).collect();
        let edges = trust.roles().map(|(edge, _)| edge.clone()).collect();
        let bytes = trust.roles().map(|(_, role)| role.bytes().len()).sum();
        let mut session = self.with(AwaitRoles { trust, wanted: VecDeque::new(), edges, bytes });
        session.want(missing);
        session.load_held()
    }
}

/// The roles that a role delegates to and the snapshot lists.
fn wanted_by(trust: &Trust, delegator: &RoleName, targets: &Targets) -> Vec<Wanted> {
    let delegations = targets.delegations().iter();
    let listed = delegations.filter_map(|delegation| {
        let meta = trust.snapshot().role(&delegation.name)?.clone();
        let edge = Edge { delegator: delegator.clone(), role: delegation.name.clone() };
        Some(Wanted { edge, meta, keys: delegation.keys.clone() })
    });
    listed.collect()
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
