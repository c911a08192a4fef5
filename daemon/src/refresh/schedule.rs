//! When the next refresh is due, and when a lookup may ask for one.

use std::time::Duration;

use tokio::time::Instant;

use super::{Changed, Done};

/// Refreshes for lookups are this far apart, and then twice as far each time one finds nothing new, up to the period.
/// Others do not count: an image published right after a periodic refresh is not to wait for that.
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
    spacing: Duration,
    retry: Duration,
}

impl Schedule {
    /// The first refresh is due at once.
    pub(super) fn new(period: Duration) -> Self {
        let now = Instant::now();
        Self { period, periodic_at: now, lookup_at: now, spacing: LOOKUP_SPACING, retry: RETRY }
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
        match (done.changed, for_lookup) {
            (Changed::Yes, true) => {
                self.spacing = LOOKUP_SPACING;
                self.lookup_at = now + self.spacing;
            }
            (Changed::Yes, false) => {
                self.spacing = LOOKUP_SPACING;
                self.lookup_at = self.lookup_at.min(now + self.spacing);
            }
            (Changed::No, true) => {
                self.lookup_at = now + self.spacing;
                self.spacing = (self.spacing * 2).min(self.period.max(LOOKUP_SPACING));
            }
            (Changed::No, false) => {}
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
