//! A node without a daemon: what it keeps, and the way of files through the one gate.

use std::fmt::Debug;
use std::sync::Arc;

use testkit::{Clock, Files};
use tufd_tuf::anchor::{Anchor, AnchorRules, Bundle};
use tufd_tuf::floors::Floors;
use tufd_tuf::metadata::{Root, Version};
use tufd_tuf::refusal::Refusal;
use tufd_tuf::root::TrustedRoot;
use tufd_tuf::session::{
    AwaitRoles, AwaitSnapshot, AwaitTargets, AwaitTimestamp, Next, Refused, Rooting, Session,
};
use tufd_tuf::trust::Trust;
use tufd_tuf::verified::Raw;
use tufpub::versioned;

pub(crate) const DOMAIN: &str = "tuf-root.acme.example";

/// What a node keeps: root, floors, and the chain that answers.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) clock: Clock,
    pub(crate) root: TrustedRoot,
    pub(crate) floors: Floors,
    /// The root under which floors lapsed last.
    pub(crate) lapsed_at: Version,
    pub(crate) held: Option<Arc<Trust>>,
}

/// The anchor that a bundle in DER makes.
pub(crate) fn anchor(der: &[u8], threshold: u32) -> Anchor {
    let rules = AnchorRules { threshold: threshold.try_into().unwrap(), pins: None };
    Anchor::new(&Bundle::parse(der, DOMAIN).unwrap(), &rules)
}

pub(crate) fn raw(files: &Files, name: &str) -> Raw<Root> {
    Raw::new(bytes(files, name)).unwrap()
}

pub(crate) fn bytes(files: &Files, name: &str) -> Arc<[u8]> {
    files.get(name).unwrap_or_else(|| panic!("no file {name}")).into()
}

pub(crate) fn v(number: u64) -> Version {
    Version::try_from(number).unwrap()
}

impl Node {
    /// A node that has entered at version 1 and verified nothing else.
    pub(crate) fn enter(clock: &Clock, files: &Files, anchor: &Anchor) -> Self {
        let root = TrustedRoot::enter(raw(files, "1.root.json"), v(1), anchor).unwrap();
        let lapsed_at = root.version();
        Self { clock: clock.clone(), root, floors: Floors::default(), lapsed_at, held: None }
    }

    pub(crate) fn rooting(&self) -> Session<Rooting> {
        let (root, held) = (self.root.clone(), self.held.clone());
        Session::update(root, held, self.floors.clone(), self.clock.now())
    }

    /// At the newest root of the files.
    pub(crate) fn at_timestamp(&self, files: &Files) -> Session<AwaitTimestamp> {
        let mut session = self.rooting();
        while let Some(next) = files.get(&versioned("root", session.wanted())) {
            session = session.root(next).unwrap();
        }
        session.newest().unwrap()
    }

    pub(crate) fn at_snapshot(&self, files: &Files) -> Session<AwaitSnapshot> {
        match self.at_timestamp(files).timestamp([bytes(files, "timestamp.json")]).unwrap() {
            Next::Snapshot(session) => session,
            Next::Roles(_) => panic!("nothing new"),
        }
    }

    pub(crate) fn at_targets(&self, files: &Files) -> Session<AwaitTargets> {
        let session = self.at_snapshot(files);
        let file = versioned("snapshot", session.wanted().version);
        session.snapshot(bytes(files, &file)).unwrap()
    }

    pub(crate) fn at_roles(&self, files: &Files) -> Session<AwaitRoles> {
        let session = self.at_targets(files);
        let file = versioned("targets", session.wanted().unwrap().version);
        session.targets(bytes(files, &file)).unwrap()
    }

    /// A whole update, as a daemon drives it: what verified on the way stays, also when a later step fails; what is
    /// refused leaves floors and root as they were.
    pub(crate) fn refresh(&mut self, files: &Files) -> Result<(), Refusal> {
        let mut session = self.rooting();
        self.keep(&session);
        while let Some(next) = files.get(&versioned("root", session.wanted())) {
            session = step(session, |s| s.root(next))?;
            self.root = session.trusted_root().clone();
            self.held = session.held().cloned();
            self.keep(&session);
        }
        let session = step(session, |s| s.newest())?;
        self.keep(&session);
        self.lapsed_at = session.trusted_root().version();
        let offer = files.get("timestamp.json").map(Arc::from);
        let session = match step(session, |s| s.timestamp(offer))? {
            Next::Roles(session) => session,
            Next::Snapshot(session) => self.below_timestamp(session, files)?,
        };
        let (trust, floors) = load(session, files).finish();
        (self.held, self.floors) = (Some(trust), floors);
        Ok(())
    }

    fn below_timestamp(
        &mut self,
        session: Session<AwaitSnapshot>,
        files: &Files,
    ) -> Result<Session<AwaitRoles>, Refusal> {
        self.keep(&session);
        let file = versioned("snapshot", session.wanted().version);
        let session = step(session, |s| s.snapshot(or_nothing(files, &file)))?;
        self.keep(&session);
        let file = versioned("targets", session.wanted()?.version);
        step(session, |s| s.targets(or_nothing(files, &file)))
    }

    fn keep<S>(&mut self, session: &Session<S>) {
        self.floors = session.floors().clone();
    }

    /// Everything anew from what lies on the disk: floors as they were written, files as the cache has them.
    pub(crate) fn restart(&mut self, cache: &Files) {
        let written = serde_json::to_vec(&self.floors).unwrap();
        self.floors = serde_json::from_slice(&written).unwrap();
        let floor = self.floors.root.clone().unwrap();
        let file = versioned("root", floor.version);
        self.root = TrustedRoot::restore(raw(cache, &file), &floor).unwrap();
        self.held = self.replay(cache).ok();
    }

    /// Our own copy through the gate.
    pub(crate) fn replay(&self, cache: &Files) -> Result<Arc<Trust>, Refusal> {
        let session = Session::replay(self.root.clone(), &self.floors);
        let next = session.timestamp(cache.get("timestamp.json").map(Arc::from));
        let session = match next.map_err(|refused| refused.why)? {
            Next::Roles(session) => session,
            Next::Snapshot(session) => {
                let file = versioned("snapshot", session.wanted().version);
                let session = session.snapshot(or_nothing(cache, &file)).map_err(|e| e.why)?;
                let file = versioned("targets", session.wanted()?.version);
                session.targets(or_nothing(cache, &file)).map_err(|e| e.why)?
            }
        };
        Ok(load(session, cache).finish().0)
    }
}

/// Loads all delegated roles that the files have.
pub(crate) fn load(mut session: Session<AwaitRoles>, files: &Files) -> Session<AwaitRoles> {
    while let Some(wanted) = session.wanted() {
        let file = versioned(wanted.edge.role.as_str(), wanted.meta.version);
        session = match files.get(&file) {
            Some(bytes) => session.role(bytes).unwrap_or_else(|refused| refused.session.without()),
            None => session.without(),
        };
    }
    session
}

/// Takes a step that must be refused, and sees that neither root nor floors moved. The session goes on.
pub(crate) fn refuse<S, T: Debug>(
    session: Session<S>,
    step: impl FnOnce(Session<S>) -> Result<T, Refused<Session<S>>>,
) -> (Session<S>, Refusal) {
    let refused = watch(session, step).unwrap_err();
    (refused.session, refused.why)
}

fn step<S, T>(
    session: Session<S>,
    step: impl FnOnce(Session<S>) -> Result<T, Refused<Session<S>>>,
) -> Result<T, Refusal> {
    watch(session, step).map_err(|refused| refused.why)
}

fn watch<S, T>(
    session: Session<S>,
    step: impl FnOnce(Session<S>) -> Result<T, Refused<Session<S>>>,
) -> Result<T, Refused<Session<S>>> {
    let (floors, root) = (session.floors().clone(), session.trusted_root().hash());
    step(session).inspect_err(|Refused { session, why }| {
        assert_eq!(*session.floors(), floors, "floors after {why}");
        assert_eq!(session.trusted_root().hash(), root, "root after {why}");
    })
}

fn or_nothing(files: &Files, name: &str) -> Arc<[u8]> {
    files.get(name).unwrap_or_default().into()
}
