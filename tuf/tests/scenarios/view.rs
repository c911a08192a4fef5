//! When a trust may answer at all: availability `strict`.

use jiff::SignedDuration;
use testkit::{Files, damage};
use tufd_tuf::anchor::{AnchorRules, AnchorState, Place, Said};
use tufd_tuf::reason::Reason;
use tufd_tuf::view::{FloorsKnown, Repository, TrustView};

use super::anchor_state::LIMITS;
use super::node::{DOMAIN, Node};
use super::world::World;

/// A trust that answers: the bundle is heard, the chain is held.
pub(crate) fn view(world: &World, node: &Node) -> TrustView {
    let mut anchor = AnchorState::default();
    let der = world.org.anchor().to_der();
    anchor.hear(Said::Authorities(&der, Place::First), DOMAIN, world.clock.now()).unwrap();
    TrustView {
        anchor,
        rules: AnchorRules { threshold: 2.try_into().unwrap(), pins: None },
        limits: LIMITS,
        root: Some(node.root.clone()),
        chain: node.held.clone(),
        time_floor: node.floors.time(),
        floors: FloorsKnown::Yes,
        repository: Repository::Reachable,
        trouble: None,
    }
}

fn reason(world: &World, view: &TrustView) -> Option<Reason> {
    view.fresh(world.clock.now()).err().map(|closed| closed.reason)
}

fn answering() -> (World, TrustView) {
    let world = World::new();
    let view = view(&world, &world.node());
    assert_eq!(reason(&world, &view), None);
    (world, view)
}

#[test]
fn view_without_a_root_has_no_trust() {
    let (world, mut view) = answering();
    view.root = None;
    assert_eq!(reason(&world, &view), Some(Reason::NoTrust));
}

#[test]
fn view_with_lost_floors() {
    let (world, mut view) = answering();
    view.floors = FloorsKnown::Lost;
    assert_eq!(reason(&world, &view), Some(Reason::FloorsLost));
    view.floors = FloorsKnown::Yes;
    assert_eq!(reason(&world, &view), None);
}

#[test]
fn view_without_a_chain() {
    let (world, mut view) = answering();
    view.chain = None;
    assert_eq!(reason(&world, &view), Some(Reason::NoValidChain));
}

/// A chain of another root, whoever forgot to drop it, answers nothing.
#[test]
fn view_with_a_chain_of_another_root() {
    let (mut world, mut view) = answering();
    let mut node = world.node();
    world.org.rotate_targets_key();
    node.refresh(&world.publish()).unwrap();
    view.root = Some(node.root.clone());
    assert_eq!(reason(&world, &view), Some(Reason::NoValidChain));
    view.chain = node.held;
    assert_eq!(reason(&world, &view), None);
}

#[test]
fn view_withdrawn_at_once_after_its_time_and_back() {
    let (world, mut view) = answering();
    view.anchor.hear(Said::Missing, DOMAIN, world.clock.now()).unwrap();
    assert_eq!(reason(&world, &view), None);
    world.clock.advance(SignedDuration::from_secs(60));
    assert_eq!(reason(&world, &view), Some(Reason::AnchorWithdrawn));
    let der = world.org.anchor().to_der();
    view.anchor.hear(Said::Authorities(&der, Place::Later), DOMAIN, world.clock.now()).unwrap();
    assert_eq!(reason(&world, &view), None);
}

#[test]
fn view_denied_for_too_long() {
    let (world, mut view) = answering();
    view.anchor.hear(Said::PermissionDenied, DOMAIN, world.clock.now()).unwrap();
    world.clock.advance(SignedDuration::from_mins(30));
    assert_eq!(reason(&world, &view), Some(Reason::AnchorWithdrawn));
}

#[test]
fn view_stale() {
    let (mut world, _) = answering();
    world.org.lifetimes.timestamp = SignedDuration::from_hours(24 * 30);
    world.org.lifetimes.snapshot = SignedDuration::from_hours(24 * 30);
    world.publish_change();
    let view = view(&world, &world.node());
    world.clock.advance(SignedDuration::from_hours(24 * 7));
    assert_eq!(reason(&world, &view), Some(Reason::AnchorStale));
}

/// Fewer keys than the threshold deny at once, without any delay; putting them back heals.
#[test]
fn view_of_a_shrinking_anchor() {
    let (world, mut view) = answering();
    let keys = world.org.root_keys();
    for (held, expected) in
        [(&keys[..1], Some(Reason::RootNotCovered)), (&keys[1..], None), (keys, None)]
    {
        let der = world.org.anchor_of(held, None).to_der();
        view.anchor.hear(Said::Authorities(&der, Place::Later), DOMAIN, world.clock.now()).unwrap();
        assert_eq!(reason(&world, &view), expected, "{}", held.len());
    }
}

/// A bundle of nothing that can be used covers nothing.
#[test]
fn view_of_an_anchor_of_junk() {
    let (world, mut view) = answering();
    view.anchor
        .hear(Said::Authorities(&[0x30, 0], Place::Later), DOMAIN, world.clock.now())
        .unwrap();
    assert_eq!(reason(&world, &view), Some(Reason::RootNotCovered));
}

#[test]
fn view_below_the_least_root_version() {
    let (world, mut view) = answering();
    for (least, expected) in [(2, Some(Reason::RootNotCovered)), (1, None)] {
        let der = world.org.anchor_of(world.org.root_keys(), Some(super::node::v(least))).to_der();
        view.anchor.hear(Said::Authorities(&der, Place::First), DOMAIN, world.clock.now()).unwrap();
        assert_eq!(reason(&world, &view), expected);
    }
}

/// Threshold and pins are the node's own.
#[test]
fn view_under_stricter_rules() {
    let (world, mut view) = answering();
    view.rules.threshold = 4.try_into().unwrap();
    assert_eq!(reason(&world, &view), Some(Reason::RootNotCovered));
    view.rules = AnchorRules { threshold: 2.try_into().unwrap(), pins: Some([].into()) };
    assert_eq!(reason(&world, &view), Some(Reason::RootNotCovered));
}

/// Expired timestamp or snapshot: a freeze where the repository answers, else its own reason.
#[test]
fn expired_online_role_is_a_freeze_while_the_repository_answers() {
    for (role, unreachable) in
        [("timestamp", Reason::TimestampExpired), ("snapshot", Reason::SnapshotExpired)]
    {
        let mut world = World::new();
        let week = SignedDuration::from_hours(24 * 7);
        world.org.lifetimes.timestamp = if role == "timestamp" { week } else { week * 2 };
        world.org.lifetimes.snapshot = if role == "snapshot" { week } else { week * 2 };
        world.publish_change();
        let mut view = view(&world, &world.node());
        view.limits.anchor_max_age = None;
        world.clock.advance(week - SignedDuration::from_secs(1));
        assert_eq!(reason(&world, &view), None);
        world.clock.advance(SignedDuration::from_secs(1));
        assert_eq!(reason(&world, &view), Some(Reason::FreezeSuspected), "{role}");
        view.repository = Repository::Unreachable;
        assert_eq!(reason(&world, &view), Some(unreachable), "{role}");
    }
}

/// An expired root or targets role is nobody's freeze.
#[test]
fn expired_offline_role() {
    for role in ["root", "targets"] {
        let mut world = World::new();
        let day = SignedDuration::from_hours(24);
        world.org.lifetimes.timestamp = day * 30;
        world.org.lifetimes.snapshot = day * 30;
        match role {
            "root" => world.org.lifetimes.root = day,
            _ => world.org.lifetimes.targets = day,
        }
        world.org.rotate_root(&[], &[]);
        world.org.sign_target("targets", "x", super::world::target("x"));
        world.publish_change();
        let view = view(&world, &world.node());
        world.clock.advance(day);
        assert_eq!(reason(&world, &view), Some(Reason::RoleExpired), "{role}");
    }
}

/// A newer but invalid file alarms; the old chain answers on.
#[test]
fn newer_invalid_files_change_no_answer() {
    type Damage = fn(&mut Files, &testkit::Org);
    let cases: [Damage; 5] = [
        |files, _| damage::flip_bit(files, "timestamp.json"),
        |files, org| damage::sign_with_strange_key(files, org, "snapshot"),
        |files, org| damage::expire(files, org, "targets"),
        |files, _| damage::junk(files, "2.snapshot.json"),
        |files, _| damage::oversize(files, "timestamp.json", 20_000),
    ];
    for case in cases {
        let (mut world, _) = answering();
        let mut node = world.node();
        world.publish_change();
        node.refresh(&world.damaged(case)).unwrap_err();
        assert_eq!(reason(&world, &view(&world, &node)), None);
    }
}
