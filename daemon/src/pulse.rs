//! Once a second: what comes without an event. Pulls that passed without asking us, a clock that goes back, a floor file
//! that cannot be written.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

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

impl Pulse {
    /// A file that hangs holds up no other look.
    pub(crate) async fn run(self) {
        tokio::join!(self.watch_passes(), self.watch_floors(), self.watch_clock());
    }

    /// tufd-verifier leaves a byte in a file for each. The file goes with a reboot, and the count with it.
    async fn watch_passes(&self) {
        let mut seen = 0;
        loop {
            let file = self.verifier_passed.clone();
            if let Ok(found) = spawn_blocking(move || passed(&file)).await {
                self.counts.passed_unasked(found);
                if let Some(total) = found.filter(|found| *found != seen) {
                    seen = total;
                    if total > 0 {
                        tracing::warn!(target: "audit", total, "PASSED_UNASKED");
                    }
                }
            }
            sleep(EVERY).await;
        }
    }

    async fn watch_floors(&self) {
        loop {
            self.counts.floors_unwritten.store(self.ledger.is_behind(), Relaxed);
            sleep(EVERY).await;
        }
    }

    /// A small correction passes unseen: the clock went on meanwhile.
    async fn watch_clock(&self) {
        let mut seen = self.clock.now();
        loop {
            sleep(EVERY).await;
            let now = self.clock.now();
            if now < seen {
                self.counts.clock_steps_back.fetch_add(1, Relaxed);
                tracing::warn!(from = %seen, to = %now, "the clock went back");
            }
            seen = now;
        }
    }
}
