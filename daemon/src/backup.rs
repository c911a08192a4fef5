//! What a node must not forget, as one document: to move a node, and to keep before an upgrade.
//!
//! It holds the pages of the floor file, which carry no signature, and the last chain of each trust. Floors are as old
//! as the document. Who can write one that is taken in is root's equal.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tufd_tuf::anchor::AnchorState;
use tufd_tuf::hash::Sha256;

use crate::ledger::{Found, Ledger, Page};
use crate::refresh::{Replayed, replay};
use crate::store::{
    ChainDir, ChainError, ChainFile, ChainFiles, Left, Scope, SlotError, StateDir, StateError,
};

/// The document.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    format: String,
    schema: u64,
    /// The tufd that wrote it.
    version: String,
    exported: Timestamp,
    /// Of `trusts` as this program writes them: damage is told from content.
    sha256: Sha256,
    /// By trust domain.
    trusts: BTreeMap<String, Kept>,
}

/// What is kept of one trust.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    page: Page,
    chain: Vec<Text>,
}

/// Metadata is JSON, so it is text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    file: ChainFile,
    text: String,
}

/// Why nothing was exported, or not all imported.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The floor file was never written.
    #[error("{} holds no floors: there is nothing to export", dir.display())]
    Nothing {
        /// The state directory.
        dir: PathBuf,
    },
    /// Both slots of the floor file are damaged.
    #[error("the floor file in {} is lost: an export would promise what nobody knows", dir.display())]
    Lost {
        /// The state directory.
        dir: PathBuf,
    },
    /// The floors and the chain of a trust did not fit together, however often they were read.
    #[error(
        "{domain}: floors and metadata do not fit together; try again, or see the daemon's log"
    )]
    Unsettled {
        /// The trust domain.
        domain: String,
    },
    /// A file of a chain that is no text.
    #[error("{domain}: {file:?} is no text")]
    NoText {
        /// The trust domain.
        domain: String,
        /// The file.
        file: ChainFile,
    },
    /// The document is none, or was cut or changed.
    #[error("this is no undamaged export of a state directory")]
    Malformed {
        /// What it lacks, where that is known.
        source: Option<serde_json::Error>,
    },
    /// A newer tufd wrote the document.
    #[error("the export has schema {found}, this tufd knows {SCHEMA}: use the newer tufctl")]
    Newer {
        /// Its schema.
        found: u64,
    },
    /// The document's own files do not pass the gate under its own floors.
    #[error("{domain}: the export's metadata does not pass under its floors: {why}")]
    Refused {
        /// The trust domain.
        domain: String,
        /// Why.
        why: String,
    },
    /// The directory already knows a trust domain.
    #[error(
        "{} already has floors of {domain}, and an import never replaces any: import into an empty directory \
         (move this one away while tufd is stopped), or leave it as it is",
        dir.display()
    )]
    Known {
        /// The state directory.
        dir: PathBuf,
        /// The trust domain.
        domain: String,
    },
    /// The state directory cannot be used; a running daemon holds it.
    #[error("cannot import while tufd runs, or into a directory that is not tufd's")]
    State(#[from] StateError),
    /// The floor file cannot be read or written.
    #[error("the floor file cannot be used")]
    Floors(#[from] SlotError),
    /// The chains cannot be written; the floors are.
    #[error(
        "the floors were imported, the chain of a trust cannot be written: tufd fetches it when it runs here; or import \
         into an empty directory"
    )]
    Chain(#[from] ChainError),
}

const FORMAT: &str = "tufd-state-export";
const SCHEMA: u64 = 1;
/// A daemon that runs may be between two files.
const TRIES: u32 = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// The start of any version's document.
#[derive(Deserialize)]
struct Header {
    format: String,
    schema: u64,
}

impl Backup {
    /// Reads a state directory, also while a daemon runs on it.
    ///
    /// # Errors
    /// [`BackupError`]
    pub fn export(dir: &Path, now: Timestamp) -> Result<Self, BackupError> {
        let mut trusts = BTreeMap::new();
        for domain in pages(dir)?.into_keys() {
            trusts.insert(domain.clone(), settled(dir, &domain)?);
        }
        Ok(Self {
            format: FORMAT.to_owned(),
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            exported: now,
            sha256: sum(&trusts),
            trusts,
        })
    }

    /// Reads a document.
    ///
    /// # Errors
    /// [`BackupError`]: no document, a damaged one, or one of a newer tufd.
    pub fn parse(json: &[u8]) -> Result<Self, BackupError> {
        let malformed = |source| BackupError::Malformed { source: Some(source) };
        match serde_json::from_slice(json).map_err(malformed)? {
            Header { format, schema } if format == FORMAT && schema > SCHEMA => {
                Err(BackupError::Newer { found: schema })
            }
            _ => {
                let backup: Self = serde_json::from_slice(json).map_err(malformed)?;
                let good = backup.format == FORMAT && backup.sha256 == sum(&backup.trusts);
                if good { Ok(backup) } else { Err(BackupError::Malformed { source: None }) }
            }
        }
    }

    /// As one JSON document.
    ///
    /// # Errors
    /// [`BackupError::Malformed`]
    pub fn to_json(&self) -> Result<serde_json::Value, BackupError> {
        serde_json::to_value(self).map_err(|source| BackupError::Malformed { source: Some(source) })
    }

    /// The trust domains in it.
    pub fn domains(&self) -> impl Iterator<Item = &str> {
        self.trusts.keys().map(String::as_str)
    }

    /// When it was exported.
    #[must_use]
    pub fn exported(&self) -> Timestamp {
        self.exported
    }

    /// Puts all of it into a state directory that knows none of its trust domains. Where the directory had lost its
    /// floors, no verdict is given until every source verified, as without the import.
    ///
    /// # Errors
    /// [`BackupError`]: floors and chains are as they were. Only after [`BackupError::Chain`] the floors of all trust
    /// domains are there, and the chains of some: a daemon that starts on it fetches the others, and an import again is
    /// refused.
    pub fn import(&self, dir: &Path) -> Result<(), BackupError> {
        self.trusts.iter().try_for_each(|(domain, kept)| kept.check(domain))?;
        let state = StateDir::open(dir)?;
        let (ledger, found) = Ledger::open(dir)?;
        let before = ledger.pages();
        let known = |(domain, kept): &(&String, &Kept)| {
            let page = before.get(*domain);
            page.is_some_and(|page| page.has_floors() || page.epoch > kept.page.epoch)
        };
        if let Some((domain, _)) = self.trusts.iter().find(known) {
            return Err(BackupError::Known { dir: dir.to_owned(), domain: domain.clone() });
        }
        let (mut pages, mut chains) = (before.clone(), Vec::new());
        for (domain, kept) in &self.trusts {
            let chain = ChainDir::open(state.path(), &kept.scope(domain));
            let before = before.get(domain);
            let mut page = kept.page_after(before);
            page.floors_lost |= found.is_loss(before, &state, &chain);
            pages.insert(domain.clone(), page);
            chains.push((chain, kept));
        }
        // Floors first: without chains they only cost a refresh, chains without floors are a loss.
        ledger.adopt(pages)?;
        chains.iter().try_for_each(|(chain, kept)| kept.keep_in(chain))
    }
}

impl Kept {
    fn scope(&self, domain: &str) -> Scope {
        Scope { trust: domain.to_owned(), epoch: self.page.epoch }
    }

    /// What the floor file is to hold.
    fn page_after(&self, before: Option<&Page>) -> Page {
        let Some(before) = before else { return self.page.clone() };
        // What the agent said here is newer than what it said there.
        let heard = before.anchor != AnchorState::default();
        let anchor = if heard { &before.anchor } else { &self.page.anchor }.clone();
        let floors_lost = self.page.floors_lost || before.floors_lost;
        Page { anchor, floors_lost, ..self.page.clone() }
    }

    /// Keeps the files, unless what is there passes: it may be newer.
    fn keep_in(&self, chain: &ChainDir) -> Result<(), BackupError> {
        let there = chain.kept();
        let good = replay(|file| there.get(file).cloned(), &self.page.floors).chain.is_some();
        if !good && !self.chain.is_empty() {
            chain.keep(self.files())?;
        }
        Ok(())
    }

    fn files(&self) -> ChainFiles {
        let file = |Text { file, text }: &Text| (file.clone(), text.as_bytes().into());
        self.chain.iter().map(file).collect()
    }

    fn check(&self, domain: &str) -> Result<(), BackupError> {
        let files = self.files();
        let Replayed { root, chain, older } =
            replay(|file| files.get(file).cloned(), &self.page.floors);
        if self.chain.is_empty() || chain.is_some() || (older.is_none() && root.is_some()) {
            return Ok(());
        }
        let why = older.unwrap_or_else(|| "there is no trusted root".to_owned());
        Err(BackupError::Refused { domain: domain.to_owned(), why })
    }
}

/// The pages of a directory that is to be exported.
fn pages(dir: &Path) -> Result<BTreeMap<String, Page>, BackupError> {
    let dir_of = || dir.to_owned();
    match Ledger::open(dir)? {
        (ledger, Found::Intact) => Ok(ledger.pages()),
        (_, Found::Never) => Err(BackupError::Nothing { dir: dir_of() }),
        (_, Found::Lost) => Err(BackupError::Lost { dir: dir_of() }),
    }
}

/// Floors of one moment and the chain of the same.
fn settled(dir: &Path, domain: &str) -> Result<Kept, BackupError> {
    for _ in 0..TRIES {
        let page = pages(dir)?.remove(domain).unwrap_or_default();
        let scope = Scope { trust: domain.to_owned(), epoch: page.epoch };
        let files = ChainDir::open(dir, &scope);
        let (left, files) = (files.left(), files.kept());
        let again = pages(dir)?.remove(domain).unwrap_or_default();
        let kept = Kept { page, chain: texts(domain, &files)? };
        if left != Left::Damaged && again.floors == kept.page.floors && kept.check(domain).is_ok() {
            return Ok(kept);
        }
        thread::sleep(BETWEEN_TRIES);
    }
    Err(BackupError::Unsettled { domain: domain.to_owned() })
}

fn texts(domain: &str, files: &ChainFiles) -> Result<Vec<Text>, BackupError> {
    let text = |(file, bytes): (&ChainFile, &std::sync::Arc<[u8]>)| {
        let no_text = || BackupError::NoText { domain: domain.to_owned(), file: file.clone() };
        let text = std::str::from_utf8(bytes).map_err(|_| no_text())?.to_owned();
        Ok(Text { file: file.clone(), text })
    };
    files.iter().map(text).collect()
}

fn sum(trusts: &BTreeMap<String, Kept>) -> Sha256 {
    Sha256::of(&serde_json::to_vec(trusts).unwrap_or_default())
}
