//! A state directory of which a part is gone, damaged, older, held by another process or not to be written: the node
//! answers from the rest, and is whole again after a refresh, without a human.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use jiff::SignedDuration;
use testkit::{FakeImage, Files, Team};
use tufd_tuf::hash::Sha256;

use crate::node::{API, Node};
use crate::site::Manner;

const NEWER: &str = "registry.acme.example/payments/api:2.0";
/// More than one batch of the database.
const TEAMS: usize = 120;

type Damage = fn(&Node);
/// What may happen to a database.
const DAMAGES: [(&str, Damage); 5] = [
    ("deleted", |node| fs::remove_dir_all(db(node)).unwrap()),
    ("emptied", |node| drop(File::create(db(node).join("db")).unwrap())),
    ("cut", |node| {
        let log = OpenOptions::new().write(true).open(db(node).join("db")).unwrap();
        log.set_len(log.metadata().unwrap().len() / 2).unwrap();
    }),
    ("garbage", |node| fs::write(db(node).join("conf"), [0x5a; 64]).unwrap()),
    ("a file", |node| {
        fs::remove_dir_all(db(node)).unwrap();
        fs::write(db(node), b"no directory").unwrap();
    }),
];

#[tokio::test(start_paused = true)]
async fn database_damaged_the_files_answer_and_it_is_made_anew() {
    for (name, damage) in DAMAGES {
        let mut node = stopped().await;
        damage(&node);
        start_alone(&mut node).await;
        assert_eq!(node.reason().await, "SIGNED", "{name}");
        node.stop().await;
        fs::remove_dir_all(chains(&node)).unwrap();
        node.start().await;
        assert_eq!(node.reason().await, "SIGNED", "{name}: from the new database");
    }
}

#[tokio::test(start_paused = true)]
async fn database_held_by_another_process_the_files_answer() {
    let mut node = stopped().await;
    let held = File::open(db(&node).join("db")).unwrap();
    held.lock().unwrap(); // sled lets go a moment after it was closed
    start_alone(&mut node).await;
    assert_eq!(node.reason().await, "SIGNED");
    assert_eq!(set_aside(&node), 0);
    online(&node);
    node.publish_image(NEWER);
    assert_eq!(node.refresh().await.error, "");
    drop(held);
    node.stop().await;

    fs::remove_dir_all(chains(&node)).unwrap();
    start_alone(&mut node).await;
    assert_eq!(node.reason_of(NEWER).await, "SIGNED", "the database did not catch up");
    assert_eq!(set_aside(&node), 0);
}

/// The directory that issue 3 left is such a one.
#[tokio::test(start_paused = true)]
async fn files_gone_the_database_answers_as_soon_as_it_is_open() {
    let mut node = stopped().await;
    fs::remove_dir_all(chains(&node)).unwrap();
    let held = File::open(db(&node).join("db")).unwrap();
    held.lock().unwrap(); // sled lets go a moment after it was closed
    start_alone(&mut node).await;
    assert_eq!(node.trust().await.reason, "NO_TRUST");
    drop(held);
    node.trust_becomes("").await;
    assert_eq!(node.reason().await, "SIGNED");
    node.stop().await;
    fs::remove_dir_all(db(&node)).unwrap();
    node.start().await;
    assert_eq!(node.reason().await, "SIGNED", "the files are there again");
}

#[tokio::test(start_paused = true)]
async fn files_damaged_the_database_fills_the_gap() {
    let mut node = stopped().await;
    let mut files = Files::default();
    node.site.damage(|served| files = served.clone());
    for role in ["timestamp", "snapshot", "targets", "payments"] {
        let file = file_of(&node, files.of_role(role));
        fs::write(file, b"damaged").unwrap();
        start_alone(&mut node).await;
        assert_eq!(node.reason().await, "SIGNED", "{role}");
        node.stop().await;
    }
    fs::write(index(&node), b"damaged").unwrap();
    start_alone(&mut node).await;
    assert_eq!(node.reason().await, "SIGNED", "index");
}

#[tokio::test(start_paused = true)]
async fn files_and_database_damaged_a_refresh_brings_all_back() {
    let mut node = stopped().await;
    fs::remove_dir_all(db(&node)).unwrap();
    fs::write(index(&node), b"damaged").unwrap();
    start_alone(&mut node).await;
    assert_eq!(node.reason().await, "NO_TRUST");
    online(&node);
    assert_eq!(node.refresh().await.error, "");
    node.stop().await;
    start_alone(&mut node).await;
    assert_eq!(node.reason().await, "SIGNED");
}

/// Each kill leaves such a one.
#[tokio::test(start_paused = true)]
async fn database_older_than_the_floors_is_brought_up() {
    let mut node = Node::allowing().await;
    go_back_to_an_older_database(&mut node).await;
    let floors = fs::read(node.state().join("floors.0")).unwrap();
    start_alone(&mut node).await;
    assert_eq!(node.reason_of(NEWER).await, "SIGNED");
    node.stop().await;
    assert_eq!(fs::read(node.state().join("floors.0")).unwrap(), floors);
    fs::remove_dir_all(chains(&node)).unwrap();
    node.start().await;
    assert_eq!(node.reason_of(NEWER).await, "SIGNED");
    assert_eq!(set_aside(&node), 0);
}

#[tokio::test(start_paused = true)]
async fn database_older_than_the_floors_answers_nothing() {
    let mut node = Node::allowing().await;
    go_back_to_an_older_database(&mut node).await;
    fs::remove_dir_all(chains(&node)).unwrap();
    start_alone(&mut node).await;
    node.trust_until("the database's root", |entry| entry.root.is_some()).await;
    assert_eq!(node.reason().await, "NO_VALID_CHAIN");
    node.restart().await;
    node.trust_until("the database's root", |entry| entry.root.is_some()).await;
    assert_eq!(node.reason().await, "NO_VALID_CHAIN");
    assert_eq!(set_aside(&node), 0);
}

#[tokio::test(start_paused = true)]
async fn files_deleted_under_a_running_node_are_written_again() {
    let mut node = Node::allowing().await;
    fs::remove_dir_all(chains(&node)).unwrap();
    node.publish_image(NEWER);
    assert_eq!(node.refresh().await.error, "");
    node.stop().await;
    fs::remove_dir_all(db(&node)).unwrap(); // no second copy helps
    start_alone(&mut node).await;
    assert_eq!(node.reason_of(NEWER).await, "SIGNED");
}

/// A kill before the first floor file must leave a new node, and not one that lost its floors.
#[tokio::test(start_paused = true)]
async fn nothing_is_kept_before_the_floor_file() {
    let mut node = Node::new().await;
    let block = node.state().join("floors.0.new");
    fs::create_dir_all(&block).unwrap();
    fs::set_permissions(node.state(), fs::Permissions::from_mode(0o700)).unwrap();
    node.start().await;
    node.trust_until("an error", |entry| entry.last_error.contains("cannot write")).await;
    node.stop().await;
    assert!(!chains(&node).exists() && !db(&node).exists());
    fs::remove_dir(block).unwrap();
    start_alone(&mut node).await;
    assert_eq!(node.trust().await.reason, "NO_TRUST");
}

#[tokio::test(start_paused = true)]
async fn floors_deleted_beside_a_database_only_are_lost() {
    let mut node = stopped().await;
    for slot in ["floors.0", "floors.1"] {
        fs::remove_file(node.state().join(slot)).unwrap();
    }
    fs::remove_dir_all(chains(&node)).unwrap();
    start_alone(&mut node).await;
    assert_eq!(node.trust().await.reason, "FLOORS_LOST");
    online(&node);
    node.agent.restart().unwrap();
    node.trust_becomes("").await;
    assert_eq!(node.reason().await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn files_that_cannot_be_written_are_not_served() {
    let mut node = Node::allowing().await;
    let digest = node.publish_image(NEWER);
    let block = scope(&node).join("index.new");
    fs::create_dir(&block).unwrap();
    for _ in 0..2 {
        let error = node.refresh().await.error;
        assert!(error.contains("cannot write") && error.contains("chains"), "{error}");
        assert_eq!(node.reason().await, "SIGNED");
    }
    assert_eq!(node.verify(NEWER, &digest).await.unwrap().reason, "TARGET_NOT_FOUND");
    fs::remove_dir(block).unwrap();
    assert_eq!(node.refresh().await.error, "");
    assert_eq!(node.reason_of(NEWER).await, "SIGNED");
}

/// Killed after any number of files, a new version of many roles leaves the old one whole.
#[tokio::test(start_paused = true)]
async fn many_roles_cut_off_in_the_middle_answer_offline() {
    let mut node = Node::new().await;
    let team = |number: usize| format!("team-{number}");
    let image = |number: usize| format!("registry.acme.example/team-{number}/app:1");
    for number in 0..TEAMS {
        let scope = format!("registry.acme.example/team-{number}/*");
        node.org.add_team(Team::new(&team(number), &[&scope]));
        node.org.sign_image(&team(number), &FakeImage::new(&image(number)).named(&image(number)));
    }
    node.publish();
    node.start().await;
    node.trust_becomes("").await;
    for blocked in [0, TEAMS / 2, TEAMS - 1] {
        (0..TEAMS).for_each(|number| node.org.renew(&team(number)));
        node.publish();
        let sum = Sha256::of(node.org.publish().of_role(&team(blocked)));
        let block = scope(&node).join(format!("{sum}.new"));
        fs::create_dir(&block).unwrap();
        assert!(node.refresh().await.error.contains("cannot write"), "{blocked}");
        node.stop().await;
        fs::remove_dir(&block).unwrap();
        // No second copy helps.
        fs::remove_dir_all(db(&node)).unwrap();
        start_alone(&mut node).await;
        for number in 0..TEAMS {
            assert_eq!(node.reason_of(&image(number)).await, "SIGNED", "{number}");
        }
        online(&node);
        node.publish();
        assert_eq!(node.refresh().await.error, "");
    }
}

#[tokio::test(start_paused = true)]
async fn epoch_raised_leaves_no_files_of_the_chain_before() {
    let mut node = stopped().await;
    node.settings.epoch = 2;
    node.start().await;
    node.trust_becomes("").await;
    assert_eq!(fs::read_dir(chains(&node)).unwrap().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_allowed_is_known_after_a_restart() {
    for (lost, reason) in [(None, "KNOWN_GOOD"), (Some("db"), "TIMESTAMP_EXPIRED")] {
        let mut node = Node::new().await;
        node.settings.more = "[verdicts]\navailability = \"known-good\"\n".into();
        node.start().await;
        node.trust_becomes("").await;
        assert_eq!(node.reason().await, "SIGNED");
        node.stop().await;
        if let Some(lost) = lost {
            fs::remove_dir_all(node.state().join(lost)).unwrap();
        }
        start_alone(&mut node).await;
        node.clock.advance(SignedDuration::from_hours(25));
        let digest = crate::node::digest_of(API);
        // The record is there as soon as the database is open.
        let patience = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        let mut found = String::new();
        while found != reason && tokio::time::Instant::now() < patience {
            found = node.verify(API, &digest).await.unwrap().reason;
        }
        assert_eq!(found, reason, "{lost:?}");
    }
}

/// A node that allowed the image, and was stopped.
async fn stopped() -> Node {
    let mut node = Node::allowing().await;
    node.stop().await;
    node
}

/// Stops the node when it has published [`NEWER`], and puts back the database from before.
async fn go_back_to_an_older_database(node: &mut Node) {
    node.stop().await;
    let older = copy_database(node);
    node.start().await;
    node.publish_image(NEWER);
    assert_eq!(node.refresh().await.error, "");
    node.stop().await;
    fs::remove_dir_all(db(node)).unwrap();
    fs::rename(older, db(node)).unwrap();
}

/// Starts it while agent and repository are down.
async fn start_alone(node: &mut Node) {
    node.agent.stop();
    node.site.behave(Manner::Gone);
    node.start().await;
}

fn online(node: &Node) {
    node.site.behave(Manner::Well);
}

fn db(node: &Node) -> PathBuf {
    node.state().join("db")
}

fn chains(node: &Node) -> PathBuf {
    node.state().join("chains")
}

/// The directory of the only chain.
fn scope(node: &Node) -> PathBuf {
    fs::read_dir(chains(node)).unwrap().next().unwrap().unwrap().path()
}

fn index(node: &Node) -> PathBuf {
    scope(node).join("index")
}

fn file_of(node: &Node, bytes: &[u8]) -> PathBuf {
    let file = scope(node).join(Sha256::of(bytes).to_string());
    assert!(file.exists());
    file
}

/// How many databases were set aside.
fn set_aside(node: &Node) -> usize {
    let names = fs::read_dir(node.state()).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with("db.corrupt-")).count()
}

fn copy_database(node: &Node) -> PathBuf {
    let to = node.state().join("older");
    fs::create_dir(&to).unwrap();
    for entry in fs::read_dir(db(node)).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    to
}
