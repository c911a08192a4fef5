//! What passes without a full yes: known-good, `warn`, `exempt`; and `deny`.

use std::sync::Arc;

use jiff::SignedDuration;
use testkit::{FakeImage, damage};
use tufd_tuf::image::{Exemption, ImagePattern, Policy, PolicySet, Rule};
use tufd_tuf::known_good::{AllowKey, Availability};
use tufd_tuf::reason::Reason;
use tufd_tuf::verdict::{Decision, Request, Verdict};
use tufd_tuf::view::{Earlier, FloorsKnown, Repository, TrustView};

use super::verdict::{Asked, api};
use super::world::{API, World};

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

/// Rescinded by the chain that answers: the earlier one is not asked.
#[test]
fn known_good_never_revives_what_was_rescinded() {
    let mut world = World::new();
    let earlier = world.node().held.unwrap();
    let image = super::world::image("api 1.0");
    world.org.rescind("payments", &image);
    world.publish();
    let mut node = Node::of(world);
    let since = node.asked.world.clock.now();
    node.change(|view| view.earlier = Some(Earlier { chain: earlier, since }));
    assert_eq!(outcome(&node.ask()), (Decision::Deny, Reason::TargetNotFound));
    node.past_expiry(SignedDuration::ZERO);
    assert_eq!(outcome(&node.ask()), (Decision::Deny, Reason::FreezeSuspected));
}

/// A role that cannot be had: the complete chain before it answers, for a grace from then on.
#[test]
fn known_good_with_a_role_withheld() {
    let mut world = World::new();
    let earlier = world.node().held.unwrap();
    world.publish_change();
    world.good = world.damaged(|files, _| damage::withhold(files, "payments"));
    let mut node = Node::of(world);
    assert_eq!(outcome(&node.ask()), (Decision::Deny, Reason::RoleUnavailable));
    let since = node.asked.world.clock.now() - GRACE + SignedDuration::from_secs(1);
    node.change(|view| view.earlier = Some(Earlier { chain: earlier, since }));
    assert_eq!(outcome(&node.ask()), KNOWN_GOOD);
    node.asked.world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(outcome(&node.ask()), (Decision::Deny, Reason::RoleUnavailable));
}

/// After a rotation of the root the earlier chain is no longer one under the trusted root.
#[test]
fn known_good_with_a_chain_of_another_root() {
    let mut world = World::new();
    let earlier = world.node().held.unwrap();
    world.org.rotate_root(&[], &[]);
    world.publish_change();
    let mut entered = world.fresh_node(&world.good);
    let without = world.damaged(|files, _| damage::withhold(files, "payments"));
    entered.refresh(&without).unwrap();
    world.good = without;
    let mut node = Node::of(world);
    let since = node.asked.world.clock.now();
    node.change(|view| view.earlier = Some(Earlier { chain: earlier, since }));
    assert_eq!(outcome(&node.ask()), (Decision::Deny, Reason::RoleUnavailable));
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
    world.good =
        world.forged("payments", |signed| signed["expires"] = serde_json::json!(soon.to_string()));
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
    let lax = Policy { images: ImagePattern::new("**").unwrap_or_else(|_| images()), rule: warn() };
    let everything = Policy { images: ImagePattern::new("*/**").unwrap(), ..lax };
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
