//! Several sources, most of which lie or keep silent.

use testkit::{Files, damage};
use tufd_proto::v1::TrustEntry;

use crate::node::{DOMAIN, Node};
use crate::site::{Manner, Site};

const NEWER: &str = "registry.acme.example/payments/api:2.0";

#[tokio::test(start_paused = true)]
async fn newest_chain_wins_over_silence_junk_and_old_files() {
    let mut node = Node::new().await;
    let old = node.org.publish();
    let (hanging, junk, stale) =
        (Site::start(old.clone()).await, Site::start(old.clone()).await, Site::start(old).await);
    hanging.behave(Manner::Hang);
    junk.behave(Manner::Html);
    let mut sources: Vec<_> = [&hanging, &junk, &stale].map(Site::url).into();
    sources.append(&mut node.settings.sources);
    node.settings.sources = sources;
    node.publish_image(NEWER);
    node.start().await;
    node.trust_becomes("").await;
    assert_eq!(node.reason_of(NEWER).await, "SIGNED");

    // And when somebody waits, too.
    let newest = "registry.acme.example/payments/api:3.0";
    node.publish_image(newest);
    assert_eq!(node.reason_of(newest).await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn root_that_one_source_denies_comes_from_the_other() {
    let mut node = Node::new().await;
    let denying = Site::start(node.org.publish()).await;
    node.settings.sources.insert(0, denying.url());
    node.start().await;
    node.trust_becomes("").await;
    node.org.rotate_root(&[], &[]);
    node.publish();
    assert_eq!(node.refresh().await.versions["root"], 2);
}

/// At the entry as at each root that follows.
#[tokio::test(start_paused = true)]
async fn root_stripped_by_one_source_counts_the_signatures_of_all() {
    let mut node = Node::new().await;
    let strip = |mut files: Files, name: &str| {
        damage::keep_signatures(&mut files, name, 2);
        files
    };
    let stripping = Site::start(strip(node.org.publish(), "1.root.json")).await;
    node.settings.sources.insert(0, stripping.url());
    node.start().await;
    let entry = node.trust_becomes("").await;
    assert_eq!(entry.root.unwrap().covering, 3);

    node.org.rotate_root(&[], &[]);
    node.publish();
    stripping.serve(strip(node.org.publish(), "2.root.json"));
    assert_eq!(node.refresh().await.versions["root"], 2);
    assert_eq!(node.trust().await.root.unwrap().covering, 3);
}

/// A node that only the stripping source reached lacks the signature that a ceremony collects for the day on which
/// SPIRE drops a lost key: on that day it asks again, and keeps what it gets.
#[tokio::test(start_paused = true)]
async fn root_stripped_heals_from_another_source_when_the_bundle_shrinks() {
    let mut node = Node::new().await;
    let stripping = Site::start(node.org.publish()).await;
    node.settings.sources.insert(0, stripping.url());
    node.start().await;
    node.trust_becomes("").await;
    node.org.rotate_root(&[], &[]);
    node.publish();
    node.site.behave(Manner::Gone);
    stripping.serve(node.org.publish());
    stripping.damage(|files| damage::keep_signatures(files, "2.root.json", 2));
    assert_eq!(node.refresh().await.versions["root"], 2);
    assert_eq!(node.trust().await.root.unwrap().covering, 2);

    node.site.behave(Manner::Well);
    let without_lost = node.org.anchor_of(&node.org.root_keys()[1..], None);
    node.agent.set(DOMAIN, without_lost.to_der());
    let healed = |entry: &TrustEntry| {
        entry.anchor.as_ref().is_some_and(|anchor| anchor.keys.len() == 2)
            && entry.reason.is_empty()
    };
    node.trust_until("healed", healed).await;
    assert_eq!(node.reason().await, "SIGNED");

    node.site.behave(Manner::Gone);
    stripping.behave(Manner::Gone);
    node.restart().await;
    assert_eq!(node.reason().await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn root_junk_of_one_source_hides_nothing_of_the_other() {
    let mut node = Node::new().await;
    let mut files = node.org.publish();
    let lying = Site::start(files.clone()).await;
    node.settings.sources.insert(0, lying.url());
    node.start().await;
    node.trust_becomes("").await;
    files.insert("2.root.json", b"junk".as_slice());
    lying.serve(files);
    node.publish_image(NEWER);
    assert_eq!(node.refresh().await.error, "");
    assert_eq!(node.reason_of(NEWER).await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn snapshot_damaged_at_one_source_comes_from_the_other() {
    let mut node = Node::new().await;
    let lying = Site::start(node.org.publish()).await;
    node.settings.sources.insert(0, lying.url());
    node.start().await;
    node.trust_becomes("").await;
    node.publish_image(NEWER);
    let mut files = node.org.publish();
    node.site.serve(files.clone());
    let snapshot = files.newest("snapshot");
    damage::flip_bit(&mut files, &snapshot);
    lying.serve(files);
    assert_eq!(node.refresh().await.error, "");
    assert_eq!(node.reason_of(NEWER).await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn directory_serves_as_a_web_server_does() {
    let mut node = Node::new().await;
    let dir = tempfile::tempdir().unwrap();
    node.org.publish_to(dir.path()).unwrap();
    node.settings.sources = vec![format!("file://{}", dir.path().display())];
    node.start().await;
    node.trust_becomes("").await;
    assert_eq!(node.reason().await, "SIGNED");
    drop(dir);
    assert!(node.refresh().await.error.contains("no source answers"));
    node.agent.remove(DOMAIN);
    node.restart().await;
    assert_eq!(node.reason().await, "SIGNED");
}

/// A source that answers for some files and hangs for others costs a waiter its patience once, not once per file.
#[tokio::test(start_paused = true)]
async fn silence_of_the_preferred_source_does_not_outlast_a_lookup() {
    let mut node = Node::new().await;
    let silent = Site::start(node.org.publish()).await;
    node.settings.sources.insert(0, silent.url());
    node.start().await;
    node.trust_becomes("").await;
    silent.behave(Manner::Hang);
    node.publish_image(NEWER);
    assert_eq!(node.reason_of(NEWER).await, "SIGNED");
    let entry = node.trust().await;
    assert_ne!(entry.sources[0].error, "", "{entry:?}");
}
