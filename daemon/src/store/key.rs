//! Names of the files of a chain. They are hostile (a role name is whatever a repository says), so on the disk each is
//! a hash: never a path, and no two names share one.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

/// Everything one trust keeps within one epoch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Its trust domain.
    pub trust: String,
    /// Its epoch: raising it starts anew.
    pub epoch: u64,
}

/// The files of one chain, or of what there is of it.
pub type ChainFiles = BTreeMap<ChainFile, Arc<[u8]>>;

/// Which file of a chain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChainFile {
    /// The newest trusted root.
    Root,
    /// The root before it, which is still the trusted one where a kill came before the floor of the newest.
    Predecessor,
    /// The timestamp.
    Timestamp,
    /// The snapshot.
    Snapshot,
    /// Targets metadata, the top-level `targets` or a delegated role, by its name as signed.
    Role(String),
}

/// The name of one file in the database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheKey {
    /// Whose.
    pub scope: Scope,
    /// Which.
    pub file: ChainFile,
}

/// SHA-256.
pub(super) type Sum = [u8; 32];

/// The version of the database's layout, first in every key: another version's entries are never met.
const LAYOUT: u8 = 1;
const SCOPE_BYTES: usize = 2 + size_of::<Sum>();

impl Scope {
    /// Its name as a directory.
    pub(super) fn directory(&self) -> String {
        hex::encode(self.hash())
    }

    /// Start of the keys of this scope's heads: one per file.
    pub(super) fn heads(&self) -> Vec<u8> {
        self.prefix(b'h')
    }

    /// Start of the keys of this scope's chunks.
    pub(super) fn chunks(&self) -> Vec<u8> {
        self.prefix(b'c')
    }

    /// `LAYOUT`, the kind, then the hash of the scope.
    fn prefix(&self, kind: u8) -> Vec<u8> {
        [&[LAYOUT, kind][..], &self.hash()].concat()
    }

    fn hash(&self) -> Sum {
        named_hash("scope", self.epoch, &self.trust)
    }
}

impl CacheKey {
    /// `LAYOUT`, `h`, the hash of the scope, the hash of the file's name.
    pub(super) fn head(&self) -> Vec<u8> {
        let (kind, name) = match &self.file {
            ChainFile::Root => (0, ""),
            ChainFile::Predecessor => (1, ""),
            ChainFile::Timestamp => (2, ""),
            ChainFile::Snapshot => (3, ""),
            ChainFile::Role(name) => (4, name.as_str()),
        };
        [self.scope.heads(), named_hash("file", kind, name).to_vec()].concat()
    }
}

/// `LAYOUT`, `c`, the hash of the scope, the sum of the whole value, the chunk's number.
///
/// Named by content, the chunks of a new version never overwrite those that the old head points to.
pub(super) fn chunk(scope: &Scope, whole: &Sum, number: u32) -> Vec<u8> {
    [scope.chunks(), whole.to_vec(), number.to_be_bytes().to_vec()].concat()
}

/// The sum of the whole value in a chunk's key.
pub(super) fn whole_of(chunk_key: &[u8]) -> Option<Sum> {
    chunk_key.get(SCOPE_BYTES..SCOPE_BYTES + size_of::<Sum>())?.try_into().ok()
}

/// Start of the keys of the record of what was allowed, each followed by a key of that.
pub(super) const ALLOWED: [u8; 2] = [LAYOUT, b'a'];

/// SHA-256 of `bytes`.
pub(super) fn sum(bytes: &[u8]) -> Sum {
    finish(digest::digest(&digest::SHA256, bytes))
}

/// The name comes last and everything before it has a fixed length, so no two inputs read the same.
fn named_hash(domain: &'static str, number: u64, name: &str) -> Sum {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(domain.as_bytes());
    context.update(&[0]);
    context.update(&number.to_be_bytes());
    context.update(name.as_bytes());
    finish(context.finish())
}

fn finish(digest: digest::Digest) -> Sum {
    let mut sum = [0; size_of::<Sum>()];
    sum.copy_from_slice(digest.as_ref());
    sum
}
