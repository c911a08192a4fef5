//! What follows in sled 0.34.7: a second copy of verified metadata, and the record of what was allowed. Nothing it says
//! is believed, and nothing of it is needed to give a verdict. It is in the hands of one task.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use sled::{Batch, Db, IVec};

use super::allowed::{ALLOWED_MAX, AllowedKey, Day};
use super::chunks::{Head, MAX_CHUNK_BYTES};
use super::guard::{self, CacheError, Opened, contain};
use super::key::{self, CacheKey, Scope};

/// The database on the disk.
#[derive(Debug)]
pub struct Cache {
    db: Db,
    /// sled's log.
    log: PathBuf,
}

/// Larger batches of random keys took sled to gigabytes of memory.
const MAX_BATCH_KEYS: usize = 100;

impl Cache {
    /// Opens or makes the database in `dir`; one that cannot be opened is set aside and made anew.
    ///
    /// # Errors
    /// When there can be no database there now: a full or read-only disk, or somebody else's lock.
    pub fn open(dir: &Path) -> Result<(Self, Opened), CacheError> {
        let (db, opened) = guard::open(dir)?;
        Ok((Self { db, log: dir.join("db") }, opened))
    }

    /// Closes it. sled writes when it is dropped, and may panic then.
    pub fn close(self) {
        let closed = contain("close", || {
            drop(self.db);
            Ok(())
        });
        if let Err(error) = closed {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the database was not closed in order"
            );
        }
    }

    /// Keeps all of `files`, each replacing what its key held, and returns when they are on the disk.
    ///
    /// # Errors
    /// When the database cannot be written. Each file is then its old or its new whole, never a mixture.
    pub fn put(&self, files: &[(CacheKey, &[u8])]) -> Result<(), CacheError> {
        let heads: Vec<Head> =
            files.iter().map(|(_, bytes)| Head::of(bytes)).collect::<Result<_, _>>()?;
        // Chunks first, under names of their own: until its head is written, a file is its old whole.
        let chunks = files.iter().zip(&heads).flat_map(|((key, bytes), head)| {
            (0..).zip(bytes.chunks(MAX_CHUNK_BYTES)).map(|(number, chunk)| {
                Change::Set(key::chunk(&key.scope, &head.sum, number), chunk.to_vec())
            })
        });
        self.apply(chunks)?;
        let heads = files.iter().zip(&heads);
        self.apply(heads.map(|((key, _), head)| Change::Set(key.head(), head.encode())))?;
        self.make_durable()
    }

    /// The bytes kept under `key`, or `None` where there are none.
    ///
    /// # Errors
    /// When the database cannot be read, or what it holds is not what was put.
    pub fn get(&self, key: &CacheKey) -> Result<Option<Vec<u8>>, CacheError> {
        let Some(head) = self.value(&key.head())? else { return Ok(None) };
        let head = Head::decode(&head)?;
        head.assemble(|number| self.value(&key::chunk(&key.scope, &head.sum, number))).map(Some)
    }

    /// Drops everything of `scope` but the files in `keep`, and the bytes that no file uses any more.
    /// Call it after each change: replaced bytes stay until then.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn retain(&self, scope: &Scope, keep: &BTreeSet<CacheKey>) -> Result<(), CacheError> {
        let keep: BTreeSet<Vec<u8>> = keep.iter().map(CacheKey::head).collect();
        let (kept, dropped): (Vec<_>, Vec<_>) = self
            .entries(&scope.heads())?
            .into_iter()
            .partition(|(key, _)| keep.contains(key.as_ref()));
        let used: BTreeSet<_> = kept
            .iter()
            .filter_map(|(_, head)| Head::decode(head).ok())
            .map(|head| head.sum)
            .collect();
        let unused = self
            .entries(&scope.chunks())?
            .into_iter()
            .map(|(key, _)| key)
            .filter(|key| key::whole_of(key).is_none_or(|sum| !used.contains(&sum)));
        // Heads go first: a head without its chunks would be reported as damage.
        let unneeded = dropped.into_iter().map(|(key, _)| key).chain(unused);
        self.apply(unneeded.map(|key| Change::Drop(key.to_vec())))?;
        self.make_durable()
    }

    /// The record of what was allowed.
    ///
    /// # Errors
    /// When the database cannot be read, or holds there what was never put.
    pub(crate) fn allowed(&self) -> Result<BTreeMap<AllowedKey, Day>, CacheError> {
        let entry = |(key, value): (IVec, IVec)| {
            let key = key.strip_prefix(&key::ALLOWED)?.try_into().ok()?;
            Some((key, Day::from_be_bytes(value.as_ref().try_into().ok()?)))
        };
        let damaged = CacheError::Damaged { evidence: "the record of what was allowed" };
        let entries = contain("list", || {
            // A few more than there can be: removals may have been missed.
            let found = self.db.scan_prefix(key::ALLOWED).take(2 * ALLOWED_MAX);
            found.collect::<Result<Vec<_>, _>>()
        })?;
        entries.into_iter().map(entry).collect::<Option<_>>().ok_or(damaged)
    }

    /// Changes the record of what was allowed: keys with their day, or with nothing where they are to go.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(crate) fn put_allowed(
        &self,
        changes: &BTreeMap<AllowedKey, Option<Day>>,
    ) -> Result<(), CacheError> {
        self.apply(changes.iter().map(|(key, day)| {
            let key = [&key::ALLOWED[..], key].concat();
            match day {
                Some(day) => Change::Set(key, day.to_be_bytes().to_vec()),
                None => Change::Drop(key),
            }
        }))?;
        self.make_durable()
    }

    fn apply(&self, changes: impl Iterator<Item = Change>) -> Result<(), CacheError> {
        let mut changes = changes.peekable();
        while changes.peek().is_some() {
            let mut batch = Batch::default();
            for change in changes.by_ref().take(MAX_BATCH_KEYS) {
                match change {
                    Change::Set(key, value) => batch.insert(key, value),
                    Change::Drop(key) => batch.remove(key),
                }
            }
            contain("write", || self.db.apply_batch(batch))?;
        }
        Ok(())
    }

    /// sled's flush reaches the kernel only, so the log is synced on a handle of our own. A new one each
    /// time: after an error a handle's next sync would report success.
    fn make_durable(&self) -> Result<(), CacheError> {
        contain("flush", || self.db.flush())?;
        File::open(&self.log).and_then(|log| log.sync_data()).map_err(|source| CacheError::Io {
            doing: "sync",
            path: self.log.clone(),
            source,
        })
    }

    fn value(&self, key: &[u8]) -> Result<Option<IVec>, CacheError> {
        contain("read", || self.db.get(key))
    }

    fn entries(&self, prefix: &[u8]) -> Result<Vec<(IVec, IVec)>, CacheError> {
        contain("list", || self.db.scan_prefix(prefix).collect())
    }
}

enum Change {
    Set(Vec<u8>, Vec<u8>),
    Drop(Vec<u8>),
}
