//! Names of cached files. They are hostile (a role name is whatever a repository says), so in the database each is a
//! hash under a domain of its own: never a path, and no two names share a key.

use aws_lc_rs::digest;

/// Everything one trust keeps within one epoch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Its trust domain.
    pub trust: String,
    /// Its epoch: raising it starts anew.
    pub epoch: u64,
}

/// Which file of a scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CacheFile {
    /// The newest trusted root.
    Root,
    /// The root before it, whose keys may be the ones that cover it.
    Predecessor,
    /// The timestamp.
    Timestamp,
    /// The snapshot.
    Snapshot,
    /// Targets metadata, the top-level `targets` or a delegated role, by its name as signed.
    Role(String),
}

/// The name of one cached file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheKey {
    /// Whose.
    pub scope: Scope,
    /// Which.
    pub file: CacheFile,
}

/// SHA-256.
pub(super) type Sum = [u8; 32];

/// The version of the database's layout, first in every key: another version's entries are never met.
const LAYOUT: u8 = 1;
const SCOPE_BYTES: usize = 2 + size_of::<Sum>();

impl Scope {
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
        let hash = named_hash("scope", self.epoch, &self.trust);
        [&[LAYOUT, kind][..], &hash].concat()
    }
}

impl CacheKey {
    /// `LAYOUT`, `h`, the hash of the scope, the hash of the file's name.
    pub(super) fn head(&self) -> Vec<u8> {
        let (kind, name) = match &self.file {
            CacheFile::Root => (0, ""),
            CacheFile::Predecessor => (1, ""),
            CacheFile::Timestamp => (2, ""),
            CacheFile::Snapshot => (3, ""),
            CacheFile::Role(name) => (4, name.as_str()),
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
