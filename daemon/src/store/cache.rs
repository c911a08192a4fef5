//! Verified metadata in sled 0.34.7. Nothing it says is believed, and nothing of it is needed to give a verdict.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use sled::{Batch, Db, IVec};

use super::chunks::{Head, MAX_CHUNK_BYTES};
use super::guard::{self, CacheError, Opened, contain};
use super::key::{self, CacheKey, Scope};
use super::{MemoryStore, MetadataStore};

/// The metadata cache on the disk.
#[derive(Debug)]
pub struct Cache {
    db: Db,
    /// sled's log.
    log: PathBuf,
    /// Holds readers of a file's chunks off while they are replaced.
    writing: RwLock<()>,
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
        Ok((Self { db, log: dir.join("db"), writing: RwLock::new(()) }, opened))
    }

    /// As `open`, but where there can be no database, keeps metadata in memory and says so in the log.
    #[must_use]
    pub fn open_or_memory(dir: &Path) -> Box<dyn MetadataStore> {
        match Self::open(dir) {
            Ok((cache, _)) => Box::new(cache),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    dir = %dir.display(),
                    "no metadata cache on the disk: a restart will have to fetch everything"
                );
                Box::new(MemoryStore::default())
            }
        }
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

impl MetadataStore for Cache {
    fn put(&self, files: &[(CacheKey, &[u8])]) -> Result<(), CacheError> {
        let heads: Vec<Head> =
            files.iter().map(|(_, bytes)| Head::of(bytes)).collect::<Result<_, _>>()?;
        let _writing = self.writing.write().unwrap_or_else(PoisonError::into_inner);
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

    fn get(&self, key: &CacheKey) -> Result<Option<Vec<u8>>, CacheError> {
        let _reading = self.writing.read().unwrap_or_else(PoisonError::into_inner);
        let Some(head) = self.value(&key.head())? else { return Ok(None) };
        let head = Head::decode(&head)?;
        head.assemble(|number| self.value(&key::chunk(&key.scope, &head.sum, number))).map(Some)
    }

    fn retain(&self, scope: &Scope, keep: &BTreeSet<CacheKey>) -> Result<(), CacheError> {
        let _writing = self.writing.write().unwrap_or_else(PoisonError::into_inner);
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
}

enum Change {
    Set(Vec<u8>, Vec<u8>),
    Drop(Vec<u8>),
}
