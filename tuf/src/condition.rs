//! What a trust's anchor is good for, in one word, and since when.

use std::collections::BTreeSet;

use jiff::Timestamp as Time;
use serde::{Deserialize, Serialize};

use crate::key::Fingerprint;
use crate::view::TrustView;

/// What an anchor is good for at one moment. Where several hold, the first of them in this order is said: what denies,
/// then what pends, then what keeps the anchor from being heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// SPIRE took the root keys away.
    Withdrawn,
    /// No stream has confirmed the root keys for too long.
    Stale,
    /// Too few of today's keys signed the trusted root, or it is below the least version that they ask for.
    NotCovered,
    /// Messages come without the trust domain.
    Missing,
    /// Messages come with the trust domain and without a key.
    Empty,
    /// The agent refuses us.
    Denied,
    /// The newest message cannot be decoded.
    Undecodable,
    /// There is no agent.
    Unreachable,
    /// The root role has keys that the bundle lacks.
    Behind,
    /// From our own files; nothing was heard in this run yet.
    Cached,
    /// Heard on a stream that is open.
    Fresh,
    /// Nothing was ever heard.
    Waiting,
}

/// A condition as it was noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noted {
    /// It.
    pub condition: Condition,
    /// Since when.
    pub since: Time,
}

/// A condition that took another one's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The one before; `None` where nothing was noted yet.
    pub from: Option<Condition>,
    /// The one that holds now.
    pub to: Condition,
}

impl Condition {
    /// All of them, in order of precedence.
    pub const ALL: [Self; 12] = [
        Self::Withdrawn,
        Self::Stale,
        Self::NotCovered,
        Self::Missing,
        Self::Empty,
        Self::Denied,
        Self::Undecodable,
        Self::Unreachable,
        Self::Behind,
        Self::Cached,
        Self::Fresh,
        Self::Waiting,
    ];

    /// Its name in status output, logs, metrics and the floor file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Withdrawn => "withdrawn",
            Self::Stale => "stale",
            Self::NotCovered => "not_covered",
            Self::Missing => "missing",
            Self::Empty => "empty",
            Self::Denied => "denied",
            Self::Undecodable => "undecodable",
            Self::Unreachable => "unreachable",
            Self::Behind => "behind",
            Self::Cached => "cached",
            Self::Fresh => "fresh",
            Self::Waiting => "waiting",
        }
    }

    /// What it means, for an operator.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Withdrawn => "the root keys are withdrawn",
            Self::Stale => "no stream of the SPIRE agent has confirmed the root keys for too long",
            Self::NotCovered => "today's root keys do not cover the trusted root",
            Self::Missing => "the trust domain is missing from the bundles of the SPIRE agent",
            Self::Empty => "the bundle of the trust domain is empty",
            Self::Denied => "the SPIRE agent has no entry for this daemon",
            Self::Undecodable => "the bundle of the SPIRE agent cannot be decoded",
            Self::Unreachable => "the SPIRE agent cannot be reached",
            Self::Behind => "the root role has keys that the bundle lacks",
            Self::Cached => {
                "the root keys are those of our own files; the SPIRE agent has not spoken yet"
            }
            Self::Fresh => "the root keys are heard on an open stream",
            Self::Waiting => "the SPIRE agent has not given a bundle of the trust domain yet",
        }
    }
}

impl TrustView {
    /// What the anchor is good for now.
    #[must_use]
    pub fn condition(&self, now: Time) -> Condition {
        let mut condition = self.anchor.condition(&self.limits, now);
        // The lesser one is said first.
        if self.root.is_some() && !self.coverage().is_some_and(|coverage| coverage.is_covered()) {
            condition = condition.min(Condition::NotCovered);
        }
        if !self.lacking_keys().is_empty() {
            condition = condition.min(Condition::Behind);
        }
        condition
    }

    /// The same, and since when: what status output and metrics show.
    #[must_use]
    pub fn noted(&self, now: Time) -> Noted {
        let condition = self.condition(now);
        Noted { condition, since: self.anchor.since(condition, &self.limits, now) }
    }

    /// Notes what holds now, so that a restart still knows since when. Tells of a change once.
    pub fn note(&mut self, now: Time) -> Option<Change> {
        let noted = self.noted(now);
        let from = self.anchor.note(noted).map(|before| before.condition);
        (from != Some(noted.condition)).then_some(Change { from, to: noted.condition })
    }

    /// Keys of the trusted root's root role that today's anchor lacks.
    #[must_use]
    pub fn lacking_keys(&self) -> BTreeSet<Fingerprint> {
        let (Some(root), Some(anchor)) = (&self.root, self.today()) else { return BTreeSet::new() };
        root.root().fingerprints().into_iter().filter(|key| !anchor.has(key)).collect()
    }
}
