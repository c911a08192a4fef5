//! The delegated roles below a verified top: in any order, from any place, each through the same gate.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp as Time;

use super::{Expiry, Refused, Session, Step, verify_targets};
use crate::floors::Floors;
use crate::metadata::{FileMeta, RoleKeys, RoleName, Targets};
use crate::refusal::Refusal;
use crate::trust::{Edge, StandIn, Trust};
use crate::verified::{Raw, Verified};

/// More delegated roles are not loaded; what lies behind them answers "unavailable".
pub const ROLES_MAX: usize = 4_096;
/// Bytes of all delegated roles of a chain, each counted per delegator, since each is parsed for itself.
pub const ROLES_BYTES_MAX: usize = 32 << 20;

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
        if let (Some(wanted), Expiry::At(now)) = (self.stage.wanted.pop_front(), self.expiry) {
            self.stand_in(wanted, now);
        }
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

    /// Keeps what was last loaded of a role that is missing, and of those below it, for known-good: each verified with the
    /// keys that its delegator names now.
    fn stand_in(&mut self, missing: Wanted, now: Time) {
        let mut missing = vec![missing];
        while let Some(wanted) = missing.pop() {
            let known = self.stage.trust.stand_in(&wanted.edge).is_some();
            let Some(stand_in) = self.last_copy(&wanted, now).filter(|_| !known) else { continue };
            self.stage.bytes += stand_in.targets.bytes().len();
            missing.extend(wanted_by(&self.stage.trust, &wanted.edge.role, &stand_in.targets));
            self.stage.trust.insert_stand_in(wanted.edge, stand_in);
        }
    }

    fn last_copy(&self, wanted: &Wanted, now: Time) -> Option<StandIn> {
        let Wanted { edge, meta: _, keys } = wanted;
        if let Some(targets) = self.copy_of(wanted) {
            return Some(StandIn { targets, since: now });
        }
        let (last, since) = self.held.as_ref()?.last_of(&edge.role)?;
        let bytes = Arc::clone(last.bytes());
        if self.stage.bytes + bytes.len() > ROLES_BYTES_MAX {
            return None;
        }
        let targets = Raw::<Targets>::named(edge.role.clone(), bytes).ok()?.verify(keys).ok()?;
        Some(StandIn { targets, since: since.unwrap_or(now) })
    }

    /// The file of that role and version in this chain, whoever delegates to it.
    fn loaded(&self, Wanted { edge, meta, keys: _ }: &Wanted) -> Option<Arc<[u8]>> {
        self.stage.trust.bytes_of(&edge.role, meta.version)
    }
}

impl<S> Session<S> {
    pub(super) fn with_roles(self, trust: Trust) -> Session<AwaitRoles> {
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
