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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Hashes;

    const CONTENT: &[u8] = b"abc";
    const SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const SHA512: &str = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                          2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

    fn outcome(
        hashes: &[(&str, &str)],
        length: u64,
        pieces: &[&[u8]],
    ) -> Result<(), ContentRefusal> {
        let hashes = Hashes::from_map(hashes.iter().copied()).unwrap();
        let mut check = Target { length, hashes }.check();
        pieces.iter().for_each(|piece| check.take(piece));
        check.finish()
    }

    #[test]
    fn content_is_right_in_any_pieces_and_by_every_hash_listed() {
        for hashes in [
            &[("sha256", SHA256)][..],
            &[("sha512", SHA512)],
            &[("sha256", SHA256), ("sha512", SHA512)],
        ] {
            assert_eq!(outcome(hashes, 3, &[CONTENT]), Ok(()));
            assert_eq!(outcome(hashes, 3, &[b"a", b"", b"bc"]), Ok(()));
            assert_eq!(outcome(hashes, 3, &[b"abd"]), Err(ContentRefusal::HashMismatch));
        }
    }

    #[test]
    fn content_right_by_one_hash_only_is_refused() {
        let other = SHA512.replace('d', "e");
        let hashes = [("sha256", SHA256), ("sha512", other.as_str())];
        assert_eq!(outcome(&hashes, 3, &[CONTENT]), Err(ContentRefusal::HashMismatch));
    }

    #[test]
    fn content_longer_or_shorter_than_listed_is_refused() {
        for listed in [2, 4] {
            let refusal = ContentRefusal::LengthMismatch { found: 3, listed };
            assert_eq!(outcome(&[("sha256", SHA256)], listed, &[CONTENT]), Err(refusal));
        }
    }
}
