//! From a trusted root to the top-level targets (TUF 5.3 to 5.6).

use std::sync::Arc;

use jiff::Timestamp as Time;

use super::{
    AwaitRoles, AwaitSnapshot, AwaitTargets, AwaitTimestamp, Expiry, Next, Refused, Rooting,
    Session, Step, verify_targets,
};
use crate::floors::Floors;
use crate::metadata::{FileMeta, Role as _, RoleName, Root, Snapshot, Targets, Timestamp, Version};
use crate::refusal::Refusal;
use crate::root::TrustedRoot;
use crate::trust::Trust;
use crate::verified::{Raw, Verified};

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
        Ok(self.caught_up().with(AwaitTimestamp(())))
    }

    /// Floors and held chain under the root of this moment.
    fn settled(mut self) -> Self {
        self.floors.root = Some(self.root.floor());
        self.held = self.held.take().and_then(|held| held.under(&self.root).ok().map(Arc::new));
        self.caught_up()
    }

    /// What answers is a floor.
    fn caught_up(mut self) -> Self {
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
                let timestamp = self.stage.timestamp.clone();
                Ok(self.with(AwaitTargets { timestamp, snapshot }))
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
    pub fn targets(mut self, bytes: impl Into<Arc<[u8]>>) -> Step<AwaitTargets, AwaitRoles> {
        match self.check_targets(bytes.into()) {
            Ok(targets) => {
                let AwaitTargets { timestamp, snapshot } = &self.stage;
                if let Expiry::At(now) = self.expiry {
                    self.floors.raise_time(now, timestamp);
                }
                let (timestamp, snapshot) = (timestamp.clone(), snapshot.clone());
                let trust = Trust::new(self.root.clone(), timestamp, snapshot, targets);
                Ok(self.with_roles(trust))
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
