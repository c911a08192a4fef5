//! What passes without a full yes: known-good, `warn`, `exempt`; and `deny`.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::json;
use testkit::{FakeImage, Files, Team, damage};
use tufd_tuf::image::{Exemption, ImagePattern, Policy, PolicySet, Rule};
use tufd_tuf::known_good::{AllowKey, Availability};
use tufd_tuf::reason::Reason;
use tufd_tuf::verdict::{Decision, Request, Verdict};
use tufd_tuf::view::{FloorsKnown, Repository, TrustView};
use tufpub::{Search, Signer as _};

use super::verdict::{Asked, api};
use super::world::{API, World, entry, new_key};

const GRACE: SignedDuration = SignedDuration::from_hours(24);

/// A node that is configured for known-good and allowed [`API`] before.
struct Node {
    asked: Asked,
    allowed: Vec<AllowKey>,
    index: String,
}

impl Node {
    fn of(world: World) -> Self {
        let mut asked = Asked::of(world);
        asked.generation.availability = Availability::KnownGood { grace: GRACE };
        let (_, index) = api();
        Self { asked, allowed: vec![AllowKey::new("acme", API, &index)], index }
    }

    fn new() -> Self {
        Self::of(World::new())
    }

    fn ask(&self) -> Verdict {
        self.ask_for(API, &self.index)
    }

    fn ask_for(&self, reference: &str, digest: &str) -> Verdict {
        let request = Request { reference, digest, size: None };
        let (now, allowed) = (self.asked.world.clock.now(), &self.allowed);
        self.asked.generation.decide(&request, now, &|key| allowed.contains(&key)).unwrap()
    }

    /// So long after the first expiry of timestamp or snapshot.
    fn past_expiry(&self, by: SignedDuration) {
        let view = &self.asked.generation.trusts["acme"];
        let chain = view.chain.as_ref().unwrap();
        let first = tufd_tuf::metadata::Role::expires(&**chain.timestamp());
        self.asked.world.clock.set(first + by);
    }

    fn change(&mut self, change: impl FnOnce(&mut TrustView)) {
        self.asked.change(change);
    }
}

fn outcome(verdict: &Verdict) -> (Decision, Reason) {
    (verdict.decision, verdict.reason)
}

const KNOWN_GOOD: (Decision, Reason) = (Decision::Allow, Reason::KnownGood);

#[test]
fn known_good_allows_what_was_allowed_until_the_grace_ends() {
    let mut node = Node::new();
    assert_eq!(outcome(&node.ask()), (Decision::Allow, Reason::Signed));
    let second = SignedDuration::from_secs(1);
    node.past_expiry(SignedDuration::ZERO);
    let verdict = node.ask();
    assert_eq!(outcome(&verdict), KNOWN_GOOD);
    assert_eq!(verdict.would_be, Some(Decision::Deny));
    assert!(verdict.text.contains("FREEZE_SUSPECTED"), "{}", verdict.text);
    assert_eq!(verdict.valid_until, Some(node.asked.world.clock.now() + GRACE));
    node.change(|view| view.repository = Repository::Unreachable);
    assert!(node.ask().text.contains("TIMESTAMP_EXPIRED"));
    node.past_expiry(GRACE - second);
    assert_eq!(outcome(&node.ask()), KNOWN_GOOD);
    node.past_expiry(GRACE);
    assert_eq!(outcome(&node.ask()), (Decision::Deny, Reason::TimestampExpired));
}

/// The record is a filter: without it nothing, and with it only what the chain still says.
#[test]
fn known_good_needs_the_record_and_the_chain() {
    let mut node = Node::new();
    node.past_expiry(SignedDuration::ZERO);
    let never_signed = FakeImage::new("evil").index.digest().to_string();
    node.allowed.push(AllowKey::new("acme", API, &never_signed));
    let denied = (Decision::Deny, Reason::FreezeSuspected);
    assert_eq!(outcome(&node.ask_for(API, &never_signed)), denied);
    let by_digest = format!("registry.acme.example/payments/api@{}", node.index);
    assert_eq!(outcome(&node.ask_for(&by_digest, &node.index)), denied, "never asked here before");
    node.allowed.clear();
    assert_eq!(outcome(&node.ask()), denied);
    node.allowed.push(AllowKey::new("others", API, &node.index));
    assert_eq!(outcome(&node.ask()), denied, "allowed by another trust");
}

#[test]
fn known_good_is_nothing_under_strict() {
    let mut node = Node::new();
    node.asked.generation.availability = Availability::Strict;
    node.past_expiry(SignedDuration::ZERO);
    assert_eq!(outcome(&node.ask()), (Decision::Deny, Reason::FreezeSuspected));
}

/// A node that took `before`, then each of the others in turn, and now holds the last.
fn over(before: &World, then: &[&Files]) -> Node {
    let mut held = before.node();
    for files in then {
        held.refresh(files).unwrap();
    }
    let mut node = Node::of(before.clone());
    node.change(|view| {
        view.root = Some(held.root.clone());
        view.chain = held.held.clone();
    });
    node
}

fn without(world: &World, role: &str) -> Files {
    world.damaged(|files, _| damage::withhold(files, role))
}

/// A role that cannot be had: what was last loaded of it answers, for a grace from when it went missing, however often
/// it is withheld again.
#[test]
fn known_good_with_a_role_withheld() {
    let mut world = World::new();
    let mut node = Node::of(world.clone());
    let mut held = world.node();
    let mut past = SignedDuration::ZERO;
    for hours in [0, 10, 13, 1] {
        past += SignedDuration::from_hours(hours);
        world.clock.advance(SignedDuration::from_hours(hours));
        world.publish_change();
        held.refresh(&without(&world, "payments")).unwrap();
        node.change(|view| view.chain = held.held.clone());
        let denied = (Decision::Deny, Reason::RoleUnavailable);
        assert_eq!(outcome(&node.ask()), if past < GRACE { KNOWN_GOOD } else { denied }, "{past}");
        let by_digest = format!("registry.acme.example/payments/api@{}", node.index);
        assert_eq!(outcome(&node.ask_for(&by_digest, &node.index)), denied, "never asked before");
    }
    // Had again, and then missing again: it counts anew.
    world.publish_change();
    held.refresh(&world.good).unwrap();
    world.publish_change();
    held.refresh(&without(&world, "payments")).unwrap();
    node.change(|view| view.chain = held.held.clone());
    assert_eq!(outcome(&node.ask()), KNOWN_GOOD);
}

/// Rescinded and seen: withholding what follows brings nothing older back.
#[test]
fn known_good_never_revives_what_was_rescinded() {
    let mut world = World::new();
    world.org.add_team(Team::new("other", &["registry.acme.example/other/*"]));
    world.publish();
    let before = world.clone();
    world.org.rescind("payments", &super::world::image("api 1.0"));
    world.org.renew("other");
    world.publish();
    let rescinded = without(&world, "other");
    let node = over(&before, &[&rescinded]);
    assert_eq!(outcome(&node.ask()), (Decision::Deny, Reason::TargetNotFound));
    world.publish_change();
    let withheld = without(&world, "payments");
    let node = over(&before, &[&rescinded, &withheld]);
    assert_eq!(outcome(&node.ask()), (Decision::Deny, Reason::RoleUnavailable));
    node.past_expiry(SignedDuration::ZERO);
    assert_eq!(node.ask().decision, Decision::Deny);
}

/// A key that targets revoked stands for nothing, also where the role signed by the new one is withheld.
#[test]
fn known_good_of_a_revoked_key() {
    let mut world = World::new();
    let before = world.clone();
    world.org.rotate_team_key("payments");
    world.publish();
    let node = over(&before, &[&without(&world, "payments")]);
    assert_eq!(outcome(&node.ask()), (Decision::Deny, Reason::RoleUnavailable));
}

/// What stands in for one role changes nothing about the others: they are asked, and their word is final.
#[test]
fn known_good_asks_the_roles_that_are_there() {
    let mut world = World::empty();
    for name in ["first", "payments"] {
        world.org.add_team(
            Team::new(name, &["registry.acme.example/payments/*"]).search(Search::GoesOn),
        );
    }
    world.org.sign_image("payments", &super::world::image("api 1.0"));
    world.publish();
    let before = world.clone();
    assert_eq!(outcome(&over(&before, &[]).ask()), (Decision::Allow, Reason::Signed));
    world.org.renew("first");
    world.publish();
    let node = over(&before, &[&without(&world, "first")]);
    assert_eq!(outcome(&node.ask()), KNOWN_GOOD);
    world.org.rescind("payments", &super::world::image("api 1.0"));
    world.publish();
    let node = over(&before, &[&without(&world, "first")]);
    assert_eq!(node.ask().decision, Decision::Deny);
}

/// One delegate who names another team's role under keys of its own closes known-good to nobody.
#[test]
fn known_good_beside_an_edge_that_never_verifies() {
    let mut world = World::new();
    world.org.add_team(Team::new("mine", &["registry.acme.example/mine/*"]));
    world.publish();
    let (id, key) = entry(new_key().public_key());
    world.good = world.forged("mine", |signed| {
        signed["delegations"] = json!({"keys": {&id: key}, "roles": [{
            "name": "payments", "keyids": [id], "threshold": 1,
            "paths": ["registry.acme.example/mine/*"], "terminating": false,
        }]});
    });
    let before = world.clone();
    let good = world.good.clone();
    let mut node = over(&before, &[&good]);
    assert_eq!(outcome(&node.ask()), (Decision::Allow, Reason::Signed));
    node.past_expiry(SignedDuration::ZERO);
    assert_eq!(outcome(&node.ask()), KNOWN_GOOD);
    node.change(|view| view.repository = Repository::Unreachable);
    assert_eq!(outcome(&node.ask()), KNOWN_GOOD);
}

/// What is not for lack of freshness stays denied, row by row.
#[test]
fn known_good_opens_nothing_else() {
    type Close = fn(&mut TrustView);
    let closed: [(&str, Close, Reason); 4] = [
        ("floors", |view| view.floors = FloorsKnown::Lost, Reason::FloorsLost),
        ("chain", |view| view.chain = None, Reason::NoValidChain),
        ("coverage", |view| view.rules.threshold = 4.try_into().unwrap(), Reason::RootNotCovered),
        (
            "stale",
            |view| view.limits.anchor_max_age = Some(SignedDuration::ZERO),
            Reason::AnchorStale,
        ),
    ];
    for (name, close, reason) in closed {
        let mut node = Node::new();
        node.past_expiry(SignedDuration::ZERO);
        assert_eq!(outcome(&node.ask()), KNOWN_GOOD);
        node.change(close);
        assert_eq!(outcome(&node.ask()), (Decision::Deny, reason), "{name}");
    }
    let mut world = World::new();
    let soon = world.clock.now() + SignedDuration::from_hours(25);
    world.good = world.forged("payments", |signed| signed["expires"] = json!(soon.to_string()));
    let node = Node::of(world);
    node.past_expiry(SignedDuration::ZERO);
    let verdict = node.ask();
    assert_eq!((outcome(&verdict), verdict.valid_until), (KNOWN_GOOD, Some(soon)));
    node.asked.world.clock.set(soon);
    assert_eq!(node.ask().decision, Decision::Deny);
}

fn images() -> ImagePattern {
    ImagePattern::new("registry.acme.example/**").unwrap()
}

fn policies(rule: Rule, exemptions: Vec<Exemption>) -> Arc<PolicySet> {
    Arc::new(PolicySet::new(vec![Policy { images: images(), rule }], exemptions).unwrap())
}

fn warn() -> Rule {
    Rule::Warn { trust: "acme".into() }
}

#[test]
fn warn_allows_and_says_what_would_be() {
    let mut node = Node::new();
    node.asked.generation.policies = policies(warn(), Vec::new());
    let yes = node.ask();
    assert_eq!((outcome(&yes), yes.would_be), ((Decision::Allow, Reason::Signed), None));
    let unsigned = node.ask_for("registry.acme.example/payments/api:9", &node.index);
    assert_eq!(outcome(&unsigned), (Decision::Allow, Reason::TargetNotFound));
    assert_eq!(unsigned.would_be, Some(Decision::Deny));
    node.change(|view| view.root = None);
    let nothing = node.ask();
    assert_eq!(outcome(&nothing), (Decision::Allow, Reason::NoTrust));
    assert_eq!((nothing.would_be, nothing.trust.as_deref()), (Some(Decision::Deny), Some("acme")));
}

#[test]
fn deny_asks_no_trust() {
    let mut node = Node::new();
    node.asked.generation.policies = policies(Rule::Deny, Vec::new());
    let verdict = node.ask();
    assert_eq!((outcome(&verdict), verdict.trust), ((Decision::Deny, Reason::PolicyDeny), None));
    assert_eq!(verdict.would_be, None);
}

/// A digest, not a name; until a day; and no trust is needed, so that a node can boot.
#[test]
fn exempt_is_for_the_digest_and_ends() {
    let mut node = Node::new();
    let until = node.asked.world.clock.now() + SignedDuration::from_hours(1);
    let boot = FakeImage::new("pause").index.digest().to_string();
    let exemption = Exemption {
        images: images(),
        digests: [boot.parse().unwrap()].into(),
        until,
        reason: "the node cannot start without it".into(),
    };
    node.asked.generation.policies = policies(Rule::Deny, vec![exemption]);
    node.change(|view| view.root = None);
    let name = "registry.acme.example/boot/pause:3";
    let verdict = node.ask_for(name, &boot);
    assert_eq!(outcome(&verdict), (Decision::Allow, Reason::Exempt));
    assert_eq!((verdict.valid_until, verdict.would_be), (Some(until), None));
    assert!(verdict.text.contains("cannot start without it"));
    assert_eq!(node.ask_for("other.example/pause:3", &boot).reason, Reason::NoPolicy);
    assert_eq!(node.ask_for(name, &node.index).reason, Reason::PolicyDeny, "another digest");
    node.asked.world.clock.set(until);
    let ended = node.ask_for(name, &boot);
    assert_eq!(outcome(&ended), (Decision::Deny, Reason::PolicyDeny));
    assert!(ended.text.contains("exemption ended"), "{}", ended.text);
    // A clock set back prolongs none, as far as any trust knows better.
    node.change(|view| view.time_floor = Some(until));
    node.asked.world.clock.advance(-SignedDuration::from_secs(30));
    assert_eq!(node.ask_for(name, &boot).reason, Reason::PolicyDeny);
}

/// Another spelling of a registry is no other policy.
#[test]
fn policy_by_another_spelling_of_the_registry() {
    let mut node = Node::new();
    let everything = Policy { images: ImagePattern::new("*/**").unwrap(), rule: warn() };
    let strict = Policy { images: images(), rule: Rule::Enforce { trust: "acme".into() } };
    node.asked.generation.policies =
        Arc::new(PolicySet::new(vec![everything, strict], Vec::new()).unwrap());
    for host in ["REGISTRY.acme.example", "registry.acme.example:443", "Registry.Acme.Example:0443"]
    {
        let verdict = node.ask_for(&format!("{host}/payments/api:9"), &node.index);
        assert_eq!(outcome(&verdict), (Decision::Deny, Reason::TargetNotFound), "{host}");
        assert_eq!(verdict.reference, "registry.acme.example/payments/api:9");
    }
    let elsewhere = node.ask_for("registry.acme.example:8443/payments/api:9", &node.index);
    assert_eq!(elsewhere.would_be, Some(Decision::Deny));
}
