//! Policies that change while the daemon answers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tufd::config::LogLevel;
use tufd_proto::v1;
use tufd_proto::v1::verifier_client::VerifierClient;

use crate::node::{API, Node, digest_of};
use crate::probe::heard;

pub(crate) const RELOADS: usize = 100;

/// The configuration with something else in the place of something.
pub(crate) fn write(node: &Node, from: &str, to: &str) -> PathBuf {
    let text = node.config_text();
    assert!(text.contains(from), "{from}");
    std::fs::write(node.config_file(), text.replace(from, to)).unwrap();
    node.config_file()
}

pub(crate) const POLICY: &str = "images = \"registry.acme.example/**\"";
const OTHER: &str = "images = \"other.example/**\"";
/// Policies in turn, and what they make of `API`.
pub(crate) const ROUND: [(&str, &str); 2] = [(OTHER, "NO_POLICY"), (POLICY, "SIGNED")];

/// Each answer is that of the old or of the new policies, and all answers of one generation are the same.
#[tokio::test(start_paused = true)]
async fn reload_a_hundred_times_tears_and_loses_no_verdict() {
    let node = Node::allowing().await;
    let asking = Asking::start(&node);
    for number in 0..RELOADS {
        let (policy, reason) = ROUND[number % 2];
        node.daemon().reload(&write(&node, POLICY, policy)).unwrap();
        assert_eq!(node.reason().await, reason, "after {number}");
    }
    asking.saw_at_least(RELOADS / 2).await;
}

/// Of `API`, again and again, while policies go round.
pub(crate) struct Asking {
    stop: oneshot::Sender<()>,
    answers: JoinHandle<BTreeMap<u64, String>>,
}

impl Asking {
    pub(crate) fn start(node: &Node) -> Self {
        let (stop, mut stopped) = oneshot::channel::<()>();
        let mut client = VerifierClient::new(node.new_channel());
        let (reference, digest) = (API.to_owned(), digest_of(API));
        let asked = v1::VerifyImageRequest { reference, digest, ..Default::default() };
        let answers = tokio::spawn(async move {
            let mut answers = BTreeMap::new();
            while stopped.try_recv().is_err() {
                let verdict = client.verify_image(asked.clone()).await.unwrap().into_inner();
                assert!(ROUND.iter().any(|(_, it)| *it == verdict.reason), "{verdict:?}");
                let known = answers.entry(verdict.generation).or_insert(verdict.reason.clone());
                assert_eq!(*known, verdict.reason, "{verdict:?}");
            }
            answers
        });
        Self { stop, answers }
    }

    /// Each generation with one answer, and the answers in turn.
    pub(crate) async fn saw_at_least(self, generations: usize) {
        self.stop.send(()).unwrap();
        let answers = self.answers.await.unwrap();
        assert!(answers.len() >= generations, "{} generations were seen", answers.len());
    }
}

#[tokio::test(start_paused = true)]
async fn reload_of_a_bad_file_changes_nothing_and_names_the_key() {
    let node = Node::allowing().await;
    let before = node.verify(API, &digest_of(API)).await.unwrap().generation;
    for (from, to, key) in [
        (POLICY, "images = \"a/**b\"", "policy[0].images"),
        ("trust = [\"acme\"]", "trust = [\"acne\"]", "policy[0].trust[0]"),
        ("[state]", "[state", "line "),
        ("threshold = 2", "threshold = 0", "trust[0].threshold"),
    ] {
        let log = heard();
        assert!(node.daemon().reload(&write(&node, from, to)).is_none(), "{to}");
        assert!(
            log.text().contains("reload refused") && log.text().contains(key),
            "{}",
            log.text()
        );
    }
    assert!(node.daemon().reload(&node.config_file().with_extension("none")).is_none());
    assert_eq!(node.verify(API, &digest_of(API)).await.unwrap().generation, before);
    assert_eq!(node.reason().await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn reload_takes_up_the_log_level_and_names_what_needs_a_restart() {
    let node = Node::allowing().await;
    let log = heard();
    let changed = write(&node, "period = \"5m\"", "period = \"6m\"\n[log]\nlevel = \"debug\"");
    assert_eq!(node.daemon().reload(&changed).unwrap().level, LogLevel::Debug);
    let warning = "changed keys take effect after a restart keys=\"refresh.period\"";
    assert!(log.text().contains(warning), "{}", log.text());

    let other = "[[trust]]\nname = \"new\"\ntrust_domain = \"new.example\"\nthreshold = 2\n\
                 metadata = [\"https://new.example/\"]\n[[policy]]\n";
    node.daemon().reload(&write(&node, "[[policy]]\n", other)).unwrap();
    assert!(log.text().contains("keys=\"trust\""), "{}", log.text());
}

/// Its policies would answer by the threshold that runs, not by the one that stands beside them.
#[tokio::test(start_paused = true)]
async fn reload_of_a_policy_for_a_trust_that_runs_otherwise_is_refused() {
    let node = Node::allowing().await;
    let log = heard();
    let changed = write(&node, "threshold = 2", "threshold = 3");
    assert!(node.daemon().reload(&changed).is_none());
    assert!(log.text().contains("policy[0].trust: [[trust]] \"acme\" needs a restart"));
    assert_eq!(node.reason().await, "SIGNED");
}

/// It would leave images without a verdict that have one now.
#[tokio::test(start_paused = true)]
async fn reload_of_a_policy_for_a_trust_that_does_not_run_is_refused() {
    let node = Node::allowing().await;
    let log = heard();
    let other = "[[trust]]\nname = \"new\"\ntrust_domain = \"new.example\"\nthreshold = 2\n\
                 metadata = [\"https://new.example/\"]\n[[policy]]\nimages = \"a.example/**\"\n\
                 trust = [\"new\"]\n[[policy]]\n";
    let changed = write(&node, "[[policy]]\n", other);
    assert!(node.daemon().reload(&changed).is_none());
    assert!(log.text().contains("policy[0].trust: [[trust]] \"new\" needs a restart"));
    assert_eq!(node.reason().await, "SIGNED");
}

#[tokio::test(start_paused = true)]
async fn refresh_lines_name_their_trust_once_and_say_why() {
    let node = Node::allowing().await;
    let log = heard();
    node.refresh().await;
    let text = log.text();
    let line = text.lines().find(|line| line.contains("refreshed")).unwrap();
    assert!(line.contains("refresh{trust=\"acme\" cause=\"order\"}"), "{line}");
    assert_eq!(line.matches("acme").count(), 1, "{line}");
}
