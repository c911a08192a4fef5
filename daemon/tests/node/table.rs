//! The table of what is answered when something is wrong (docs/reasons.md), row by row, under both kinds of
//! `[verdicts] availability`: each row on a node of its own that allowed the image before.

use std::fs;

use jiff::SignedDuration;
use testkit::damage;
use tonic::Code;
use tufd_proto::v1::Decision;

use crate::node::{API, DOMAIN, Node, digest_of};
use crate::site::Manner;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// The timestamp lives for a day, the snapshot for seven, targets and roles for ninety.
const DAY: SignedDuration = SignedDuration::from_hours(24);
const KINDS: [&str; 2] = ["strict", "known-good"];
/// Never asked about before.
const OTHER: &str = "registry.acme.example/payments/api@";

async fn allowing(availability: &str) -> Node {
    let mut node = Node::new().await;
    node.settings.more = format!("[verdicts]\navailability = \"{availability}\"\n");
    node.start().await;
    node.trust_becomes("").await;
    assert_eq!(node.reason().await, "SIGNED");
    node
}

async fn answer(node: &Node) -> (Decision, String) {
    let verdict = node.verify(API, &digest_of(API)).await.unwrap();
    (verdict.decision(), verdict.reason)
}

fn deny(reason: &str) -> (Decision, String) {
    (Decision::Deny, reason.to_owned())
}

fn allow(reason: &str) -> (Decision, String) {
    (Decision::Allow, reason.to_owned())
}

/// What both kinds answer.
async fn both(row: impl AsyncFn(&mut Node), expected: (Decision, String)) {
    each(row, expected.clone(), expected).await;
}

/// What is denied for lack of freshness, and known-good.
async fn grace(row: impl AsyncFn(&mut Node), reason: &str) {
    each(row, deny(reason), allow("KNOWN_GOOD")).await;
}

async fn each(
    row: impl AsyncFn(&mut Node),
    strict: (Decision, String),
    known_good: (Decision, String),
) {
    for (availability, expected) in KINDS.into_iter().zip([strict, known_good]) {
        let mut node = allowing(availability).await;
        row(&mut node).await;
        assert_eq!(answer(&node).await, expected, "{availability}");
        // What was never allowed here gains nothing from known-good.
        if expected.1 == "KNOWN_GOOD" {
            let by_digest = format!("{OTHER}{}", digest_of(API));
            let other = node.verify(&by_digest, &digest_of(API)).await.unwrap();
            assert_eq!(other.decision(), Decision::Deny, "{other:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn table_chain_unexpired() {
    both(async |node| drop(node.refresh().await), allow("SIGNED")).await;
    let unreachable = async |node: &mut Node| {
        node.site.behave(Manner::Gone);
        node.clock.advance(HOUR * 23);
        assert_ne!(node.refresh().await.error, "");
    };
    both(unreachable, allow("SIGNED")).await;
}

#[tokio::test(start_paused = true)]
async fn table_timestamp_expired() {
    let down = async |node: &mut Node| {
        node.site.behave(Manner::Gone);
        node.clock.advance(DAY);
        node.refresh().await;
    };
    grace(down, "TIMESTAMP_EXPIRED").await;
    let frozen = async |node: &mut Node| {
        node.clock.advance(DAY);
        node.refresh().await;
    };
    grace(frozen, "FREEZE_SUSPECTED").await;
    let past_grace = async |node: &mut Node| {
        node.site.behave(Manner::Gone);
        node.clock.advance(DAY * 2);
        node.refresh().await;
    };
    both(past_grace, deny("TIMESTAMP_EXPIRED")).await;
}

/// What was allowed is remembered over a restart, as soon as the database is open.
#[tokio::test(start_paused = true)]
async fn table_timestamp_expired_over_a_restart() {
    for availability in KINDS {
        let mut node = allowing(availability).await;
        node.site.behave(Manner::Gone);
        node.agent.stop();
        node.stop().await;
        node.clock.advance(DAY);
        node.start().await;
        node.trust_until("a failed refresh", |entry| !entry.last_error.is_empty()).await;
        if availability == "strict" {
            assert_eq!(answer(&node).await, deny("TIMESTAMP_EXPIRED"));
        } else {
            remembered(&node).await;
            assert_eq!(answer(&node).await, allow("KNOWN_GOOD"));
        }
    }
}

async fn remembered(node: &Node) {
    let opened = async {
        while answer(node).await.0 == Decision::Deny {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(120), opened).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn table_snapshot_expired() {
    let row = async |node: &mut Node, after: Manner| {
        let soon = node.clock.now() + HOUR;
        let mut files = node.org.publish();
        damage::forge(&mut files, &node.org, "snapshot", |signed| {
            signed["expires"] = soon.to_string().into();
        });
        node.site.serve(files);
        assert_eq!(node.refresh().await.error, "");
        assert_eq!(node.reason().await, "SIGNED");
        node.site.behave(after);
        node.clock.advance(HOUR);
        node.refresh().await;
    };
    grace(async |node| row(node, Manner::Gone).await, "SNAPSHOT_EXPIRED").await;
    grace(async |node| row(node, Manner::Well).await, "FREEZE_SUSPECTED").await;
}

#[tokio::test(start_paused = true)]
async fn table_role_not_to_be_had() {
    let withheld = async |node: &mut Node| {
        node.org.renew("payments");
        let mut files = node.org.publish();
        damage::withhold(&mut files, "payments");
        node.site.serve(files);
        node.refresh().await;
    };
    grace(withheld, "ROLE_UNAVAILABLE").await;
    let past_grace = async |node: &mut Node| {
        withheld(node).await;
        node.clock.advance(DAY - HOUR);
        // The timestamp is renewed, and the role still withheld.
        let mut files = node.org.publish();
        damage::withhold(&mut files, "payments");
        node.site.serve(files);
        assert_eq!(node.refresh().await.error, "");
        node.clock.advance(HOUR);
    };
    both(past_grace, deny("ROLE_UNAVAILABLE")).await;
}

#[tokio::test(start_paused = true)]
async fn table_role_expired() {
    for role in ["root", "targets", "payments"] {
        let row = async |node: &mut Node| {
            let soon = node.clock.now() + HOUR;
            let mut files = if role == "root" {
                node.org.rotate_root(&[], &[]);
                node.org.publish()
            } else {
                node.org.renew("payments");
                node.org.publish()
            };
            damage::forge(&mut files, &node.org, role, |signed| {
                signed["expires"] = soon.to_string().into();
            });
            node.site.serve(files);
            assert_eq!(node.refresh().await.error, "", "{role}");
            assert_eq!(node.reason().await, "SIGNED", "{role}");
            node.clock.advance(HOUR);
            node.refresh().await;
        };
        both(row, deny("ROLE_EXPIRED")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn table_trust_closed() {
    let not_covered = async |node: &mut Node| {
        node.agent.set(DOMAIN, node.org.anchor_of(&node.org.root_keys()[..1], None).to_der());
        node.trust_becomes("ROOT_NOT_COVERED").await;
    };
    both(not_covered, deny("ROOT_NOT_COVERED")).await;
    let withdrawn = async |node: &mut Node| {
        node.agent.remove(DOMAIN);
        node.trust_until("missing", |entry| entry.anchor.as_ref().unwrap().state == "missing")
            .await;
        node.clock.advance(SignedDuration::from_secs(60));
    };
    both(withdrawn, deny("ANCHOR_WITHDRAWN")).await;
    let stale = async |node: &mut Node| {
        node.agent.stop();
        for _ in 0..8 {
            node.clock.advance(HOUR * 23);
            node.publish();
            assert_eq!(node.refresh().await.error, "");
        }
    };
    both(stale, deny("ANCHOR_STALE")).await;
    let floors_lost = async |node: &mut Node| {
        node.stop().await;
        for slot in ["floors.0", "floors.1"] {
            fs::write(node.state().join(slot), "damage").unwrap();
        }
        node.site.behave(Manner::Gone);
        node.start().await;
    };
    both(floors_lost, deny("FLOORS_LOST")).await;
    let no_chain = async |node: &mut Node| {
        node.org.rotate_targets_key();
        let mut files = node.org.publish();
        damage::withhold(&mut files, "targets");
        node.site.serve(files);
        node.refresh().await;
    };
    both(no_chain, deny("NO_VALID_CHAIN")).await;
}

#[tokio::test(start_paused = true)]
async fn table_newer_and_invalid_file() {
    let row = async |node: &mut Node| {
        let mut files = node.org.publish();
        damage::flip_bit(&mut files, "timestamp.json");
        node.site.serve(files);
        let error = node.refresh().await.error;
        assert!(error.contains("timestamp"), "{error}");
    };
    both(row, allow("SIGNED")).await;
}

#[tokio::test(start_paused = true)]
async fn table_nothing_ever_verified() {
    for availability in KINDS {
        let mut node = Node::new().await;
        node.settings.more = format!("[verdicts]\navailability = \"{availability}\"\n");
        node.site.behave(Manner::Gone);
        node.start().await;
        let none = node.verify(API, &digest_of(API)).await.unwrap_err();
        assert_eq!(none.code(), Code::Unavailable);
        assert!(none.message().starts_with("NO_TRUST"), "{none}");
    }
}

/// Ahead it denies, set right it answers again; back it revives nothing that had expired.
#[tokio::test(start_paused = true)]
async fn table_clock_stepped() {
    let years = HOUR * 24 * 365 * 20;
    for availability in KINDS {
        let node = allowing(availability).await;
        node.clock.advance(years);
        assert_eq!(answer(&node).await.0, Decision::Deny);
        node.refresh().await;
        node.clock.advance(-years);
        assert_eq!(answer(&node).await, allow("SIGNED"), "{availability}");

        // A floor is proved by a newer timestamp, ten hours on; then the clock goes back by a year.
        node.clock.advance(HOUR * 10);
        let mut node = node;
        node.publish();
        assert_eq!(node.refresh().await.error, "");
        node.clock.advance(-HOUR);
        assert_eq!(answer(&node).await, allow("SIGNED"), "{availability}");
        assert!(node.trust().await.warnings.iter().any(|warning| warning.code == "CLOCK_BACK"));
        let floor = node.clock.now() + HOUR;
        let soon = node.clock.now() + HOUR / 2;
        let mut files = node.org.publish();
        damage::forge(&mut files, &node.org, "timestamp", |signed| {
            signed["expires"] = soon.to_string().into();
        });
        node.site.serve(files);
        let error = node.refresh().await.error;
        assert!(error.contains("expired"), "{soon} was past at {floor}: {error}");
        node.restart().await;
        assert!(node.refresh().await.error.contains("expired"), "a restart forgot the time");
        assert_eq!(answer(&node).await, allow("SIGNED"), "{availability}");
    }
}
