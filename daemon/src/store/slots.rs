//! The floor file: two slots, so that one whole state survives whatever happens to the writing of the next.
//!
//! # Format, for good
//!
//! `floors.0` and `floors.1` are each
//!
//! ```text
//! tufd-floors VERSION SEQUENCE SUM\n
//! BODY
//! ```
//!
//! in ASCII, one space between the words. `VERSION` (1 today) and `SEQUENCE` are decimal without leading zeros, `SUM`
//! is the lower-case hexadecimal SHA-256 of `tufd-floors VERSION SEQUENCE\n` followed by `BODY`, and `BODY` is JSON to
//! the end of the file. The header line and what the sum covers are the same in every version: so damage to any byte,
//! the sequence and the version too, is told from a slot that a newer tufd wrote. The valid slot with the highest
//! sequence counts.
//!
//! A write goes to the other slot, as temporary file → fsync → rename → fsync of the directory.

use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::{Serialize, de::DeserializeOwned};

use super::durable;
use super::seal::sealed;
use crate::causes::in_one_line;
use crate::regular_file;

/// The two slots of one directory, holding a `T` as JSON.
#[derive(Debug)]
pub struct Slots<T> {
    dir: PathBuf,
    /// The slot to be written next: never the one that counts.
    next: Slot,
    /// The highest sequence that was ever tried.
    sequence: u64,
    content: PhantomData<fn(T) -> T>,
}

/// What the slots held when they were opened.
#[derive(Debug, PartialEq, Eq)]
pub enum Loaded<T> {
    /// No slot was ever written.
    Never,
    /// The newest valid content.
    Found(T),
    /// There are slots and none is valid: whatever they promised is unknown.
    Lost,
}

/// Why the slots cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// A newer tufd wrote this slot; nothing was touched.
    #[error("{} has format {found}, this tufd knows {}", path.display(), FORMAT)]
    Newer {
        /// The slot.
        path: PathBuf,
        /// Its format version.
        found: u64,
    },
    /// The slot is undamaged and its body is not what this tufd keeps; nothing was touched.
    #[error("{} is undamaged but holds something else than this tufd writes", path.display())]
    Content {
        /// The slot.
        path: PathBuf,
        /// What the JSON lacks.
        source: serde_json::Error,
    },
    /// The content cannot be written as JSON.
    #[error("the content of the slots cannot be written as JSON")]
    Encode {
        /// Why.
        source: serde_json::Error,
    },
    /// The content is larger than a slot may be.
    #[error("the content of the slots has {found} bytes, at most {MAX_SLOT_BYTES} are kept")]
    TooLarge {
        /// Its size in bytes.
        found: usize,
    },
    /// The highest sequence there is has been used.
    #[error("{} cannot be written: the sequence is used up", path.display())]
    Exhausted {
        /// The slot.
        path: PathBuf,
    },
    /// The slot could not be written: the content is not durable.
    #[error("cannot write {}", path.display())]
    Write {
        /// The slot.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

const MAGIC: &str = "tufd-floors";
const FORMAT: u64 = 1;
/// Floors of many roles and 64 anchor keys per trust are far below.
const MAX_SLOT_BYTES: u64 = 8 * 1024 * 1024;
const MAX_HEADER_BYTES: usize = 128;

impl<T: Serialize + DeserializeOwned> Slots<T> {
    /// Reads both slots of `dir`. One damaged slot is logged and the other used.
    ///
    /// # Errors
    /// [`SlotError::Newer`] and [`SlotError::Content`]: the state is somebody else's and is left untouched.
    pub fn open(dir: &Path) -> Result<(Self, Loaded<T>), SlotError> {
        let mut newest: Option<(Slot, Valid)> = None;
        let mut damaged = false;
        for slot in [Slot::Zero, Slot::One] {
            match read_slot(&slot.path(dir))? {
                Read::Missing => {}
                Read::Damaged => damaged = true,
                Read::Valid(valid) => {
                    if newest.as_ref().is_none_or(|(_, other)| valid.sequence > other.sequence) {
                        newest = Some((slot, valid));
                    }
                }
            }
        }
        let (next, sequence, loaded) = match newest {
            None if damaged => (Slot::Zero, 0, Loaded::Lost),
            None => (Slot::Zero, 0, Loaded::Never),
            Some((slot, valid)) => {
                let content = serde_json::from_slice(&valid.body)
                    .map_err(|source| SlotError::Content { path: slot.path(dir), source })?;
                (slot.other(), valid.sequence, Loaded::Found(content))
            }
        };
        Ok((Self { dir: dir.to_owned(), next, sequence, content: PhantomData }, loaded))
    }

    /// Makes `content` the newest, on the disk when this returns.
    ///
    /// # Errors
    /// When it is not known to be on the disk: whatever depends on it must not be served.
    pub fn write(&mut self, content: &T) -> Result<(), SlotError> {
        let path = self.next.path(&self.dir);
        let body = serde_json::to_vec(content).map_err(|source| SlotError::Encode { source })?;
        if u64::try_from(body.len() + MAX_HEADER_BYTES).unwrap_or(u64::MAX) > MAX_SLOT_BYTES {
            return Err(SlotError::TooLarge { found: body.len() });
        }
        // Kept even if the write fails: the rename may have happened all the same.
        self.sequence = self
            .sequence
            .checked_add(1)
            .ok_or_else(|| SlotError::Exhausted { path: path.clone() })?;
        let header = header(FORMAT, self.sequence, &body);
        durable::replace(&self.dir, self.next.name(), &[header.as_bytes(), &body])
            .map_err(|source| SlotError::Write { path, source })?;
        self.next = self.next.other();
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    Zero,
    One,
}

impl Slot {
    const fn name(self) -> &'static str {
        match self {
            Self::Zero => "floors.0",
            Self::One => "floors.1",
        }
    }

    fn path(self, dir: &Path) -> PathBuf {
        dir.join(self.name())
    }

    const fn other(self) -> Self {
        match self {
            Self::Zero => Self::One,
            Self::One => Self::Zero,
        }
    }
}

struct Valid {
    sequence: u64,
    body: Vec<u8>,
}

enum Read {
    Missing,
    Damaged,
    Valid(Valid),
}

fn read_slot(path: &Path) -> Result<Read, SlotError> {
    let bytes = match regular_file::read(path, MAX_SLOT_BYTES) {
        Ok(None) => return Ok(Read::Missing),
        Ok(Some(bytes)) => bytes,
        Err(error) => {
            tracing::error!(slot = %path.display(), why = in_one_line(&error), "slot of the floor file cannot be read");
            return Ok(Read::Damaged);
        }
    };
    match split(&bytes) {
        Some((FORMAT, sequence, body)) => Ok(Read::Valid(Valid { sequence, body: body.to_vec() })),
        Some((found, _, _)) => Err(SlotError::Newer { path: path.to_owned(), found }),
        None => {
            tracing::error!(slot = %path.display(), "slot of the floor file is damaged");
            Ok(Read::Damaged)
        }
    }
}

/// Version, sequence and body of an undamaged slot of any version.
fn split(bytes: &[u8]) -> Option<(u64, u64, &[u8])> {
    let end = bytes.iter().take(MAX_HEADER_BYTES).position(|byte| *byte == b'\n')?;
    let (line, body) = bytes.split_at_checked(end + 1)?;
    let mut words = std::str::from_utf8(line).ok()?.split([' ', '\n']).skip(1);
    let version = words.next()?.parse().ok()?;
    let sequence = words.next()?.parse().ok()?;
    // Written again and compared, the line has one spelling only, and its sum is checked with it.
    (header(version, sequence, body).as_bytes() == line).then_some((version, sequence, body))
}

fn header(version: u64, sequence: u64, body: &[u8]) -> String {
    sealed(&format!("{MAGIC} {version} {sequence}"), body)
}
