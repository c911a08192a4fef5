//! What survives a restart, in the state directory:
//!
//! | entry | holds | trusted |
//! |---|---|---|
//! | `lock` | the pid of the daemon that owns the directory ([`DirectoryLock`]) | no |
//! | `schema` | the version of this layout ([`StateDir`]) | yes |
//! | `floors.0`, `floors.1` | floors, anchor, epoch ([`Slots`]) | yes: they carry no signature |
//! | `db/` | verified metadata in sled ([`Cache`]) | no: it passes the same gate as the network |
//! | `db.corrupt-*` | databases set aside | no |
//!
//! Who can write the directory is root's equal; there is no MAC. What is checked here finds damage.
//! Every call blocks on the disk: from async code, use `spawn_blocking`.

mod allowed;
mod cache;
mod chunks;
mod directory;
mod durable;
mod guard;
mod key;
mod lock;
mod memory;
mod slots;

pub use allowed::{ALLOWED_MAX, Allowed, AllowedKey};
pub use cache::Cache;
pub use directory::{StateDir, StateError};
pub use guard::{CacheError, Opened, quarantine};
pub use key::{CacheFile, CacheKey, Scope};
pub use lock::{DirectoryLock, LockError};
pub use memory::MemoryStore;
pub use slots::{Loaded, SlotError, Slots};

use std::collections::BTreeSet;

/// Where verified metadata is kept. What comes out is untrusted: the caller verifies it again.
pub trait MetadataStore: Send + Sync + std::fmt::Debug {
    /// Keeps all of `files`, each replacing what its key held, and returns when they are on the disk.
    ///
    /// # Errors
    /// When the store cannot be written. Each file is then its old or its new whole, never a mixture.
    fn put(&self, files: &[(CacheKey, &[u8])]) -> Result<(), CacheError>;

    /// The bytes kept under `key`, or `None` where there are none.
    ///
    /// # Errors
    /// When the store cannot be read, or what it holds is not what was put.
    fn get(&self, key: &CacheKey) -> Result<Option<Vec<u8>>, CacheError>;

    /// Drops everything of `scope` but the files in `keep`, and the bytes that no file uses any more.
    /// Call it after each change: replaced bytes stay until then.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn retain(&self, scope: &Scope, keep: &BTreeSet<CacheKey>) -> Result<(), CacheError>;
}
