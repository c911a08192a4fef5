//! When the next refresh is due, and when a lookup may ask for one.

use std::time::Duration;

use tokio::time::Instant;

use super::Done;

/// Refreshes for lookups are this far apart. Others do not count: an image published right after a periodic refresh is
/// not to wait for that.
const LOOKUP_SPACING: Duration = Duration::from_secs(5);
/// After a failure; doubled each time, up to the period.
const RETRY: Duration = Duration::from_secs(1);
/// Share of the period by which it is made shorter or longer, so that a fleet does not come at once.
const JITTER: f64 = 0.2;

#[derive(Debug)]
pub(super) struct Schedule {
    period: Duration,
    periodic_at: Instant,
    lookup_at: Instant,
    retry: Duration,
}

impl Schedule {
    /// The first refresh is due at once.
    pub(super) fn new(period: Duration) -> Self {
        let now = Instant::now();
        Self { period, periodic_at: now, lookup_at: now, retry: RETRY }
    }

    pub(super) fn periodic_at(&self) -> Instant {
        self.periodic_at
    }

    pub(super) fn lookup_at(&self) -> Instant {
        self.lookup_at
    }

    /// Plans the next ones after a refresh ended; `expires` is how long the timestamp still lives.
    pub(super) fn ended(&mut self, done: &Done, for_lookup: bool, expires: Option<Duration>) {
        let now = Instant::now();
        if for_lookup {
            self.lookup_at = now + LOOKUP_SPACING;
        }
        let jittered = self.period.mul_f64(1.0 + JITTER * (fastrand::f64() * 2.0 - 1.0));
        let pause = match &done.error {
            Some(_) => {
                let retry = self.retry;
                self.retry = (retry * 2).min(self.period.max(RETRY));
                retry.mul_f64(0.5 + fastrand::f64()).min(jittered)
            }
            None => {
                self.retry = RETRY;
                // Halfway to the timestamp's expiry, so that there are several tries before it.
                expires.map_or(jittered, |left| jittered.min((left / 2).max(RETRY)))
            }
        };
        self.periodic_at = now + pause;
    }
}
