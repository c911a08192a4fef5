//! The last verified chain of a trust as plain files, of which a restart answers whatever state the disk is in.
//!
//! `chains/SCOPE/` holds each file under the SHA-256 of its bytes, so none is ever changed, and `index`, which says
//! which of them is what. A change writes the files that are new, makes them durable, and then replaces the index: so
//! the chain is the old or the new whole at any moment. What no index names is removed afterwards.
//!
//! The index is `tufd-chain 1 SUM\n` and JSON; `SUM` is that of the floor file's slots.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tufd_tuf::hash::Sha256;

use super::durable;
use super::key::{ChainFile, ChainFiles, Scope};
use super::seal::sealed;
use crate::causes::in_one_line;
use crate::regular_file;

/// One chain on the disk, and in memory what is known to be there.
#[derive(Debug)]
pub struct ChainDir {
    dir: PathBuf,
    scope: Scope,
    kept: Mutex<Kept>,
}

/// What a directory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// There is none: no chain was ever kept.
    Nothing,
    /// All that its index names.
    Whole,
    /// Less than that, or no index that can be believed.
    Damaged,
}

/// Why a chain could not be kept: it must not answer. The one before is still there.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct ChainError {
    /// The directory of the chain.
    path: PathBuf,
    /// Why, such as a disk that is full or read-only.
    source: io::Error,
}

const CHAINS: &str = "chains";
const INDEX: &str = "index";
const SEAL: &str = "tufd-chain 1";
/// Thousands of roles with long names.
const MAX_INDEX_BYTES: u64 = 8 * 1024 * 1024;
/// Above what one chain may have on the wire: 32 MiB of delegated roles, and the others.
const MAX_CHAIN_BYTES: u64 = 64 * 1024 * 1024;
/// More new files than that are made durable with the rest of their file system, which takes one turn for all.
const MAX_SYNCED_EACH: usize = 64;
const PRIVATE: u32 = 0o700;

#[derive(Debug)]
struct Kept {
    left: Left,
    files: Arc<ChainFiles>,
    /// Names the files and no others.
    index: Index,
}

/// What is what, by content.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Index {
    /// For people: the directory's name is a hash of these two.
    trust: String,
    epoch: u64,
    files: Vec<Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    file: ChainFile,
    sha256: Sha256,
    length: u64,
}

impl ChainDir {
    /// Reads what the index names, as far as it is what the index says. Nothing else that is wrong there is an error:
    /// what is lacking comes from elsewhere.
    #[must_use]
    pub fn open(state: &Path, scope: &Scope) -> Self {
        let dir = state.join(CHAINS).join(scope.directory());
        let (files, index, damage) = read(&dir);
        let left = match damage {
            None => Left::Whole,
            Some(_) if dir.symlink_metadata().is_err() => Left::Nothing,
            Some(why) => {
                tracing::error!(trust = scope.trust, dir = %dir.display(), why, "the files of the last chain are damaged");
                Left::Damaged
            }
        };
        let kept = Mutex::new(Kept { left, files: Arc::new(files), index });
        Self { dir, scope: scope.clone(), kept }
    }

    /// What is there.
    #[must_use]
    pub fn left(&self) -> Left {
        self.lock().left
    }

    /// What is known to be on the disk.
    #[must_use]
    pub fn kept(&self) -> Arc<ChainFiles> {
        Arc::clone(&self.lock().files)
    }

    /// Makes `files` the chain, and returns when they are on the disk.
    ///
    /// # Errors
    /// [`ChainError`]: the chain is still the one before.
    pub fn keep(&self, files: ChainFiles) -> Result<(), ChainError> {
        let mut kept = self.lock();
        let index = Index::of(&self.scope, &files);
        let next = Kept { left: Left::Whole, files: Arc::new(files), index };
        let written = self.write(&kept.index, &next);
        if written.is_ok() {
            *kept = next;
            let used: BTreeSet<String> = kept.index.names().collect();
            self.sweep(|name| name != INDEX && !used.contains(name));
        } else {
            // Which index is on the disk is not known: it may be one that an earlier failure left there.
            self.sweep(durable::is_temporary);
        }
        written.map_err(|source| ChainError { path: self.dir.clone(), source })
    }

    /// Removes the chain of a scope that was left for ever.
    pub fn forget(state: &Path, scope: &Scope) {
        let dir = state.join(CHAINS).join(scope.directory());
        match std::fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(dir = %dir.display(), %error, "an old chain cannot be removed");
            }
            Ok(()) | Err(_) => {}
        }
    }

    fn write(&self, before: &Index, next: &Kept) -> io::Result<()> {
        self.make()?;
        let there: BTreeSet<String> = before.names().collect();
        let contents = next.index.files.iter().zip(next.files.values());
        let new: BTreeMap<String, &[u8]> = contents
            .filter(|(entry, _)| !there.contains(&entry.name()) || !entry.is_in(&self.dir))
            .map(|(entry, bytes)| (entry.name(), &**bytes))
            .collect();
        self.write_new(&new)?;
        let body = serde_json::to_vec(&next.index)?;
        durable::replace(&self.dir, INDEX, &[sealed(SEAL, &body).as_bytes(), &body])
    }

    /// A name appears only when its bytes are durable: it never holds less than it says.
    fn write_new(&self, new: &BTreeMap<String, &[u8]>) -> io::Result<()> {
        let dir = File::open(&self.dir)?; // before the writes: it tells what failed since then
        for (name, bytes) in new {
            let file = durable::write_temporary(&self.dir, name, &[bytes])?;
            if new.len() <= MAX_SYNCED_EACH {
                file.sync_all()?;
            }
        }
        if new.len() > MAX_SYNCED_EACH {
            rustix::fs::syncfs(&dir)?;
        }
        for name in new.keys() {
            std::fs::rename(durable::temporary(&self.dir, name), self.dir.join(name))?;
        }
        if new.is_empty() { Ok(()) } else { dir.sync_all() }
    }

    fn make(&self) -> io::Result<()> {
        for dir in self.dir.parent().into_iter().chain([self.dir.as_path()]) {
            match DirBuilder::new().mode(PRIVATE).create(dir) {
                Ok(()) => dir.parent().map_or(Ok(()), durable::sync_directory)?,
                Err(_) if dir.is_dir() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes what nobody needs, also what a kill left behind.
    fn sweep(&self, unneeded: impl Fn(&str) -> bool) {
        for entry in std::fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            if !unneeded(&entry.file_name().to_string_lossy()) {
                continue;
            }
            if let Err(error) = std::fs::remove_file(entry.path()) {
                tracing::warn!(file = %entry.path().display(), %error, "an unused file cannot be removed");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn of(scope: &Scope, files: &ChainFiles) -> Self {
        let entry = |(file, bytes): (&ChainFile, &Arc<[u8]>)| Entry {
            file: file.clone(),
            sha256: Sha256::of(bytes),
            length: bytes.len() as u64,
        };
        let Scope { trust, epoch } = scope.clone();
        Self { trust, epoch, files: files.iter().map(entry).collect() }
    }

    fn names(&self) -> impl Iterator<Item = String> {
        self.files.iter().map(Entry::name)
    }
}

impl Entry {
    fn name(&self) -> String {
        self.sha256.to_string()
    }

    /// Whether it is still there: somebody may have deleted it under us.
    fn is_in(&self, dir: &Path) -> bool {
        let found = dir.join(self.name()).symlink_metadata();
        found.is_ok_and(|found| found.is_file() && found.len() == self.length)
    }

    fn read(&self, dir: &Path) -> Result<Arc<[u8]>, String> {
        let bytes = regular_file::read(&dir.join(self.name()), self.length)
            .map_err(|error| format!("{}: {}", self.sha256, in_one_line(&error)))?
            .ok_or_else(|| format!("{}: it is gone", self.sha256))?;
        if Sha256::of(&bytes) != self.sha256 {
            return Err(format!("{}: its content is another", self.sha256));
        }
        Ok(bytes.into())
    }
}

/// What can be had, and what is wrong with the rest.
fn read(dir: &Path) -> (ChainFiles, Index, Option<String>) {
    let (mut files, mut damage) = (ChainFiles::new(), None);
    let mut index = match read_index(dir) {
        Ok(index) => index,
        Err(why) => return (files, Index::default(), Some(why)),
    };
    index.files.retain(|entry| {
        let read = entry.read(dir).map(|bytes| files.insert(entry.file.clone(), bytes));
        let good = read.is_ok();
        damage = read.err().or(damage.take());
        good
    });
    (files, index, damage)
}

fn read_index(dir: &Path) -> Result<Index, String> {
    let bytes = regular_file::read(&dir.join(INDEX), MAX_INDEX_BYTES)
        .map_err(|error| format!("index: {}", in_one_line(&error)))?
        .ok_or("there is no index")?;
    let index = unseal(&bytes).ok_or("index: its sum is another")?;
    let index: Index = serde_json::from_slice(index).map_err(|error| format!("index: {error}"))?;
    let lengths = index.files.iter().map(|entry| entry.length);
    if lengths.fold(0, u64::saturating_add) > MAX_CHAIN_BYTES {
        return Err("index: the files are larger than a chain can be".to_owned());
    }
    Ok(index)
}

fn unseal(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, body) = bytes.split_at_checked(end + 1)?;
    (sealed(SEAL, body).as_bytes() == line).then_some(body)
}
