//! What must not be forgotten and carries no signature: floors, anchor, epoch. One file for the node, one writer.
//!
//! A chain that is to answer: metadata durable, then this, then serve. A withdrawal answers first and is then written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

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
    /// Whether a trust had floors and they are gone. A chain and a database come after the floor file, so where one of
    /// them is left without it, both slots were deleted.
    #[must_use]
    pub(crate) fn is_loss(self, state: &StateDir, chain: &ChainDir) -> bool {
        match self {
            Self::Intact => false,
            Self::Never => chain.left() != Left::Nothing || state.database().exists(),
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

/// The floor file in memory and on the disk.
#[derive(Debug, Clone)]
pub struct Ledger(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    slots: Slots<Book>,
    book: Book,
    /// Whether the disk lacks what is in memory, because a write failed.
    unwritten: bool,
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
        let (book, found) = match loaded {
            Loaded::Found(book) => (book, Found::Intact),
            Loaded::Never => (Book::default(), Found::Never),
            Loaded::Lost => (Book::default(), Found::Lost),
        };
        Ok((Self(Arc::new(Mutex::new(Inner { slots, book, unwritten: false }))), found))
    }

    /// Opens the page of a trust under the configured epoch. Raising the epoch is the only way to leave a chain: the
    /// anchor and the time floor stay, the other floors start anew. Blocks on the disk.
    ///
    /// # Errors
    /// [`SlotError`]
    pub fn begin(&self, domain: &str, epoch: u64) -> Result<(Page, Chain), SlotError> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let page =
            inner.book.trusts.entry(domain.to_owned()).or_insert(Page { epoch, ..Page::default() });
        let chain = match page.epoch {
            before if before < epoch => {
                page.epoch = epoch;
                (page.floors, page.floors_lost) = (page.floors.anew(), false);
                Chain::New { before }
            }
            kept if kept > epoch => Chain::Higher { kept },
            _ => Chain::Same,
        };
        let page = page.clone();
        if matches!(chain, Chain::New { .. }) {
            inner.write()?;
        }
        Ok((page, chain))
    }

    /// Notes that the floors of a trust are lost. Blocks nothing and writes nothing: the next write takes it along, and
    /// until then a restart finds the same.
    pub fn lose_floors(&self, domain: &str) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.book.trusts.entry(domain.to_owned()).or_default().floors_lost = true;
    }

    /// The page of a trust as it stands.
    #[must_use]
    pub fn page(&self, domain: &str) -> Page {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.book.trusts.get(domain).cloned().unwrap_or_default()
    }

    /// Whether the disk lacks what is in memory, because a write failed. Waits for a write under way.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).unwritten
    }

    /// All pages, by trust domain.
    #[must_use]
    pub fn pages(&self) -> BTreeMap<String, Page> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).book.trusts.clone()
    }

    /// Makes these pages all there is, for an import. Blocks on the disk.
    ///
    /// # Errors
    /// [`SlotError`]
    pub(crate) fn adopt(&self, trusts: BTreeMap<String, Page>) -> Result<(), SlotError> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.book = Book { trusts };
        inner.write()
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
        let (inner, domain) = (Arc::clone(&self.0), domain.to_owned());
        let written = tokio::task::spawn_blocking(move || {
            let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
            let page = inner.book.trusts.entry(domain).or_default();
            let before = page.clone();
            change(page);
            // Nothing new is still to be written where it did not get to the disk the last time.
            if *page == before && !inner.unwritten { Ok(()) } else { inner.write() }
        });
        Ok(written.await??)
    }
}

impl Inner {
    fn write(&mut self) -> Result<(), SlotError> {
        self.unwritten = true;
        self.slots.write(&self.book)?;
        self.unwritten = false;
        Ok(())
    }
}
