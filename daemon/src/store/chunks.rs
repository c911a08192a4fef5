//! A file as chunks small enough that sled keeps them in its log (larger messages go to blobs that are never synced),
//! and a head that says what they must add up to.

use super::guard::CacheError;
use super::key::{Sum, sum};

/// sled's blobs begin far above.
pub(super) const MAX_CHUNK_BYTES: usize = 6 * 1024;
/// Above what any role may have on the wire.
pub(super) const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;

/// Length and sum of a whole file; with its chunks it is the file or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    length: usize,
    /// SHA-256 of the whole.
    pub(super) sum: Sum,
}

impl Head {
    /// Of the bytes to be kept.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, CacheError> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(CacheError::TooLarge { found: bytes.len(), limit: MAX_FILE_BYTES });
        }
        Ok(Self { length: bytes.len(), sum: sum(bytes) })
    }

    /// 8 bytes of length, big-endian, then the sum.
    pub(super) fn encode(&self) -> Vec<u8> {
        [&(self.length as u64).to_be_bytes()[..], &self.sum].concat()
    }

    /// From what the database says, which is not believed: the length is bounded here, the sum checked in `assemble`.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, CacheError> {
        let damaged = CacheError::Damaged { evidence: "the head is malformed" };
        let Some((length, sum)) = bytes.split_first_chunk::<8>() else { return Err(damaged) };
        match (usize::try_from(u64::from_be_bytes(*length)), sum.try_into()) {
            (Ok(length), Ok(sum)) if length <= MAX_FILE_BYTES => Ok(Self { length, sum }),
            _ => Err(damaged),
        }
    }

    /// Puts the file together from its chunks, asked for by number.
    pub(super) fn assemble<C: AsRef<[u8]>>(
        &self,
        mut chunk: impl FnMut(u32) -> Result<Option<C>, CacheError>,
    ) -> Result<Vec<u8>, CacheError> {
        let mut whole = Vec::new();
        for number in 0.. {
            if whole.len() >= self.length {
                break;
            }
            let bytes =
                chunk(number)?.ok_or(CacheError::Damaged { evidence: "a chunk is missing" })?;
            let bytes = bytes.as_ref();
            if bytes.is_empty() || bytes.len() > MAX_CHUNK_BYTES {
                return Err(CacheError::Damaged { evidence: "a chunk has a wrong size" });
            }
            whole.extend_from_slice(bytes);
        }
        if whole.len() != self.length || sum(&whole) != self.sum {
            return Err(CacheError::Damaged { evidence: "the sum does not match" });
        }
        Ok(whole)
    }
}
