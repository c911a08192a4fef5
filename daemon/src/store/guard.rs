//! sled, kept at arm's length: what is known to keep it from opening is cleared first, and its panics end here.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::io::Errno;

/// How the database was opened.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// As it was left, or new.
    Clean,
    /// What was there could not be opened; it was set aside and an empty one was made.
    Quarantined {
        /// Where it is now.
        to: PathBuf,
    },
}

/// Why the metadata cache cannot be used. It holds copies only: the network has the originals.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// sled refused.
    #[error("sled failed to {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Why.
        source: sled::Error,
    },
    /// sled panicked; the panic was contained.
    #[error("sled panicked when it was to {doing}: {message}")]
    Panicked {
        /// What was being done.
        doing: &'static str,
        /// The panic's message.
        message: String,
    },
    /// The file system refused.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is kept under a key is not what was put there.
    #[error("the cached file is damaged: {evidence}")]
    Damaged {
        /// What does not fit.
        evidence: &'static str,
    },
    /// A file larger than any metadata may be.
    #[error("a file of {found} bytes was to be cached, at most {limit} are")]
    TooLarge {
        /// Its size in bytes.
        found: usize,
        /// The most that is kept, in bytes.
        limit: usize,
    },
}

impl CacheError {
    /// Whether it speaks of what the database holds: not where the disk is full or read-only, where another process has
    /// the database, or where this one lacks memory or descriptors.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        use io::ErrorKind::{
            OutOfMemory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
        };
        let (Self::Io { source: error, .. }
        | Self::Database { source: sled::Error::Io(error), .. }) = self
        else {
            return true;
        };
        let held = error.to_string().contains("could not acquire lock"); // sled gives it no kind of its own
        let descriptors = [Errno::MFILE, Errno::NFILE].map(|errno| Some(errno.raw_os_error()));
        let passing =
            [OutOfMemory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull];
        !(held || descriptors.contains(&error.raw_os_error()) || passing.contains(&error.kind()))
    }
}

const CACHE_CAPACITY_BYTES: u64 = 32 * 1024 * 1024;
/// Databases set aside that are kept for a human to look at.
const MAX_QUARANTINED: usize = 3;

/// Opens the database in `dir`, setting aside one that cannot be opened.
///
/// A full or read-only disk, or a database in use, says nothing about its content: then it stays where it is and the
/// error comes back.
pub(super) fn open(dir: &Path) -> Result<(sled::Db, Opened), CacheError> {
    match try_open(dir) {
        Ok(db) => Ok((db, Opened::Clean)),
        Err(error) if !error.is_damage() => Err(error),
        Err(error) => {
            let to = quarantine(dir)?;
            tracing::error!(
                error = &error as &dyn std::error::Error,
                to = %to.display(),
                "metadata cache cannot be opened: set aside, starting with an empty one"
            );
            Ok((try_open(dir)?, Opened::Quarantined { to }))
        }
    }
}

/// Renames the database's directory to `db.corrupt-<unix seconds>` beside it; the database must be closed.
///
/// # Errors
/// When the directory cannot be renamed.
pub fn quarantine(dir: &Path) -> Result<PathBuf, CacheError> {
    prune(dir);
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut to = PathBuf::from(format!("{}.corrupt-{seconds}", dir.display()));
    let mut again = 0_u32;
    while to.symlink_metadata().is_ok() {
        again += 1;
        to = PathBuf::from(format!("{}.corrupt-{seconds}-{again}", dir.display()));
    }
    std::fs::rename(dir, &to).map_err(|source| CacheError::Io {
        doing: "set aside",
        path: dir.to_owned(),
        source,
    })?;
    Ok(to)
}

/// Runs one use of sled; a panic in it becomes an error.
pub(super) fn contain<T>(
    doing: &'static str,
    call: impl FnOnce() -> Result<T, sled::Error>,
) -> Result<T, CacheError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|source| CacheError::Database { doing, source }),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied();
            let message = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            Err(CacheError::Panicked { doing, message: message.unwrap_or("no message").to_owned() })
        }
    }
}

fn try_open(dir: &Path) -> Result<sled::Db, CacheError> {
    clear_leftovers(dir);
    contain("open the metadata cache", || {
        sled::Config::new().path(dir).cache_capacity(CACHE_CAPACITY_BYTES).open()
    })
}

/// sled takes a snapshot that was being written when it was killed for its newest one, and never opens again.
fn clear_leftovers(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let empty = || entry.metadata().is_ok_and(|metadata| metadata.len() == 0);
        if name.starts_with("snap.") && (name.ends_with(".generating") || empty()) {
            let done = std::fs::remove_file(entry.path());
            tracing::warn!(file = %entry.path().display(), ?done, "removed an unfinished snapshot of the cache");
        }
    }
}

/// Removes the oldest databases set aside, so that damage that comes back cannot fill the disk.
fn prune(dir: &Path) {
    let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) else { return };
    let start = format!("{}.corrupt-", name.to_string_lossy());
    let mut found: Vec<PathBuf> = std::fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&start))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    let surplus = (found.len() + 1).saturating_sub(MAX_QUARANTINED);
    for path in found.into_iter().take(surplus) {
        // What stood in the database's place may have been a file.
        let done = std::fs::remove_dir_all(&path).or_else(|_| std::fs::remove_file(&path));
        tracing::warn!(path = %path.display(), ?done, "removed an old damaged cache");
    }
}
