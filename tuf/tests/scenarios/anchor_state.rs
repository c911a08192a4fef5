//! What the Workload API said, and since when, on a clock that stands still.

use jiff::{SignedDuration, Timestamp};
use testkit::{Clock, Org};
use tufd_tuf::anchor::{AnchorLimits, AnchorState, Heard, Place, Said};
use tufd_tuf::condition::Condition;

use super::node::DOMAIN;
use super::world::new_key;

pub(crate) const LIMITS: AnchorLimits = AnchorLimits {
    withdraw_after: Some(SignedDuration::from_secs(60)),
    permission_denied_after: Some(SignedDuration::from_mins(30)),
    anchor_max_age: Some(SignedDuration::from_hours(24 * 7)),
};
const NEVER: AnchorLimits =
    AnchorLimits { withdraw_after: None, permission_denied_after: None, anchor_max_age: None };

struct Ear {
    clock: Clock,
    state: AnchorState,
    bundle: Vec<u8>,
    other: Vec<u8>,
}

impl Ear {
    /// Has heard a bundle of two keys.
    fn new() -> Self {
        let clock = Clock::default();
        let keys = [new_key(), new_key()];
        let org = Org::with_root_keys(&clock, &keys, 2);
        let (bundle, other) = (org.anchor().to_der(), org.anchor_of(&keys[..1], None).to_der());
        let mut ear = Self { clock, state: AnchorState::default(), bundle, other };
        assert_eq!(ear.now(&LIMITS), Condition::Waiting);
        assert_eq!(ear.present(), Heard::Bundle);
        ear
    }

    fn hear(&mut self, said: Said<'_>) -> Heard {
        self.state.hear(said, DOMAIN, self.clock.now()).unwrap()
    }

    fn present(&mut self) -> Heard {
        let bundle = self.bundle.clone();
        self.hear(Said::Authorities(&bundle, Place::First))
    }

    fn after(&mut self, seconds: i64) -> Condition {
        self.clock.advance(SignedDuration::from_secs(seconds));
        self.now(&LIMITS)
    }

    fn now(&self, limits: &AnchorLimits) -> Condition {
        self.state.condition(limits, self.clock.now())
    }

    /// When what pends is a withdrawal.
    fn due(&self) -> Option<Timestamp> {
        self.state.withdraws_at(&LIMITS)
    }

    fn withdrawn_since(&self) -> Option<Timestamp> {
        self.state.withdrawn_since(&LIMITS, self.clock.now())
    }

    fn stale_since(&self) -> Option<Timestamp> {
        self.state.stale_since(&LIMITS, self.clock.now())
    }

    fn at(&self, seconds: i64) -> Timestamp {
        self.clock.now() + SignedDuration::from_secs(seconds)
    }

    fn restart(&mut self) {
        let written = serde_json::to_vec(&self.state).unwrap();
        self.state = serde_json::from_slice(&written).unwrap();
    }
}

#[test]
fn standing_fresh_then_cached_after_a_restart() {
    let mut ear = Ear::new();
    assert_eq!(ear.now(&LIMITS), Condition::Fresh);
    ear.restart();
    assert_eq!(ear.now(&LIMITS), Condition::Cached);
    assert_eq!(ear.present(), Heard::Same);
    assert_eq!(ear.now(&LIMITS), Condition::Fresh);
    assert_eq!(ear.state.bundle().unwrap().keys().len(), 2);
}

/// A3: missing and empty alike pend, then withdraw, to the second; a restart keeps them apart.
#[test]
fn standing_withdrawn_after_a_missing_or_empty_domain() {
    for (said, absent) in [
        (Said::Missing, Condition::Missing),
        (Said::Authorities(&[], Place::First), Condition::Empty),
        (Said::Authorities(&[], Place::Later), Condition::Empty),
    ] {
        let mut ear = Ear::new();
        ear.hear(said);
        let due = ear.at(60);
        assert_eq!((ear.now(&LIMITS), ear.due()), (absent, Some(due)));
        ear.restart();
        assert_eq!((ear.after(59), ear.due()), (absent, Some(due)));
        assert_eq!(ear.after(1), Condition::Withdrawn);
        assert_eq!(ear.withdrawn_since(), Some(due));
        assert_eq!(ear.present(), Heard::Same);
        assert_eq!(ear.now(&LIMITS), Condition::Fresh);
        assert_eq!(ear.due(), None);
    }
}

/// It pends from the first such message: neither repeating it nor another kind of absence puts anything off.
#[test]
fn standing_pending_is_not_put_off() {
    let mut ear = Ear::new();
    ear.hear(Said::Missing);
    let due = ear.at(60);
    for _ in 0..5 {
        ear.clock.advance(SignedDuration::from_secs(10));
        ear.hear(Said::Authorities(&[], Place::First));
        assert_eq!(ear.now(&LIMITS), Condition::Empty);
        ear.hear(Said::Missing);
        ear.hear(Said::Unreachable);
        ear.hear(Said::Undecodable);
        ear.hear(Said::PermissionDenied);
        ear.restart();
        assert_eq!((ear.now(&LIMITS), ear.due()), (Condition::Missing, Some(due)));
    }
    assert_eq!(ear.after(10), Condition::Withdrawn);
    // Nor does anything but a message with the domain undo it.
    ear.hear(Said::Unreachable);
    ear.hear(Said::Missing);
    assert_eq!(ear.withdrawn_since(), Some(due));
    let later = ear.other.clone();
    assert_eq!(ear.hear(Said::Authorities(&later, Place::Later)), Heard::Bundle);
    assert_eq!(ear.now(&LIMITS), Condition::Fresh);
}

/// Junk with the domain's name is no message with the domain.
#[test]
fn standing_pending_is_not_cancelled_by_junk() {
    let mut ear = Ear::new();
    ear.hear(Said::Missing);
    let now = ear.clock.now();
    ear.state.hear(Said::Authorities(b"junk", Place::First), DOMAIN, now).unwrap_err();
    assert_eq!(ear.now(&LIMITS), Condition::Missing);
    assert_eq!(ear.after(60), Condition::Withdrawn);
}

#[test]
fn standing_undecodable_confirms_nothing_and_keeps_the_keys() {
    let mut ear = Ear::new();
    let confirmed = ear.state.confirmed();
    ear.clock.advance(SignedDuration::from_secs(5));
    let now = ear.clock.now();
    ear.state.hear(Said::Authorities(&[0x30, 0x05], Place::First), DOMAIN, now).unwrap_err();
    assert_eq!(ear.now(&LIMITS), Condition::Undecodable);
    assert_eq!((ear.state.confirmed(), ear.state.bundle().unwrap().keys().len()), (confirmed, 2));
    ear.present();
    assert_eq!(ear.now(&LIMITS), Condition::Fresh);
}

#[test]
fn standing_denied_withdraws_later() {
    let mut ear = Ear::new();
    ear.hear(Said::PermissionDenied);
    let due = ear.at(30 * 60);
    assert_eq!((ear.now(&LIMITS), ear.due()), (Condition::Denied, Some(due)));
    ear.hear(Said::PermissionDenied);
    ear.restart();
    ear.hear(Said::Unreachable);
    assert_eq!((ear.after(30 * 60 - 1), ear.due()), (Condition::Denied, Some(due)));
    assert_eq!(ear.after(1), Condition::Withdrawn);
    assert_eq!(ear.withdrawn_since(), Some(due));
    ear.present();
    assert_eq!(ear.now(&LIMITS), Condition::Fresh);
}

/// A flap between the two never runs either clock anew from the side of the domain.
#[test]
fn standing_denied_does_not_cancel_what_pends() {
    let mut ear = Ear::new();
    ear.hear(Said::Missing);
    let due = ear.at(60);
    ear.clock.advance(SignedDuration::from_secs(30));
    ear.hear(Said::PermissionDenied);
    ear.hear(Said::Missing);
    assert_eq!((ear.now(&LIMITS), ear.due()), (Condition::Missing, Some(due)));
    assert_eq!(ear.after(30), Condition::Withdrawn);
}

/// A node that never had keys has none to lose: it waits, whatever it hears.
#[test]
fn standing_of_a_new_node_is_never_withdrawn() {
    for (said, condition) in [
        (Said::Missing, Condition::Missing),
        (Said::Authorities(&[], Place::First), Condition::Empty),
        (Said::PermissionDenied, Condition::Denied),
        (Said::Unreachable, Condition::Unreachable),
        (Said::Undecodable, Condition::Undecodable),
    ] {
        let mut ear = Ear::new();
        ear.state = AnchorState::default();
        ear.hear(said);
        assert_eq!(ear.now(&LIMITS), condition);
        assert_eq!((ear.after(24 * 3600), ear.due()), (condition, None));
        ear.state.settle(&LIMITS, ear.clock.now());
        ear.present();
        assert_eq!(ear.now(&LIMITS), Condition::Fresh);
    }
}

/// A3b: an agent that is away is no withdrawal, for as long as the anchor is not too old.
#[test]
fn standing_unreachable_until_stale() {
    let mut ear = Ear::new();
    ear.hear(Said::Unreachable);
    let due = ear.at(7 * 24 * 3600);
    assert_eq!(ear.after(7 * 24 * 3600 - 1), Condition::Unreachable);
    ear.restart();
    assert_eq!(ear.now(&LIMITS), Condition::Cached);
    assert_eq!(ear.after(1), Condition::Stale);
    assert_eq!(ear.stale_since(), Some(due));
    ear.present();
    assert_eq!(ear.now(&LIMITS), Condition::Fresh);
}

/// Only the first message of a stream is known to be today's.
#[test]
fn standing_stale_although_later_messages_come() {
    let mut ear = Ear::new();
    let due = ear.at(7 * 24 * 3600);
    let bundle = ear.bundle.clone();
    for _ in 0..7 {
        ear.clock.advance(SignedDuration::from_hours(24));
        ear.hear(Said::Authorities(&bundle, Place::Later));
    }
    assert_eq!((ear.now(&LIMITS), ear.stale_since()), (Condition::Stale, Some(due)));
}

#[test]
fn standing_never() {
    let mut ear = Ear::new();
    ear.hear(Said::Missing);
    ear.clock.advance(SignedDuration::from_hours(24 * 365));
    assert_eq!(ear.now(&NEVER), Condition::Missing);
    assert_eq!(ear.state.withdraws_at(&NEVER), None);
    assert_eq!(ear.state.changes_at(&NEVER, ear.clock.now()), None);
    ear.present();
    ear.hear(Said::PermissionDenied);
    assert_eq!(ear.now(&NEVER), Condition::Denied);
    assert_eq!(ear.state.withdraws_at(&NEVER), None);
}

/// A withdrawal heard while the clock stood in 2038 does not wait until then, nor does the anchor's age.
#[test]
fn standing_clocks_from_the_future_start_again() {
    let mut ear = Ear::new();
    let today = ear.clock.now();
    ear.clock.advance(SignedDuration::from_hours(24 * 365 * 8));
    ear.present();
    ear.hear(Said::Missing);
    ear.clock.set(today);
    ear.hear(Said::Missing);
    assert_eq!((ear.now(&LIMITS), ear.due()), (Condition::Missing, Some(ear.at(60))));
    assert_eq!(ear.after(60), Condition::Withdrawn);
    ear.present();
    ear.clock.advance(SignedDuration::from_hours(24 * 365 * 8));
    ear.present();
    ear.clock.set(today);
    ear.hear(Said::Unreachable);
    let due = ear.at(7 * 24 * 3600);
    assert_eq!(ear.after(7 * 24 * 3600), Condition::Stale);
    assert_eq!(ear.stale_since(), Some(due));
}

/// A clock that is set back while a withdrawal pends puts it off by no more than it had run, though nothing is heard.
#[test]
fn standing_withdrawal_pending_while_the_clock_is_set_back() {
    let mut ear = Ear::new();
    ear.hear(Said::Missing);
    ear.clock.advance(-SignedDuration::from_hours(1));
    for second in 0..60 {
        ear.state.settle(&LIMITS, ear.clock.now());
        assert_eq!(ear.now(&LIMITS), Condition::Missing, "{second}");
        ear.clock.advance(SignedDuration::from_secs(1));
    }
    ear.state.settle(&LIMITS, ear.clock.now());
    assert_eq!(ear.now(&LIMITS), Condition::Withdrawn);
}

/// A clock that is set back after a withdrawal came into force would let the withdrawn keys allow again.
#[test]
fn standing_in_force_outlasts_the_clock() {
    let mut ear = Ear::new();
    let heard = ear.clock.now();
    ear.hear(Said::Missing);
    ear.state.settle(&LIMITS, ear.clock.now());
    assert_eq!(ear.now(&LIMITS), Condition::Missing);
    assert_eq!(ear.after(60), Condition::Withdrawn);
    let since = ear.withdrawn_since();
    ear.state.settle(&LIMITS, ear.clock.now());
    ear.clock.set(heard - SignedDuration::from_hours(3));
    ear.state.settle(&LIMITS, ear.clock.now());
    ear.restart();
    assert_eq!((ear.now(&LIMITS), ear.withdrawn_since()), (Condition::Withdrawn, since));
    ear.hear(Said::Missing);
    assert_eq!(ear.now(&LIMITS), Condition::Withdrawn);
    ear.present();
    assert_eq!(ear.now(&LIMITS), Condition::Fresh);
}

/// An agent that refused us for too long and then answers without the domain gives no minute of grace.
#[test]
fn standing_denial_in_force_needs_the_domain() {
    let mut ear = Ear::new();
    ear.hear(Said::PermissionDenied);
    assert_eq!(ear.after(30 * 60), Condition::Withdrawn);
    ear.state.settle(&LIMITS, ear.clock.now());
    ear.hear(Said::Missing);
    assert_eq!(ear.now(&LIMITS), Condition::Withdrawn);
    ear.present();
    assert_eq!(ear.now(&LIMITS), Condition::Fresh);
}

#[test]
fn standing_changes_at_the_first_clock() {
    let mut ear = Ear::new();
    let stale = ear.at(7 * 24 * 3600);
    assert_eq!(ear.state.changes_at(&LIMITS, ear.clock.now()), Some(stale));
    ear.hear(Said::PermissionDenied);
    ear.hear(Said::Missing);
    assert_eq!(ear.state.changes_at(&LIMITS, ear.clock.now()), Some(ear.at(60)));
    let due = ear.at(60);
    assert_eq!(ear.state.changes_at(&LIMITS, due), Some(stale));
}

/// What is written is read again in this form only.
#[test]
fn state_of_another_form_is_refused() {
    let ear = Ear::new();
    let mut written = serde_json::to_value(&ear.state).unwrap();
    written["newer"] = serde_json::json!(1);
    assert!(serde_json::from_value::<AnchorState>(written).is_err());
}

/// A file of the first release, with a withdrawal that pends in it.
#[test]
fn state_of_the_first_release_is_read() {
    let mut ear = Ear::new();
    ear.hear(Said::Missing);
    let due = ear.at(60);
    let written = serde_json::to_value(&ear.state).unwrap();
    let fields: Vec<_> = written.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["absent_since", "bundle", "confirmed", "denied_since"]);
    ear.restart();
    assert_eq!((ear.now(&LIMITS), ear.due()), (Condition::Missing, Some(due)));
}
