//! Random histories of an organisation, offered by a mirror that lies as it can, over restarts.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use testkit::{FakeImage, Files, Org, Team, damage};
use tufpub::{Image, Search};

use super::node::Node;
use super::world::World;

/// What happens next: the organisation does its work, the mirror offers something, the node restarts.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Sign { team: usize, seed: u8 },
    Rescind { team: usize, seed: u8 },
    Rotate(Rotation),
    Hours(i64),
    Offer(Offer),
    Restart(Cache),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Rotation {
    Root,
    Timestamp,
    Snapshot,
    Targets,
    Team(usize),
}

/// What a mirror, which holds no keys, makes of what was published.
#[derive(Debug, Clone)]
pub(crate) enum Offer {
    Newest,
    Older(prop::sample::Index),
    /// Today's files, with one role's of an older day.
    Mixed(prop::sample::Index, usize),
    Damaged(Damage, prop::sample::Index),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Damage {
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
pub(crate) enum Cache {
    Own,
    Older(prop::sample::Index),
    Damaged(prop::sample::Index),
}

pub(crate) const TEAMS: [&str; 2] = ["payments", "web"];
const ROLES: [&str; 5] = ["timestamp", "snapshot", "targets", "payments", "web"];

pub(crate) fn event() -> impl Strategy<Value = Event> {
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

pub(crate) fn image(team: usize, seed: u8) -> Image {
    let name = format!("registry.acme.example/{}/app:{}", TEAMS[team], seed % 2);
    FakeImage::new(&format!("{team} {seed}")).named(&name)
}

/// Every reference and digest that is ever asked about.
pub(crate) fn questions() -> Vec<(String, String)> {
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
pub(crate) struct Story {
    pub(crate) world: World,
    history: Vec<Files>,
    /// What each version of the timestamp stood for when it was published: target path to digest.
    pub(crate) meant: BTreeMap<u64, BTreeMap<String, String>>,
    signed: BTreeMap<String, String>,
    pub(crate) node: Node,
    /// The files of the chain that answers, as a node keeps them.
    own: Files,
}

impl Story {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn publish(&mut self) {
        self.world.publish();
        self.remember();
    }

    pub(crate) fn happens(&mut self, event: &Event) {
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

    pub(crate) fn root_version(&self) -> u64 {
        self.node.root.version().into()
    }

    /// Ids of a role's keys in the root of a version.
    pub(crate) fn holders(&self, version: u64, role: &str) -> serde_json::Value {
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
