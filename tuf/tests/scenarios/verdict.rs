//! The answer to a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use testkit::{FakeImage, Team, damage};
use tufd_tuf::anchor::Said;
use tufd_tuf::image::{ImagePattern, Policy, PolicySet, Rule};
use tufd_tuf::known_good::Availability;
use tufd_tuf::reason::Reason;
use tufd_tuf::verdict::{Decision, Generation, Request, Verdict};
use tufd_tuf::view::FloorsKnown;
use tufpub::{Search, TargetFile};

use super::node::DOMAIN;
use super::view::view;
use super::world::{API, World, target};

const REPOSITORY: &str = "registry.acme.example/payments/api";

pub(crate) struct Asked {
    pub(crate) world: World,
    pub(crate) generation: Generation,
}

fn policy(images: &str, trust: &str) -> Policy {
    Policy {
        images: ImagePattern::new(images).unwrap(),
        rule: Rule::Enforce { trust: trust.to_owned() },
    }
}

impl Asked {
    pub(crate) fn of(world: World) -> Self {
        let trusts = BTreeMap::from([("acme".to_owned(), Arc::new(view(&world, &world.node())))]);
        let policies =
            vec![policy("registry.acme.example/**", "acme"), policy("lost.example/**", "lost")];
        let generation = Generation {
            number: 7,
            trusts,
            policies: Arc::new(PolicySet::new(policies, Vec::new()).unwrap()),
            availability: Availability::Strict,
            built: world.clock.now() - SignedDuration::from_hours(1),
        };
        Self { world, generation }
    }

    fn new() -> Self {
        Self::of(World::new())
    }

    fn ask(&self, reference: &str, digest: &str, size: Option<u64>) -> Verdict {
        let request = Request { reference, digest, size };
        self.generation.decide(&request, self.world.clock.now(), &|_| true).unwrap()
    }

    fn reason(&self, reference: &str, digest: &str) -> Reason {
        let verdict = self.ask(reference, digest, None);
        assert_eq!(verdict.decision == Decision::Allow, verdict.reason == Reason::Signed);
        assert!(!verdict.text.is_empty());
        verdict.reason
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut tufd_tuf::view::TrustView)) {
        let view = self.generation.trusts.get_mut("acme").unwrap();
        change(Arc::make_mut(view));
    }
}

fn digest(descriptor: tufpub::Descriptor) -> String {
    descriptor.digest().to_string()
}

pub(crate) fn api() -> (FakeImage, String) {
    let image = FakeImage::new("api 1.0");
    (image, digest(image.index))
}

#[test]
fn verdict_signed() {
    let asked = Asked::new();
    let (image, index) = api();
    let verdict = asked.ask(API, &index, Some(image.index.size()));
    assert_eq!((verdict.decision, verdict.reason), (Decision::Allow, Reason::Signed));
    assert_eq!((verdict.reference.as_str(), verdict.digest.as_str()), (API, index.as_str()));
    assert_eq!((verdict.trust.as_deref(), verdict.generation), (Some("acme"), 7));
    let path: Vec<&str> = verdict.role_path.iter().map(|role| role.as_str()).collect();
    assert_eq!(path, ["targets", "payments"]);
    let keys: Vec<_> = asked.world.org.keys_of("payments").iter().collect();
    let fingerprint = tufpub::Signer::public_key(keys[0]).material().fingerprint();
    assert_eq!(verdict.keys.into_iter().collect::<Vec<_>>(), [fingerprint]);
    assert_eq!(verdict.versions.len(), 5);
    assert_eq!(verdict.expires.len(), 5);
}

/// Tag and digest targets: each answers for itself only.
#[test]
fn verdict_by_tag_and_by_digest() {
    let asked = Asked::new();
    let (image, index) = api();
    let by = |suffix: &str| format!("{REPOSITORY}{suffix}");
    for blob in [image.index, image.manifest, image.config] {
        let digest = digest(blob);
        assert_eq!(asked.reason(&by(&format!("@{digest}")), &digest), Reason::Signed);
    }
    assert_eq!(asked.reason(&by(&format!(":1.0@{index}")), &index), Reason::Signed);
    // A manifest is not what the tag names, a tag that nobody signed is none, and `latest` is a tag like others.
    assert_eq!(asked.reason(&by(":1.0"), &digest(image.manifest)), Reason::DigestMismatch);
    assert_eq!(asked.reason(&by(":2.0"), &index), Reason::TargetNotFound);
    assert_eq!(asked.reason(&by(&format!(":2.0@{index}")), &index), Reason::TargetNotFound);
    assert_eq!(asked.reason(&by(""), &index), Reason::TargetNotFound);
    let other = digest(FakeImage::new("other").index);
    assert_eq!(asked.reason(API, &other), Reason::DigestMismatch);
    assert_eq!(asked.reason(&by(&format!("@{other}")), &other), Reason::TargetNotFound);
}

/// Wrong software: a digest signed under another name of the same team.
#[test]
fn verdict_of_another_names_digest() {
    let mut world = World::new();
    let web = FakeImage::new("web").named("registry.acme.example/payments/web:1.0");
    world.org.sign_image("payments", &web);
    world.publish();
    let asked = Asked::of(world);
    let digest = digest(FakeImage::new("web").index);
    assert_eq!(asked.reason("registry.acme.example/payments/web:1.0", &digest), Reason::Signed);
    assert_eq!(asked.reason(API, &digest), Reason::DigestMismatch);
    assert_eq!(asked.reason(&format!("{REPOSITORY}@{digest}"), &digest), Reason::TargetNotFound);
}

#[test]
fn verdict_of_a_wrong_size() {
    let asked = Asked::new();
    let (image, index) = api();
    for size in [0, image.index.size() + 1, u64::MAX] {
        assert_eq!(asked.ask(API, &index, Some(size)).reason, Reason::DigestMismatch);
    }
}

/// A target of another hash kind vouches for no sha256.
#[test]
fn verdict_of_a_target_without_sha256() {
    let mut world = World::new();
    let (_, index) = api();
    let mut other = target("x");
    other.hashes = BTreeMap::from([("sha512".to_owned(), "00".repeat(64))]);
    world.org.sign_target("payments", API, other);
    world.publish();
    assert_eq!(Asked::of(world).reason(API, &index), Reason::DigestMismatch);
}

#[test]
fn verdict_of_an_invalid_reference() {
    let asked = Asked::new();
    let (image, index) = api();
    let manifest = digest(image.manifest);
    let upper = index.to_uppercase();
    let sha512 = format!("sha512:{}", "0".repeat(128));
    let pinned = format!("{REPOSITORY}@{manifest}");
    let cases = [
        ("", index.as_str()),
        ("Registry.acme.example/Payments", &index),
        ("registry.acme.example/payments/api:1.0\n", &index),
        (API, ""),
        (API, "sha256:"),
        (API, &upper),
        (API, &sha512),
        (API, &index[7..]),
        (pinned.as_str(), &index),
    ];
    for (reference, digest) in cases {
        assert_eq!(
            asked.reason(reference, digest),
            Reason::InvalidReference,
            "{reference:?} {digest:?}"
        );
    }
    let verdict = asked.ask(&"x".repeat(100_000), &"y".repeat(100_000), None);
    assert!(verdict.reference.len() + verdict.digest.len() + verdict.text.len() < 2_000);
}

#[test]
fn verdict_without_a_policy() {
    let asked = Asked::new();
    let (_, index) = api();
    for name in [
        "nginx",
        "evil.example/registry.acme.example/payments/api:1.0",
        "registry.acme.example.evil/payments/api:1.0",
    ] {
        assert_eq!(asked.reason(name, &index), Reason::NoPolicy, "{name}");
    }
}

/// The most specific policy decides which trust is asked: another trust's signature counts for nothing.
#[test]
fn verdict_of_the_wrong_trust() {
    let mut asked = Asked::new();
    let (_, index) = api();
    let mut other = World::empty();
    other.org.add_team(Team::new("others", &["registry.acme.example/others/*"]));
    other.publish();
    let other_view = view(&other, &other.node());
    asked.generation.trusts.insert("others".into(), Arc::new(other_view));
    let policies = vec![
        policy("registry.acme.example/**", "acme"),
        policy("registry.acme.example/payments/*", "others"),
    ];
    asked.generation.policies = Arc::new(PolicySet::new(policies, Vec::new()).unwrap());
    let verdict = asked.ask(API, &index, None);
    assert_eq!(
        (verdict.reason, verdict.trust.as_deref()),
        (Reason::TargetNotFound, Some("others"))
    );
}

#[test]
fn no_verdict_where_nothing_was_verified() {
    let mut asked = Asked::new();
    let (_, index) = api();
    let now = asked.world.clock.now();
    asked.change(|view| (view.root, view.trouble) = (None, Some("no source answers".into())));
    let request = Request { reference: API, digest: &index, size: None };
    let none = asked.generation.decide(&request, now, &|_| true).unwrap_err();
    assert_eq!(none.trust, "acme");
    assert!(
        none.to_string().starts_with("NO_TRUST") && none.to_string().contains("no source answers")
    );
    let lost = Request { reference: "lost.example/x", ..request };
    assert_eq!(asked.generation.decide(&lost, now, &|_| true).unwrap_err().trust, "lost");
}

#[test]
fn verdict_on_an_implausible_clock() {
    let asked = Asked::new();
    let (_, index) = api();
    let built = asked.generation.built;
    asked.world.clock.set(built - SignedDuration::from_secs(1));
    assert_eq!(asked.reason(API, &index), Reason::ClockImplausible);
    asked.world.clock.set(Timestamp::UNIX_EPOCH);
    assert_eq!(asked.reason(API, &index), Reason::ClockImplausible);
    asked.world.clock.set(built);
    assert_eq!(asked.reason(API, &index), Reason::Signed);
}

/// Whatever closes the trust is the verdict's reason, and a clock set right opens it again.
#[test]
fn verdict_of_a_closed_trust() {
    let mut asked = Asked::new();
    let (_, index) = api();
    asked.change(|view| view.floors = FloorsKnown::Lost);
    assert_eq!(asked.reason(API, &index), Reason::FloorsLost);
    asked.change(|view| view.floors = FloorsKnown::Yes);
    asked.world.clock.advance(SignedDuration::from_hours(24 * 365 * 20));
    let far = asked.reason(API, &index);
    assert!([Reason::AnchorStale, Reason::RoleExpired].contains(&far), "{far}");
    asked.world.clock.advance(-SignedDuration::from_hours(24 * 365 * 20));
    assert_eq!(asked.reason(API, &index), Reason::Signed);
    asked.change(|view| view.chain = None);
    assert_eq!(asked.reason(API, &index), Reason::NoValidChain);
}

#[test]
fn verdict_of_a_role_that_is_withheld_or_expired() {
    let (_, index) = api();
    type Harm = fn(&mut testkit::Files, &testkit::Org);
    let cases: [(Harm, Reason); 2] = [
        (|files, _| damage::withhold(files, "payments"), Reason::RoleUnavailable),
        (|files, org| damage::expire(files, org, "payments"), Reason::RoleExpired),
    ];
    for (damage, reason) in cases {
        let mut world = World::new();
        world.good = world.damaged(damage);
        assert_eq!(Asked::of(world).reason(API, &index), reason);
    }
}

/// Rescinding and moving a tag take effect with the chain that says so.
#[test]
fn verdict_after_a_rescind_and_a_moved_tag() {
    let mut world = World::new();
    let (_, index) = api();
    let moved = super::world::image("api 1.1");
    world.org.sign_image("payments", &moved);
    world.publish();
    let asked = Asked::of(world.clone());
    assert_eq!(asked.reason(API, &index), Reason::DigestMismatch);
    assert_eq!(asked.reason(&format!("{REPOSITORY}@{index}"), &index), Reason::Signed);
    let now = digest(FakeImage::new("api 1.1").index);
    assert_eq!(asked.reason(API, &now), Reason::Signed);
    world.org.rescind("payments", &moved);
    world.publish();
    assert_eq!(Asked::of(world).reason(API, &now), Reason::TargetNotFound);
}

/// The answer is good until the first role that was asked expires, on the path or beside it.
#[test]
fn verdict_valid_until_the_first_role_asked_expires() {
    let mut world = World::empty();
    for name in ["beside", "payments"] {
        world.org.add_team(Team::new(name, &["registry.acme.example/*/*"]).search(Search::GoesOn));
    }
    world.org.sign_target("payments", API, TargetFile::sha256(1, tufd_tuf::hash::Sha256::of(b"x")));
    world.publish();
    let soon = world.clock.now() + SignedDuration::from_hours(1);
    world.good =
        world.forged("beside", |signed| signed["expires"] = serde_json::json!(soon.to_string()));
    let asked = Asked::of(world);
    let digest = format!("sha256:{}", tufd_tuf::hash::Sha256::of(b"x"));
    let verdict = asked.ask(API, &digest, None);
    assert_eq!((verdict.reason, verdict.valid_until), (Reason::Signed, Some(soon)));
    asked.world.clock.set(soon);
    assert_eq!(asked.reason(API, &digest), Reason::RoleExpired);
}

/// A withdrawal that pends ends the answer, too.
#[test]
fn verdict_valid_until_a_pending_withdrawal() {
    let mut asked = Asked::new();
    let (_, index) = api();
    let now = asked.world.clock.now();
    let day = now + SignedDuration::from_hours(24);
    assert_eq!(asked.ask(API, &index, None).valid_until, Some(day));
    asked.change(|view| {
        view.anchor.hear(Said::Missing, DOMAIN, now).unwrap();
    });
    let due = now + SignedDuration::from_secs(60);
    assert_eq!(asked.ask(API, &index, None).valid_until, Some(due));
    asked.world.clock.set(due);
    assert_eq!(asked.reason(API, &index), Reason::AnchorWithdrawn);
}
