//! Images that exist by their digests only: no verdict ever needs the blobs.

use tufd_tuf::hash::Sha256;
use tufpub::{Descriptor, Image};

/// An image of one platform, as a registry shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FakeImage {
    /// What a tag points at.
    pub index: Descriptor,
    /// The platform's manifest.
    pub manifest: Descriptor,
    /// The image configuration.
    pub config: Descriptor,
}

impl FakeImage {
    /// The image made of `seed`: another seed gives other digests, the same seed the same.
    pub fn new(seed: &str) -> Self {
        let blob = |part: &str| {
            let content = format!("{part} of {seed}");
            let digest = format!("sha256:{}", Sha256::of(content.as_bytes()));
            Descriptor::new(&digest, content.len() as u64).expect("a digest")
        };
        Self { index: blob("index"), manifest: blob("manifest"), config: blob("config") }
    }

    /// The image under a reference such as `registry.acme.example/payments/api:1.0`.
    ///
    /// # Panics
    /// When it is no reference.
    pub fn named(&self, reference: &str) -> Image {
        Image::new(reference, self.index, [self.manifest, self.config]).expect("a reference")
    }
}
