//! What signing an image puts into a targets role.

use std::collections::BTreeMap;

use tufd_tuf::image::{ImageDigest, Reference, ReferenceError};

use crate::role::TargetFile;

/// An image in a registry, as `tufpub image sign` sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    reference: Reference,
    top: Descriptor,
    parts: Vec<Descriptor>,
}

/// A blob that can be asked for on its own: an index, a manifest or a config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    digest: ImageDigest,
    size: u64,
}

/// Why an image cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Not a reference, or not a digest, that a node would take.
    #[error("not an image")]
    Reference(#[from] ReferenceError),
    /// The reference pins another digest than the blob it stands for.
    #[error("the reference says {pinned}, the image is {found}")]
    OtherDigest {
        /// The digest in the reference.
        pinned: ImageDigest,
        /// The digest of the top blob.
        found: ImageDigest,
    },
}

impl Descriptor {
    /// The blob with this digest (`sha256:HEX`) and size in bytes.
    ///
    /// # Errors
    /// [`ImageError::Reference`] for other algorithms and spellings.
    pub fn new(digest: &str, size: u64) -> Result<Self, ImageError> {
        Ok(Self { digest: digest.parse()?, size })
    }

    /// The digest.
    pub fn digest(self) -> ImageDigest {
        self.digest
    }

    /// Size in bytes.
    pub fn size(self) -> u64 {
        self.size
    }

    fn target(self) -> TargetFile {
        TargetFile::sha256(self.size, self.digest.sha256())
    }
}

impl Image {
    /// The image that `reference` stands for: `top` is the index or manifest that it points at,
    /// `parts` the other blobs that may be asked for by digest (each child manifest, each config).
    ///
    /// The reference is read as nodes read it: `nginx` is `docker.io/library/nginx:latest`, and
    /// with a digest but no tag it is signed for no tag.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn new(
        reference: &str,
        top: Descriptor,
        parts: impl IntoIterator<Item = Descriptor>,
    ) -> Result<Self, ImageError> {
        let reference: Reference = reference.parse()?;
        match reference.digest() {
            Some(pinned) if pinned != top.digest => {
                Err(ImageError::OtherDigest { pinned, found: top.digest })
            }
            Some(_) | None => Ok(Self { reference, top, parts: parts.into_iter().collect() }),
        }
    }

    /// The reference in full.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The targets: `NAME:TAG` for the top blob, and `NAME@sha256:HEX` for every blob, because
    /// container runtimes drop the tag when they know the digest.
    pub fn targets(&self) -> BTreeMap<String, TargetFile> {
        let Self { reference, top, parts } = self;
        let by_digest =
            |blob: &Descriptor| (format!("{}@{}", reference.name(), blob.digest), blob.target());
        let asked_for = (reference.target_path(top.digest), top.target());
        std::iter::once(top).chain(parts).map(by_digest).chain([asked_for]).collect()
    }
}
