//! The content of a target, checked as it comes (TUF 5.7.2).

use crate::hash::HashCheck;
use crate::metadata::Target;

/// Length and hashes of what has come so far.
pub struct ContentCheck {
    listed: u64,
    found: u64,
    hashes: HashCheck,
}

/// Why content is not the target's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentRefusal {
    /// More or fewer bytes than listed.
    #[error("{found} bytes came, {listed} are listed")]
    LengthMismatch {
        /// Bytes that came.
        found: u64,
        /// Bytes listed.
        listed: u64,
    },
    /// Not the bytes listed.
    #[error("its hash differs from the one listed")]
    HashMismatch,
}

impl Target {
    /// Begins to check content against what is listed.
    #[must_use]
    pub fn check(&self) -> ContentCheck {
        ContentCheck { listed: self.length, found: 0, hashes: self.hashes.check() }
    }
}

impl ContentCheck {
    /// Takes the next bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        self.found = self.found.saturating_add(bytes.len() as u64);
        self.hashes.take(bytes);
    }

    /// Ends: all of it has come.
    ///
    /// # Errors
    /// [`ContentRefusal`]: none of it may be used.
    pub fn finish(self) -> Result<(), ContentRefusal> {
        let Self { listed, found, hashes } = self;
        if found != listed {
            return Err(ContentRefusal::LengthMismatch { found, listed });
        }
        if hashes.matches() { Ok(()) } else { Err(ContentRefusal::HashMismatch) }
    }
}
