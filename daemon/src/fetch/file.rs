//! A directory as a source. Whoever writes it is no more trusted than a web server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{ByteLimit, Failure, Fetched, FileName, Limits};
use crate::regular_file::{self, ReadError};

/// Reads of one directory that may be under way: each that hangs keeps a thread, and floors need threads, too.
const READS_MAX: usize = 2;

/// A directory, and the reads of it that have not ended.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    reads: Arc<Semaphore>,
}

impl Directory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, reads: Arc::new(Semaphore::new(READS_MAX)) }
    }

    pub(super) async fn get(
        &self,
        name: FileName,
        limit: ByteLimit,
        limits: &Limits,
    ) -> Result<Fetched, Failure> {
        let permit = Arc::clone(&self.reads)
            .try_acquire_owned()
            .map_err(|_| Failure::Hung { reads: READS_MAX })?;
        let path = self.path.clone();
        let reading = tokio::task::spawn_blocking(move || {
            // Given back by the read itself, however long ago its waiter left.
            let _permit = permit;
            read(&path, &name, limit)
        });
        // A network file system can hang; its thread is left behind then, its waiter is not.
        match tokio::time::timeout(limits.total, reading).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Failure::Aborted),
            Err(_) => Err(Failure::Slow { received_bytes: 0, after: limits.total }),
        }
    }
}

fn read(dir: &Path, name: &FileName, limit: ByteLimit) -> Result<Fetched, Failure> {
    match regular_file::read(&dir.join(name.as_str()), limit.bytes()) {
        Ok(Some(bytes)) => Ok(Fetched::Found(bytes)),
        Ok(None) => absent(dir),
        Err(ReadError::NotRegular) => Err(Failure::NotAFile),
        Err(ReadError::TooLong { limit_bytes: _ }) => Err(Failure::TooBig { limit }),
        Err(ReadError::Io(source)) => Err(Failure::Unreadable { source }),
    }
}

/// A directory that is not mounted says nothing about the files in it.
fn absent(dir: &Path) -> Result<Fetched, Failure> {
    if dir.is_dir() { Ok(Fetched::Absent) } else { Err(Failure::NoDirectory) }
}
