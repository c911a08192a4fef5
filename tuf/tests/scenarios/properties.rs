//! Random histories of an organisation, offered by a mirror that lies as it can, over restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use testkit::{FakeImage, Files, Org, Team, damage};
use tufd_tuf::image::{ImagePattern, Policy, PolicySet};
use tufd_tuf::json::canonical;
use tufd_tuf::session::Next;
use tufd_tuf::verdict::{Decision, Generation, Request};
use tufpub::{Image, Search};

use super::floors::kept;
use super::node::Node;
use super::view::view;
use super::world::World;

/// What happens next: the organisation does its work, the mirror offers something, the node restarts.
#[derive(Debug, Clone)]
enum Event {
    Sign { team: usize, seed: u8 },
    Rescind { team: usize, seed: u8 },
    Rotate(Rotation),
    Hours(i64),
    Offer(Offer),
    Restart(Cache),
}

#[derive(Debug, Clone, Copy)]
enum Rotation {
    Root,
    Timestamp,
    Snapshot,
    Targets,
    Team(usize),
}

/// What a mirror, which holds no keys, makes of what was published.
#[derive(Debug, Clone)]
enum Offer {
    Newest,
    Older(prop::sample::Index),
    /// Today's files, with one role's of an older day.
    Mixed(prop::sample::Index, usize),
    Damaged(Damage, prop::sample::Index),
}

#[derive(Debug, Clone, Copy)]
enum Damage {
    Flip(u8),
    Cut,
    Junk,
    Oversize,
    Withhold,
    Unsign,
    Twice,
    Prolong,
    Respell,
}

/// Which files a restarted node finds.
#[derive(Debug, Clone)]
enum Cache {
    Own,
    Older(prop::sample::Index),
    Damaged(prop::sample::Index),
}

const TEAMS: [&str; 2] = ["payments", "web"];
const ROLES: [&str; 5] = ["timestamp", "snapshot", "targets", "payments", "web"];

fn event() -> impl Strategy<Value = Event> {
    let rotation = prop_oneof![
        Just(Rotation::Root),
        Just(Rotation::Timestamp),
        Just(Rotation::Snapshot),
        Just(Rotation::Targets),
        (0..2_usize).prop_map(Rotation::Team),
    ];
    let damage = prop_oneof![
        (1..=255_u8).prop_map(Damage::Flip),
        Just(Damage::Cut),
        Just(Damage::Junk),
        Just(Damage::Oversize),
        Just(Damage::Withhold),
        Just(Damage::Unsign),
        Just(Damage::Twice),
        Just(Damage::Prolong),
        Just(Damage::Respell),
    ];
    let offer = prop_oneof![
        4 => Just(Offer::Newest),
        2 => any::<prop::sample::Index>().prop_map(Offer::Older),
        2 => (any::<prop::sample::Index>(), 0..ROLES.len()).prop_map(|(i, role)| Offer::Mixed(i, role)),
        4 => (damage, any::<prop::sample::Index>()).prop_map(|(damage, i)| Offer::Damaged(damage, i)),
    ];
    let cache = prop_oneof![
        2 => Just(Cache::Own),
        1 => any::<prop::sample::Index>().prop_map(Cache::Older),
        1 => any::<prop::sample::Index>().prop_map(Cache::Damaged),
    ];
    prop_oneof![
        3 => (0..2_usize, 0..4_u8).prop_map(|(team, seed)| Event::Sign { team, seed }),
        1 => (0..2_usize, 0..4_u8).prop_map(|(team, seed)| Event::Rescind { team, seed }),
        2 => rotation.prop_map(Event::Rotate),
        1 => (1..30_i64).prop_map(Event::Hours),
        8 => offer.prop_map(Event::Offer),
        2 => cache.prop_map(Event::Restart),
    ]
}

fn image(team: usize, seed: u8) -> Image {
    let name = format!("registry.acme.example/{}/app:{}", TEAMS[team], seed % 2);
    FakeImage::new(&format!("{team} {seed}")).named(&name)
}

/// Every reference and digest that is ever asked about.
fn questions() -> Vec<(String, String)> {
    let seeds = (0..2).flat_map(|team| (0..4).map(move |seed| (team, seed)));
    let images: Vec<Image> = seeds.map(|(team, seed)| image(team, seed)).collect();
    let digests: BTreeSet<String> = images
        .iter()
        .flat_map(|image| image.targets().into_values())
        .map(|target| format!("sha256:{}", target.hashes["sha256"]))
        .collect();
    let tags: BTreeSet<String> = images.iter().map(|image| image.reference().to_string()).collect();
    let by_tag = tags.iter().flat_map(|tag| digests.iter().map(|d| (tag.clone(), d.clone())));
    let by_digest = images.iter().flat_map(|image| {
        let name = image.reference().name().to_owned();
        digests.iter().map(move |digest| (format!("{name}@{digest}"), digest.clone()))
    });
    by_tag.chain(by_digest).collect()
}

/// The organisation with all it ever published, and the node.
struct Story {
    world: World,
    history: Vec<Files>,
    /// What each version of the timestamp stood for when it was published: target path to digest.
    meant: BTreeMap<u64, BTreeMap<String, String>>,
    signed: BTreeMap<String, String>,
    node: Node,
    /// The files of the chain that answers, as a node keeps them.
    own: Files,
}

impl Story {
    fn new() -> Self {
        let mut world = World::empty();
        for team in TEAMS {
            let paths = format!("registry.acme.example/{team}/*");
            world.org.add_team(Team::new(team, &[&paths]).search(Search::GoesOn));
        }
        world.publish();
        let (node, own) = (world.node(), world.good.clone());
        let mut story = Self {
            history: Vec::new(),
            meant: BTreeMap::new(),
            signed: BTreeMap::new(),
            world,
            node,
            own,
        };
        story.remember();
        story
    }

    fn remember(&mut self) {
        self.history.push(self.world.good.clone());
        let timestamp = self.world.good.json("timestamp.json");
        let version = timestamp["signed"]["version"].as_u64().unwrap();
        self.meant.insert(version, self.signed.clone());
    }

    fn publish(&mut self) {
        self.world.publish();
        self.remember();
    }

    fn happens(&mut self, event: &Event) {
        let Self { world, signed, .. } = self;
        match event {
            Event::Sign { team, seed } => {
                let image = image(*team, *seed);
                world.org.sign_image(TEAMS[*team], &image);
                signed.extend(hashes_of(&image));
                self.publish();
            }
            Event::Rescind { team, seed } => {
                let image = image(*team, *seed);
                world.org.rescind(TEAMS[*team], &image);
                for path in image.targets().into_keys() {
                    signed.remove(&path);
                }
                self.publish();
            }
            Event::Rotate(rotation) => {
                rotate(&mut world.org, *rotation);
                self.publish();
            }
            Event::Hours(hours) => {
                world.clock.advance(jiff::SignedDuration::from_hours(*hours));
            }
            Event::Offer(offer) => {
                let files = self.offered(offer);
                if self.node.refresh(&files).is_ok() {
                    self.own = files;
                }
            }
            Event::Restart(cache) => {
                let cache = self.cached(cache);
                self.node.restart(&cache);
            }
        }
    }

    fn offered(&self, offer: &Offer) -> Files {
        let mut files = self.world.good.clone();
        match offer {
            Offer::Newest => {}
            Offer::Older(index) => damage::serve_again(&mut files, index.get(&self.history)),
            Offer::Mixed(index, role) => {
                damage::mix_in(&mut files, index.get(&self.history), ROLES[*role]);
            }
            Offer::Damaged(damage, index) => {
                let names: Vec<String> = files.iter().map(|(name, _)| name.to_owned()).collect();
                let name = &names[index.index(names.len())];
                damaged(&mut files, name, *damage, index);
            }
        }
        files
    }

    /// The root is there always: it is compared with the floor file's own hash.
    fn cached(&self, cache: &Cache) -> Files {
        let mut files = match cache {
            Cache::Own => self.own.clone(),
            Cache::Older(index) => index.get(&self.history).clone(),
            Cache::Damaged(index) => {
                let mut files = self.own.clone();
                let names: Vec<String> = files.iter().map(|(name, _)| name.to_owned()).collect();
                damaged(&mut files, &names[index.index(names.len())], Damage::Flip(1), index);
                files
            }
        };
        for (name, bytes) in self.world.good.iter().filter(|(name, _)| name.contains(".root.")) {
            files.insert(name, bytes);
        }
        files
    }

    fn root_version(&self) -> u64 {
        self.node.root.version().into()
    }

    /// Ids of a role's keys in the root of a version.
    fn holders(&self, version: u64, role: &str) -> serde_json::Value {
        let root = self.world.good.json(&format!("{version}.root.json"));
        root["signed"]["roles"][role]["keyids"].clone()
    }
}

fn hashes_of(image: &Image) -> impl Iterator<Item = (String, String)> {
    let targets = image.targets().into_iter();
    targets.map(|(path, target)| (path, format!("sha256:{}", target.hashes["sha256"])))
}

fn rotate(org: &mut Org, rotation: Rotation) {
    match rotation {
        Rotation::Root => drop(org.rotate_root(&[], &[])),
        Rotation::Timestamp => drop(org.rotate_timestamp_key()),
        Rotation::Snapshot => drop(org.rotate_snapshot_key()),
        Rotation::Targets => drop(org.rotate_targets_key()),
        Rotation::Team(team) => org.rotate_team_key(TEAMS[team]),
    }
}

fn damaged(files: &mut Files, name: &str, damage: Damage, at: &prop::sample::Index) {
    let mut bytes = files.get(name).unwrap_or_default().to_vec();
    match damage {
        Damage::Flip(mask) => {
            *at.get_mut(&mut bytes) ^= mask;
            files.insert(name, bytes);
        }
        Damage::Cut => {
            bytes.truncate(at.index(bytes.len()));
            files.insert(name, bytes);
        }
        Damage::Junk => damage::junk(files, name),
        Damage::Oversize => damage::oversize(files, name, 600_000),
        Damage::Withhold => drop(files.remove(name)),
        Damage::Unsign => damage::keep_signatures(files, name, 0),
        Damage::Twice => damage::duplicate_signature(files, name),
        Damage::Prolong => damage::prolong(files, name),
        Damage::Respell => damage::hash_mismatch(files, name),
    }
}

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
        trust: "a".into(),
    };
    let generation = Generation {
        number: 1,
        trusts: [("a".to_owned(), Arc::new(view))].into(),
        policies: Arc::new(PolicySet::new(vec![policy]).unwrap()),
        built: jiff::Timestamp::UNIX_EPOCH,
    };
    for (reference, digest) in questions {
        let request = Request { reference, digest, size: None };
        let verdict = generation.decide(&request, now).unwrap();
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
            let (root, floors) = (story.root_version(), kept(&story.node.floors));
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
