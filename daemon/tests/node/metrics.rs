//! What Prometheus is told: counters, the picture of the board, and nothing about images.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use jiff::SignedDuration;
use testkit::FakeImage;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tufd::metrics::{CONNECTIONS_MAX, EXCHANGE_DEADLINE};
use tufd_proto::v1;

use crate::floors::{block_slots, unblock_slots};
use crate::node::{API, DOMAIN, Node, digest_of};
use crate::probe::heard;
use crate::site::Manner;

const LISTEN: &str = "[metrics]\nlisten = \"127.0.0.1:0\"";

/// A node that answers Prometheus and ALLOW.
pub(crate) async fn watched() -> (Node, SocketAddr) {
    let mut node = Node::new().await;
    node.settings.more = LISTEN.to_owned();
    node.start().await;
    node.trust_becomes("").await;
    let address = node.daemon().metrics().unwrap();
    (node, address)
}

/// One request as it is; what came back until the end.
pub(crate) async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // A connection that is cut may end with an error.
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

pub(crate) async fn scrape(address: SocketAddr) -> Series {
    let answer = exchange(address, "GET /metrics HTTP/1.1\r\nHost: tufd\r\n\r\n").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    assert!(body.ends_with("# EOF\n"), "{body}");
    Series::of(body)
}

/// Waits for what is looked at once a second.
async fn until(address: SocketAddr, is_so: impl Fn(&Series) -> bool) {
    let waiting = async {
        while !is_so(&scrape(address).await) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it becomes so");
}

/// Values by name and labels, as they were written.
#[derive(Debug)]
pub(crate) struct Series {
    values: BTreeMap<String, f64>,
    text: String,
}

impl Series {
    fn of(body: &str) -> Self {
        let lines = body.lines().filter(|line| !line.starts_with('#'));
        let split = |line: &str| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        };
        Self { values: lines.map(split).collect(), text: body.to_owned() }
    }

    #[track_caller]
    pub(crate) fn get(&self, name: &str) -> f64 {
        *self.values.get(name).unwrap_or_else(|| panic!("no {name} in:\n{}", self.text))
    }

    pub(crate) fn has_family(&self, name: &str) -> bool {
        self.values.keys().any(|series| series.split('{').next() == Some(name))
    }

    /// As declared, without the suffixes of their kinds.
    pub(crate) fn families(&self) -> BTreeSet<&str> {
        let declared = self.text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        declared.filter_map(|line| line.split(' ').next()).collect()
    }

    pub(crate) fn has_label_value(&self, value: &str) -> bool {
        self.text.contains(&format!("=\"{value}\""))
    }

    /// What a label is in any series.
    pub(crate) fn label_values(&self, label: &str) -> BTreeSet<&str> {
        let label = format!("{label}=\"");
        self.text.split(&label).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    /// Labels and values of a family, those that are not zero.
    fn set(&self, family: &str) -> Vec<(&str, f64)> {
        let of = self.values.iter().filter(|(_, value)| **value != 0.0);
        of.filter_map(|(name, value)| Some((name.strip_prefix(family)?, *value))).collect()
    }
}

/// Any user of the machine may hold a port.
#[tokio::test(start_paused = true)]
async fn metrics_address_that_another_holds_keeps_nobody_from_verdicts_and_is_taken_later() {
    let mut node = Node::new().await;
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    node.settings.more = format!("[metrics]\nlisten = \"{address}\"");
    node.start().await;
    node.trust_becomes("").await;
    assert_eq!(node.reason().await, "SIGNED");
    assert_eq!(node.daemon().metrics(), None);
    drop(other);
    let taken = async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), taken).await.expect("it is taken");
    assert!(scrape(address).await.get("tufd_generation") >= 1.0);
}

#[tokio::test(start_paused = true)]
async fn verdicts_are_counted_by_decision_and_reason_and_name_no_image() {
    let (node, address) = watched().await;
    for _ in 0..3 {
        assert_eq!(node.reason().await, "SIGNED");
    }
    let secret = "registry.acme.example/payments/secret-project:1";
    assert_eq!(node.reason_of(secret).await, "TARGET_NOT_FOUND");
    node.verify("other.example/x:1", &digest_of(API)).await.unwrap();
    let seen = scrape(address).await;
    let verdicts = [
        (r#"{decision="ALLOW",reason="SIGNED"}"#, 3.0),
        (r#"{decision="DENY",reason="NO_POLICY"}"#, 1.0),
        (r#"{decision="DENY",reason="TARGET_NOT_FOUND"}"#, 1.0),
    ];
    assert_eq!(seen.set("tufd_verdicts_total"), verdicts);
    assert_eq!(seen.get("tufd_no_verdicts_total"), 0.0);
    assert!(seen.get("tufd_decision_duration_seconds_count") >= 5.0);
    assert_eq!(seen.set("tufd_passed_without_yes_total"), []);
    for word in ["payments", "secret", "registry", "sha256", "127.0.0.1", DOMAIN] {
        assert!(!seen.text.contains(word), "{word} in:\n{}", seen.text);
    }
}

/// Whoever may ask for verdicts must not be able to make the answer grow.
#[tokio::test(start_paused = true)]
async fn series_do_not_grow_with_what_is_asked() {
    let (node, address) = watched().await;
    node.reason().await;
    let before = scrape(address).await.values.len();
    for number in 0..100 {
        node.verify(&format!("other.example/{number}:{number}"), &digest_of(API)).await.unwrap();
    }
    assert_eq!(scrape(address).await.values.len(), before);
}

#[tokio::test(start_paused = true)]
async fn board_is_shown_as_it_stands() {
    let (mut node, address) = watched().await;
    let seen = scrape(address).await;
    let one = r#"{trust="acme"}"#;
    assert_eq!(seen.set("tufd_anchor_state{"), [(r#"trust="acme",state="fresh"}"#, 1.0)]);
    assert_eq!(seen.get(&format!("tufd_root_version{one}")), 1.0);
    assert_eq!(seen.get(&format!("tufd_root_covered{one}")), 1.0);
    assert_eq!(seen.get(&format!("tufd_floors_lost{one}")), 0.0);
    assert_eq!(seen.get(&format!("tufd_clock_behind_seconds{one}")), 0.0);
    assert_eq!(seen.get(r#"tufd_trust_closed{trust="acme",reason=""}"#), 0.0);
    assert_eq!(seen.get(r#"tufd_source_up{trust="acme",source="0"}"#), 1.0);
    let now = node.clock.now().as_second() as f64;
    for role in ["root", "timestamp", "snapshot", "targets", "delegated"] {
        let expiry = format!(r#"tufd_expiry_timestamp_seconds{{trust="acme",role="{role}"}}"#);
        assert!(seen.get(&expiry) > now, "{role}");
    }
    for moment in ["last_refresh", "anchor_confirmed", "anchor_state_since"] {
        assert_eq!(seen.get(&format!("tufd_{moment}_timestamp_seconds{one}")), now, "{moment}");
    }

    node.org.rotate_root(&[], &[]);
    node.publish();
    node.refresh().await;
    node.site.behave(Manner::Gone);
    node.refresh().await;
    let then = scrape(address).await;
    assert_eq!(then.get(&format!("tufd_root_version{one}")), 2.0);
    assert_eq!(then.get(r#"tufd_source_up{trust="acme",source="0"}"#), 0.0);
    assert!(then.get("tufd_generation") > seen.get("tufd_generation"));
    let changed = r#"tufd_refreshes_total{trust="acme",result="changed"}"#;
    assert_eq!(then.get(changed), seen.get(changed) + 1.0);
    assert!(then.get(r#"tufd_refreshes_total{trust="acme",result="failed"}"#) >= 1.0);
}

#[tokio::test(start_paused = true)]
async fn anchor_and_trust_that_are_closed_say_why() {
    let (node, address) = watched().await;
    node.agent.set(DOMAIN, node.org.anchor_of(&node.org.root_keys()[..1], None).to_der());
    node.trust_becomes("ROOT_NOT_COVERED").await;
    let seen = scrape(address).await;
    assert_eq!(seen.set("tufd_anchor_state{"), [(r#"trust="acme",state="not_covered"}"#, 1.0)]);
    assert_eq!(seen.get(r#"tufd_root_covered{trust="acme"}"#), 0.0);
    let closed = [(r#"{trust="acme",reason="ROOT_NOT_COVERED"}"#, 1.0)];
    assert_eq!(seen.set("tufd_trust_closed"), closed);
}

#[tokio::test(start_paused = true)]
async fn refused_files_are_counted_by_source() {
    let (mut node, address) = watched().await;
    let image = FakeImage::new("registry.acme.example/payments/other:1");
    node.org.sign_image("payments", &image.named("registry.acme.example/payments/other:1"));
    node.site.behave(Manner::Html);
    node.refresh().await;
    let seen = scrape(address).await;
    assert!(seen.get(r#"tufd_refused_files_total{trust="acme",source="0"}"#) >= 1.0);
}

/// Each way to pass, its counter, and one audit line for each time.
#[tokio::test(start_paused = true)]
async fn passes_without_a_full_yes_are_counted_by_why_and_audited_once() {
    let mut node = Node::new().await;
    let (unsigned, foreign) = ("registry.acme.example/shop/unsigned:1", "other.example/boot:1");
    let digest = digest_of(foreign);
    node.settings.more = format!(
        "{LISTEN}\n[verdicts]\navailability = \"known-good\"\n\
         [[policy]]\nimages = \"registry.acme.example/shop/**\"\ntrust = [\"acme\"]\nmode = \"warn\"\n\
         [[policy]]\nimages = \"other.example/**\"\nmode = \"exempt\"\ndigests = [\"{digest}\"]\n\
         until = \"2100-01-01T00:00:00Z\"\nreason = \"boot\""
    );
    node.start().await;
    node.trust_becomes("").await;
    let address = node.daemon().metrics().unwrap();
    assert_eq!(node.reason().await, "SIGNED");
    let log = heard();
    let reason = async |reference| {
        let verdict = node.verify(reference, &digest_of(reference)).await.unwrap();
        assert_eq!(verdict.decision(), v1::Decision::Allow, "{verdict:?}");
        verdict.reason
    };
    assert_eq!(reason(unsigned).await, "TARGET_NOT_FOUND");
    assert_eq!(reason(foreign).await, "EXEMPT");
    node.site.behave(Manner::Gone);
    node.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(reason(API).await, "KNOWN_GOOD");
    let passed = scrape(address).await;
    let passed = passed.set("tufd_passed_without_yes_total");
    let by = [r#"{why="exempt"}"#, r#"{why="known_good"}"#, r#"{why="warn"}"#];
    assert_eq!(passed, by.map(|why| (why, 1.0)));
    let text = log.text();
    let audited: Vec<_> = text.lines().filter(|line| line.contains("PASSED")).collect();
    assert_eq!(audited.len(), 3, "{text}");
    assert!(audited.iter().all(|line| line.contains("audit: ")), "{text}");
}

/// A disk that refuses: what is lost by it is seen before it is missed.
#[tokio::test(start_paused = true)]
async fn state_that_cannot_be_written_is_shown() {
    let (mut node, address) = watched().await;
    let unwritten = async |value: f64| {
        until(address, |seen| seen.get("tufd_floors_unwritten") == value).await;
    };
    unwritten(0.0).await;
    let kept = block_slots(&node);
    node.publish_image("registry.acme.example/payments/newer:1");
    assert!(node.refresh().await.error.contains("floor"));
    unwritten(1.0).await;
    let unkept = r#"tufd_refreshes_total{trust="acme",result="unkept"}"#;
    assert!(scrape(address).await.get(unkept) >= 1.0);
    unblock_slots(&node, kept);
    assert_eq!(node.refresh().await.error, "");
    unwritten(0.0).await;
}

/// `on_no_verdict = "pass"` in the verifier: one byte for each.
#[tokio::test(start_paused = true)]
async fn passes_that_the_verifier_marked_are_counted() {
    let mut node = Node::new().await;
    let mark = node.config_file().with_file_name("passed");
    node.settings.more = format!("{LISTEN}\nverifier_passed = {mark:?}");
    node.start().await;
    let address = node.daemon().metrics().unwrap();
    let passed = r#"tufd_passed_without_yes_total{why="no_verdict"}"#;
    let becomes = async |count: Option<f64>| {
        until(address, |seen| seen.values.get(passed).copied() == count).await;
    };
    becomes(Some(0.0)).await;
    std::fs::write(&mark, b"....").unwrap();
    becomes(Some(4.0)).await;
    // Whatever is no file of the verifier's says nothing, and not "none".
    std::fs::remove_file(&mark).unwrap();
    std::os::unix::fs::symlink(node.config_file(), &mark).unwrap();
    becomes(None).await;
}

#[tokio::test(start_paused = true)]
async fn clock_that_goes_back_is_counted_and_how_far_it_is_behind_shown() {
    let (node, address) = watched().await;
    node.clock.advance(SignedDuration::from_mins(-10));
    until(address, |seen| seen.get("tufd_clock_steps_back_total") >= 1.0).await;
    let behind = scrape(address).await.get(r#"tufd_clock_behind_seconds{trust="acme"}"#);
    assert!((1.0..=600.0).contains(&behind), "{behind}");
}

#[tokio::test(start_paused = true)]
async fn metrics_answers_nothing_else() {
    let (_node, address) = watched().await;
    for line in ["GET / HTTP/1.1", "GET /metrics/ HTTP/1.1", "POST /metrics HTTP/1.1"] {
        let answer = exchange(address, &format!("{line}\r\nHost: tufd\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{line}: {answer}");
    }
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(64 * 1024));
    assert!(!exchange(address, &long).await.contains("tufd_"));
    assert!(!exchange(address, "\u{16}\u{3}\u{1} junk\r\n\r\n").await.contains("tufd_"));
}

/// Slow clients hold their few places for a moment, and nothing else of the daemon's.
#[tokio::test(start_paused = true)]
async fn metrics_slow_clients_hold_few_places_for_a_moment() {
    let (node, address) = watched().await;
    let mut slow = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /metr").await.unwrap();
        slow.push(stream);
    }
    assert_eq!(exchange(address, "GET /metrics HTTP/1.1\r\n\r\n").await, "", "closed unread");
    assert_eq!(node.reason().await, "SIGNED");
    tokio::time::sleep(EXCHANGE_DEADLINE).await;
    scrape(address).await;
    for mut stream in slow {
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap_or(0), 0, "it was let go");
    }
}
