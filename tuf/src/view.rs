//! One `[[trust]]` as it answers: anchor, root, chain, and whether they hold together now.

use std::sync::Arc;

use jiff::Timestamp as Time;

use crate::anchor::{Anchor, AnchorLimits, AnchorRules, AnchorState, Standing};
use crate::metadata::Role as _;
use crate::metadata::{Snapshot, Timestamp};
use crate::reason::Reason;
use crate::refusal::Refusal;
use crate::root::{Coverage, TrustedRoot};
use crate::trust::{Fresh, Trust};

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
        let standing = self.anchor.standing(&self.limits, now);
        match (standing, self.today()) {
            (Standing::Fresh, Some(anchor)) => Ok(anchor),
            (Standing::Pending(_), _) => {
                Err("the trust domain is missing from the bundles of the SPIRE agent")
            }
            (Standing::Denied(_), _) => Err("the SPIRE agent has no entry for this daemon"),
            (Standing::Withdrawn(_), _) => Err("the root keys are withdrawn"),
            (Standing::Unreachable, _) => Err("the SPIRE agent cannot be reached"),
            (Standing::Undecodable, _) => Err("the bundle of the SPIRE agent cannot be decoded"),
            (Standing::Stale(_), _) => Err("the root keys are stale"),
            (Standing::Cached | Standing::Missing | Standing::Fresh, _) => {
                Err("the SPIRE agent has not given a bundle of the trust domain yet")
            }
        }
    }

    /// Proves that this trust may decide at `now`: anchor in force, root covered, chain complete and unexpired.
    ///
    /// # Errors
    /// [`Closed`] with the first thing that stands in the way.
    pub fn fresh(&self, now: Time) -> Result<Fresh<'_>, Closed> {
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
        chain.fresh(now).map_err(|refusal| self.expired(refusal))
    }

    fn check_standing(&self, now: Time) -> Result<(), Closed> {
        match self.anchor.standing(&self.limits, now) {
            Standing::Withdrawn(since) => {
                let text = format!("SPIRE withdrew the root keys; in force since {since}");
                Err(closed(Reason::AnchorWithdrawn, text))
            }
            Standing::Stale(since) => {
                let text = format!(
                    "no stream of the SPIRE agent has confirmed the root keys; stale since {since}"
                );
                Err(closed(Reason::AnchorStale, text))
            }
            Standing::Fresh
            | Standing::Cached
            | Standing::Pending(_)
            | Standing::Denied(_)
            | Standing::Unreachable
            | Standing::Undecodable
            | Standing::Missing => Ok(()),
        }
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
