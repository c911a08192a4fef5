//! Lookups that newer metadata could turn into ALLOW, and those who would make the node fetch for nothing.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::node::{API, Node, digest_of, look_up};
use crate::site::{Manner, Site};

const NEWER: &str = "registry.acme.example/payments/api:2.0";
const UNSIGNED: &str = "registry.acme.example/payments/unsigned:1";

#[tokio::test(start_paused = true)]
async fn image_published_a_moment_ago_is_allowed_on_the_first_lookup() {
    let mut node = Node::allowing().await;
    node.publish_image(NEWER);
    assert_eq!(node.reason_of(NEWER).await, "SIGNED");
    assert_eq!(node.verify(API, &digest_of(NEWER)).await.unwrap().reason, "DIGEST_MISMATCH");
}

#[tokio::test(start_paused = true)]
async fn unsigned_name_asked_again_and_again_makes_fewer_and_fewer_refreshes() {
    let node = Node::allowing().await;
    let (before, started) = (node.site.asked_for("timestamp.json"), Instant::now());
    while started.elapsed() < Duration::from_secs(60) {
        assert_eq!(node.reason_of(UNSIGNED).await, "TARGET_NOT_FOUND");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Four 5 s apart, then after 10 and 20 s.
    let refreshes = node.site.asked_for("timestamp.json") - before;
    assert!((4..=7).contains(&refreshes), "{refreshes}");
}

#[tokio::test(start_paused = true)]
async fn unsigned_names_without_end_make_no_more_refreshes_than_the_spacing() {
    let node = Node::allowing().await;
    let (before, started) = (node.site.asked_for("timestamp.json"), Instant::now());
    for number in 0.. {
        if started.elapsed() > Duration::from_secs(60) {
            break;
        }
        assert_eq!(node.reason_of(&format!("{UNSIGNED}.{number}")).await, "TARGET_NOT_FOUND");
    }
    let refreshes = node.site.asked_for("timestamp.json") - before;
    assert!((10..=14).contains(&refreshes), "{refreshes}");
}

#[tokio::test(start_paused = true)]
async fn unsigned_names_asked_for_hold_no_new_image_up() {
    let mut node = Node::allowing().await;
    for number in 0..30 {
        assert_eq!(node.reason_of(&format!("{UNSIGNED}.{}", number % 3)).await, "TARGET_NOT_FOUND");
    }
    node.publish_image(NEWER);
    assert_eq!(node.reason_of(NEWER).await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn hundred_lookups_at_once_cause_one_refresh() {
    let mut node = Node::allowing().await;
    node.publish_image(NEWER);
    let before = node.site.asked_for("timestamp.json");
    let mut lookups = JoinSet::new();
    for _ in 0..100 {
        lookups.spawn(look_up(node.channel(), NEWER));
    }
    for reason in lookups.join_all().await {
        assert_eq!(reason, "SIGNED");
    }
    assert_eq!(node.site.asked_for("timestamp.json") - before, 1);
}

#[tokio::test(start_paused = true)]
async fn repository_that_changes_all_the_time_is_not_asked_all_the_time() {
    let mut node = Node::allowing().await;
    let (before, started) = (node.site.asked_for("timestamp.json"), Instant::now());
    while started.elapsed() < Duration::from_secs(30) {
        node.publish();
        assert_eq!(node.reason_of(UNSIGNED).await, "TARGET_NOT_FOUND");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let refreshes = node.site.asked_for("timestamp.json") - before;
    assert!((4..=7).contains(&refreshes), "{refreshes}");
}

#[tokio::test(start_paused = true)]
async fn flood_of_lookups_turns_no_operator_away() {
    let node = Node::allowing().await;
    node.site.behave(Manner::Hang);
    let (before, mut flood) = (node.site.asked_for("2.root.json"), JoinSet::new());
    flood.spawn(look_up(node.channel(), UNSIGNED));
    while node.site.asked_for("2.root.json") == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for _ in 0..50 {
        let channel = node.new_channel();
        for _ in 0..30 {
            flood.spawn(look_up(channel.clone(), UNSIGNED));
        }
    }
    // One refresh hangs and every seat behind it is taken.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (refreshed, ()) = tokio::join!(node.refresh(), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        node.site.behave(Manner::Well);
    });
    assert_eq!(refreshed.error, "");
    flood.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn periodic_refresh_held_up_by_a_source_holds_no_lookup_up() {
    let mut node = Node::new().await;
    let hanging = Site::start(node.org.publish()).await;
    node.settings.sources.push(hanging.url());
    node.settings.period = "30s";
    node.start().await;
    node.trust_becomes("").await;
    hanging.behave(Manner::Hang);
    for number in 2..8 {
        let asked = hanging.asked_for("2.root.json");
        while hanging.asked_for("2.root.json") == asked {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let image = format!("registry.acme.example/payments/api:{number}.0");
        node.publish_image(&image);
        assert_eq!(node.reason_of(&image).await, "SIGNED", "{number}");
    }
}
