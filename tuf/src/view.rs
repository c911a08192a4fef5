//! One `[[trust]]` as it answers: anchor, root, chain, and whether they hold together now.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp as Time};

use crate::anchor::{Anchor, AnchorLimits, AnchorRules, AnchorState};
use crate::condition::Condition;
use crate::metadata::Role as _;
use crate::metadata::{Snapshot, Timestamp};
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::root::{Coverage, TrustedRoot};
use crate::trust::{Fresh, Grace, Trust};

/// Clocks are corrected by as much now and then.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

/// What is known of one trust. Immutable: readers take it whole.
#[derive(Debug, Clone)]
pub struct TrustView {
    /// What the Workload API said.
    pub anchor: AnchorState,
    /// What the local configuration says of the anchor.
    pub rules: AnchorRules,
    /// Its clocks.
    pub limits: AnchorLimits,
    /// The trusted root, once one was entered.
    pub root: Option<TrustedRoot>,
    /// The chain that answers; verified under `root`.
    pub chain: Option<Arc<Trust>>,
    /// The time floor: the clock is not believed to be before it.
    pub time_floor: Option<Time>,
    /// Whether the floors are known.
    pub floors: FloorsKnown,
    /// Whether the repository answers.
    pub repository: Repository,
    /// Why the newest refresh did not end well.
    pub trouble: Option<String>,
}

/// Whether the floors are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloorsKnown {
    /// Read, or written for the first time.
    Yes,
    /// Both slots were damaged, and no refresh of all sources has verified since.
    Lost,
}

/// Whether the repository answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repository {
    /// A source answered the newest refresh.
    Reachable,
    /// None did.
    Unreachable,
}

/// Why a trust allows nothing now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The code.
    pub reason: Reason,
    /// A sentence for an operator.
    pub text: String,
}

impl TrustView {
    /// Today's anchor.
    #[must_use]
    pub fn today(&self) -> Option<Anchor> {
        self.anchor.bundle().map(|bundle| Anchor::new(bundle, &self.rules))
    }

    /// Which of today's anchor keys signed the trusted root.
    #[must_use]
    pub fn coverage(&self) -> Option<Coverage> {
        Some(self.root.as_ref()?.coverage(&self.today()?))
    }

    /// Today's anchor, if a chain may be entered under it: it was heard in this run and nothing pends. A copy of
    /// yesterday's could still hold the keys whose theft is why the chain is entered anew.
    ///
    /// # Errors
    /// What is missing.
    pub fn anchor_to_enter(&self, now: Time) -> Result<Anchor, &'static str> {
        match (self.anchor.condition(&self.limits, now), self.today()) {
            (Condition::Fresh, Some(anchor)) => Ok(anchor),
            (condition, _) => Err(condition.meaning()),
        }
    }

    /// The time that expiry is held against: the clock's, or the time floor where the clock is behind it.
    #[must_use]
    pub fn time(&self, now: Time) -> Time {
        self.time_floor.map_or(now, |floor| floor.max(now))
    }

    /// The time floor, where the clock is so far behind it that somebody must have set it back.
    #[must_use]
    pub fn clock_back(&self, now: Time) -> Option<Time> {
        self.time_floor.filter(|floor| floor.duration_since(now) > CLOCK_TOLERANCE)
    }

    /// Proves that the chain may answer now, or says why nothing may.
    ///
    /// # Errors
    /// [`Closed`]
    pub fn fresh(&self, now: Time) -> Result<Fresh<'_>, Closed> {
        self.held_together(now)?.fresh(self.time(now)).map_err(|refusal| self.expired(refusal))
    }

    /// Proves that known-good may ask the chain now.
    pub(crate) fn in_grace(&self, now: Time, grace: SignedDuration) -> Option<Grace<'_>> {
        self.held_together(now).ok()?.in_grace(self.time(now), grace)
    }

    /// The chain, where everything but its expiry is in order.
    fn held_together(&self, now: Time) -> Result<&Trust, Closed> {
        if self.floors == FloorsKnown::Lost {
            let text = "both slots of the floor file were damaged; no answer until a refresh of all sources verified";
            return Err(closed(Reason::FloorsLost, text.into()));
        }
        let Some(root) = &self.root else {
            let trouble = self
                .trouble
                .as_deref()
                .unwrap_or("waiting for the first bundle and the first root");
            return Err(closed(Reason::NoTrust, trouble.into()));
        };
        self.check_standing(now)?;
        self.check_coverage(root)?;
        let Some(chain) = &self.chain else {
            let trouble = self.trouble.as_deref().unwrap_or("no refresh has ended yet");
            let text = format!("no chain verifies under root {}: {trouble}", root.version());
            return Err(closed(Reason::NoValidChain, text));
        };
        if chain.root().content() != root.content() {
            let text = format!("the chain was not verified under root {}", root.version());
            return Err(closed(Reason::NoValidChain, text));
        }
        Ok(chain)
    }

    fn check_standing(&self, now: Time) -> Result<(), Closed> {
        if let Some(since) = self.anchor.withdrawn_since(&self.limits, now) {
            let text = format!("SPIRE withdrew the root keys; in force since {since}");
            return Err(closed(Reason::AnchorWithdrawn, text));
        }
        if let Some(since) = self.anchor.stale_since(&self.limits, now) {
            let text = format!(
                "no stream of the SPIRE agent has confirmed the root keys; stale since {since}"
            );
            return Err(closed(Reason::AnchorStale, text));
        }
        Ok(())
    }

    fn check_coverage(&self, root: &TrustedRoot) -> Result<(), Closed> {
        let text = match self.coverage() {
            Some(Coverage::Covered(_)) => return Ok(()),
            Some(Coverage::NotCovered(keys)) => format!(
                "{} of today's anchor keys signed root {}, {} must; compare `tufctl trust` with the bundle in SPIRE",
                keys.len(),
                root.version(),
                self.rules.threshold.get()
            ),
            Some(Coverage::BelowLeast(least)) => {
                format!(
                    "root {} is trusted, the bundle in SPIRE asks for at least {least}",
                    root.version()
                )
            }
            None => "there is no anchor".into(),
        };
        Err(closed(Reason::RootNotCovered, text))
    }

    fn expired(&self, refusal: Refusal) -> Closed {
        let frozen = self.repository == Repository::Reachable;
        let role = if let Refusal::Expired { role, .. } = &refusal { role.as_str() } else { "" };
        let reason = match role {
            Timestamp::TYPE | Snapshot::TYPE if frozen => Reason::FreezeSuspected,
            Timestamp::TYPE => Reason::TimestampExpired,
            Snapshot::TYPE => Reason::SnapshotExpired,
            _ => Reason::RoleExpired,
        };
        let trouble = self.trouble.as_deref().unwrap_or("the last refresh found nothing newer");
        closed(reason, format!("{refusal}; {trouble}"))
    }
}

fn closed(reason: Reason, text: String) -> Closed {
    Closed { reason, text }
}
