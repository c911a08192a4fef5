//! Once a second: what comes without an event. Pulls that passed without asking us, a clock that goes back, a floor file
//! that cannot be written.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::metrics::{Counts, passed};

const EVERY: Duration = Duration::from_secs(1);

/// Looks, for as long as the daemon runs.
#[derive(Debug)]
pub(crate) struct Pulse {
    pub(crate) clock: Clock,
    pub(crate) counts: Arc<Counts>,
    pub(crate) ledger: Ledger,
    pub(crate) verifier_passed: PathBuf,
}

/// What was seen the last time.
struct Seen {
    at: Timestamp,
    passed: u64,
}

impl Pulse {
    pub(crate) async fn run(self) {
        let mut seen = Seen { at: self.clock.now(), passed: 0 };
        loop {
            self.look_at_the_disk(&mut seen).await;
            self.look_at_the_clock(&mut seen);
            tokio::time::sleep(EVERY).await;
        }
    }

    /// tufd-verifier leaves a byte in a file for each. The file goes with a reboot, and the count with it.
    async fn look_at_the_disk(&self, seen: &mut Seen) {
        let (file, ledger) = (self.verifier_passed.clone(), self.ledger.clone());
        let look = move || (passed(&file), ledger.is_behind());
        let Ok((found, behind)) = tokio::task::spawn_blocking(look).await else { return };
        self.counts.passed_unasked(found);
        self.counts.floors_unwritten.store(behind, Relaxed);
        let Some(total) = found.filter(|found| *found != seen.passed) else { return };
        seen.passed = total;
        if total > 0 {
            tracing::warn!(target: "audit", total, "PASSED_UNASKED");
        }
    }

    /// A small correction passes unseen: the clock went on meanwhile.
    fn look_at_the_clock(&self, seen: &mut Seen) {
        let now = self.clock.now();
        if now < seen.at {
            self.counts.clock_steps_back.fetch_add(1, Relaxed);
            tracing::warn!(from = %seen.at, to = %now, "the clock went back");
        }
        seen.at = now;
    }
}
