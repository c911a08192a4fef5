//! Floors: the highest versions that were ever trusted, each with the keys whose signatures set it.
//!
//! A floor lapses only when those keys no longer meet the role's threshold under the newest trusted root; that is
//! TUF's recovery from fast-forward attacks (TUF 5.3.11). Adding a key or changing a threshold lapses nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp as Time};
use serde::{Deserialize, Serialize};

use crate::hash::Sha256;
use crate::key::Fingerprint;
use crate::metadata::{Role, RoleKeys, RoleName, Root, Snapshot, Threshold, Timestamp, Version};
use crate::refusal::Refusal;
use crate::verified::Verified;

/// A timestamp that lives longer than this from the clock's now on moves no time floor.
pub const TIMESTAMP_LIFE_MAX: SignedDuration = SignedDuration::from_hours(45 * 24);

/// The floors of one chain.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floors {
    /// The trusted root.
    pub root: Option<RootFloor>,
    timestamp: Option<TimestampFloor>,
    snapshot: Option<SnapshotFloor>,
    /// The chain that answers. Only our own copy of it is held against this, never a file of the network.
    served: Option<Served>,
    /// The latest time that is proved by what was fetched: a clock set back revives nothing that had expired by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<Time>,
}

/// The root that is trusted, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootFloor {
    /// Its version.
    pub version: Version,
    /// SHA-256 of what was signed, in canonical form.
    pub sha256: Sha256,
    /// All keys known to have signed it, as keys of its own root role or of its predecessor's.
    pub signed_by: BTreeSet<Fingerprint>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimestampFloor {
    version: Version,
    /// The snapshot version it names.
    snapshot: Version,
    set_by: SetBy,
    /// The snapshot role's keys at that time: when they are replaced, the version it names lapses too.
    snapshot_keys: SetBy,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SnapshotFloor {
    version: Version,
    roles: BTreeMap<RoleName, Version>,
    set_by: SetBy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Served {
    timestamp: Version,
    snapshot: Version,
}

/// Keys that set a floor, and how many of them were needed then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetBy {
    keys: BTreeSet<Fingerprint>,
    threshold: Threshold,
}

impl SetBy {
    /// Whether the keys could still sign the role. The smaller threshold counts, so that raising it lapses nothing.
    fn stands(&self, role: &RoleKeys) -> bool {
        let still = role.fingerprints().intersection(&self.keys).count();
        self.threshold.min(role.threshold()).is_met_by(still)
    }
}

impl Floors {
    /// What stays of them when a chain is left for another (a raised epoch): the time.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self { time: self.time, ..Self::default() }
    }

    /// The same without the time floor. The operator's word only: it never falls by itself.
    #[must_use]
    pub fn without_time(&self) -> Self {
        Self { time: None, ..self.clone() }
    }

    /// The time floor.
    #[must_use]
    pub fn time(&self) -> Option<Time> {
        self.time
    }

    /// The time that expiry is held against: the clock's, or the floor where the clock is behind it.
    #[must_use]
    pub fn time_at_least(&self, now: Time) -> Time {
        self.time.map_or(now, |floor| floor.max(now))
    }

    /// Raises the time floor to the time at which a newer timestamp, its snapshot and targets were all taken unexpired. So a
    /// clock that ran ahead for a while moves it no further than the first of these expiries; whoever would move it further
    /// needs the keys of all three, and a moment of the clock.
    pub(crate) fn raise_time(&mut self, now: Time, taken: &Timestamp) {
        if taken.expires().duration_since(now) <= TIMESTAMP_LIFE_MAX {
            self.time = Some(self.time_at_least(now));
        }
    }

    /// Drops what the keys of a new root no longer stand for. To be written down before anything older is accepted.
    pub(crate) fn lapse(&mut self, root: &Root) {
        let (timestamp, snapshot) = (self.timestamp.take(), self.snapshot.take());
        let (had_timestamp, had_snapshot) = (timestamp.is_some(), snapshot.is_some());
        self.timestamp = timestamp.filter(|floor| floor.set_by.stands(root.timestamp()));
        self.snapshot = snapshot.filter(|floor| floor.set_by.stands(root.snapshot()));
        let snapshot_lapsed = had_snapshot && self.snapshot.is_none();
        // A floor under the snapshot's version is one, whichever role wrote it down.
        if let Some(floor) = self
            .timestamp
            .as_mut()
            .filter(|floor| snapshot_lapsed || !floor.snapshot_keys.stands(root.snapshot()))
        {
            floor.snapshot = Version::FIRST;
        }
        if snapshot_lapsed || (had_timestamp && self.timestamp.is_none()) {
            self.served = None;
        }
    }

    /// The floors that our own copy of the chain that answers is held against: what it was, not what was seen since.
    /// Where no chain has answered yet, all that was seen counts.
    pub(crate) fn of_served(&self) -> Self {
        let Some(served) = self.served else { return self.clone() };
        let signed_by_anyone = || SetBy { keys: BTreeSet::new(), threshold: Threshold::ONE };
        let timestamp = Some(TimestampFloor {
            version: served.timestamp,
            snapshot: served.snapshot,
            set_by: signed_by_anyone(),
            snapshot_keys: signed_by_anyone(),
        });
        Self {
            root: self.root.clone(),
            timestamp,
            snapshot: None,
            served: Some(served),
            time: self.time,
        }
    }

    /// TUF 5.4.3: neither the timestamp nor the snapshot it names may be older than what was trusted.
    pub(crate) fn allow_timestamp(&self, offered: &Verified<Timestamp>) -> Result<(), Refusal> {
        let Some(floor) = &self.timestamp else { return Ok(()) };
        not_older(offered.name(), offered.version(), floor.version)?;
        not_older(&RoleName::new(Snapshot::TYPE), offered.snapshot().version, floor.snapshot)
    }

    /// TUF 5.5.5: no role may vanish from the snapshot or become older.
    pub(crate) fn allow_snapshot(&self, offered: &Verified<Snapshot>) -> Result<(), Refusal> {
        let Some(floor) = &self.snapshot else { return Ok(()) };
        not_older(offered.name(), offered.version(), floor.version)?;
        for (role, trusted) in &floor.roles {
            match offered.role(role) {
                Some(meta) => not_older(role, meta.version, *trusted)?,
                None => return Err(Refusal::RoleVanished { role: role.clone() }),
            }
        }
        Ok(())
    }

    pub(crate) fn raise_timestamp(&mut self, trusted: &Verified<Timestamp>, root: &Root) {
        self.timestamp = Some(TimestampFloor {
            version: trusted.version(),
            snapshot: trusted.snapshot().version,
            set_by: SetBy {
                keys: trusted.signers().clone(),
                threshold: root.timestamp().threshold(),
            },
            snapshot_keys: SetBy {
                keys: root.snapshot().fingerprints(),
                threshold: root.snapshot().threshold(),
            },
        });
    }

    pub(crate) fn raise_snapshot(&mut self, trusted: &Verified<Snapshot>, root: &Root) {
        self.snapshot = Some(SnapshotFloor {
            version: trusted.version(),
            roles: trusted
                .roles()
                .iter()
                .map(|(name, meta)| (name.clone(), meta.version))
                .collect(),
            set_by: SetBy {
                keys: trusted.signers().clone(),
                threshold: root.snapshot().threshold(),
            },
        });
    }

    /// What answers is a floor, also where it was taken up again from a copy that a crash had kept from being one.
    pub(crate) fn catch_up(
        &mut self,
        timestamp: &Verified<Timestamp>,
        snapshot: &Verified<Snapshot>,
        root: &Root,
    ) {
        if self.timestamp.as_ref().is_none_or(|floor| floor.version < timestamp.version()) {
            self.raise_timestamp(timestamp, root);
        }
        if self.snapshot.as_ref().is_none_or(|floor| floor.version < snapshot.version()) {
            self.raise_snapshot(snapshot, root);
        }
        if self.served.is_none_or(|served| served.timestamp < timestamp.version()) {
            self.serve(timestamp, snapshot);
        }
    }

    pub(crate) fn serve(&mut self, timestamp: &Timestamp, snapshot: &Snapshot) {
        self.served = Some(Served { timestamp: timestamp.version(), snapshot: snapshot.version() });
    }
}

fn not_older(role: &RoleName, found: Version, trusted: Version) -> Result<(), Refusal> {
    if found >= trusted {
        return Ok(());
    }
    Err(Refusal::Rollback { role: role.clone(), found, trusted })
}
