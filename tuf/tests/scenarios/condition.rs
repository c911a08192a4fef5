//! Every state of the anchor of a whole trust, and since when.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use testkit::Org;
use tufd_tuf::anchor::{AnchorState, Place, Said};
use tufd_tuf::condition::{Change, Condition, Noted};
use tufd_tuf::view::TrustView;
use tufpub::SigningKey;

use super::node::DOMAIN;
use super::view::view;
use super::world::{World, new_key};

/// A trust that answers, and what it notes.
struct Watch {
    world: World,
    view: TrustView,
}

impl Watch {
    fn new() -> Self {
        let world = World::new();
        let view = view(&world, &world.node());
        let mut watch = Self { world, view };
        assert_eq!(watch.note(), Some((None, Condition::Fresh)));
        watch.after(5);
        watch
    }

    fn hear(&mut self, said: Said<'_>) {
        // What cannot be read is a condition too.
        let _ = self.view.anchor.hear(said, DOMAIN, self.world.clock.now());
    }

    fn present(&mut self) {
        let der = self.world.org.anchor().to_der();
        self.hear(Said::Authorities(&der, Place::First));
    }

    fn note(&mut self) -> Option<(Option<Condition>, Condition)> {
        let now = self.world.clock.now();
        self.view.anchor.settle(&self.view.limits, now);
        self.view.note(now).map(|Change { from, to }| (from, to))
    }

    /// What status output shows.
    fn noted(&self) -> Noted {
        self.view.noted(self.world.clock.now())
    }

    fn after(&mut self, seconds: i64) {
        self.world.clock.advance(SignedDuration::from_secs(seconds));
    }

    fn restart(&mut self) {
        let written = serde_json::to_vec(&self.view.anchor).unwrap();
        self.view.anchor = serde_json::from_slice(&written).unwrap();
    }
}

/// A condition, and the bundle and the words that cause it.
type Cause = (Condition, Vec<u8>, fn(&[u8]) -> Said<'_>);

/// Those that last until something else is said.
fn lasting(org: &Org) -> Vec<Cause> {
    let one_key = org.anchor_of(&org.root_keys()[..1], None).to_der();
    let two_keys = org.anchor_of(&org.root_keys()[..2], None).to_der();
    vec![
        (Condition::NotCovered, one_key, |der| Said::Authorities(der, Place::First)),
        (Condition::Missing, Vec::new(), |_| Said::Missing),
        (Condition::Empty, Vec::new(), |der| Said::Authorities(der, Place::First)),
        (Condition::Denied, Vec::new(), |_| Said::PermissionDenied),
        (Condition::Undecodable, Vec::new(), |_| Said::Undecodable),
        (Condition::Unreachable, Vec::new(), |_| Said::Unreachable),
        (Condition::Behind, two_keys, |der| Said::Authorities(der, Place::First)),
    ]
}

#[test]
fn condition_is_noted_once_and_keeps_its_time_over_a_restart() {
    for (condition, der, said) in lasting(&Watch::new().world.org) {
        let mut watch = Watch::new();
        watch.hear(said(&der));
        assert_eq!(watch.note(), Some((Some(Condition::Fresh), condition)));
        let since = watch.world.clock.now();
        for _ in 0..3 {
            watch.after(5);
            watch.restart();
            assert_eq!(watch.noted(), Noted { condition, since });
            assert_eq!(watch.note(), None, "{condition:?}");
            watch.hear(said(&der));
            assert_eq!(watch.note(), None, "{condition:?}");
        }
        watch.present();
        assert_eq!(watch.note(), Some((Some(condition), Condition::Fresh)));
        assert_eq!(watch.noted().since, watch.world.clock.now());
    }
}

/// An agent that confirms at once what was known leaves no trace of the restart; one that does not, does.
#[test]
fn condition_cached_after_a_restart_is_noted_if_it_lasts() {
    let mut watch = Watch::new();
    let heard = watch.noted();
    watch.restart();
    assert_eq!(watch.noted().condition, Condition::Cached);
    watch.present();
    assert_eq!((watch.note(), watch.noted()), (None, heard));
    watch.restart();
    assert_eq!(watch.note(), Some((Some(Condition::Fresh), Condition::Cached)));
    watch.after(5);
    watch.present();
    assert_eq!(watch.note(), Some((Some(Condition::Cached), Condition::Fresh)));
}

/// It came into force and went stale when it did, not when somebody looked.
#[test]
fn condition_by_a_clock_is_since_that_clock() {
    let mut watch = Watch::new();
    watch.hear(Said::Missing);
    let heard = watch.world.clock.now();
    watch.note();
    watch.after(600);
    assert_eq!(watch.note(), Some((Some(Condition::Missing), Condition::Withdrawn)));
    assert_eq!(watch.noted().since, heard + SignedDuration::from_secs(60));

    watch.present();
    let confirmed = watch.world.clock.now();
    watch.note();
    watch.after(8 * 24 * 3600);
    assert_eq!(watch.note(), Some((Some(Condition::Fresh), Condition::Stale)));
    assert_eq!(watch.noted().since, confirmed + SignedDuration::from_hours(24 * 7));
}

#[test]
fn condition_waiting_is_a_new_node() {
    let mut watch = Watch::new();
    watch.view.anchor = AnchorState::default();
    (watch.view.root, watch.view.chain) = (None, None);
    assert_eq!(watch.note(), Some((None, Condition::Waiting)));
    watch.hear(Said::Missing);
    assert_eq!(watch.note(), Some((Some(Condition::Waiting), Condition::Missing)));
}

/// What denies is said first; what pends meanwhile is not forgotten.
#[test]
fn condition_that_denies_comes_first() {
    let mut watch = Watch::new();
    let one_key = watch.world.org.anchor_of(&watch.world.org.root_keys()[..1], None).to_der();
    watch.hear(Said::Authorities(&one_key, Place::First));
    for said in [Said::Unreachable, Said::Undecodable, Said::PermissionDenied, Said::Missing] {
        watch.hear(said);
        assert_eq!(watch.noted().condition, Condition::NotCovered, "{said:?}");
    }
    watch.after(60);
    assert_eq!(watch.noted().condition, Condition::Withdrawn);
}

/// A root published first is behind until the bundle has its keys; a bundle that is ahead is not.
#[test]
fn condition_behind_while_the_bundle_lacks_a_key() {
    let mut watch = Watch::new();
    let (old, mut node) = (watch.world.org.root_keys().to_vec(), watch.world.node());
    let new = new_key();
    let of = |keys: &[SigningKey]| watch.world.org.anchor_of(keys, None).to_der();
    let (before, both) = (of(&old), of(&[&old[..], std::slice::from_ref(&new)].concat()));
    watch.hear(Said::Authorities(&both, Place::Later));
    assert_eq!(watch.noted().condition, Condition::Fresh);

    watch.world.org.rotate_root(&[new], &old[..1]);
    node.refresh(&watch.world.publish()).unwrap();
    watch.view.root = Some(node.root.clone());
    watch.hear(Said::Authorities(&before, Place::Later));
    assert_eq!(watch.noted().condition, Condition::Behind);
    assert_eq!(watch.view.lacking_keys().len(), 1);
    watch.present();
    assert_eq!(watch.noted().condition, Condition::Fresh);
}

/// A wrong clock writes no moment that is yet to come for good.
#[test]
fn condition_noted_in_the_future_starts_again() {
    let mut watch = Watch::new();
    let today = watch.world.clock.now();
    watch.after(24 * 3600 * 365);
    watch.hear(Said::Unreachable);
    watch.view.limits.anchor_max_age = None;
    watch.note();
    watch.world.clock.set(today);
    assert_eq!(watch.note(), None);
    watch.after(5);
    assert_eq!(watch.noted(), Noted { condition: Condition::Unreachable, since: today });
}

#[test]
fn condition_names_are_one_each_and_what_is_written() {
    let names: BTreeSet<_> = Condition::ALL.iter().map(|condition| condition.name()).collect();
    assert_eq!(names.len(), Condition::ALL.len());
    for condition in Condition::ALL {
        assert_eq!(serde_json::to_value(condition).unwrap(), condition.name());
    }
    assert!(Condition::ALL.is_sorted());
}
