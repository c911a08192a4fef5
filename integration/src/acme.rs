//! An organisation that publishes without end, and tells the judge what each version signs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use testkit::{Clock, FakeImage, Files, Org, Team};
use tufpub::{AnchorBundle, KeyKind, SigningKey};

use crate::judge::{Image, Judge};

/// The trust domain that carries its root keys.
pub const DOMAIN: &str = "tuf-root.acme.example";
/// The team whose images come and go.
pub const TEAM: &str = "payments";
/// Images of the team that are signed at one time.
const SIGNED_MAX: usize = 6;
/// Rescinded images that are still asked about.
const RESCINDED_MAX: usize = 12;
/// Further delegated roles; after that their keys are replaced in turn.
const TEAMS_MAX: u64 = 8;

/// What a version changes, beside the team's images: each signs a new one, moves a tag, and rescinds the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing else.
    Images,
    /// The next root, with the same keys.
    Root,
    /// The next root, with one root key replaced.
    RootKey,
    /// The next root, with another key for this role.
    TimestampKey,
    /// The same.
    SnapshotKey,
    /// The same.
    TargetsKey,
    /// One more delegated role, with an image that stays signed; or another key for one of them.
    Team,
}

/// The organisation.
#[derive(Debug)]
pub struct Acme {
    org: Org,
    judge: Arc<Judge>,
    version: u64,
    signed: VecDeque<(tufpub::Image, Arc<Image>)>,
    latest: Option<(tufpub::Image, Arc<Image>)>,
    teams: u64,
    /// The version that last replaced a root key.
    root_key_in: u64,
    /// Signed by the team in every version.
    pub stable: Arc<Image>,
    /// Signed by another team in every version.
    pub of_others: Arc<Image>,
    /// What clients ask.
    pub questions: Arc<Questions>,
}

/// Images to ask about.
#[derive(Debug)]
pub struct Questions(Mutex<Lists>);

#[derive(Debug)]
struct Lists {
    signed: Vec<Arc<Image>>,
    rescinded: VecDeque<Arc<Image>>,
    never: Vec<Arc<Image>>,
}

impl Acme {
    /// With three root keys of which two must sign; two teams; nothing published.
    #[must_use]
    pub fn new(judge: &Arc<Judge>) -> Self {
        let root_keys = [(); 3].map(|()| new_key());
        let mut org = Org::with_root_keys(&Clock::at(Timestamp::now()), &root_keys, 2);
        org.add_team(Team::new(TEAM, &["registry.acme.example/payments/*"]));
        org.add_team(Team::new("shop", &["registry.acme.example/shop/*"]));
        let [stable, of_others] =
            [(TEAM, "payments/stable:1"), ("shop", "shop/web:1")].map(|(team, name)| {
                let name = format!("registry.acme.example/{name}");
                let (image, known) = image(&name, &name);
                org.sign_image(team, &image);
                known.sign(1);
                known
            });
        let questions = Arc::new(Questions::new([&stable, &of_others]));
        Self {
            org,
            judge: Arc::clone(judge),
            version: 0,
            signed: VecDeque::new(),
            latest: None,
            teams: 0,
            root_key_in: 0,
            stable,
            of_others,
            questions,
        }
    }

    /// The version of the timestamp that was published last.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The bundle that anchors the newest root.
    #[must_use]
    pub fn anchor(&self) -> AnchorBundle {
        self.org.anchor()
    }

    /// The image that the newest version added.
    #[must_use]
    pub fn newest(&self) -> Arc<Image> {
        self.signed.back().map_or_else(|| Arc::clone(&self.stable), |(_, image)| Arc::clone(image))
    }

    /// The image that the newest version rescinded.
    #[must_use]
    pub fn rescinded(&self) -> Option<Arc<Image>> {
        self.questions.lock().rescinded.back().cloned()
    }

    /// Signs the next version; the caller serves the files.
    pub fn publish(&mut self, change: Change) -> Files {
        self.version += 1;
        self.org.clock().set(Timestamp::now());
        self.turn_images_over();
        self.apply(change);
        self.judge.publishes(self.version);
        self.org.publish()
    }

    fn turn_images_over(&mut self) {
        let version = self.version;
        let name = format!("registry.acme.example/payments/api:{version}");
        let (image, known) = image(&name, &name);
        self.org.sign_image(TEAM, &image);
        known.sign(version);
        self.questions.lock().signed.push(Arc::clone(&known));
        self.signed.push_back((image, known));
        if self.signed.len() > SIGNED_MAX
            && let Some(oldest) = self.signed.pop_front()
        {
            self.rescind(oldest);
        }
        let moved = self::image(
            "registry.acme.example/payments/api:latest",
            &format!("latest of {version}"),
        );
        if let Some(before) = self.latest.replace(moved.clone()) {
            self.rescind(before);
        }
        let (image, known) = moved;
        self.org.sign_image(TEAM, &image);
        known.sign(version);
        self.questions.lock().signed.push(known);
    }

    fn rescind(&mut self, (image, known): (tufpub::Image, Arc<Image>)) {
        self.org.rescind(TEAM, &image);
        known.rescind(self.version);
        self.questions.rescinded(&known);
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Images => {}
            // Two of three keys must cover the root that the node has: one change after the other.
            Change::RootKey if self.judge.seen() >= self.root_key_in => {
                self.root_key_in = self.version;
                let oldest: Vec<_> = self.org.root_keys().iter().take(1).cloned().collect();
                self.org.rotate_root(&[new_key()], &oldest);
            }
            Change::Root | Change::RootKey => {
                self.org.rotate_root(&[], &[]);
            }
            Change::TimestampKey => {
                self.org.rotate_timestamp_key();
            }
            Change::SnapshotKey => {
                self.org.rotate_snapshot_key();
            }
            Change::TargetsKey => {
                self.org.rotate_targets_key();
            }
            Change::Team => self.team(),
        }
        if let Change::TimestampKey | Change::SnapshotKey | Change::TargetsKey = change {
            // The node follows the root at once, and the old chain does not verify under it.
            self.judge.excuse("NO_VALID_CHAIN", self.version);
        }
    }

    fn team(&mut self) {
        self.teams += 1;
        if self.teams > TEAMS_MAX {
            return self.org.rotate_team_key(&format!("team-{}", self.teams % TEAMS_MAX + 1));
        }
        let team = format!("team-{}", self.teams);
        self.org.add_team(Team::new(&team, &[&format!("registry.acme.example/{team}/*")]));
        let name = format!("registry.acme.example/{team}/web:1");
        let (image, known) = image(&name, &name);
        self.org.sign_image(&team, &image);
        known.sign(self.version);
        self.questions.lock().signed.push(known);
    }
}

impl Questions {
    fn new(signed: [&Arc<Image>; 2]) -> Self {
        // Names that nobody signs, and a thief's digest under one that somebody does.
        let digest = FakeImage::new("of a thief").index.digest().to_string();
        let names = ["payments/none:1", "payments/stable:1", "nobody/web:1"];
        let never =
            names.map(|name| Image::unsigned(&format!("registry.acme.example/{name}"), &digest));
        let (signed, rescinded) = (signed.map(Arc::clone).into(), VecDeque::new());
        Self(Mutex::new(Lists { signed, rescinded, never: never.into() }))
    }

    /// One that the newest version signs, unless it changes right now.
    pub fn signed(&self, random: &mut fastrand::Rng) -> Option<Arc<Image>> {
        random.choice(&self.lock().signed).cloned()
    }

    /// One that it does not sign: rescinded, moved on, or never signed by anybody.
    pub fn unsigned(&self, random: &mut fastrand::Rng) -> Option<Arc<Image>> {
        let lists = self.lock();
        let all: Vec<_> = lists.rescinded.iter().chain(&lists.never).collect();
        random.choice(all).cloned()
    }

    fn rescinded(&self, image: &Arc<Image>) {
        let mut lists = self.lock();
        lists.signed.retain(|other| !Arc::ptr_eq(other, image));
        lists.rescinded.push_back(Arc::clone(image));
        if lists.rescinded.len() > RESCINDED_MAX {
            lists.rescinded.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As it is signed, and as it is asked about.
fn image(reference: &str, seed: &str) -> (tufpub::Image, Arc<Image>) {
    let image = FakeImage::new(seed);
    let known = Image::unsigned(reference, &image.index.digest().to_string());
    (image.named(reference), known)
}

#[expect(clippy::expect_used, reason = "a fault of the driver, not of what it proves")]
fn new_key() -> SigningKey {
    SigningKey::generate(KeyKind::Ed25519).expect("the library makes keys")
}
