//! Known-good: what a node may go on allowing for a while when it cannot have fresh metadata.

use jiff::SignedDuration;

use crate::hash::Sha256;

/// What happens when fresh metadata cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Availability {
    /// Expired is DENY.
    #[default]
    Strict,
    /// What the last verified chain still allows, and this node allowed before under an unexpired one, stays allowed.
    KnownGood {
        /// For so long past the expiry, or past the moment at which a role went missing.
        grace: SignedDuration,
    },
}

/// Names one ALLOW of the past: of a trust, for a reference and a digest. It is a filter and proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AllowKey(Sha256);

impl AllowKey {
    /// Of a `[[trust]]` by name, a reference in full and a digest. None of them holds a zero byte.
    #[must_use]
    pub fn new(trust: &str, reference: &str, digest: &str) -> Self {
        let text = [trust, reference, digest].join("\0");
        Self(Sha256::of(text.as_bytes()))
    }

    /// As it is kept.
    #[must_use]
    pub fn into_bytes(self) -> [u8; 32] {
        self.0.into_bytes()
    }
}
