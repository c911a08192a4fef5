//! What holds in every history (see [`super::history`]), and for every byte of a file.

use std::sync::Arc;

use proptest::prelude::*;
use testkit::Files;
use tufd_tuf::image::{ImagePattern, Policy, PolicySet, Rule};
use tufd_tuf::json::canonical;
use tufd_tuf::known_good::Availability;
use tufd_tuf::session::Next;
use tufd_tuf::verdict::{Decision, Generation, Request};

use super::floors::kept;
use super::history::{Event, Story, TEAMS, event, questions};
use super::node::Node;
use super::view::view;
use super::world::World;

/// No version that was ever a floor falls, unless a newer root gave the role to other keys. The root never falls.
fn invariant_floors_never_decrease(story: &Story, before: (u64, &serde_json::Value)) {
    let (root, floors) = before;
    let now = kept(&story.node.floors);
    assert!(story.root_version() >= root, "the root fell");
    let same = |role| {
        let holders = story.holders(root, role);
        (root..=story.root_version()).all(|version| story.holders(version, role) == holders)
    };
    if same("timestamp") {
        not_less(&floors["timestamp"]["version"], &now["timestamp"]["version"]);
        if same("snapshot") {
            not_less(&floors["timestamp"]["snapshot"], &now["timestamp"]["snapshot"]);
        }
    }
    if same("snapshot") {
        not_less(&floors["snapshot"]["version"], &now["snapshot"]["version"]);
        for (role, version) in floors["snapshot"]["roles"].as_object().into_iter().flatten() {
            not_less(version, &now["snapshot"]["roles"][role]);
        }
    }
}

fn not_less(before: &serde_json::Value, now: &serde_json::Value) {
    assert!(before.as_u64() <= now.as_u64(), "{before} fell to {now}");
}

/// An ALLOW is what the organisation meant by the very timestamp that answers, unexpired; and where all roles are
/// loaded, a DENY is what it did not mean.
fn invariant_allow_is_what_was_signed(story: &Story, questions: &[(String, String)]) {
    let Some(held) = &story.node.held else { return };
    let view = view(&story.world, &story.node);
    let meant = &story.meant[&held_version(held)];
    let now = story.world.clock.now();
    let whole = view.fresh(now).is_ok() && held.roles().count() == TEAMS.len();
    let policy = Policy {
        images: ImagePattern::new("registry.acme.example/**").unwrap(),
        rule: Rule::Enforce { trust: "a".into() },
    };
    let generation = Generation {
        number: 1,
        trusts: [("a".to_owned(), Arc::new(view))].into(),
        policies: Arc::new(PolicySet::new(vec![policy], Vec::new()).unwrap()),
        availability: Availability::Strict,
        built: jiff::Timestamp::UNIX_EPOCH,
    };
    for (reference, digest) in questions {
        let request = Request { reference, digest, size: None };
        let verdict = generation.decide(&request, now, &|_| true).unwrap();
        let signed = meant.get(reference).is_some_and(|signed| signed == digest);
        match verdict.decision {
            Decision::Allow => assert!(signed, "{reference} {digest} was never signed"),
            Decision::Deny => assert!(!(signed && whole), "{reference}: {}", verdict.text),
        }
        let until = verdict.valid_until.unwrap_or(jiff::Timestamp::MAX);
        assert!(verdict.decision == Decision::Deny || until > now);
    }
}

/// What answers is never older than what answered, unless our own copy was taken up again; and after an update nothing
/// that answers is above the floors.
fn invariant_answers_never_older(before: Option<u64>, story: &Story, event: &Event) {
    let now = story.node.held.as_ref().map(|held| held_version(held));
    let Some(now) = now else { return };
    if let Event::Offer(_) = event {
        let floor = kept(&story.node.floors)["timestamp"]["version"].as_u64();
        assert!(floor >= Some(now), "{now} answers above the floor {floor:?}");
    }
    assert!(before <= Some(now) || matches!(event, Event::Restart(_)), "{before:?} fell to {now}");
}

fn held_version(trust: &tufd_tuf::trust::Trust) -> u64 {
    use tufd_tuf::metadata::Role as _;
    trust.timestamp().version().into()
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 256,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn histories_hold_all_invariants(events in prop::collection::vec(event(), 1..40)) {
        let (mut story, questions) = (Story::new(), questions());
        for event in &events {
            let (root, floors) = (u64::from(story.node.lapsed_at), kept(&story.node.floors));
            let answered = story.node.held.as_ref().map(|held| held_version(held));
            story.happens(event);
            invariant_floors_never_decrease(&story, (root, &floors));
            invariant_answers_never_older(answered, &story, event);
            invariant_allow_is_what_was_signed(&story, &questions);
        }
        // Whatever the mirror did, the real files bring the node up to date.
        story.publish();
        story.node.refresh(&story.world.good).unwrap();
        invariant_allow_is_what_was_signed(&story, &questions);
    }
}

proptest! {
    #![proptest_config(config(2_000))]

    /// Any one byte, changed in any way, in a file that nothing but its signatures binds.
    #[test]
    fn invariant_flipped_byte_changes_no_content(at in any::<prop::sample::Index>(), mask in 1..=255_u8, root in any::<bool>()) {
        let (node, files) = still();
        let name = if root { "2.root.json" } else { "timestamp.json" };
        let good = files.get(name).unwrap();
        let mut bad = good.to_vec();
        *at.get_mut(&mut bad) ^= mask;
        let accepted = if root {
            node.rooting().root(bad.clone()).is_ok()
        } else {
            let session = node.at_timestamp(files);
            matches!(session.timestamp([Arc::from(bad.as_slice())]), Ok(Next::Snapshot(_)))
        };
        if accepted {
            prop_assert_eq!(signed_part(&bad), signed_part(good));
        }
    }
}

/// Every byte of every file that another one lists by its hash: nothing at all is accepted.
#[test]
fn invariant_flipped_byte_of_a_listed_file_is_refused() {
    let (node, files) = still();
    for role in ["snapshot", "targets", "payments"] {
        let good = files.of_role(role);
        for at in 0..good.len() {
            let mut bad = good.to_vec();
            bad[at] ^= 1;
            let accepted = match role {
                "snapshot" => node.at_snapshot(files).snapshot(bad).is_ok(),
                "targets" => node.at_targets(files).targets(bad).is_ok(),
                _ => node.at_roles(files).role(bad).is_ok(),
            };
            assert!(!accepted, "{role} at {at}");
        }
    }
}

/// A node at version 1 and the files of version 2, made once.
fn still() -> (&'static Node, &'static Files) {
    static STILL: std::sync::LazyLock<(Node, Files)> = std::sync::LazyLock::new(|| {
        let mut world = World::new();
        let node = world.node();
        world.org.sign_target("targets", "x", super::world::target("x"));
        world.org.rotate_root(&[], &[]);
        (node, world.publish_change())
    });
    (&STILL.0, &STILL.1)
}

fn signed_part(bytes: &[u8]) -> Vec<u8> {
    let file: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    canonical(&serde_json::to_vec(&file["signed"]).unwrap()).unwrap()
}
