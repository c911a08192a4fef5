//! What must not be forgotten and carries no signature: floors, anchor, epoch. One file for the node, one writer.
//!
//! A chain that is to answer: metadata durable, then this, then serve. A withdrawal answers first and is then written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tufd_tuf::anchor::AnchorState;
use tufd_tuf::floors::Floors;

use crate::store::{ChainDir, Left, Loaded, SlotError, Slots, StateDir};

/// The content of the floor file, for good: fields are only ever added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    /// By trust domain: a `[[trust]]` may be renamed, its domain is what it is.
    trusts: BTreeMap<String, Page>,
}

/// What is kept of one trust.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The epoch of the chain. A higher one in the configuration starts a new chain.
    pub epoch: u64,
    /// What the Workload API said.
    pub anchor: AnchorState,
    /// The floors of the chain.
    pub floors: Floors,
    /// Both slots were damaged, and no refresh of all sources has verified since.
    #[serde(default)]
    pub floors_lost: bool,
}

impl Page {
    /// Whether anything was ever trusted.
    #[must_use]
    pub fn has_floors(&self) -> bool {
        self.floors != Floors::default()
    }

    fn begin(&mut self, epoch: u64) -> Chain {
        match self.epoch {
            before if before < epoch => {
                self.epoch = epoch;
                (self.floors, self.floors_lost) = (self.floors.anew(), false);
                Chain::New { before }
            }
            kept if kept > epoch => Chain::Higher { kept },
            _ => Chain::Same,
        }
    }
}

/// Whether the floor file was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Read.
    Intact,
    /// There never was one.
    Never,
    /// Both slots are damaged.
    Lost,
}

impl Found {
    /// Whether a trust had floors and they are gone. A page of the floor file comes before anything else of its trust:
    /// where something is left without one, it was deleted, or damaged while the trust was not configured.
    #[must_use]
    pub(crate) fn is_loss(self, page: Option<&Page>, state: &StateDir, chain: &ChainDir) -> bool {
        let something_is_left = || chain.left() != Left::Nothing;
        page.is_none()
            && match self {
                Self::Intact => something_is_left(),
                Self::Never => something_is_left() || state.database().exists(),
                Self::Lost => true,
            }
    }
}

/// Which chain a page speaks of after [`Ledger::begin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// The one from before.
    Same,
    /// A new one: the epoch was raised.
    New {
        /// The epoch before.
        before: u64,
    },
    /// The one from before, although the configuration has a lower epoch, which changes nothing.
    Higher {
        /// The epoch that stays.
        kept: u64,
    },
}

/// The floor file in memory and on the disk. Who reads never waits for the disk.
#[derive(Debug, Clone)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Held by a writer while it waits for the disk. Taken before `book`, so that no write ends with an older book than
    /// the one before it.
    disk: Mutex<Disk>,
    /// Held for moments only.
    book: Mutex<Book>,
    /// Whether a write is under way, or the newest failed.
    behind: AtomicBool,
}

#[derive(Debug)]
struct Disk {
    slots: Slots<Book>,
    /// What the slots are known to hold.
    holds: Option<Book>,
}

/// Why the floor file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The disk refused.
    #[error("the floor file cannot be written")]
    Slot(#[from] SlotError),
    /// The writing task ended.
    #[error("the floor file's writer ended")]
    Ended(#[from] tokio::task::JoinError),
}

impl Ledger {
    /// Reads the floor file of a state directory.
    ///
    /// # Errors
    /// [`SlotError`]: a newer format, or a directory that cannot be read.
    pub fn open(dir: &Path) -> Result<(Self, Found), SlotError> {
        let (slots, loaded) = Slots::open(dir)?;
        let (holds, found) = match loaded {
            Loaded::Found(book) => (Some(book), Found::Intact),
            Loaded::Never => (None, Found::Never),
            Loaded::Lost => (None, Found::Lost),
        };
        let book = Mutex::new(holds.clone().unwrap_or_default());
        let (disk, behind) = (Mutex::new(Disk { slots, holds }), AtomicBool::new(false));
        Ok((Self(Arc::new(Inner { disk, book, behind })), found))
    }

    /// Opens the page of a trust under the configured epoch. Raising the epoch is the only way to leave a chain: the
    /// anchor and the time floor stay, the other floors start anew. Blocks on the disk.
    ///
    /// # Errors
    /// [`SlotError`]
    pub fn begin(&self, domain: &str, epoch: u64) -> Result<(Page, Chain), SlotError> {
        let (page, chain) = {
            let mut book = self.book();
            let new = || Page { epoch, ..Page::default() };
            let page = book.trusts.entry(domain.to_owned()).or_insert_with(new);
            let chain = page.begin(epoch);
            (page.clone(), chain)
        };
        if matches!(chain, Chain::New { .. }) {
            self.write(|_| {})?;
        }
        Ok((page, chain))
    }

    /// Notes that the floors of a trust are lost. Writes nothing: the next write takes it along, and until then a restart
    /// finds the same.
    pub fn lose_floors(&self, domain: &str) {
        self.book().trusts.entry(domain.to_owned()).or_default().floors_lost = true;
    }

    /// The page of a trust as it stands.
    #[must_use]
    pub fn page(&self, domain: &str) -> Page {
        self.book().trusts.get(domain).cloned().unwrap_or_default()
    }

    /// Whether the disk may lack what is in memory, because a write is under way or the newest failed.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.0.behind.load(Relaxed)
    }

    /// All pages, by trust domain.
    #[must_use]
    pub fn pages(&self) -> BTreeMap<String, Page> {
        self.book().trusts.clone()
    }

    /// Makes these pages all there is, for an import. Blocks on the disk.
    ///
    /// # Errors
    /// [`SlotError`]
    pub(crate) fn adopt(&self, trusts: BTreeMap<String, Page>) -> Result<(), SlotError> {
        self.write(|book| *book = Book { trusts })
    }

    /// Changes the page of a trust and returns when that is on the disk. In memory the change stands in any case, and
    /// the next write takes it along.
    ///
    /// # Errors
    /// [`LedgerError`]: what depends on the change must not be served.
    pub async fn record(
        &self,
        domain: &str,
        change: impl FnOnce(&mut Page) + Send + 'static,
    ) -> Result<(), LedgerError> {
        let (ledger, domain) = (self.clone(), domain.to_owned());
        let written = tokio::task::spawn_blocking(move || {
            ledger.write(|book| change(book.trusts.entry(domain).or_default()))
        });
        Ok(written.await??)
    }

    /// Has the page of a trust on the disk, before anything else of that trust is.
    ///
    /// # Errors
    /// [`LedgerError`]
    pub async fn hold(&self, domain: &str) -> Result<(), LedgerError> {
        self.record(domain, |_| {}).await
    }

    /// Changes the book and writes it, with all that was noted by then, unless the disk holds just that.
    fn write(&self, change: impl FnOnce(&mut Book)) -> Result<(), SlotError> {
        let mut disk = self.0.disk.lock().unwrap_or_else(PoisonError::into_inner);
        let book = {
            let mut book = self.book();
            change(&mut book);
            book.clone()
        };
        if disk.holds.as_ref() == Some(&book) {
            return Ok(());
        }
        self.0.behind.store(true, Relaxed);
        disk.holds = None; // either, where the write fails
        disk.slots.write(&book)?;
        disk.holds = Some(book);
        self.0.behind.store(false, Relaxed);
        Ok(())
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_stalled_disk_delays_writers_and_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let (ledger, _) = Ledger::open(dir.path()).unwrap();
        let stalled = ledger.0.disk.lock().unwrap();
        let (tell, told) = mpsc::channel();
        let reader = ledger.clone();
        std::thread::spawn(move || {
            reader.lose_floors("a");
            tell.send((reader.page("a").floors_lost, reader.is_behind(), reader.pages().len()))
        });
        assert_eq!(told.recv_timeout(Duration::from_secs(60)), Ok((true, false, 1)));
        drop(stalled);
    }

    /// Else the slower of two writers would take back what the other wrote.
    #[test]
    fn a_write_takes_along_all_that_was_noted_before_its_turn() {
        let dir = tempfile::tempdir().unwrap();
        let (ledger, _) = Ledger::open(dir.path()).unwrap();
        let other = ledger.0.disk.lock().unwrap();
        let (changed, change) = mpsc::channel();
        let writer = ledger.clone();
        let writer = std::thread::spawn(move || writer.write(|_| changed.send(()).unwrap()));
        change.recv_timeout(Duration::from_millis(100)).expect_err("it is not its turn");
        ledger.lose_floors("a");
        drop(other);
        writer.join().unwrap().unwrap();
        let (again, _) = Ledger::open(dir.path()).unwrap();
        assert!(again.page("a").floors_lost);
    }

    #[tokio::test]
    async fn what_was_noted_before_a_write_that_failed_comes_with_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let (ledger, _) = Ledger::open(dir.path()).unwrap();
        let block = dir.path().join("floors.0.new");
        std::fs::create_dir(&block).unwrap();
        ledger.record("a", |page| page.epoch = 7).await.unwrap_err();
        assert!(ledger.is_behind());
        std::fs::remove_dir(block).unwrap();
        ledger.hold("b").await.unwrap();
        assert!(!ledger.is_behind());
        let (again, found) = Ledger::open(dir.path()).unwrap();
        assert_eq!((found, again.pages()), (Found::Intact, ledger.pages()));
    }
}
