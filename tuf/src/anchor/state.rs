//! What the Workload API said of one trust domain, and since when. Without a clock: time is a parameter.

use jiff::{SignedDuration, Timestamp as Time};
use serde::{Deserialize, Serialize};

use super::{Bundle, BundleError};
use crate::condition::{Condition, Noted};

/// One thing the Workload API said of a trust domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said<'a> {
    /// A message with the domain: its authorities in concatenated DER, maybe none.
    Authorities(&'a [u8], Place),
    /// A message without the domain.
    Missing,
    /// The agent refuses us: no entry.
    PermissionDenied,
    /// A message that cannot be decoded.
    Undecodable,
    /// No agent.
    Unreachable,
}

/// Where in its stream a message came. Only a first one is known to be today's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It opened the stream.
    First,
    /// It came later.
    Later,
}

/// The clocks of the local configuration; nothing is "never".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnchorLimits {
    /// How long a domain may be missing or empty before it counts as withdrawn.
    pub withdraw_after: Option<SignedDuration>,
    /// How long the agent may refuse us before that counts as a withdrawal.
    pub permission_denied_after: Option<SignedDuration>,
    /// How old the newest confirmation may be.
    pub anchor_max_age: Option<SignedDuration>,
}

/// The bundle with its clocks. It carries no signature, so it is kept where the floors are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorState {
    bundle: Option<Bundle>,
    /// When the first message of a stream last had the bundle.
    confirmed: Option<Time>,
    /// Since when messages come without the domain, or with an empty one.
    absent_since: Option<Time>,
    /// Which of the two the newest such message was.
    #[serde(default, skip_serializing_if = "Absence::is_missing")]
    absence: Absence,
    /// Since when the agent refuses us.
    denied_since: Option<Time>,
    /// Since when a withdrawal is in force. A message with the domain ends it, and no clock does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_force: Option<Time>,
    /// The condition that was noted last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    noted: Option<Noted>,
    /// How the newest message came. Of this run only.
    #[serde(skip)]
    link: Link,
}

/// How the domain is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Absence {
    /// From the message.
    #[default]
    Missing,
    /// In that it has no authorities.
    Empty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Link {
    /// Nothing was heard in this run.
    #[default]
    Silent,
    Live,
    Undecodable,
    Unreachable,
}

/// Whether the bundle is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The same as before, or none.
    Same,
    /// Another one.
    Bundle,
}

impl AnchorState {
    /// Takes in what was said.
    ///
    /// # Errors
    /// [`BundleError`]: the message alarms and confirms nothing; the state says so.
    pub fn hear(
        &mut self,
        said: Said<'_>,
        trust_domain: &str,
        now: Time,
    ) -> Result<Heard, BundleError> {
        self.set_back(now);
        match said {
            Said::Authorities([], _) => self.absent(Absence::Empty, now),
            Said::Missing => self.absent(Absence::Missing, now),
            Said::Authorities(der, place) => {
                let bundle = Bundle::parse(der, trust_domain);
                let bundle = bundle.inspect_err(|_| self.link = Link::Undecodable)?;
                return Ok(self.present(bundle, place, now));
            }
            Said::PermissionDenied => {
                self.link = Link::Live;
                self.denied_since.get_or_insert(now);
            }
            Said::Undecodable => self.link = Link::Undecodable,
            Said::Unreachable => self.link = Link::Unreachable,
        }
        Ok(Heard::Same)
    }

    /// Keeps a withdrawal that has come into force: from then on setting the clock back does not undo it, nor does the
    /// agent's answering again without the domain.
    pub fn settle(&mut self, limits: &AnchorLimits, now: Time) {
        self.set_back(now);
        self.in_force = self.withdrawn_since(limits, now);
    }

    /// The bundle heard last.
    #[must_use]
    pub fn bundle(&self) -> Option<&Bundle> {
        self.bundle.as_ref()
    }

    /// When it was last confirmed.
    #[must_use]
    pub fn confirmed(&self) -> Option<Time> {
        self.confirmed
    }

    /// Since when the keys are withdrawn, if they are.
    #[must_use]
    pub fn withdrawn_since(&self, limits: &AnchorLimits, now: Time) -> Option<Time> {
        self.in_force.or(self.withdraws_at(limits).filter(|at| *at <= now))
    }

    /// Since when the keys are stale, if they are.
    #[must_use]
    pub fn stale_since(&self, limits: &AnchorLimits, now: Time) -> Option<Time> {
        due(self.confirmed, limits.anchor_max_age).filter(|at| *at <= now)
    }

    /// When what pends is a withdrawal; `None` for never, and where nothing pends. Who never had keys loses none.
    #[must_use]
    pub fn withdraws_at(&self, limits: &AnchorLimits) -> Option<Time> {
        self.bundle.as_ref()?;
        let absence = due(self.absent_since, limits.withdraw_after);
        let denial = due(self.denied_since, limits.permission_denied_after);
        [absence, denial].into_iter().flatten().min()
    }

    /// The next moment at which it is good for something else without a word.
    #[must_use]
    pub fn changes_at(&self, limits: &AnchorLimits, now: Time) -> Option<Time> {
        let clocks = [self.withdraws_at(limits), due(self.confirmed, limits.anchor_max_age)];
        clocks.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// What it is good for now, by itself: whether it covers a root is not asked.
    #[must_use]
    pub fn condition(&self, limits: &AnchorLimits, now: Time) -> Condition {
        if self.withdrawn_since(limits, now).is_some() {
            return Condition::Withdrawn;
        }
        if self.stale_since(limits, now).is_some() {
            return Condition::Stale;
        }
        if self.absent_since.is_some() {
            return match self.absence {
                Absence::Missing => Condition::Missing,
                Absence::Empty => Condition::Empty,
            };
        }
        if self.denied_since.is_some() {
            return Condition::Denied;
        }
        match (self.link, &self.bundle) {
            (Link::Undecodable, _) => Condition::Undecodable,
            (Link::Unreachable, _) => Condition::Unreachable,
            (Link::Live, Some(_)) => Condition::Fresh,
            (Link::Silent | Link::Live, _) => self.before_a_word(),
        }
    }

    /// Until something is heard in this run, what was known of the agent at the end of the last one.
    fn before_a_word(&self) -> Condition {
        match self.noted.map(|noted| noted.condition) {
            Some(known @ (Condition::Undecodable | Condition::Unreachable)) => known,
            _ if self.bundle.is_some() => Condition::Cached,
            _ => Condition::Waiting,
        }
    }

    /// Since when it is in a condition that holds now: by its own clocks, else since that was noted.
    pub(crate) fn since(&self, condition: Condition, limits: &AnchorLimits, now: Time) -> Time {
        let clock = match condition {
            Condition::Withdrawn => self.withdrawn_since(limits, now),
            Condition::Stale => self.stale_since(limits, now),
            Condition::Missing | Condition::Empty => self.absent_since,
            Condition::Denied => self.denied_since,
            Condition::NotCovered
            | Condition::Undecodable
            | Condition::Unreachable
            | Condition::Behind
            | Condition::Cached
            | Condition::Fresh
            | Condition::Waiting => None,
        };
        // A moment that is yet to come was read from a wrong clock.
        let noted = self.noted.filter(|noted| noted.condition == condition && noted.since <= now);
        clock.or(noted.map(|noted| noted.since)).unwrap_or(now)
    }

    /// Notes a condition; returns the one before.
    pub(crate) fn note(&mut self, noted: Noted) -> Option<Noted> {
        self.noted.replace(noted)
    }

    fn present(&mut self, bundle: Bundle, place: Place, now: Time) -> Heard {
        self.link = Link::Live;
        (self.absent_since, self.denied_since, self.in_force) = (None, None, None);
        self.absence = Absence::default();
        if place == Place::First || self.confirmed.is_none() {
            self.confirmed = Some(now);
        }
        let changed = self.bundle.as_ref() != Some(&bundle);
        self.bundle = Some(bundle);
        if changed { Heard::Bundle } else { Heard::Same }
    }

    fn absent(&mut self, absence: Absence, now: Time) {
        self.link = Link::Live;
        // A message is an answer: the agent no longer refuses us.
        self.denied_since = None;
        self.absent_since.get_or_insert(now);
        self.absence = absence;
    }

    /// A moment that is yet to come was read from a wrong clock: it would put a withdrawal off until then.
    fn set_back(&mut self, now: Time) {
        let clocks = [&mut self.confirmed, &mut self.absent_since, &mut self.denied_since];
        for at in clocks.into_iter().flatten() {
            *at = now.min(*at);
        }
    }
}

impl Absence {
    /// How files were written before there were two.
    fn is_missing(&self) -> bool {
        *self == Self::Missing
    }
}

fn due(since: Option<Time>, after: Option<SignedDuration>) -> Option<Time> {
    since?.checked_add(after?).ok()
}
