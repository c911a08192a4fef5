//! Counters of the hot path: made once, and added to without a lock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tufd_tuf::reason::Reason;
use tufd_tuf::verdict::{Decision, NoVerdict, Verdict};

/// Upper bounds of the histogram of deciding, in seconds: 5 µs to 50 ms.
const BOUNDS: [f64; 9] = [5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 1e-2, 5e-2];
const REASONS: usize = Reason::ALL.len();
const UNKNOWN: u64 = u64::MAX;
/// What lets an image pass without a full yes, in the order of [`Pass`].
const PASSES: [&str; 3] = ["warn", "exempt", "known_good"];

/// An ALLOW that no role vouches for under an unexpired chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// `mode = "warn"`.
    Warn,
    /// `mode = "exempt"`.
    Exempt,
    /// `availability = "known-good"`.
    KnownGood,
}

impl Pass {
    /// Whether the verdict is one.
    #[must_use]
    pub fn of(verdict: &Verdict) -> Option<Self> {
        if verdict.decision == Decision::Deny || verdict.is_yes() {
            return None;
        }
        // Whatever else it says, only `warn` turns it into ALLOW.
        let by_reason = [(Reason::Exempt, Self::Exempt), (Reason::KnownGood, Self::KnownGood)];
        let found = by_reason.into_iter().find(|(reason, _)| *reason == verdict.reason);
        Some(found.map_or(Self::Warn, |(_, pass)| pass))
    }
}

/// What the daemon has done since it started.
#[derive(Debug)]
pub struct Counts {
    allowed: [AtomicU64; REASONS],
    denied: [AtomicU64; REASONS],
    no_verdicts: AtomicU64,
    passed: [AtomicU64; PASSES.len()],
    /// By the bound that it stayed below; the last is without one.
    took: [AtomicU64; BOUNDS.len() + 1],
    took_nanoseconds: AtomicU64,
    reload_refused: AtomicBool,
    /// By the verifier's marks; [`UNKNOWN`] where they say nothing.
    passed_unasked: AtomicU64,
    clock_back: AtomicU64,
    floors_unwritten: AtomicBool,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            allowed: [const { AtomicU64::new(0) }; REASONS],
            denied: [const { AtomicU64::new(0) }; REASONS],
            no_verdicts: AtomicU64::new(0),
            passed: [const { AtomicU64::new(0) }; PASSES.len()],
            took: [const { AtomicU64::new(0) }; BOUNDS.len() + 1],
            took_nanoseconds: AtomicU64::new(0),
            reload_refused: AtomicBool::new(false),
            passed_unasked: AtomicU64::new(UNKNOWN),
            clock_back: AtomicU64::new(0),
            floors_unwritten: AtomicBool::new(false),
        }
    }
}

impl Counts {
    /// One more answer.
    pub fn answered(&self, answer: &Result<Verdict, NoVerdict>) {
        let Ok(verdict) = answer else {
            self.no_verdicts.fetch_add(1, Relaxed);
            return;
        };
        let of = match verdict.decision {
            Decision::Allow => &self.allowed,
            Decision::Deny => &self.denied,
        };
        add(of.get(verdict.reason as usize));
        add(Pass::of(verdict).and_then(|pass| self.passed.get(pass as usize)));
    }

    /// How long one evaluation took.
    pub fn decided_in(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        add(self.took.get(BOUNDS.partition_point(|bound| *bound < seconds)));
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.took_nanoseconds.fetch_add(nanoseconds, Relaxed);
    }

    /// A changed configuration was taken up, or refused.
    pub fn reloaded<T, E>(&self, taken_up: &Result<T, E>) {
        self.reload_refused.store(taken_up.is_err(), Relaxed);
    }

    /// So many passed because nobody could ask us; `None` where that cannot be known.
    pub fn passed_unasked(&self, total: Option<u64>) {
        self.passed_unasked.store(total.unwrap_or(UNKNOWN), Relaxed);
    }

    /// Whether the floor file lacks what is in memory.
    pub fn floors_unwritten(&self, behind: bool) {
        self.floors_unwritten.store(behind, Relaxed);
    }

    pub(super) fn are_floors_unwritten(&self) -> bool {
        self.floors_unwritten.load(Relaxed)
    }

    /// The clock went back once more.
    pub fn clock_went_back(&self) {
        self.clock_back.fetch_add(1, Relaxed);
    }

    pub(super) fn clock_back(&self) -> u64 {
        self.clock_back.load(Relaxed)
    }

    pub(super) fn reload_refused(&self) -> bool {
        self.reload_refused.load(Relaxed)
    }

    /// Answers by decision and reason, all of them.
    pub(super) fn verdicts(&self) -> impl Iterator<Item = ([(&str, &str); 2], u64)> {
        [("ALLOW", &self.allowed), ("DENY", &self.denied)].into_iter().flat_map(
            |(decision, counts)| {
                Reason::ALL.iter().zip(counts).map(move |(reason, count)| {
                    ([("decision", decision), ("reason", reason.code())], count.load(Relaxed))
                })
            },
        )
    }

    pub(super) fn no_verdicts(&self) -> u64 {
        self.no_verdicts.load(Relaxed)
    }

    /// Passes without a full yes, by why.
    pub(super) fn passed(&self) -> impl Iterator<Item = ([(&str, &str); 1], u64)> {
        let row = |(why, count): (_, &AtomicU64)| ([("why", why)], count.load(Relaxed));
        let unasked = row(("no_verdict", &self.passed_unasked));
        let unasked = Some(unasked).filter(|(_, count)| *count != UNKNOWN);
        PASSES.into_iter().zip(&self.passed).map(row).chain(unasked)
    }

    /// Sum in seconds, and how many stayed below each bound and above the one before.
    pub(super) fn took(&self) -> (f64, Vec<(f64, u64)>) {
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        let buckets = bounds.zip(&self.took).map(|(bound, count)| (bound, count.load(Relaxed)));
        let sum = Duration::from_nanos(self.took_nanoseconds.load(Relaxed));
        (sum.as_secs_f64(), buckets.collect())
    }
}

fn add(to: Option<&AtomicU64>) {
    if let Some(count) = to {
        count.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reason without a place would be denied and not counted.
    #[test]
    fn every_reason_has_its_own_place() {
        for (at, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at, "{reason}");
        }
    }

    #[test]
    fn durations_fall_below_their_bound() {
        let counts = Counts::default();
        for micros in [1, 5, 6, 60_000] {
            counts.decided_in(Duration::from_micros(micros));
        }
        let (sum, buckets) = counts.took();
        assert!((sum - 0.060_012).abs() < 1e-9, "{sum}");
        let filled: Vec<_> = buckets.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(5e-6, 2), (1e-5, 1), (f64::INFINITY, 1)]);
    }
}
