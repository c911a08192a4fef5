//! Root keys that SPIRE changes, withdraws or can no longer confirm.

use std::os::unix::net::UnixListener;

use jiff::SignedDuration;
use tufd_proto::v1::TrustEntry;

use crate::node::{DOMAIN, Node};
use crate::probe::{Log, heard};
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
    let entry = node.trust_until("missing", is("missing")).await;
    assert!(entry.warnings.iter().any(|warning| warning.code == "WITHDRAWAL_PENDING"));
    assert_eq!(node.reason().await, "SIGNED");

    // Neither a restart nor an agent that is away or refuses us stops the clock.
    node.clock.advance(SignedDuration::from_secs(20));
    node.restart().await;
    let entry = node.trust_until("missing", is("missing")).await;
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
    node.trust_until("empty", is("empty")).await;
    node.clock.advance(SignedDuration::from_secs(60));
    assert_eq!(node.reason().await, "ANCHOR_WITHDRAWN");
}

/// A state, how loud it is, and what makes it.
type Cause = (&'static str, &'static str, fn(&mut Node));

const CAUSES: [Cause; 7] = [
    ("not_covered", "ERROR", |node| {
        node.agent.set(DOMAIN, node.org.anchor_of(&node.org.root_keys()[..1], None).to_der());
    }),
    ("missing", "WARN", |node| node.agent.remove(DOMAIN)),
    ("empty", "WARN", |node| node.agent.set(DOMAIN, Vec::new())),
    ("denied", "ERROR", |node| node.agent.deny()),
    ("undecodable", "ERROR", |node| node.agent.set(DOMAIN, b"no certificate".as_slice())),
    ("unreachable", "WARN", |node| node.agent.stop()),
    ("behind", "WARN", |node| {
        node.agent.set(DOMAIN, node.org.anchor_of(&node.org.root_keys()[..2], None).to_der());
    }),
];

#[tokio::test(start_paused = true)]
async fn anchor_state_is_told_once_and_keeps_its_time_over_a_restart() {
    for (name, level, cause) in CAUSES {
        let mut node = Node::allowing().await;
        let log = heard();
        cause(&mut node);
        let since = node.trust_until(name, is(name)).await.anchor.unwrap().since;
        node.clock.advance(SignedDuration::from_secs(5));
        assert_eq!(node.trust().await.anchor.unwrap().since, since, "{name}");
        node.restart().await;
        let entry = node.trust_until(name, is(name)).await;
        assert_eq!(entry.anchor.unwrap().since, since, "{name}");
        assert_eq!(told(&log, name), [format!("{level} fresh")]);

        node.agent.allow();
        node.agent.set(DOMAIN, node.org.anchor().to_der());
        if name == "unreachable" {
            node.agent.restart().unwrap();
        }
        let entry = node.trust_until("fresh", is("fresh")).await;
        assert_ne!(entry.anchor.unwrap().since, since, "{name}");
        assert_eq!(told(&log, "fresh"), [format!("INFO {name}")]);
    }
}

/// They come without a word of the agent.
#[tokio::test(start_paused = true)]
async fn anchor_state_of_a_clock_is_told_once() {
    let node = Node::allowing().await;
    let log = heard();
    let removed = node.clock.now();
    node.agent.remove(DOMAIN);
    node.trust_until("missing", is("missing")).await;
    node.clock.advance(SignedDuration::from_secs(90));
    let entry = node.trust_until("withdrawn", is("withdrawn")).await;
    assert_eq!(entry.anchor.unwrap().since.unwrap().seconds, removed.as_second() + 60);
    until(&log, "ANCHOR_STATE", 2).await;
    assert_eq!(told(&log, "withdrawn"), ["ERROR missing"]);
}

/// A root that the bundle does not have yet is no word of the agent either.
#[tokio::test(start_paused = true)]
async fn anchor_state_of_a_new_root_is_told() {
    let mut node = Node::allowing().await;
    let log = heard();
    node.org.rotate_root(&[crate::node::new_key()], &[]);
    node.publish();
    assert_eq!(node.refresh().await.error, "");
    node.trust_until("behind", is("behind")).await;
    until(&log, "ANCHOR_STATE", 1).await;
    assert_eq!(told(&log, "behind"), ["WARN fresh"]);
}

/// Without a word of the agent a new node waits, and an old one goes by its own files.
#[tokio::test(start_paused = true)]
async fn anchor_of_a_mute_agent_is_waiting_or_cached() {
    let mut node = Node::new().await;
    let log = heard();
    node.agent.stop();
    let mute = UnixListener::bind(node.agent.socket()).unwrap();
    node.start().await;
    let entry = node.trust_until("waiting", is("waiting")).await;
    assert_eq!((entry.reason.as_str(), entry.warnings.len()), ("NO_TRUST", 0));
    until(&log, "waiting", 1).await;
    assert_eq!(told(&log, "waiting"), ["INFO "]);
    drop(mute);
    std::fs::remove_file(node.agent.socket()).unwrap();
    node.agent.restart().unwrap();
    node.trust_becomes("").await;

    node.stop().await;
    node.agent.stop();
    let _mute = UnixListener::bind(node.agent.socket()).unwrap();
    node.start().await;
    node.trust_until("cached", is("cached")).await;
    assert_eq!(node.reason().await, "SIGNED");
    until(&log, "cached", 1).await;
    assert_eq!(told(&log, "cached"), ["INFO fresh"]);
}

/// Who never had keys loses none: it says what is wrong, and does not call it a withdrawal.
#[tokio::test(start_paused = true)]
async fn anchor_of_a_new_node_is_refused_and_not_withdrawn() {
    let mut node = Node::new().await;
    node.agent.deny();
    node.start().await;
    let entry = node.trust_until("denied", is("denied")).await;
    assert!(entry.warnings.iter().any(|warning| warning.code == "PERMISSION_DENIED"));
    assert_eq!((entry.reason.as_str(), entry.anchor.unwrap().withdraws), ("NO_TRUST", None));
    node.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(state(&node.trust().await), "denied");
    node.agent.allow();
    node.trust_becomes("").await;
}

#[tokio::test(start_paused = true)]
async fn anchor_permission_denied_alarms_then_withdraws() {
    let node = Node::allowing().await;
    node.agent.deny();
    let entry = node.trust_until("denied", is("denied")).await;
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
    node.trust_until("unreachable", is("unreachable")).await;
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
    let entry = node.trust_until("undecodable", is("undecodable")).await;
    assert_eq!(entry.anchor.unwrap().keys.len(), 3);
    assert_eq!(node.reason().await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn anchor_pending_enters_no_root_and_the_end_of_it_does() {
    let mut node = Node::new().await;
    node.settings.period = "1d";
    node.site.behave(Manner::Gone);
    node.start().await;
    node.trust_until("fresh", is("fresh")).await;
    node.agent.remove(DOMAIN);
    node.trust_until("missing", is("missing")).await;
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

fn state(entry: &TrustEntry) -> &str {
    entry.anchor.as_ref().map_or("", |anchor| &anchor.state)
}

fn is(name: &str) -> impl Fn(&TrustEntry) -> bool {
    move |entry| state(entry) == name
}

/// Level and state before, of each line about a change to this state.
fn told(log: &Log, to: &str) -> Vec<String> {
    let text = log.text();
    let lines = text.lines().filter(|line| line.contains("ANCHOR_STATE"));
    let lines = lines.filter(|line| line.contains(&format!("to=\"{to}\"")));
    let level = |line: &str| line.split_whitespace().nth(1).unwrap().to_owned();
    let from =
        |line: &str| line.split("from=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    lines.map(|line| format!("{} {}", level(line), from(line))).collect()
}

/// Until the log has so many lines with a word.
async fn until(log: &Log, word: &str, count: usize) {
    let enough = async {
        while log.text().lines().filter(|line| line.contains(word)).count() < count {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let enough = tokio::time::timeout(std::time::Duration::from_secs(60), enough).await;
    enough.unwrap_or_else(|_| panic!("never {count} lines with {word:?}, but\n{}", log.text()));
}
