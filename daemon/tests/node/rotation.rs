//! New roots, new root keys and new chains.

use testkit::damage;

use crate::node::{API, DOMAIN, Node, new_key, organisation};
use crate::probe::{Probe, heard};
use crate::site::Manner;

#[tokio::test(start_paused = true)]
async fn root_key_rotated_bundle_first_is_no_outage() {
    let mut node = Node::allowing().await;
    let probe = Probe::start(&node);
    let (old, new) = (node.org.root_keys().to_vec(), new_key());
    let both = [&old[..], std::slice::from_ref(&new)].concat();
    node.agent.set(DOMAIN, node.org.anchor_of(&both, None).to_der());
    node.trust_until("4 keys", |entry| keys(entry) == 4).await;
    node.org.rotate_root(&[new], &old[..1]);
    node.publish();
    assert_eq!(node.refresh().await.versions["root"], 2);
    node.agent.set(DOMAIN, node.org.anchor().to_der());
    let entry = node.trust_until("3 keys", |entry| keys(entry) == 3).await;
    assert!(entry.root.unwrap().covered);
    probe.saw_only("SIGNED").await;
}

#[tokio::test(start_paused = true)]
async fn root_key_rotated_repository_first_is_no_outage_and_warns() {
    let mut node = Node::allowing().await;
    let probe = Probe::start(&node);
    let old = node.org.root_keys().to_vec();
    node.org.rotate_root(&[new_key()], &old[..1]);
    node.publish();
    assert_eq!(node.refresh().await.versions["root"], 2);
    let entry = node.trust().await;
    assert!(entry.warnings.iter().any(|warning| warning.code == "ANCHOR_BEHIND"), "{entry:?}");
    node.agent.set(DOMAIN, node.org.anchor().to_der());
    node.trust_until("no warning", |entry| entry.warnings.is_empty()).await;
    probe.saw_only("SIGNED").await;
}

#[tokio::test(start_paused = true)]
async fn root_chain_of_five_is_followed_in_one_refresh() {
    let mut node = Node::allowing().await;
    for _ in 0..5 {
        node.org.rotate_root(&[], &[]);
    }
    node.org.rotate_timestamp_key();
    node.publish();
    let result = node.refresh().await;
    assert_eq!((result.error.as_str(), result.versions["root"]), ("", 7));
    assert_eq!(node.reason().await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn root_refused_ends_the_walk_and_is_not_kept() {
    let mut node = Node::allowing().await;
    for _ in 0..3 {
        node.org.rotate_root(&[], &[]);
    }
    node.publish();
    node.site.damage(|files| damage::keep_signatures(files, "3.root.json", 1));
    assert!(node.refresh().await.error.contains("3.root.json"));
    assert_eq!(node.trust().await.root.unwrap().version, 2);
    assert_eq!(node.reason().await, "SIGNED");
    node.restart().await;
    assert_eq!(node.trust().await.root.unwrap().version, 2);
    assert_eq!(node.reason().await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn root_limit_of_one_refresh_is_not_the_end_of_the_chain() {
    let mut node = Node::new().await;
    for _ in 0..300 {
        node.org.rotate_root(&[], &[]);
    }
    node.publish();
    node.start().await;
    let stopped = node
        .trust_until("a stop", |entry| !entry.last_error.is_empty() && entry.root.is_some())
        .await;
    assert_eq!(stopped.root.unwrap().version, 257);
    assert_eq!(stopped.reason, "NO_VALID_CHAIN", "a timestamp was trusted under an old root");
    let entry = node.trust_becomes("").await;
    assert_eq!(entry.root.unwrap().version, 301);
}

#[tokio::test(start_paused = true)]
async fn root_of_stolen_keys_stops_and_epoch_brings_back() {
    let mut node = Node::allowing().await;
    node.publish_image("registry.acme.example/payments/api:2.0");
    node.org.rotate_root(&[], &[]);
    node.publish();
    assert_eq!(node.refresh().await.versions["root"], 2);
    let anew = organisation(&node.clock);
    node.agent.set(DOMAIN, anew.anchor().to_der());
    node.trust_becomes("ROOT_NOT_COVERED").await;
    node.org = anew;
    node.publish();
    // SPIRE alone moves no node to another chain.
    assert_ne!(node.refresh().await.error, "");
    assert_eq!(node.reason().await, "ROOT_NOT_COVERED");
    node.restart().await;
    assert_eq!(node.reason().await, "ROOT_NOT_COVERED");

    let log = heard();
    node.settings.epoch = 2;
    node.restart().await;
    let entry = node.trust_becomes("").await;
    assert_eq!((entry.epoch, entry.root.unwrap().version), (2, 1));
    assert_eq!(node.reason().await, "SIGNED");
    assert!(
        log.text().contains("EPOCH_RAISED") && log.text().contains("before=1"),
        "{}",
        log.text()
    );
}

#[tokio::test(start_paused = true)]
async fn epoch_lowered_changes_nothing() {
    let mut node = Node::new().await;
    node.settings.epoch = 3;
    node.start().await;
    node.trust_becomes("").await;
    let old = node.org.publish();
    node.publish_image("registry.acme.example/payments/api:2.0");
    assert_eq!(node.refresh().await.error, "");

    node.settings.epoch = 2;
    node.site.behave(Manner::Gone);
    node.restart().await;
    assert_eq!(node.reason_of(API).await, "SIGNED");
    assert_eq!(node.trust().await.epoch, 3);
    node.site.behave(Manner::Well);
    node.site.serve(old);
    assert!(node.refresh().await.error.contains("older"));
}

fn keys(entry: &tufd_proto::v1::TrustEntry) -> usize {
    entry.anchor.as_ref().map_or(0, |anchor| anchor.keys.len())
}
