//! What a source may cost: bytes, time, and the rate below which it is hung up on.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Failure;

/// The most bytes of one file that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteLimit(u64);

impl ByteLimit {
    /// At most `bytes`.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

/// How long is waited for a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For one file from the request to its last byte.
    pub total: Duration,
    /// The span over which the rate is measured.
    pub window: Duration,
    /// The least that must come within each full window: the least rate.
    pub window_bytes: u64,
    /// How long the first source is waited for before the next is asked too.
    pub hedge: Duration,
}

impl Default for Limits {
    /// 5 s to connect, 30 s for a file, 1 KiB/s measured over 10 s, the next source after 2 s.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            total: Duration::from_secs(30),
            window: Duration::from_secs(10),
            window_bytes: 10 * 1024,
            hedge: Duration::from_secs(2),
        }
    }
}

/// The clock of one file.
pub(super) struct Pace {
    limits: Limits,
    started: Instant,
    window_started: Instant,
    received_in_window: u64,
    received: u64,
}

impl Pace {
    pub(super) fn start(limits: Limits) -> Self {
        let now = Instant::now();
        Self { limits, started: now, window_started: now, received_in_window: 0, received: 0 }
    }

    /// Waits for one step of the exchange for as long as the source keeps the pace.
    pub(super) async fn wait<T>(&mut self, step: impl Future<Output = T>) -> Result<T, Failure> {
        let mut step = pin!(step);
        loop {
            // Asked first: a step that is always ready would never time out.
            self.check()?;
            if let Ok(done) = timeout_at(self.deadline(), &mut step).await {
                return Ok(done);
            }
        }
    }

    /// Counts bytes that arrived.
    pub(super) fn received(&mut self, bytes: u64) {
        self.received_in_window = self.received_in_window.saturating_add(bytes);
        self.received = self.received.saturating_add(bytes);
    }

    fn deadline(&self) -> Instant {
        (self.window_started + self.limits.window).min(self.started + self.limits.total)
    }

    fn check(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        if now < self.deadline() {
            return Ok(());
        }
        let after = now - self.started;
        if after >= self.limits.total || self.received_in_window < self.limits.window_bytes {
            return Err(Failure::Slow { received_bytes: self.received, after });
        }
        self.window_started = now;
        self.received_in_window = 0;
        Ok(())
    }
}
