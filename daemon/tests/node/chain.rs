//! The chain that answers: when it goes on, and when it must not.

use jiff::SignedDuration;
use testkit::{Files, damage};

use crate::node::{API, Node};
use crate::site::Manner;

#[tokio::test(start_paused = true)]
async fn restart_with_agent_and_repository_gone_allows_at_once() {
    let mut node = Node::allowing().await;
    node.agent.stop();
    node.site.behave(Manner::Gone);
    node.restart().await;
    assert_eq!(node.reason().await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn nothing_verified_is_no_verdict() {
    let mut node = Node::new().await;
    node.site.behave(Manner::Gone);
    node.start().await;
    assert_eq!(node.reason().await, "NO_TRUST");
    node.agent.stop();
    node.restart().await;
    assert_eq!(node.reason().await, "NO_TRUST");
}

#[tokio::test(start_paused = true)]
async fn timestamp_expired_with_repository_up_suspects_freeze() {
    let mut node = Node::allowing().await;
    node.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(node.reason().await, "FREEZE_SUSPECTED");
    node.publish();
    assert_eq!(node.refresh().await.error, "");
    assert_eq!(node.reason().await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn timestamp_expired_with_repository_down_says_so() {
    let node = Node::allowing().await;
    node.site.behave(Manner::Gone);
    assert_ne!(node.refresh().await.error, "");
    node.clock.advance(SignedDuration::from_secs(24 * 3600 - 1));
    assert_eq!(node.reason().await, "SIGNED");
    node.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(node.reason().await, "TIMESTAMP_EXPIRED");
}

#[tokio::test(start_paused = true)]
async fn snapshot_expired_denies_also_after_restart() {
    let mut node = Node::new().await;
    node.org.lifetimes.snapshot = SignedDuration::from_hours(2);
    node.org.renew("payments");
    node.publish();
    node.start().await;
    node.trust_becomes("").await;
    node.site.behave(Manner::Gone);
    node.clock.advance(SignedDuration::from_hours(2));
    node.restart().await;
    assert_eq!(node.reason().await, "SNAPSHOT_EXPIRED");
}

#[tokio::test(start_paused = true)]
async fn clock_before_the_build_denies() {
    let node = Node::allowing().await;
    node.clock.set(jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(node.reason().await, "CLOCK_IMPLAUSIBLE");
}

#[tokio::test(start_paused = true)]
async fn junk_metadata_leaves_the_old_chain_answering() {
    let mut node = Node::allowing().await;
    let before = node.trust().await.roles;
    let other = "registry.acme.example/payments/api:2.0";
    let digest = node.publish_image(other);
    let good = node.org.publish();
    for (file, damaged) in damaged(&good) {
        node.site.serve(damaged);
        let error = node.refresh().await.error;
        assert!(error.contains(&file), "{file}: {error}");
        assert_eq!(node.reason().await, "SIGNED", "{file}");
        assert_eq!(node.trust().await.roles, before, "{file}");
    }
    node.site.serve(good);
    assert_eq!(node.refresh().await.error, "");
    assert_eq!(node.verify(other, &digest).await.unwrap().reason, "SIGNED");
}

/// Each with the file that is wrong in it.
fn damaged(good: &Files) -> Vec<(String, Files)> {
    let mut all = Vec::new();
    for role in ["timestamp", "snapshot", "targets"] {
        let file = good.newest(role);
        let ways: [fn(&mut Files, &str); 4] = [
            damage::junk,
            |files, name| damage::flip_bit(files, name),
            |files, name| damage::keep_signatures(files, name, 0),
            |files, name| damage::oversize(files, name, 6_000_000),
        ];
        for way in ways {
            let mut files = good.clone();
            way(&mut files, &file);
            all.push((file.clone(), files));
        }
    }
    let mut html = good.clone();
    html.insert("2.root.json", b"<html>".as_slice());
    all.push(("2.root.json".to_owned(), html));
    all
}

#[tokio::test(start_paused = true)]
async fn role_withheld_is_unavailable_for_its_names_only() {
    let mut node = Node::allowing().await;
    let ours = "registry.acme.example/shop/web:1.0";
    let image = testkit::FakeImage::new(ours);
    node.org.sign_image("shop", &image.named(ours));
    node.publish_image("registry.acme.example/payments/api:2.0");
    node.site.damage(|files| damage::withhold(files, "shop"));
    assert_eq!(node.refresh().await.error, "");
    assert_eq!(node.reason_of("registry.acme.example/payments/api:2.0").await, "SIGNED");
    assert_eq!(node.reason_of(API).await, "SIGNED");
    assert_eq!(node.reason_of(ours).await, "ROLE_UNAVAILABLE");
    assert_eq!(node.reason_of("registry.acme.example/shop/none:1").await, "ROLE_UNAVAILABLE");

    node.publish();
    assert_eq!(node.refresh().await.error, "");
    assert_eq!(node.reason_of(ours).await, "SIGNED");
}
