//! An organisation that signs its images, in memory, and publishes when a test says so.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use tufpub::{
    AnchorBundle, Delegations, Image, Issue, KeyKind, PublishError, Release, Repository, Root,
    Signed, Signer, SigningKey, TargetFile, Threshold, TrustDomain, Version,
};

use crate::clock::Clock;
use crate::repository::Files;
use crate::team::{Team, new_key, publics, sign, signers, version};

/// How long what is signed from now on is valid.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// Of a root.
    pub root: SignedDuration,
    /// Of the top-level targets and of the teams' roles.
    pub targets: SignedDuration,
    /// Of a snapshot.
    pub snapshot: SignedDuration,
    /// Of a timestamp.
    pub timestamp: SignedDuration,
}

/// An organisation with root keys of three kinds, of which two must sign, one key each for
/// timestamp, snapshot and targets, and teams with keys and names of their own.
///
/// A clone holds the same keys and goes its own way: that is what a thief of keys does.
#[derive(Debug, Clone)]
pub struct Org {
    /// How long what is signed from now on is valid.
    pub lifetimes: Lifetimes,
    clock: Clock,
    domain: TrustDomain,
    root_keys: Vec<SigningKey>,
    root_threshold: Threshold,
    root_signers: Vec<SigningKey>,
    roots: Vec<Signed>,
    timestamp: Online,
    snapshot: Online,
    newest_snapshot: Option<(Signed, Timestamp)>,
    targets: Team,
    teams: Vec<Team>,
    files: Files,
}

impl Default for Lifetimes {
    fn default() -> Self {
        let days = |days: i64| SignedDuration::from_hours(24 * days);
        Self { root: days(365), targets: days(90), snapshot: days(7), timestamp: days(1) }
    }
}

impl Org {
    /// The organisation of the trust domain `tuf-root.acme.example`, without teams. Its RSA key has
    /// 2048 bits, because making larger ones would be most of a test's time; a test that needs many
    /// organisations of one kind clones one.
    pub fn new(clock: &Clock) -> Self {
        let root_keys = [KeyKind::Ed25519, KeyKind::EcdsaP256, KeyKind::Rsa2048].map(new_key);
        Self::with_root_keys(clock, &root_keys, 2)
    }

    /// An organisation with these root keys, `threshold` of which must sign.
    ///
    /// # Panics
    /// When the threshold is 0.
    pub fn with_root_keys(clock: &Clock, root_keys: &[SigningKey], threshold: u32) -> Self {
        let mut org = Self {
            lifetimes: Lifetimes::default(),
            clock: clock.clone(),
            domain: "tuf-root.acme.example".parse().expect("a trust domain"),
            root_keys: root_keys.to_vec(),
            root_threshold: Threshold::try_from(threshold).expect("a threshold from 1 up"),
            root_signers: root_keys.to_vec(),
            roots: Vec::new(),
            timestamp: Online::new(),
            snapshot: Online::new(),
            newest_snapshot: None,
            targets: Team::new("targets", &[]),
            teams: Vec::new(),
            files: Files::default(),
        };
        org.sign_root();
        org
    }

    /// Delegates to a team; clients ask teams in the order in which they were added.
    pub fn add_team(&mut self, team: Team) {
        self.targets.change();
        self.teams.push(team);
    }

    /// An image that the team signs: by its tag and by each of its digests.
    pub fn sign_image(&mut self, team: &str, image: &Image) {
        self.team_mut(team).change().extend(image.targets());
    }

    /// Any target that the team signs; the team `targets` is the top-level role.
    pub fn sign_target(&mut self, team: &str, path: &str, target: TargetFile) {
        self.team_mut(team).change().insert(path.to_owned(), target);
    }

    /// Takes an image back, by its tag and by each of its digests.
    pub fn rescind(&mut self, team: &str, image: &Image) {
        let gone = image.targets();
        self.team_mut(team).change().retain(|path, _| !gone.contains_key(path));
    }

    /// Signs a team's role anew without another change, so that it expires later.
    pub fn renew(&mut self, team: &str) {
        self.team_mut(team).change();
    }

    /// Gives a team a new key in place of all its keys.
    pub fn rotate_team_key(&mut self, team: &str) {
        let team = self.team_mut(team);
        team.keys = vec![new_key(KeyKind::EcdsaP256)];
        team.change();
        self.targets.change();
    }

    /// Makes the next root with more and fewer root keys, signed by the old and the new holders.
    /// Without keys it is the same root with a later expiry.
    pub fn rotate_root(&mut self, add: &[SigningKey], drop: &[SigningKey]) -> &Signed {
        self.root_keys.extend(add.iter().cloned());
        self.root_signers = self.root_keys.clone();
        let gone = publics(drop);
        self.root_keys.retain(|key| !gone.contains(key.public_key()));
        self.sign_root()
    }

    /// Makes the next root with another timestamp key.
    pub fn rotate_timestamp_key(&mut self) -> &Signed {
        self.timestamp.rotate();
        self.rotate_root(&[], &[])
    }

    /// Makes the next root with another snapshot key; a new snapshot follows.
    pub fn rotate_snapshot_key(&mut self) -> &Signed {
        self.snapshot.rotate();
        self.newest_snapshot = None;
        self.rotate_root(&[], &[])
    }

    /// Makes the next root with another key for the top-level targets; a new version follows.
    pub fn rotate_targets_key(&mut self) -> &Signed {
        self.targets.keys = vec![new_key(KeyKind::EcdsaP256)];
        self.targets.change();
        self.rotate_root(&[], &[])
    }

    /// Publishes in memory: new versions of what changed, a snapshot if anything did or the old
    /// one has expired, always a timestamp. Returns all files so far, as they are served.
    pub fn publish(&mut self) -> Files {
        let repository = self.release();
        self.files.publish(&repository);
        self.files.clone()
    }

    /// Publishes as [`Org::publish`] does and writes the files into a directory.
    ///
    /// # Errors
    /// As [`Repository::write_to`].
    pub fn publish_to(&mut self, directory: &Path) -> Result<Files, PublishError> {
        let repository = self.release();
        self.files.publish(&repository);
        repository.write_to(directory)?;
        Ok(self.files.clone())
    }

    /// The time as the organisation sees it.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The trust domain that carries the root keys.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// The keys of the newest root's root role.
    pub fn root_keys(&self) -> &[SigningKey] {
        &self.root_keys
    }

    /// The signed root of a version, or `None`.
    pub fn root(&self, wanted: Version) -> Option<&Signed> {
        self.roots.iter().find(|root| version(root) == wanted)
    }

    /// Who signs a role: a top-level one or a team. For the root, also whom it replaced.
    ///
    /// # Panics
    /// When there is no such team.
    pub fn keys_of(&self, role: &str) -> &[SigningKey] {
        match role {
            "root" => &self.root_signers,
            "timestamp" => &self.timestamp.keys,
            "snapshot" => &self.snapshot.keys,
            "targets" => &self.targets.keys,
            team => &self.teams.iter().find(|known| known.name == team).expect("a known team").keys,
        }
    }

    /// The bundle that anchors the newest root.
    pub fn anchor(&self) -> AnchorBundle {
        self.anchor_of(&self.root_keys, None)
    }

    /// A bundle of some keys, which may say the least root version.
    ///
    /// # Panics
    /// When there are no keys: SPIRE withdraws by an empty bundle, which needs no wrapper.
    pub fn anchor_of(&self, keys: &[SigningKey], least_root: Option<Version>) -> AnchorBundle {
        AnchorBundle::new(&self.domain, &publics(keys), least_root).expect("keys that wrap")
    }

    fn team_mut(&mut self, team: &str) -> &mut Team {
        if team == "targets" {
            return &mut self.targets;
        }
        self.teams.iter_mut().find(|known| known.name == team).expect("a known team")
    }

    fn sign_root(&mut self) -> &Signed {
        let version = self.roots.last().map_or(Version::FIRST, |root| version(root).next());
        let one = Threshold::try_from(1).expect("1 is a threshold");
        let root = publics(&self.root_keys);
        let [timestamp, snapshot, targets] =
            [&self.timestamp.keys, &self.snapshot.keys, &self.targets.keys].map(|k| publics(k));
        let held = [
            (root.as_slice(), self.root_threshold),
            (&timestamp, one),
            (&snapshot, one),
            (&targets, one),
        ];
        let role = Root::new(version, self.clock.now() + self.lifetimes.root, held);
        self.roots.push(sign(&role, &self.root_signers));
        self.roots.last().expect("just pushed")
    }

    fn release(&mut self) -> Repository {
        let now = self.clock.now();
        let changed = self.targets.has_changed() || self.teams.iter().any(Team::has_changed);
        let release = self.signed_roles(now + self.lifetimes.targets);
        let kept = self.newest_snapshot.take().filter(|(_, ends)| !changed && now < *ends);
        let (snapshot, ends) = kept.unwrap_or_else(|| {
            let ends = now + self.lifetimes.snapshot;
            let sign = |issue: Issue<'_>| release.snapshot(issue).expect("a snapshot");
            (self.snapshot.issue(ends, sign), ends)
        });
        let timestamp_ends = now + self.lifetimes.timestamp;
        let repository = self
            .timestamp
            .issue(timestamp_ends, |issue| release.finish(&snapshot, issue).expect("a timestamp"));
        self.newest_snapshot = Some((snapshot, ends));
        repository
    }

    fn signed_roles(&mut self, expires: Timestamp) -> Release {
        let mut delegations = Delegations::default();
        let mut release = Release::new();
        for root in &self.roots {
            release = release.root(root).expect("a root");
        }
        for team in &mut self.teams {
            team.delegate_to(&mut delegations);
            let signed = team.publish(expires, Delegations::default());
            release = release.targets(&team.name, &signed).expect("a team's role");
        }
        let signed = self.targets.publish(expires, delegations);
        release.targets("targets", &signed).expect("the targets role")
    }
}

/// A role that signs by itself: one key and a counter.
#[derive(Debug, Clone)]
struct Online {
    keys: Vec<SigningKey>,
    next: Version,
}

impl Online {
    fn new() -> Self {
        Self { keys: vec![new_key(KeyKind::EcdsaP256)], next: Version::FIRST }
    }

    fn rotate(&mut self) {
        self.keys = vec![new_key(KeyKind::EcdsaP256)];
    }

    fn issue<T>(&mut self, expires: Timestamp, sign: impl FnOnce(Issue<'_>) -> T) -> T {
        let issued = sign(Issue { version: self.next, expires, signers: &signers(&self.keys) });
        self.next = self.next.next();
        issued
    }
}
