//! Root keys that SPIRE changes, withdraws or can no longer confirm.

use jiff::SignedDuration;

use crate::node::{DOMAIN, Node};
use crate::site::Manner;

#[tokio::test(start_paused = true)]
async fn anchor_shrunk_below_threshold_denies_at_once_and_heals() {
    let node = Node::allowing().await;
    let one_key = node.org.anchor_of(&node.org.root_keys()[..1], None);
    node.agent.set(DOMAIN, one_key.to_der());
    let entry = node.trust_becomes("ROOT_NOT_COVERED").await;
    assert_eq!(entry.root.unwrap().covering, 1);
    assert_eq!(node.reason().await, "ROOT_NOT_COVERED");

    node.agent.set(DOMAIN, node.org.anchor().to_der());
    node.trust_becomes("").await;
    assert_eq!(node.reason().await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn anchor_domain_removed_pends_then_withdraws() {
    let mut node = Node::allowing().await;
    let removed = node.clock.now();
    node.agent.remove(DOMAIN);
    let entry = node.trust_until("missing", |entry| state(entry) == "missing").await;
    assert!(entry.warnings.iter().any(|warning| warning.code == "WITHDRAWAL_PENDING"));
    assert_eq!(node.reason().await, "SIGNED");

    // Neither a restart nor an agent that is away or refuses us stops the clock.
    node.clock.advance(SignedDuration::from_secs(20));
    node.restart().await;
    let entry = node.trust_until("missing", |entry| state(entry) == "missing").await;
    let due = entry.anchor.unwrap().withdraws.unwrap();
    assert_eq!(due.seconds, removed.as_second() + 60);
    node.agent.deny();
    node.clock.advance(SignedDuration::from_secs(20));
    assert_eq!(node.reason().await, "SIGNED");
    node.agent.stop();
    node.clock.advance(SignedDuration::from_secs(20));
    assert_eq!(node.trust().await.reason, "ANCHOR_WITHDRAWN");
    assert_eq!(node.reason().await, "ANCHOR_WITHDRAWN");
    node.restart().await;
    assert_eq!(node.reason().await, "ANCHOR_WITHDRAWN");

    node.agent.restart().unwrap();
    node.agent.allow();
    assert_eq!(node.reason().await, "ANCHOR_WITHDRAWN");
    node.agent.set(DOMAIN, node.org.anchor().to_der());
    node.trust_becomes("").await;
    assert_eq!(node.reason().await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn anchor_emptied_withdraws() {
    let node = Node::allowing().await;
    node.agent.set(DOMAIN, Vec::new());
    node.trust_until("empty", |entry| state(entry) == "empty").await;
    node.clock.advance(SignedDuration::from_secs(60));
    assert_eq!(node.reason().await, "ANCHOR_WITHDRAWN");
}

#[tokio::test(start_paused = true)]
async fn anchor_permission_denied_alarms_then_withdraws() {
    let node = Node::allowing().await;
    node.agent.deny();
    let entry = node.trust_until("denied", |entry| state(entry) == "denied").await;
    assert!(entry.warnings.iter().any(|warning| warning.code == "PERMISSION_DENIED"));
    node.clock.advance(SignedDuration::from_mins(29));
    assert_eq!(node.reason().await, "SIGNED");
    node.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(node.reason().await, "ANCHOR_WITHDRAWN");

    node.agent.allow();
    node.trust_becomes("").await;
    assert_eq!(node.reason().await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn anchor_unconfirmed_for_a_week_is_stale() {
    let mut node = Node::new().await;
    let month = SignedDuration::from_hours(24 * 30);
    (node.org.lifetimes.timestamp, node.org.lifetimes.snapshot) = (month, month);
    node.org.renew("payments");
    node.publish();
    node.start().await;
    node.trust_becomes("").await;
    node.agent.stop();
    node.trust_until("unreachable", |entry| state(entry) == "unreachable").await;
    node.clock.advance(SignedDuration::from_hours(24 * 7 - 1));
    node.restart().await;
    assert_eq!(node.reason().await, "SIGNED");
    node.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(node.reason().await, "ANCHOR_STALE");

    node.agent.restart().unwrap();
    node.trust_becomes("").await;
    assert_eq!(node.reason().await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn anchor_junk_confirms_nothing() {
    let node = Node::allowing().await;
    node.agent.set(DOMAIN, b"no certificate".as_slice());
    let entry = node.trust_until("undecodable", |entry| state(entry) == "undecodable").await;
    assert_eq!(entry.anchor.unwrap().keys.len(), 3);
    assert_eq!(node.reason().await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn anchor_pending_enters_no_root_and_the_end_of_it_does() {
    let mut node = Node::new().await;
    node.settings.period = "1d";
    node.site.behave(Manner::Gone);
    node.start().await;
    node.trust_until("fresh", |entry| state(entry) == "fresh").await;
    node.agent.remove(DOMAIN);
    node.trust_until("missing", |entry| state(entry) == "missing").await;
    node.site.behave(Manner::Well);
    // So often that the next try by itself is far off.
    for _ in 0..12 {
        assert!(node.refresh().await.error.contains("missing"));
    }
    assert_eq!(node.trust().await.reason, "NO_TRUST");
    assert_eq!(node.site.asked_for("timestamp.json"), 0);

    node.agent.set(DOMAIN, node.org.anchor().to_der());
    node.trust_becomes("").await;
}

fn state(entry: &tufd_proto::v1::TrustEntry) -> &str {
    entry.anchor.as_ref().map_or("", |anchor| &anchor.state)
}
