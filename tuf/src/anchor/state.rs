//! What the Workload API said of one trust domain, and since when. Without a clock: time is a parameter.

use jiff::{SignedDuration, Timestamp as Time};
use serde::{Deserialize, Serialize};

use super::{Bundle, BundleError};

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
    /// Since when the agent refuses us.
    denied_since: Option<Time>,
    /// Since when a withdrawal is in force. A message with the domain ends it, and no clock does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_force: Option<Time>,
    /// How the newest message came. Of this run only.
    #[serde(skip)]
    link: Link,
    #[serde(skip)]
    link_since: Option<Time>,
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

/// What an anchor is good for at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Heard on a stream that is open.
    Fresh,
    /// From our own files; nothing was heard yet.
    Cached,
    /// The domain is missing or empty; it is a withdrawal at that time, `None` for never.
    Pending(Option<Time>),
    /// The agent refuses us; it is a withdrawal at that time, `None` for never.
    Denied(Option<Time>),
    /// No agent.
    Unreachable,
    /// The newest message cannot be decoded.
    Undecodable,
    /// Withdrawn since that time.
    Withdrawn(Time),
    /// Not confirmed for too long, since that time.
    Stale(Time),
    /// Never had one.
    Missing,
}

impl Standing {
    /// Its name in status output and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Cached => "cached",
            Self::Pending(_) => "pending",
            Self::Denied(_) => "denied",
            Self::Unreachable => "unreachable",
            Self::Undecodable => "undecodable",
            Self::Withdrawn(_) => "withdrawn",
            Self::Stale(_) => "stale",
            Self::Missing => "missing",
        }
    }
}

/// Whether what was heard has to be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Nothing new.
    Same,
    /// A clock started or stopped, or the confirmation moved.
    Clock,
    /// The bundle is another one.
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
        let set_back = self.set_back(now);
        let heard = self.take_in(said, trust_domain, now)?;
        Ok(if set_back && heard == Heard::Same { Heard::Clock } else { heard })
    }

    /// Notes that a withdrawal has come into force: from then on setting the clock back does not undo it, nor does the
    /// agent's answering again without the domain.
    pub fn settle(&mut self, limits: &AnchorLimits, now: Time) -> Heard {
        let Standing::Withdrawn(since) = self.standing(limits, now) else { return Heard::Same };
        start(&mut self.in_force, since)
    }

    fn take_in(
        &mut self,
        said: Said<'_>,
        trust_domain: &str,
        now: Time,
    ) -> Result<Heard, BundleError> {
        match said {
            Said::Authorities([], _) | Said::Missing => Ok(self.absent(now)),
            Said::Authorities(der, place) => match Bundle::parse(der, trust_domain) {
                Ok(bundle) => Ok(self.present(bundle, place, now)),
                Err(error) => {
                    self.link(Link::Undecodable, now);
                    Err(error)
                }
            },
            Said::PermissionDenied => {
                self.link(Link::Live, now);
                Ok(start(&mut self.denied_since, now))
            }
            Said::Undecodable => {
                self.link(Link::Undecodable, now);
                Ok(Heard::Same)
            }
            Said::Unreachable => {
                self.link(Link::Unreachable, now);
                Ok(Heard::Same)
            }
        }
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

    /// Since when it is in its standing, where that is known.
    #[must_use]
    pub fn since(&self, standing: Standing) -> Option<Time> {
        match standing {
            Standing::Fresh | Standing::Unreachable | Standing::Undecodable => self.link_since,
            Standing::Cached => self.confirmed,
            Standing::Pending(_) => self.absent_since,
            Standing::Denied(_) => self.denied_since,
            Standing::Withdrawn(since) | Standing::Stale(since) => Some(since),
            Standing::Missing => None,
        }
    }

    /// What it is good for now.
    #[must_use]
    pub fn standing(&self, limits: &AnchorLimits, now: Time) -> Standing {
        if self.bundle.is_none() {
            return Standing::Missing;
        }
        if let Some(since) = self.in_force {
            return Standing::Withdrawn(since);
        }
        let withdrawal = due(self.absent_since, limits.withdraw_after);
        let denial = due(self.denied_since, limits.permission_denied_after);
        let staleness = due(self.confirmed, limits.anchor_max_age);
        let past = |at: Option<Time>| at.filter(|at| *at <= now);
        if let Some(at) = [past(withdrawal), past(denial)].into_iter().flatten().min() {
            return Standing::Withdrawn(at);
        }
        if let Some(at) = past(staleness) {
            return Standing::Stale(at);
        }
        match self.link {
            _ if self.absent_since.is_some() => Standing::Pending(withdrawal),
            _ if self.denied_since.is_some() => Standing::Denied(denial),
            Link::Silent => Standing::Cached,
            Link::Live => Standing::Fresh,
            Link::Undecodable => Standing::Undecodable,
            Link::Unreachable => Standing::Unreachable,
        }
    }

    /// The next moment at which the standing changes without a word.
    #[must_use]
    pub fn changes_at(&self, limits: &AnchorLimits, now: Time) -> Option<Time> {
        let clocks = [
            due(self.absent_since, limits.withdraw_after),
            due(self.denied_since, limits.permission_denied_after),
            due(self.confirmed, limits.anchor_max_age),
        ];
        clocks.into_iter().flatten().filter(|at| *at > now).min()
    }

    fn present(&mut self, bundle: Bundle, place: Place, now: Time) -> Heard {
        self.link(Link::Live, now);
        let changed = self.bundle.as_ref() != Some(&bundle);
        let clocks = [&mut self.absent_since, &mut self.denied_since, &mut self.in_force];
        let stopped = clocks.into_iter().filter_map(Option::take).count() > 0;
        if place == Place::First || self.confirmed.is_none() {
            self.confirmed = Some(now);
        }
        self.bundle = Some(bundle);
        match (changed, stopped || place == Place::First) {
            (true, _) => Heard::Bundle,
            (false, true) => Heard::Clock,
            (false, false) => Heard::Same,
        }
    }

    fn absent(&mut self, now: Time) -> Heard {
        self.link(Link::Live, now);
        // A message is an answer: the agent no longer refuses us.
        let allowed = self.denied_since.take().is_some();
        match (start(&mut self.absent_since, now), allowed) {
            (Heard::Same, false) => Heard::Same,
            _ => Heard::Clock,
        }
    }

    /// A moment that is yet to come was read from a wrong clock: it would put a withdrawal off until then.
    fn set_back(&mut self, now: Time) -> bool {
        let clocks = [&mut self.confirmed, &mut self.absent_since, &mut self.denied_since];
        let ahead = clocks.into_iter().flatten().filter(|at| **at > now);
        ahead.map(|at| *at = now).count() > 0
    }

    fn link(&mut self, link: Link, now: Time) {
        if self.link != link {
            self.link = link;
            self.link_since = Some(now);
        }
    }
}

fn start(clock: &mut Option<Time>, now: Time) -> Heard {
    if clock.is_some() {
        return Heard::Same;
    }
    *clock = Some(now);
    Heard::Clock
}

fn due(since: Option<Time>, after: Option<SignedDuration>) -> Option<Time> {
    since?.checked_add(after?).ok()
}
