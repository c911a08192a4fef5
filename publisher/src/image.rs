//! What signing an image puts into a targets role.

use std::collections::BTreeMap;

use tufd_tuf::hash::Sha256;

use crate::role::TargetFile;

/// An image in a registry, as `tufpub image sign` sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    name: String,
    tag: Option<String>,
    blobs: Vec<Descriptor>,
}

/// A blob that can be asked for on its own: an index, a manifest or a config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    sha256: Sha256,
    size: u64,
}

/// Why an image cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Not `registry/repository` in full.
    #[error("{found:?} is not registry/repository, without tag and digest")]
    Name {
        /// The text.
        found: String,
    },
    /// Not a tag.
    #[error("{found:?} is no tag")]
    Tag {
        /// The text.
        found: String,
    },
    /// Not a digest that can be signed.
    #[error("{found:?} is not sha256: and 64 lower-case digits of hexadecimal")]
    Digest {
        /// The text.
        found: String,
    },
}

impl Descriptor {
    /// The blob with this digest (`sha256:HEX`) and size in bytes.
    ///
    /// # Errors
    /// [`ImageError::Digest`] for other algorithms and spellings.
    pub fn new(digest: &str, size: u64) -> Result<Self, ImageError> {
        let hash = digest.strip_prefix("sha256:").and_then(|hex| hex.parse().ok());
        hash.map(|sha256| Self { sha256, size })
            .ok_or_else(|| ImageError::Digest { found: digest.to_owned() })
    }

    /// The descriptor of a blob at hand.
    pub fn of(blob: &[u8]) -> Self {
        Self { sha256: Sha256::of(blob), size: blob.len() as u64 }
    }

    /// `sha256:HEX`.
    pub fn digest(self) -> String {
        format!("sha256:{}", self.sha256)
    }

    /// Size in bytes.
    pub fn size(self) -> u64 {
        self.size
    }
}

impl Image {
    /// The image that `name:tag` stands for: `top` is the index or manifest that the tag points
    /// at, `parts` the other blobs that may be asked for by digest (each child manifest, each
    /// config). `name` is `registry/repository` in full, `docker.io/library/nginx` and not `nginx`.
    ///
    /// # Errors
    /// [`ImageError::Name`] or [`ImageError::Tag`].
    pub fn tagged(
        name: &str,
        tag: &str,
        top: Descriptor,
        parts: impl IntoIterator<Item = Descriptor>,
    ) -> Result<Self, ImageError> {
        if !is_tag(tag) {
            return Err(ImageError::Tag { found: tag.to_owned() });
        }
        Ok(Self { tag: Some(tag.to_owned()), ..Self::untagged(name, top, parts)? })
    }

    /// An image that may be asked for by digest only.
    ///
    /// # Errors
    /// [`ImageError::Name`].
    pub fn untagged(
        name: &str,
        top: Descriptor,
        parts: impl IntoIterator<Item = Descriptor>,
    ) -> Result<Self, ImageError> {
        if !is_full_name(name) {
            return Err(ImageError::Name { found: name.to_owned() });
        }
        let blobs = std::iter::once(top).chain(parts).collect();
        Ok(Self { name: name.to_owned(), tag: None, blobs })
    }

    /// The targets: `NAME:TAG` for the top blob, and `NAME@sha256:HEX` for every blob, because
    /// container runtimes drop the tag when they know the digest.
    pub fn targets(&self) -> BTreeMap<String, TargetFile> {
        let Self { name, tag, blobs } = self;
        let file = |blob: &Descriptor| TargetFile::sha256(blob.size, blob.sha256);
        let by_digest = blobs.iter().map(|blob| (format!("{name}@{}", blob.digest()), file(blob)));
        let by_tag = tag.iter().zip(blobs).map(|(tag, top)| (format!("{name}:{tag}"), file(top)));
        by_digest.chain(by_tag).collect()
    }
}

const NAME_BYTES: usize = 255;
const TAG_BYTES: usize = 128;

/// The first part names a registry only with a dot, a port or as `localhost`
/// (distribution/reference); a short name would be signed for nobody.
fn is_full_name(name: &str) -> bool {
    let Some((registry, repository)) = name.split_once('/') else { return false };
    let host = registry.contains(['.', ':']) || registry == "localhost";
    host && name.len() <= NAME_BYTES
        && registry.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
        && repository.split('/').all(is_path_component)
}

fn is_path_component(part: &str) -> bool {
    let alphanumeric = |byte: Option<u8>| {
        byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let allowed = |byte| alphanumeric(Some(byte)) || b"._-".contains(&byte);
    alphanumeric(part.bytes().next())
        && alphanumeric(part.bytes().last())
        && part.bytes().all(allowed)
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (1..=TAG_BYTES).contains(&tag.len())
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|byte| word(byte) || b".-".contains(&byte))
}
