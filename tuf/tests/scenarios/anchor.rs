//! Entering a chain, and being covered by today's anchor.

use testkit::{Clock, Files, Org};
use tufd_tuf::anchor::{Anchor, AnchorRules, Bundle};
use tufd_tuf::refusal::Refusal;
use tufd_tuf::root::{Coverage, TrustedRoot};
use tufpub::{KeyKind, SigningKey};

use super::node::{DOMAIN, Node, anchor, raw, v};
use super::world::{World, key_of, new_key};

/// Roots 1 to 3: keys 0, 1, 2, then 3, 4 join, then 0, 1, 2 leave. Two must sign.
struct Chain {
    keys: Vec<SigningKey>,
    org: Org,
    files: Files,
}

fn chain() -> Chain {
    let keys: Vec<SigningKey> = (0..5).map(|_| new_key()).collect();
    let mut org = Org::with_root_keys(&Clock::default(), &keys[..3], 2);
    org.rotate_root(&keys[3..], &[]);
    org.rotate_root(&[], &keys[..3]);
    let files = org.publish();
    Chain { keys, org, files }
}

impl Chain {
    fn anchor(&self, keys: &[usize], threshold: u32) -> Anchor {
        let keys: Vec<SigningKey> = keys.iter().map(|key| self.keys[*key].clone()).collect();
        anchor(&self.org.anchor_of(&keys, None).to_der(), threshold)
    }

    fn enter(&self, version: u64, anchor: &Anchor) -> Result<TrustedRoot, Refusal> {
        TrustedRoot::enter(raw(&self.files, &format!("{version}.root.json")), v(version), anchor)
    }

    /// The root of a version, reached along the chain from 1.
    fn walk(&self, version: u64) -> TrustedRoot {
        let first = self.enter(1, &self.anchor(&[0, 1], 2)).unwrap();
        (2..=version).fold(first, |root, next| {
            root.succeed(raw(&self.files, &format!("{next}.root.json"))).unwrap()
        })
    }
}

#[test]
fn anchor_enters_at_the_first_covered_version() {
    let chain = chain();
    let newer = chain.anchor(&[3, 4], 2);
    let why = chain.enter(1, &newer).unwrap_err();
    assert!(matches!(why, Refusal::NotCovered { covering: 0, .. }));
    assert_eq!(chain.enter(2, &newer).unwrap().version(), v(2));
    let mixed = chain.anchor(&[2, 3], 2);
    assert!(matches!(chain.enter(1, &mixed), Err(Refusal::NotCovered { covering: 1, .. })));
    chain.enter(2, &mixed).unwrap();
}

/// A5: fewer attacker keys than the anchor's threshold, with a root that asks for one signature only.
#[test]
fn anchor_threshold_is_never_the_roots() {
    let thief = new_key();
    let evil = Org::with_root_keys(&Clock::default(), std::slice::from_ref(&thief), 1).publish();
    let chain = chain();
    let keys = [chain.keys[0].clone(), chain.keys[1].clone(), thief];
    let bundle = chain.org.anchor_of(&keys, None).to_der();
    let why = TrustedRoot::enter(raw(&evil, "1.root.json"), v(1), &anchor(&bundle, 2)).unwrap_err();
    assert!(matches!(why, Refusal::NotCovered { covering: 1, .. }));
    chain.enter(1, &anchor(&bundle, 2)).unwrap();
}

/// A root must satisfy its own role, too: the anchor's keys do not stand in for it.
#[test]
fn anchor_covers_no_root_that_fails_its_own_role() {
    let mut chain = chain();
    testkit::damage::keep_signatures(&mut chain.files, "1.root.json", 1);
    let why = chain.enter(1, &chain.anchor(&[0, 1, 2], 1)).unwrap_err();
    assert!(matches!(why, Refusal::TooFewSignatures { found: 1, .. }));
}

#[test]
fn anchor_enters_the_version_asked_for_only() {
    let chain = chain();
    let why = TrustedRoot::enter(raw(&chain.files, "2.root.json"), v(1), &chain.anchor(&[0, 1], 2));
    assert!(matches!(why, Err(Refusal::VersionMismatch { .. })));
}

/// Keys of the predecessor count: old keys may leave the bundle after the root that drops them, and not before.
#[test]
fn anchor_covered_by_the_predecessors_keys() {
    let chain = chain();
    let root = chain.walk(3);
    for (keys, covered) in [(&[0, 1][..], true), (&[0, 3], true), (&[3, 4], true), (&[0], false)] {
        assert_eq!(root.coverage(&chain.anchor(keys, 2)).is_covered(), covered, "{keys:?}");
    }
    // Entered without its predecessor, only its own role's keys are known.
    let old = chain.anchor(&[0, 1], 2);
    assert!(matches!(chain.enter(3, &old), Err(Refusal::NotCovered { covering: 0, .. })));
    // And they are written down with the floor.
    let restored = TrustedRoot::restore(raw(&chain.files, "3.root.json"), &root.floor()).unwrap();
    assert!(restored.coverage(&old).is_covered());
}

/// An ordinary rotation of one key is no outage in either order of bundle and publishing.
#[test]
fn anchor_rotation_in_either_order() {
    let keys: Vec<SigningKey> = (0..4).map(|_| new_key()).collect();
    let mut org = Org::with_root_keys(&Clock::default(), &keys[..3], 2);
    org.rotate_root(&keys[3..], &keys[..1]);
    let files = org.publish();
    let of = |range: &[SigningKey]| anchor(&org.anchor_of(range, None).to_der(), 2);
    let (old, new) = (of(&keys[..3]), of(&keys[1..]));
    let first = TrustedRoot::enter(raw(&files, "1.root.json"), v(1), &old).unwrap();
    let second = first.succeed(raw(&files, "2.root.json")).unwrap();
    for (root, anchor) in [(&first, &old), (&first, &new), (&second, &old), (&second, &new)] {
        assert!(root.coverage(anchor).is_covered());
    }
}

/// A4: taking keys out of the bundle uncovers the root, putting them back heals.
#[test]
fn anchor_shrinks_below_its_threshold() {
    let chain = chain();
    let root = chain.walk(1);
    assert!(root.coverage(&chain.anchor(&[0, 1, 2], 2)).is_covered());
    let shrunk = root.coverage(&chain.anchor(&[0], 2));
    assert!(matches!(&shrunk, Coverage::NotCovered(keys) if keys.len() == 1));
    assert!(root.coverage(&chain.anchor(&[0, 2], 2)).is_covered());
}

/// Stolen keys sign a root of the thief's; then they are withdrawn. The node that went along stops, and neither
/// putting other keys in nor the honest chain moves it: only its own configuration does.
#[test]
fn anchor_stolen_quorum_is_withdrawn() {
    let chain = chain();
    let (first, second) = (chain.walk(1), chain.anchor(&[3, 4], 2));
    let mut thief = Org::with_root_keys(&Clock::default(), &chain.keys[..3], 2);
    thief.rotate_root(&[new_key()], &[]);
    let stolen = thief.publish();
    let taken = first.succeed(raw(&stolen, "2.root.json")).unwrap();
    assert!(taken.coverage(&chain.anchor(&[0, 1, 2], 2)).is_covered());
    assert!(!taken.coverage(&second).is_covered());
    taken.succeed(raw(&chain.files, "2.root.json")).unwrap_err();
    taken.succeed(raw(&chain.files, "3.root.json")).unwrap();
    chain.enter(2, &second).unwrap();
}

fn with_least(org: &Org, least: &[(&SigningKey, Option<u64>)], threshold: u32) -> Anchor {
    let wrap = |(key, least): &(&SigningKey, Option<u64>)| {
        org.anchor_of(std::slice::from_ref(*key), least.map(v)).to_der()
    };
    anchor(&least.iter().map(wrap).collect::<Vec<_>>().concat(), threshold)
}

/// The least root version counts when threshold keys carry it or a higher one; below it no root is covered, and a
/// smaller one heals.
#[test]
fn anchor_least_root_version() {
    let chain = chain();
    let [a, b, c] = &chain.keys[..3] else { panic!() };
    let of = |x, y, z| with_least(&chain.org, &[(a, x), (b, y), (c, z)], 2);
    let cases = [
        (of(None, None, None), None),
        (of(Some(2), None, None), None),
        (of(Some(2), Some(2), None), Some(v(2))),
        (of(Some(2), Some(3), None), Some(v(2))),
        (of(Some(3), Some(3), Some(9)), Some(v(3))),
    ];
    let (first, second) = (chain.walk(1), chain.walk(2));
    for (anchor, least) in &cases {
        assert_eq!(anchor.least_root_version(), *least);
        assert_eq!(first.coverage(anchor).is_covered(), least.is_none());
        assert_eq!(second.coverage(anchor).is_covered(), *least != Some(v(3)));
    }
    let (needs_3, healed) = (&cases[4].0, of(Some(1), Some(1), Some(9)));
    assert!(matches!(second.coverage(needs_3), Coverage::BelowLeast(least) if least == v(3)));
    assert!(matches!(chain.enter(2, needs_3), Err(Refusal::BelowLeastRoot { .. })));
    assert!(second.coverage(&healed).is_covered());
}

/// One key cannot speak for two, however many wrappers it has.
#[test]
fn anchor_least_root_version_of_one_key_in_three_wrappers() {
    let chain = chain();
    let key = &chain.keys[0];
    let many = with_least(
        &chain.org,
        &[(key, Some(9)), (key, Some(8)), (key, Some(7)), (&chain.keys[1], None)],
        2,
    );
    assert_eq!(many.least_root_version(), None);
    // The highest of a key's wrappers counts, wherever it stands.
    for order in [[Some(7), Some(9)], [Some(9), Some(7)], [None, Some(9)]] {
        let [first, second] = order;
        let both =
            with_least(&chain.org, &[(key, first), (&chain.keys[1], Some(9)), (key, second)], 2);
        assert_eq!(both.least_root_version(), Some(v(9)));
    }
}

/// Pins let SPIRE remove keys and add none.
#[test]
fn anchor_pins() {
    let chain = chain();
    let pinned = |pins: &[usize], keys: &[usize]| {
        let all = chain.anchor(&[0, 1, 2, 3, 4], 2);
        let prints: Vec<_> = all.keys().map(|key| key.fingerprint).collect();
        let mine = |i: &usize| {
            let key = tufpub::Signer::public_key(&chain.keys[*i]).material().fingerprint();
            *prints.iter().find(|print| **print == key).unwrap()
        };
        let keys: Vec<SigningKey> = keys.iter().map(|key| chain.keys[*key].clone()).collect();
        let bundle = Bundle::parse(&chain.org.anchor_of(&keys, None).to_der(), DOMAIN).unwrap();
        let pins = Some(pins.iter().map(mine).collect());
        Anchor::new(&bundle, &AnchorRules { threshold: 2.try_into().unwrap(), pins })
    };
    let root = chain.walk(2);
    assert!(root.coverage(&pinned(&[0, 1], &[0, 1, 2])).is_covered());
    assert!(!root.coverage(&pinned(&[0, 1], &[1, 2, 3])).is_covered());
    assert!(!root.coverage(&pinned(&[], &[0, 1, 2])).is_covered());
    assert!(matches!(
        chain.enter(1, &pinned(&[3, 4], &[0, 1, 2])),
        Err(Refusal::NotCovered { .. })
    ));
}

/// Root keys of all three kinds, each needed once.
#[test]
fn anchor_of_every_kind_of_key() {
    let world = World::new();
    let keys = world.org.root_keys().to_vec();
    for pair in [[0, 1], [1, 2], [0, 2]] {
        let pair = pair.map(|key| keys[key].clone());
        let node = Node::enter(
            &world.clock,
            &world.good,
            &anchor(&world.org.anchor_of(&pair, None).to_der(), 2),
        );
        assert!(node.root.coverage(&anchor(&world.org.anchor().to_der(), 3)).is_covered());
    }
    let strange = [key_of(KeyKind::EcdsaP256), keys[0].clone()];
    let strange = anchor(&world.org.anchor_of(&strange, None).to_der(), 2);
    TrustedRoot::enter(raw(&world.good, "1.root.json"), v(1), &strange).unwrap_err();
}
