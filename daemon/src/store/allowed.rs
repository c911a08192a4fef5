//! What this node answered ALLOW to under an unexpired chain: a filter for known-good, and never a proof.
//!
//! It is in memory; the database follows. A record that is lost is an empty one: known-good then allows nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::Timestamp;
use tokio::sync::Notify;

/// More keys are not kept; the oldest go first.
pub const ALLOWED_MAX: usize = 65_536;

/// A SHA-256 of whatever was allowed: trust, reference and digest, or as the caller likes.
pub type AllowedKey = [u8; 32];

/// Days since 1970 on which a key was last allowed: a day is all that the order of going needs, and so each key is
/// written at most daily.
pub(crate) type Day = u32;

/// The record. Lookups of keys that are known today take a read lock of one shard and nothing else.
#[derive(Debug, Default)]
pub struct Allowed {
    shards: [RwLock<Shard>; SHARDS],
    changed: Notify,
}

/// Keys are hashes, so they spread evenly by their first byte.
const SHARDS: usize = 16;
const SHARD_MAX: usize = ALLOWED_MAX / SHARDS;
const SECONDS_PER_DAY: i64 = 86_400;

#[derive(Debug, Default)]
struct Shard {
    days: HashMap<AllowedKey, Day>,
    by_age: BTreeSet<(Day, AllowedKey)>,
    /// Keys of which the database holds something else.
    unsaved: BTreeSet<AllowedKey>,
}

impl Allowed {
    /// Notes an ALLOW under an unexpired chain. Never blocks on a disk.
    pub fn note(&self, key: AllowedKey, now: Timestamp) {
        let today = day(now);
        if self.read(&key).days.get(&key) == Some(&today) {
            return;
        }
        self.write(&key).put(key, today);
        self.changed.notify_one();
    }

    /// Whether this was ever allowed, as far as the record reaches back.
    #[must_use]
    pub fn knows(&self, key: &AllowedKey) -> bool {
        self.read(key).days.contains_key(key)
    }

    /// How many keys there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shards.iter().map(|shard| reading(shard).days.len()).sum()
    }

    /// Returns when something is to be saved.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Takes in what a database holds. From then on all that differs from it is unsaved.
    pub(crate) fn merge(&self, saved: &BTreeMap<AllowedKey, Day>) {
        for shard in &self.shards {
            let mut shard = writing(shard);
            shard.unsaved = shard.days.keys().copied().collect();
        }
        for (key, day) in saved {
            self.write(key).merge(*key, *day);
        }
    }

    /// Everything that the database lacks: keys with their day, or with nothing where they went.
    pub(crate) fn unsaved(&self) -> BTreeMap<AllowedKey, Option<Day>> {
        let mut all = BTreeMap::new();
        for shard in &self.shards {
            let shard = reading(shard);
            all.extend(shard.unsaved.iter().map(|key| (*key, shard.days.get(key).copied())));
        }
        all
    }

    /// Notes what the database holds now. What changed meanwhile stays unsaved.
    pub(crate) fn saved(&self, written: &BTreeMap<AllowedKey, Option<Day>>) {
        for (key, day) in written {
            let mut shard = self.write(key);
            if shard.days.get(key).copied() == *day {
                shard.unsaved.remove(key);
            }
        }
    }

    fn read(&self, key: &AllowedKey) -> RwLockReadGuard<'_, Shard> {
        reading(self.shard(key))
    }

    fn write(&self, key: &AllowedKey) -> RwLockWriteGuard<'_, Shard> {
        writing(self.shard(key))
    }

    fn shard(&self, [first, ..]: &AllowedKey) -> &RwLock<Shard> {
        let [shard, ..] = &self.shards;
        self.shards.get(usize::from(*first) % SHARDS).unwrap_or(shard)
    }
}

impl Shard {
    fn put(&mut self, key: AllowedKey, day: Day) {
        if let Some(before) = self.days.insert(key, day) {
            self.by_age.remove(&(before, key));
        }
        self.by_age.insert((day, key));
        self.mark(key);
        self.shrink();
    }

    fn merge(&mut self, key: AllowedKey, saved: Day) {
        match self.days.get(&key) {
            None => {
                self.days.insert(key, saved);
                self.by_age.insert((saved, key));
                self.shrink();
            }
            Some(day) if *day == saved => drop(self.unsaved.remove(&key)),
            Some(_) => {}
        }
    }

    fn shrink(&mut self) {
        while self.days.len() > SHARD_MAX
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.days.remove(&oldest);
            self.mark(oldest);
        }
    }

    /// Bounded also while no database is open: one that misses a removal is told at the next merge.
    fn mark(&mut self, key: AllowedKey) {
        if self.unsaved.len() < 2 * SHARD_MAX {
            self.unsaved.insert(key);
        }
    }
}

fn reading(shard: &RwLock<Shard>) -> RwLockReadGuard<'_, Shard> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn writing(shard: &RwLock<Shard>) -> RwLockWriteGuard<'_, Shard> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

fn day(now: Timestamp) -> Day {
    Day::try_from(now.as_second() / SECONDS_PER_DAY).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(day * SECONDS_PER_DAY + 17).unwrap()
    }

    /// All of one shard.
    fn key(number: u32) -> AllowedKey {
        let mut key = [0; 32];
        key[28..].copy_from_slice(&number.to_be_bytes());
        key
    }

    #[test]
    fn what_was_noted_is_known_and_nothing_else() {
        let allowed = Allowed::default();
        allowed.note(key(1), at(20_000));
        assert!(allowed.knows(&key(1)) && !allowed.knows(&key(2)));
    }

    #[test]
    fn a_key_is_written_once_a_day() {
        let allowed = Allowed::default();
        allowed.note(key(1), at(20_000));
        allowed.saved(&allowed.unsaved());
        allowed.note(key(1), at(20_000));
        assert!(allowed.unsaved().is_empty());
        allowed.note(key(1), at(20_001));
        assert_eq!(allowed.unsaved(), BTreeMap::from([(key(1), Some(20_001))]));
    }

    #[test]
    fn a_note_while_the_database_is_written_is_not_forgotten() {
        let allowed = Allowed::default();
        allowed.note(key(1), at(20_000));
        let written = allowed.unsaved();
        allowed.note(key(1), at(20_001));
        allowed.saved(&written);
        assert_eq!(allowed.unsaved(), BTreeMap::from([(key(1), Some(20_001))]));
    }

    #[test]
    fn the_oldest_goes_first_and_the_database_is_told() {
        let allowed = Allowed::default();
        let most = u32::try_from(SHARD_MAX).unwrap();
        (1..=most).for_each(|number| allowed.note(key(number), at(20_000 + i64::from(number % 7))));
        allowed.note(key(7), at(20_009)); // the first of the oldest is allowed again
        allowed.saved(&allowed.unsaved());
        allowed.note(key(most + 1), at(20_009));
        assert_eq!(allowed.count(), SHARD_MAX);
        assert!(allowed.knows(&key(7)) && !allowed.knows(&key(14)));
        assert_eq!(allowed.unsaved()[&key(14)], None);
    }

    #[test]
    fn a_flood_of_keys_without_a_database_stays_bounded() {
        let allowed = Allowed::default();
        let most = u32::try_from(3 * SHARD_MAX).unwrap();
        (0..most).for_each(|number| allowed.note(key(number), at(20_000)));
        assert_eq!(allowed.count(), SHARD_MAX);
        assert!(allowed.unsaved().len() <= 2 * SHARD_MAX);
    }

    #[test]
    fn a_database_is_merged_and_told_what_it_lacks() {
        let allowed = Allowed::default();
        (1..=3).for_each(|number| allowed.note(key(number), at(20_000)));
        let saved = [(key(2), 20_000), (key(3), 19_000), (key(4), 18_000)];
        allowed.merge(&BTreeMap::from(saved));
        assert!(allowed.knows(&key(4)));
        assert_eq!(allowed.unsaved().keys().collect::<Vec<_>>(), [&key(1), &key(3)]);
    }
}
