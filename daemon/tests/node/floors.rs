//! What must never be forgotten: older files, and a disk that loses or damages what it holds.

use std::fs;
use std::time::Duration;

use testkit::{Org, damage};
use tufd_proto::v1::trust_client::TrustClient;
use tufd_proto::v1::{GetTrustRequest, TrustEntry};
use tufpub::{AnchorBundle, Signer as _};

use crate::node::{API, DOMAIN, Node};
use crate::site::{Manner, Site};

const SLOTS: [&str; 2] = ["floors.0", "floors.1"];
const NEWER: &str = "registry.acme.example/payments/api:2.0";

#[tokio::test(start_paused = true)]
async fn older_files_after_restart_are_refused_and_the_newer_chain_answers() {
    let mut node = Node::allowing().await;
    let old = node.org.publish();
    node.publish_image(NEWER);
    assert_eq!(node.refresh().await.error, "");
    node.site.serve(old);
    node.restart().await;
    assert!(node.refresh().await.error.contains("older"));
    assert_eq!(node.reason_of(NEWER).await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn cache_lost_root_comes_back_by_its_hash_only() {
    let mut node = Node::allowing().await;
    node.org.rotate_root(&[], &[]);
    node.publish();
    assert_eq!(node.refresh().await.versions["root"], 2);
    let good = node.org.publish();
    lose_cache(&mut node).await;
    // Another root of that version, signed by the same holders.
    let mut twin = good.clone();
    damage::forge(&mut twin, &node.org, "root", |signed| {
        signed["expires"] = "2032-01-01T00:00:00Z".into()
    });
    node.site.serve(twin);
    node.start().await;
    let error = node.refresh().await.error;
    assert!(error.contains("2.root.json"), "{error}");
    assert_eq!(node.trust().await.reason, "NO_TRUST");

    node.site.serve(good);
    assert_eq!(node.refresh().await.error, "");
    assert_eq!(node.reason().await, "SIGNED");
    assert_eq!(node.trust().await.root.unwrap().version, 2);
}

#[tokio::test(start_paused = true)]
async fn cache_lost_older_repository_is_refused() {
    let mut node = Node::allowing().await;
    let old = node.org.publish();
    node.publish_image(NEWER);
    assert_eq!(node.refresh().await.error, "");
    lose_cache(&mut node).await;
    node.site.serve(old);
    node.start().await;
    assert!(node.refresh().await.error.contains("older"));
    assert_eq!(node.reason().await, "NO_VALID_CHAIN");
    node.publish();
    assert_eq!(node.refresh().await.error, "");
    assert_eq!(node.reason_of(NEWER).await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn floor_slot_damaged_the_other_one_answers() {
    for slot in SLOTS {
        let mut node = Node::allowing().await;
        node.stop().await;
        damage_slot(&node, slot);
        node.agent.stop();
        node.site.behave(Manner::Gone);
        node.start().await;
        assert_eq!(node.reason().await, "SIGNED", "{slot}");
    }
}

/// Its page went with the others, and no write since has noted that.
#[tokio::test(start_paused = true)]
async fn floors_lost_while_a_trust_was_not_configured_are_lost_when_it_is_again() {
    let mut node = Node::new().await;
    let (domain, url) = ("tuf-root.other.example", node.site.url());
    let keys: Vec<_> = node.org.root_keys().iter().map(|key| key.public_key().clone()).collect();
    let bundle = AnchorBundle::new(&domain.parse().unwrap(), &keys, None).unwrap();
    node.agent.set(domain, bundle.to_der());
    let other = format!(
        "[[trust]]\nname = \"other\"\ntrust_domain = {domain:?}\nthreshold = 2\nmetadata = [{url:?}]"
    );
    node.settings.more = other.clone();
    node.start().await;
    until_other(&node, "").await;
    node.trust_becomes("").await;
    node.stop().await;
    SLOTS.iter().for_each(|slot| damage_slot(&node, slot));
    node.settings.more.clear();
    node.start().await;
    node.trust_becomes("").await;
    node.stop().await;

    node.settings.more = other;
    node.site.behave(Manner::Gone);
    node.start().await;
    assert_eq!(node.trust().await.reason, "");
    until_other(&node, "FLOORS_LOST").await;
    node.site.behave(Manner::Well);
    until_other(&node, "").await;
}

/// Waits until this is the reason of the second trust.
async fn until_other(node: &Node, reason: &str) {
    let mut found = None;
    for _ in 0..10_000 {
        let request = GetTrustRequest { trust: "other".into() };
        let state = TrustClient::new(node.channel()).get_trust(request).await.unwrap();
        found = Some(state.into_inner().trusts.remove(0).reason);
        if found.as_deref() == Some(reason) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{found:?} never became {reason:?}");
}

#[tokio::test(start_paused = true)]
async fn floors_lost_denies_until_every_source_verified() {
    let mut node = Node::new().await;
    let other = Site::start(node.org.publish()).await;
    node.settings.sources.push(other.url());
    node.start().await;
    node.trust_becomes("").await;
    let old = node.org.publish();
    node.publish_image(NEWER);
    other.serve(node.org.publish());
    assert_eq!(node.refresh().await.error, "");
    node.stop().await;
    SLOTS.iter().for_each(|slot| damage_slot(&node, slot));

    // The source that a thief holds serves old files, the honest one is out of reach.
    node.site.serve(old);
    other.behave(Manner::Gone);
    node.start().await;
    node.trust_until("a root", |entry| entry.root.is_some()).await;
    node.refresh().await;
    assert_eq!(node.reason_of(API).await, "FLOORS_LOST");
    node.restart().await;
    assert_eq!(node.trust().await.reason, "FLOORS_LOST", "a restart forgot the loss");
    node.refresh().await;
    assert_eq!(node.reason_of(API).await, "FLOORS_LOST");

    // Junk is an answer, and verifies nothing.
    other.behave(Manner::Html);
    node.refresh().await;
    assert_eq!(node.reason_of(API).await, "FLOORS_LOST");

    other.behave(Manner::Well);
    assert_eq!(node.refresh().await.error, "");
    assert_eq!(node.reason_of(NEWER).await, "SIGNED");
    node.restart().await;
    assert_eq!(node.reason_of(NEWER).await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn floors_lost_when_both_slots_are_gone() {
    let mut node = Node::allowing().await;
    node.stop().await;
    SLOTS.iter().for_each(|slot| fs::remove_file(node.state().join(slot)).unwrap());
    node.agent.stop();
    node.site.behave(Manner::Gone);
    node.start().await;
    assert_eq!(node.reason().await, "FLOORS_LOST");
}

#[tokio::test(start_paused = true)]
async fn floor_file_unwritable_nothing_newer_answers() {
    let mut node = Node::allowing().await;
    let digest = node.publish_image(NEWER);
    let kept = block_slots(&node);
    for _ in 0..3 {
        assert!(node.refresh().await.error.contains("floor"));
        assert_eq!(node.reason().await, "SIGNED");
    }
    assert_eq!(node.verify(NEWER, &digest).await.unwrap().reason, "TARGET_NOT_FOUND");
    unblock_slots(&node, kept);
    assert_eq!(node.refresh().await.error, "");
    assert_eq!(node.reason_of(NEWER).await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn crash_between_a_root_and_its_floor_keeps_the_root_before() {
    let mut node = Node::allowing().await;
    rotate_twice(&mut node.org);
    node.publish();
    let kept = block_slots(&node);
    // Twice: the second try must not take the first one's root for the one before.
    for _ in 0..2 {
        assert!(node.refresh().await.error.contains("floor"));
    }
    node.stop().await;
    unblock_slots(&node, kept);
    node.site.behave(Manner::Gone);
    node.start().await;
    assert_eq!(node.reason().await, "SIGNED");
    assert_eq!(node.trust().await.root.unwrap().version, 1);
}

/// The agent says it once; the disk is asked again until it takes it.
#[tokio::test(start_paused = true)]
async fn floor_file_unwritable_withdrawal_is_written_when_it_can_be() {
    let mut node = Node::allowing().await;
    let kept = block_slots(&node);
    node.agent.set(DOMAIN, Vec::new());
    let is_empty = |entry: &TrustEntry| entry.anchor.as_ref().is_some_and(|it| it.state == "empty");
    node.trust_until("empty", is_empty).await;
    unblock_slots(&node, kept);
    let written = || {
        fs::read(node.state().join(SLOTS[0])).is_ok_and(says_empty)
            || fs::read(node.state().join(SLOTS[1])).is_ok_and(says_empty)
    };
    let waiting = async {
        while !written() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it is written");
    node.agent.stop();
    node.restart().await;
    node.trust_until("empty", is_empty).await;
}

fn says_empty(slot: Vec<u8>) -> bool {
    String::from_utf8_lossy(&slot).contains("\"absence\":\"empty\"")
}

fn rotate_twice(org: &mut Org) {
    org.rotate_root(&[], &[]);
    org.rotate_root(&[], &[]);
}

async fn lose_cache(node: &mut Node) {
    node.stop().await;
    for lost in ["chains", "db"] {
        fs::remove_dir_all(node.state().join(lost)).unwrap();
    }
}

fn damage_slot(node: &Node, slot: &str) {
    let path = node.state().join(slot);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Directories where the slots were: no file can be renamed over them, not even by root.
pub(crate) fn block_slots(node: &Node) -> [Vec<u8>; 2] {
    SLOTS.map(|slot| {
        let path = node.state().join(slot);
        let kept = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        kept
    })
}

pub(crate) fn unblock_slots(node: &Node, kept: [Vec<u8>; 2]) {
    for (slot, bytes) in SLOTS.into_iter().zip(kept) {
        fs::remove_dir(node.state().join(slot)).unwrap();
        fs::write(node.state().join(slot), bytes).unwrap();
    }
}
