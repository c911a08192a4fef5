//! A directory as a source. Whoever writes it is no more trusted than a web server.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Errno;
use tokio::sync::Semaphore;

use super::{ByteLimit, Failure, Fetched, FileName, Limits};

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
    // Neither a link out of the directory nor a pipe that nobody writes to.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(dir.join(name.as_str()));
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return absent(dir),
        Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            return Err(Failure::NotAFile);
        }
        Err(source) => return Err(Failure::Unreadable { source }),
    };
    let unreadable = |source| Failure::Unreadable { source };
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Failure::NotAFile);
    }
    if metadata.len() > limit.bytes() {
        return Err(Failure::TooBig { limit });
    }
    let mut bytes = Vec::new();
    file.take(limit.bytes().saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= limit.bytes() => Ok(Fetched::Found(bytes)),
        _ => Err(Failure::TooBig { limit }),
    }
}

/// A directory that is not mounted says nothing about the files in it.
fn absent(dir: &Path) -> Result<Fetched, Failure> {
    if dir.is_dir() { Ok(Fetched::Absent) } else { Err(Failure::NoDirectory) }
}
