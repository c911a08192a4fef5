//! Who knows the right answer to every question.
//!
//! A verdict names the version of the timestamp that decided it, and the judge knows which images each version signs.
//! So each answer is held against the very version it claims, and the versions against each other: what answered once,
//! or was told to an operator, must never be older in an answer to a question asked later, whoever asks, and however
//! often the daemon died in between.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, ensure};
use tonic::Status;
use tufd_proto::v1::{Decision, Verdict};

use crate::client::Client;

/// More wrong answers are counted, and not kept.
const WRONG_KEPT_MAX: usize = 20;
/// Never, as a version.
const NEVER: u64 = u64::MAX;

/// A question, and in which versions of the timestamp the answer is ALLOW.
#[derive(Debug)]
pub struct Image {
    reference: String,
    digest: String,
    signed_from: AtomicU64,
    rescinded_in: AtomicU64,
}

/// Judges all answers of a run.
#[derive(Debug, Default)]
pub struct Judge {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    outages: Outages,
    /// The newest version that any source may serve.
    published: u64,
    /// The highest versions of timestamp and root that were seen.
    seen: Seen,
    /// Reasons for which anything may be denied, each until that version of the timestamp is seen.
    excused: BTreeMap<&'static str, u64>,
    /// The one reason that any answer must have now.
    required: Option<&'static str>,
    answers: BTreeMap<String, u64>,
    wrong: u64,
    wrong_kept: Vec<String>,
}

/// Whether a question may stay without a verdict.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Outages {
    /// The daemon starts, or is killed now and then.
    #[default]
    Expected,
    None,
}

#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    timestamp: u64,
    root: u64,
}

/// What held when a question was asked or answered.
#[derive(Debug, Clone)]
struct Moment {
    seen: Seen,
    excused: BTreeSet<&'static str>,
    required: Option<&'static str>,
}

impl Image {
    /// An image that nobody has signed yet.
    #[must_use]
    pub fn unsigned(reference: &str, digest: &str) -> Arc<Self> {
        Arc::new(Self {
            reference: reference.to_owned(),
            digest: digest.to_owned(),
            signed_from: AtomicU64::new(NEVER),
            rescinded_in: AtomicU64::new(NEVER),
        })
    }

    /// It is signed from this version on. To be said before the version is published, as what follows.
    pub fn sign(&self, version: u64) {
        self.signed_from.store(version, Ordering::SeqCst);
    }

    /// It is no longer signed from this version on.
    pub fn rescind(&self, version: u64) {
        self.rescinded_in.store(version, Ordering::SeqCst);
    }

    fn is_signed_in(&self, version: u64) -> bool {
        self.signed_from.load(Ordering::SeqCst) <= version
            && version < self.rescinded_in.load(Ordering::SeqCst)
    }
}

impl Judge {
    /// Before anything was published.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// From now on the daemon runs all the time: no question stays without a verdict.
    pub fn expect_no_outage(&self) {
        self.lock().outages = Outages::None;
    }

    /// This version is about to be published.
    pub fn publishes(&self, version: u64) {
        self.lock().published = version;
    }

    /// Until this version of the timestamp was seen, anything may be denied for that reason; 0 for no longer.
    pub fn excuse(&self, reason: &'static str, until: u64) {
        self.lock().excused.insert(reason, until);
    }

    /// From now on each answer has that reason, until it is said otherwise.
    pub fn require(&self, reason: Option<&'static str>) {
        self.lock().required = reason;
    }

    /// The daemon told an operator that it trusts these versions.
    pub fn told(&self, versions: &HashMap<String, u64>) {
        self.lock().seen.raise(Seen::of(versions));
    }

    /// The newest version of the timestamp that was seen in an answer.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.lock().seen.timestamp
    }

    /// Asks, judges the answer, and returns it where it was a verdict.
    pub async fn ask(&self, client: &mut Client, image: &Image) -> Option<Verdict> {
        let asked = self.moment();
        let answer = client.verify(&image.reference, &image.digest).await;
        let mut state = self.lock();
        let answered = state.moment();
        let judged = match &answer {
            Ok(verdict) => state.judge(image, verdict, &asked, &answered),
            Err(status) => state.judge_silence(status),
        };
        if let Err(why) = judged {
            state.note_wrong(format!("{why}: {} {answer:?}", image.reference));
        }
        let name = answer.as_ref().map_or("(no verdict)", |verdict| &verdict.reason).to_owned();
        *state.answers.entry(name).or_default() += 1;
        answer.ok()
    }

    /// How many answers there were, by reason.
    ///
    /// # Errors
    /// When any of them was wrong.
    pub fn conclusion(&self) -> Result<String> {
        let state = self.lock();
        let (wrong, kept) = (state.wrong, state.wrong_kept.join("\n"));
        ensure!(wrong == 0, "{wrong} WRONG answers\n{kept}");
        Ok(self.summary_of(&state))
    }

    /// The same while the run goes on.
    #[must_use]
    pub fn summary(&self) -> String {
        self.summary_of(&self.lock())
    }

    fn summary_of(&self, state: &State) -> String {
        let total: u64 = state.answers.values().sum();
        let by_reason: Vec<String> =
            state.answers.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        format!("{total} answers ({}), {} WRONG", by_reason.join(", "), state.wrong)
    }

    fn moment(&self) -> Moment {
        self.lock().moment()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn moment(&self) -> Moment {
        let Self { seen, excused, required, .. } = self;
        let open = excused.iter().filter(|(_, until)| seen.timestamp < **until);
        Moment {
            seen: *seen,
            excused: open.map(|(reason, _)| *reason).collect(),
            required: *required,
        }
    }

    fn judge(
        &mut self,
        image: &Image,
        verdict: &Verdict,
        asked: &Moment,
        answered: &Moment,
    ) -> Result<()> {
        let reason = verdict.reason.as_str();
        let allowed = verdict.decision() == Decision::Allow;
        if let Some(required) = asked.required.filter(|_| asked.required == answered.required) {
            ensure!(reason == required && !allowed, "not {required}");
        }
        let excused = asked.excused.contains(reason) || answered.excused.contains(reason);
        if excused && !allowed {
            return Ok(());
        }
        let by = Seen::of(&verdict.versions);
        ensure!(by.timestamp > 0, "denied for no reason");
        ensure!(
            by.timestamp >= asked.seen.timestamp,
            "older than timestamp {}",
            asked.seen.timestamp
        );
        ensure!(by.root >= asked.seen.root, "older than root {}", asked.seen.root);
        ensure!(by.timestamp <= self.published, "newer than anything published");
        self.seen.raise(by);
        let signed = image.is_signed_in(by.timestamp);
        ensure!(allowed == signed, "signed: {signed}");
        let expected = if signed { "SIGNED" } else { "TARGET_NOT_FOUND DIGEST_MISMATCH" };
        ensure!(expected.split(' ').any(|one| one == reason), "not {expected}");
        Ok(())
    }

    fn judge_silence(&self, status: &Status) -> Result<()> {
        ensure!(self.outages == Outages::Expected, "no verdict");
        // The daemon itself says this, and never again once it has answered.
        let forgot = status.message().starts_with("NO_TRUST") && self.seen.timestamp > 0;
        ensure!(!forgot, "it forgot all");
        Ok(())
    }

    fn note_wrong(&mut self, what: String) {
        self.wrong += 1;
        if self.wrong_kept.len() < WRONG_KEPT_MAX {
            eprintln!("WRONG: {what}");
            self.wrong_kept.push(what);
        }
    }
}

impl Seen {
    fn of(versions: &HashMap<String, u64>) -> Self {
        let version = |role| versions.get(role).copied().unwrap_or_default();
        Self { timestamp: version("timestamp"), root: version("root") }
    }

    fn raise(&mut self, other: Self) {
        self.timestamp = self.timestamp.max(other.timestamp);
        self.root = self.root.max(other.root);
    }
}
