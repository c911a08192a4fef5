//! The time floor: a clock set back revives nothing, and a clock set ahead poisons nothing.

use jiff::SignedDuration;
use serde_json::json;
use tufd_tuf::metadata::Role as _;
use tufd_tuf::reason::Reason;
use tufd_tuf::refusal::Refusal;

use super::node::Node;
use super::view::view;
use super::world::World;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A node that took a second timestamp two hours after the first.
fn later() -> (World, Node) {
    let mut world = World::new();
    let mut node = world.node();
    world.clock.advance(HOUR * 2);
    world.publish();
    node.refresh(&world.good).unwrap();
    (world, node)
}

#[test]
fn time_floor_rises_with_a_newer_timestamp_only() {
    let (world, mut node) = later();
    let floor = world.clock.now();
    assert_eq!(node.floors.time(), Some(floor));
    world.clock.advance(HOUR);
    node.refresh(&world.good).unwrap();
    assert_eq!(node.floors.time(), Some(floor), "the same timestamp proves no later time");
    node.restart(&world.good);
    assert_eq!(node.floors.time(), Some(floor));
    node.restart(&world.good);
    node.refresh(&world.good).unwrap();
    assert_eq!(node.floors.time(), Some(floor), "a replay proves nothing");
}

#[test]
fn time_set_back_revives_nothing() {
    let mut world = World::new();
    let old = world.good.clone();
    let mut node = world.node();
    world.clock.advance(SignedDuration::from_hours(23));
    let mut later = world.clone();
    later.publish();
    node.refresh(&later.good).unwrap();
    // What had expired at the floor stays so, whatever the clock says now.
    for back in [1, 24, 24 * 365 * 10] {
        world.clock.set(node.floors.time().unwrap() - HOUR * back);
        let view = view(&world, &node);
        assert_eq!(view.time(world.clock.now()), node.floors.time().unwrap());
        assert!(view.fresh(world.clock.now()).is_ok(), "what is unexpired goes on");
        assert_eq!(view.clock_back(world.clock.now()), node.floors.time());
    }
    world.clock.set(node.floors.time().unwrap() - SignedDuration::from_secs(60));
    assert_eq!(view(&world, &node).clock_back(world.clock.now()), None, "clocks are corrected");
    let soon = node.floors.time().unwrap() - HOUR;
    world.good = old;
    world.clock.set(soon);
    let expired = world.forged("timestamp", |signed| {
        signed["version"] = json!(9);
        signed["expires"] = json!((soon + HOUR / 2).to_string());
    });
    let refused = node.refresh(&expired).unwrap_err();
    assert!(matches!(refused, Refusal::Expired { .. }), "{refused}");
}

#[test]
fn time_set_ahead_poisons_nothing() {
    let (mut world, mut node) = later();
    let floor = node.floors.time();
    let now = world.clock.now();
    world.clock.advance(SignedDuration::from_hours(24 * 365 * 20));
    let ahead = view(&world, &node).fresh(world.clock.now()).unwrap_err();
    assert_ne!(ahead.reason, Reason::NoTrust);
    world.clock.set(now);
    world.publish();
    world.clock.advance(SignedDuration::from_hours(24 * 30));
    node.refresh(&world.good).unwrap_err();
    assert_eq!(node.floors.time(), floor);
    world.clock.set(now);
    node.refresh(&world.good).unwrap();
    assert!(view(&world, &node).fresh(now).is_ok());
}

/// With the timestamp's keys and a moment of the clock, the floor moves no further than the snapshot lives.
#[test]
fn time_floor_of_a_clock_set_ahead_and_a_stolen_timestamp_key() {
    let (mut world, mut node) = later();
    let (now, floor) = (world.clock.now(), node.floors.time());
    world.publish();
    for ahead in [HOUR * 24 * 8, HOUR * 24 * 300] {
        world.clock.set(now + ahead);
        let long = world.clock.now() + HOUR;
        let forged =
            world.forged("timestamp", |signed| signed["expires"] = json!(long.to_string()));
        node.refresh(&forged).unwrap_err();
        assert_eq!(node.floors.time(), floor, "{ahead}");
    }
    world.clock.set(now + HOUR * 24 * 6);
    let long = world.clock.now() + HOUR;
    let forged = world.forged("timestamp", |signed| signed["expires"] = json!(long.to_string()));
    node.refresh(&forged).unwrap();
    assert_eq!(node.floors.time(), Some(now + HOUR * 24 * 6));
}

/// Whoever holds the timestamp's keys cannot set a node's time ahead by more than a timestamp may live.
#[test]
fn time_floor_of_a_timestamp_that_lives_too_long() {
    let (mut world, mut node) = later();
    let floor = node.floors.time();
    world.clock.advance(HOUR);
    let long = world.clock.now() + tufd_tuf::floors::TIMESTAMP_LIFE_MAX + HOUR;
    world.publish();
    let files = world.forged("timestamp", |signed| signed["expires"] = json!(long.to_string()));
    node.refresh(&files).unwrap();
    assert_eq!(node.held.as_ref().unwrap().timestamp().expires(), long);
    assert_eq!(node.floors.time(), floor);
}

/// The floor outlives the chain, and only the operator's word takes it away.
#[test]
fn time_floor_stays_under_a_new_epoch() {
    let (_, node) = later();
    assert_eq!(node.floors.anew().time(), node.floors.time());
    assert_eq!(node.floors.anew().root, None);
    assert_eq!(node.floors.without_time().time(), None);
    assert_eq!(node.floors.without_time().root, node.floors.root);
}
