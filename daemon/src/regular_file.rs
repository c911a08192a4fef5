//! Reads a file whole: neither through a link out of its directory, nor a pipe that nobody writes to, nor more of it
//! than was asked for.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Why a name that exists gives no bytes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// A link, a directory, a pipe.
    #[error("it is no regular file")]
    NotRegular,
    /// Reading stopped there.
    #[error("it is longer than {limit_bytes} bytes")]
    TooLong {
        /// The most that was to be read.
        limit_bytes: u64,
    },
    /// The file system refused.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
}

/// Reads a regular file of at most `limit_bytes`; `None` where there is no such name.
pub(crate) fn read(path: &Path, limit_bytes: u64) -> Result<Option<Vec<u8>>, ReadError> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            return Err(ReadError::NotRegular);
        }
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(ReadError::NotRegular);
    }
    if metadata.len() > limit_bytes {
        return Err(ReadError::TooLong { limit_bytes });
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    file.take(limit_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= limit_bytes => Ok(Some(bytes)),
        _ => Err(ReadError::TooLong { limit_bytes }),
    }
}
