//! The state directory: private, owned by one daemon, of a layout that this tufd knows.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::durable;
use super::lock::{DirectoryLock, LockError};
use crate::regular_file::{self, ReadError};

/// The state directory, locked for as long as this value lives.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: DirectoryLock,
}

/// Why the state directory cannot be used. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A newer tufd wrote it.
    #[error("{} has layout {found}, this tufd knows {SCHEMA}", path.display())]
    Newer {
        /// The schema file.
        path: PathBuf,
        /// The layout that it names.
        found: u64,
    },
    /// The schema file says nothing that a tufd would have written.
    #[error("{} is damaged: it must hold `{MAGIC} {SCHEMA}`", path.display())]
    Damaged {
        /// The schema file.
        path: PathBuf,
    },
    /// Another user owns the directory.
    #[error("{} belongs to uid {owner}, this tufd runs as uid {own}", path.display())]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The daemon's user.
        own: u32,
    },
    /// Another daemon uses it.
    #[error("the state directory is not free")]
    Lock(#[from] LockError),
    /// The directory or its schema file cannot be read or made.
    #[error("cannot use {}", path.display())]
    Io {
        /// What was tried to be used.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

const SCHEMA: u64 = 1;
const MAGIC: &str = "tufd-state";
const SCHEMA_FILE: &str = "schema";
const MAX_SCHEMA_BYTES: u64 = 64;
const PRIVATE: u32 = 0o700;

impl StateDir {
    /// Makes the directory where it is missing, refuses a newer layout, makes it private and locks it.
    ///
    /// # Errors
    /// See [`StateError`].
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let failed = |source| StateError::Io { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(PRIVATE).create(path).map_err(failed)?;
        let known = check_schema(path)?;
        make_private(path)?;
        let lock = DirectoryLock::take(path)?;
        if known == Schema::Missing {
            let text = format!("{MAGIC} {SCHEMA}\n");
            durable::replace(path, SCHEMA_FILE, &[text.as_bytes()]).map_err(failed)?;
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the metadata cache lives.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join("db")
    }
}

#[derive(PartialEq, Eq)]
enum Schema {
    Missing,
    Current,
}

fn check_schema(dir: &Path) -> Result<Schema, StateError> {
    let path = dir.join(SCHEMA_FILE);
    let bytes = match regular_file::read(&path, MAX_SCHEMA_BYTES) {
        Ok(None) => return Ok(Schema::Missing),
        Ok(Some(bytes)) => bytes,
        Err(ReadError::Io(source)) => return Err(StateError::Io { path, source }),
        Err(ReadError::NotRegular | ReadError::TooLong { .. }) => {
            return Err(StateError::Damaged { path });
        }
    };
    let found = std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.strip_prefix(MAGIC)?.trim().parse::<u64>().ok());
    match found {
        Some(SCHEMA) => Ok(Schema::Current),
        Some(found) if found > SCHEMA => Err(StateError::Newer { path, found }),
        Some(_) | None => Err(StateError::Damaged { path }),
    }
}

fn make_private(dir: &Path) -> Result<(), StateError> {
    let failed = |source| StateError::Io { path: dir.to_owned(), source };
    let metadata = std::fs::metadata(dir).map_err(failed)?;
    let (owner, own) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != own {
        return Err(StateError::Owner { path: dir.to_owned(), owner, own });
    }
    if metadata.mode() & 0o7777 == PRIVATE {
        return Ok(()); // nothing to write: the disk may be read-only
    }
    std::fs::set_permissions(dir, Permissions::from_mode(PRIVATE)).map_err(failed)
}
