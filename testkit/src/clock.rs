//! A clock that stands still until a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// A manual clock; clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    /// A clock at `time`, to the millisecond.
    pub fn at(time: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(time.as_millisecond())))
    }

    /// The time it shows.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).expect("a time that was set")
    }

    /// Moves it forward, or back by a negative duration, and returns the new time.
    pub fn advance(&self, by: SignedDuration) -> Timestamp {
        self.set(self.now() + by)
    }

    /// Sets it.
    pub fn set(&self, time: Timestamp) -> Timestamp {
        self.0.store(time.as_millisecond(), Ordering::SeqCst);
        time
    }
}

/// 2030-01-01T00:00:00Z: later than any build, so that no program finds it implausible.
impl Default for Clock {
    fn default() -> Self {
        Self::at(Timestamp::from_second(1_893_456_000).expect("a date in range"))
    }
}
