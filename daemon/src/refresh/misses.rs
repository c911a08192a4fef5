//! What was looked up in vain. Asking for it again and again costs the repository less and less; asking for anything
//! else costs nobody a wait.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

/// As often a lookup may find nothing before its own spacing begins.
const FREE: u32 = 4;
/// The first spacing after that; doubled each time, up to the refresh period.
const SPACING: Duration = Duration::from_secs(10);
/// More names than this are not remembered: then all are forgotten, and the spacing of refreshes alone holds.
const NAMES_MAX: usize = 1_024;

/// Names and digests that were looked up in vain, since anything new was found.
#[derive(Debug)]
pub(super) struct Misses {
    period: Duration,
    /// Of this process, so that nobody can choose names that share a place.
    hasher: RandomState,
    by_name: HashMap<Name, Miss>,
}

/// A reference and a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name(u64);

#[derive(Debug)]
struct Miss {
    count: u32,
    again_at: Instant,
}

impl Misses {
    pub(super) fn new(period: Duration) -> Self {
        Self { period, hasher: RandomState::new(), by_name: HashMap::new() }
    }

    pub(super) fn name(&self, reference: &str, digest: &str) -> Name {
        Name(self.hasher.hash_one((reference, digest)))
    }

    /// Whether a refresh may be asked for on behalf of the name.
    pub(super) fn may_ask(&self, name: Name) -> bool {
        self.by_name.get(&name).is_none_or(|miss| miss.again_at <= Instant::now())
    }

    /// A refresh found nothing new for the name.
    pub(super) fn missed(&mut self, name: Name) {
        if self.by_name.len() >= NAMES_MAX {
            self.by_name.clear();
        }
        let now = Instant::now();
        let miss = self.by_name.entry(name).or_insert(Miss { count: 0, again_at: now });
        miss.count += 1;
        if let Some(beyond) = miss.count.checked_sub(FREE) {
            let spacing = SPACING.saturating_mul(2_u32.saturating_pow(beyond));
            miss.again_at = now + spacing.min(self.period);
        }
    }

    /// Something new was found: it may be what was missed.
    pub(super) fn forget(&mut self) {
        self.by_name.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_name_asked_in_vain_waits_longer_and_others_do_not() {
        let mut misses = Misses::new(Duration::from_secs(300));
        let (vain, other) = (misses.name("r.io/a:1", "d"), misses.name("r.io/a:2", "d"));
        for _ in 1..FREE {
            misses.missed(vain);
            assert!(misses.may_ask(vain));
        }
        for spacing in [10, 20, 40, 80, 160, 300, 300] {
            misses.missed(vain);
            tokio::time::advance(Duration::from_secs(spacing - 1)).await;
            assert!(!misses.may_ask(vain), "{spacing}");
            assert!(misses.may_ask(other));
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(misses.may_ask(vain), "{spacing}");
        }
        misses.missed(vain);
        misses.forget();
        assert!(misses.may_ask(vain));
    }

    #[test]
    fn names_without_end_take_no_memory_without_end() {
        let mut misses = Misses::new(Duration::from_secs(300));
        for number in 0..10 * NAMES_MAX {
            let name = misses.name(&number.to_string(), "d");
            misses.missed(name);
            assert!(misses.by_name.len() <= NAMES_MAX);
        }
    }
}
