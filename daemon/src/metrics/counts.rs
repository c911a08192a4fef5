//! Counters of the hot path: made once, and added to without a lock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tufd_tuf::reason::Reason;
use tufd_tuf::verdict::{Decision, NoVerdict, Verdict};

/// Upper bounds of the histogram of deciding, in seconds: 5 µs to 50 ms.
const BOUNDS: [f64; 9] = [5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 1e-2, 5e-2];
const REASONS: usize = Reason::ALL.len();
/// What lets an image pass without a full yes.
const PASSES: [&str; 3] = ["warn", "exempt", "known_good"];
/// In place of a number that cannot be known.
const UNKNOWN: u64 = u64::MAX;

/// What the daemon has done and seen since it started.
#[derive(Debug, Default)]
pub struct Counts {
    allowed: [AtomicU64; REASONS],
    denied: [AtomicU64; REASONS],
    no_verdicts: AtomicU64,
    passed: [AtomicU64; PASSES.len()],
    passed_unasked: AtomicU64,
    /// By the bound that it stayed below; the last is without one.
    took: [AtomicU64; BOUNDS.len() + 1],
    took_nanoseconds: AtomicU64,
    /// Times that the clock was seen to go back.
    pub(crate) clock_steps_back: AtomicU64,
    /// The newest changed configuration was refused.
    pub(crate) reload_refused: AtomicBool,
    /// The floor file lacks what is in memory.
    pub(crate) floors_unwritten: AtomicBool,
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
        add(pass(verdict).and_then(|why| self.passed.get(why)));
    }

    /// How long one evaluation took.
    pub fn decided_in(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        add(self.took.get(BOUNDS.partition_point(|bound| *bound < seconds)));
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.took_nanoseconds.fetch_add(nanoseconds, Relaxed);
    }

    /// So many passed since the boot because nobody could ask us; `None` where that cannot be known.
    pub fn passed_unasked(&self, total: Option<u64>) {
        self.passed_unasked.store(total.unwrap_or(UNKNOWN), Relaxed);
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

/// What let the image pass, as a place in [`PASSES`], if it passed without a full yes.
fn pass(verdict: &Verdict) -> Option<usize> {
    if verdict.decision == Decision::Deny || verdict.is_yes() {
        return None;
    }
    // Whatever other reason it gives, only `warn` made it an ALLOW.
    let by_reason = [(Reason::Exempt, 1), (Reason::KnownGood, 2)];
    let found = by_reason.into_iter().find(|(reason, _)| *reason == verdict.reason);
    Some(found.map_or(0, |(_, why)| why))
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
