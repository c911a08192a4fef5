//! The store of last resort, and of tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{CacheError, CacheKey, MetadataStore, Scope};

/// Keeps metadata in memory: a daemon whose disk cannot be written runs on it, and starts from the network next time.
#[derive(Debug, Default)]
pub struct MemoryStore {
    files: Mutex<BTreeMap<CacheKey, Vec<u8>>>,
}

impl MemoryStore {
    fn files(&self) -> MutexGuard<'_, BTreeMap<CacheKey, Vec<u8>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MetadataStore for MemoryStore {
    fn put(&self, files: &[(CacheKey, &[u8])]) -> Result<(), CacheError> {
        self.files().extend(files.iter().map(|(key, bytes)| (key.clone(), bytes.to_vec())));
        Ok(())
    }

    fn get(&self, key: &CacheKey) -> Result<Option<Vec<u8>>, CacheError> {
        Ok(self.files().get(key).cloned())
    }

    fn retain(&self, scope: &Scope, keep: &BTreeSet<CacheKey>) -> Result<(), CacheError> {
        self.files().retain(|key, _| key.scope != *scope || keep.contains(key));
        Ok(())
    }
}
