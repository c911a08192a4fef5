//! Once a second: what comes without an event. Pulls that passed without asking us, and a clock that goes back.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::metrics::{Counts, passed};

const EVERY: Duration = Duration::from_secs(1);

/// Looks, for as long as the daemon runs.
#[derive(Debug)]
pub(crate) struct Pulse {
    clock: Clock,
    counts: Arc<Counts>,
    verifier_passed: PathBuf,
    last: Timestamp,
    passed: u64,
}

impl Pulse {
    pub(crate) fn new(clock: Clock, counts: Arc<Counts>, verifier_passed: PathBuf) -> Self {
        let last = clock.now();
        Self { clock, counts, verifier_passed, last, passed: 0 }
    }

    pub(crate) async fn run(mut self) {
        loop {
            self.look_at_passes().await;
            self.look_at_the_clock();
            tokio::time::sleep(EVERY).await;
        }
    }

    /// tufd-verifier leaves a byte in a file for each. The file goes with a reboot, and the count with it.
    async fn look_at_passes(&mut self) {
        let file = self.verifier_passed.clone();
        let Ok(found) = tokio::task::spawn_blocking(move || passed(&file)).await else { return };
        self.counts.passed_unasked(found);
        let Some(total) = found.filter(|found| *found != self.passed) else { return };
        self.passed = total;
        if total > 0 {
            tracing::warn!(target: "audit", total, "PASSED_UNASKED");
        }
    }

    /// A small correction passes unseen: the clock went on meanwhile.
    fn look_at_the_clock(&mut self) {
        let now = self.clock.now();
        if now < self.last {
            self.counts.clock_went_back();
            tracing::warn!(from = %self.last, to = %now, "the clock went back");
        }
        self.last = now;
    }
}
