//! Images that exist by their digests only: no verdict ever needs the blobs.

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
        let blob = |part: &str| Descriptor::of(format!("{part} of {seed}").as_bytes());
        Self { index: blob("index"), manifest: blob("manifest"), config: blob("config") }
    }

    /// The image under `name:tag`, with `name` as `registry/repository` in full.
    pub fn tagged(&self, name: &str, tag: &str) -> Image {
        Image::tagged(name, tag, self.index, [self.manifest, self.config]).expect("a valid name")
    }
}
