//! What the board says of each trust.

use std::fmt;

use jiff::Timestamp;
use tufd_tuf::condition::Condition;
use tufd_tuf::metadata::Role as _;
use tufd_tuf::verdict::Generation;
use tufd_tuf::view::{FloorsKnown, TrustView};

use super::sheet::{Labels, Sheet};

/// The generation that answers, at one moment.
#[derive(Clone, Copy)]
pub(super) struct Trusts<'g> {
    pub(super) generation: &'g Generation,
    pub(super) now: Timestamp,
}

impl<'g> Trusts<'g> {
    pub(super) fn anchors(self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let states = self.views().flat_map(|(trust, view)| {
            let now = view.condition(self.now);
            let one = move |state: Condition| {
                ([("trust", trust), ("state", state.name())], u32::from(state == now))
            };
            Condition::ALL.map(one)
        });
        sheet.gauges(
            "anchor_state",
            "1 for the state that the anchor is in, 0 for others",
            states,
        )?;
        let since = |view: &TrustView| Some(view.noted(self.now).since.as_second());
        let help = "Since when the anchor is in that state";
        sheet.gauges("anchor_state_since_timestamp_seconds", help, self.each(since))?;
        let confirmed = |view: &TrustView| Some(view.anchor.confirmed()?.as_second());
        let help = "When the first message of a stream last confirmed the anchor";
        sheet.gauges("anchor_confirmed_timestamp_seconds", help, self.each(confirmed))
    }

    pub(super) fn chains(self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let version = |view: &TrustView| Some(u64::from(view.root.as_ref()?.version()));
        sheet.gauges("root_version", "Version of the trusted root", self.each(version))?;
        let covered = |view: &TrustView| Some(u32::from(view.coverage()?.is_covered()));
        let help = "Whether enough of today's anchor keys signed the trusted root";
        sheet.gauges("root_covered", help, self.each(covered))?;
        let expiries = self.views().flat_map(|(trust, view)| expiries(trust, view));
        let help = "When the role expires; the earliest one of the delegated roles";
        sheet.gauges("expiry_timestamp_seconds", help, expiries)?;
        let lost = |view: &TrustView| Some(u32::from(view.floors == FloorsKnown::Lost));
        sheet.gauges("floors_lost", "Whether the floors are lost", self.each(lost))?;
        let behind =
            |view: &TrustView| Some(view.time(self.now).duration_since(self.now).as_secs());
        let help = "How far the clock is behind the time floor";
        sheet.gauges("clock_behind_seconds", help, self.each(behind))?;
        let closed = self.views().map(|(trust, view)| match view.fresh(self.now) {
            Ok(_) => ([("trust", trust), ("reason", "")], 0_u32),
            Err(closed) => ([("trust", trust), ("reason", closed.reason.code())], 1),
        });
        let help = "1 while the trust gives no full yes, and the reason; 0 while it can";
        sheet.gauges("trust_closed", help, closed)
    }

    fn views(self) -> impl Iterator<Item = (&'g str, &'g TrustView)> {
        self.generation.trusts.iter().map(|(name, view)| (name.as_str(), &**view))
    }

    /// One series of each trust, where it has a value.
    fn each<V>(
        self,
        value: impl Fn(&TrustView) -> Option<V>,
    ) -> impl Iterator<Item = (Labels<'g, 1>, V)> {
        self.views().filter_map(move |(trust, view)| Some(([("trust", trust)], value(view)?)))
    }
}

fn expiries<'g>(trust: &'g str, view: &TrustView) -> Vec<(Labels<'g, 2>, i64)> {
    let root = view.root.as_ref().map(|root| ("root", root.expires()));
    let chain = view.chain.as_deref().into_iter().flat_map(|chain| {
        let delegated = chain.roles().map(|(_, role)| role.expires()).min();
        [
            Some(("timestamp", chain.timestamp().expires())),
            Some(("snapshot", chain.snapshot().expires())),
            Some(("targets", chain.targets().expires())),
            delegated.map(|at| ("delegated", at)),
        ]
    });
    let row = |(role, at): (&'static str, Timestamp)| {
        ([("trust", trust), ("role", role)], at.as_second())
    };
    root.into_iter().chain(chain.flatten()).map(row).collect()
}
