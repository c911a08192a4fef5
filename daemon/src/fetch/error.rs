//! Why a file could not be had: always another thing than that it is not there.

use std::io;
use std::time::Duration;

use super::{ByteLimit, FileName, SourceUrl};

/// One file that one source did not give.
#[derive(Debug, thiserror::Error)]
#[error("cannot fetch {file} from {from}")]
pub struct FetchError {
    /// The source asked.
    pub from: SourceUrl,
    /// The file asked for.
    pub file: FileName,
    /// Why.
    #[source]
    pub failure: Failure,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The file is longer than it may be; reading stopped there.
    #[error("it is longer than {limit}")]
    TooBig {
        /// The most that was to be read.
        limit: ByteLimit,
    },
    /// The bytes came too slowly, or not at all.
    #[error("only {received_bytes} bytes came in {after:?}")]
    Slow {
        /// How much had arrived.
        received_bytes: u64,
        /// After how long.
        after: Duration,
    },
    /// No connection to the server, or no TLS with it.
    #[error("the server cannot be reached")]
    Unreachable {
        /// Why.
        source: reqwest::Error,
    },
    /// The exchange broke off.
    #[error("the exchange with the server broke off")]
    Broken {
        /// Why.
        source: reqwest::Error,
    },
    /// The server answered something else than the file or its absence.
    #[error("the server answered with status {code}")]
    Status {
        /// The HTTP status.
        code: u16,
    },
    /// The server sent us elsewhere, which is not followed.
    #[error("the server answered with redirect {code}, and none is followed")]
    Redirect {
        /// The HTTP status.
        code: u16,
    },
    /// The directory of the source is not there: nothing is known about its files.
    #[error("the directory is not there")]
    NoDirectory,
    /// The name is a link, a pipe, a directory or a device.
    #[error("it is not a regular file")]
    NotAFile,
    /// The file cannot be read.
    #[error("it cannot be read")]
    Unreadable {
        /// Why.
        source: io::Error,
    },
    /// So many reads of the directory have not ended; no more are begun until one does.
    #[error("the directory hangs: {reads} reads of it have not ended")]
    Hung {
        /// How many.
        reads: usize,
    },
    /// What came cannot be put where it should go.
    #[error("what came cannot be written")]
    Unwritable {
        /// Why.
        source: io::Error,
    },
    /// The task that fetched it ended by itself.
    #[error("the fetching task ended unexpectedly")]
    Aborted,
}
