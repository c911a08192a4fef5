//! What survives a restart, in the state directory:
//!
//! | entry | holds | trusted |
//! |---|---|---|
//! | `lock` | the pid of the daemon that owns the directory ([`DirectoryLock`]) | no |
//! | `schema` | the version of this layout ([`StateDir`]) | yes |
//! | `floors.0`, `floors.1` | floors, anchor, epoch ([`Slots`]) | yes: they carry no signature |
//! | `chains/` | the last verified chain of each trust in plain files ([`ChainDir`]) | no: it passes the same gate as the network |
//! | `db/` | a second copy of these, and what was allowed, in sled ([`Cache`]) | no: the same gate; a filter and no proof |
//! | `db.corrupt-*` | databases set aside | no |
//!
//! A start reads all but `db`, and gives a verdict whatever cannot be written. It writes its pid, a `schema` or privacy that
//! the directory lacks, and an epoch that was raised. Who can write the directory is root's equal; there is no MAC. What is
//! checked here finds damage. Every call blocks on the disk: from async code, use `spawn_blocking`.

mod allowed;
mod cache;
mod chain;
mod chunks;
mod directory;
mod durable;
mod guard;
mod key;
mod lock;
mod seal;
mod slots;

pub use allowed::{ALLOWED_MAX, Allowed, AllowedKey};
pub use cache::Cache;
pub use chain::{ChainDir, ChainError, Left};
pub use directory::{StateDir, StateError};
pub use guard::{CacheError, Opened, quarantine};
pub use key::{CacheKey, ChainFile, ChainFiles, Scope};
pub use lock::{DirectoryLock, LockError};
pub use slots::{Loaded, SlotError, Slots};
