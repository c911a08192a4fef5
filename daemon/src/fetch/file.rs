//! A directory as a source. Whoever writes it is no more trusted than a web server.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::{ByteLimit, Failure, Fetched, FileName, Limits};

pub(super) async fn get(
    dir: PathBuf,
    name: FileName,
    limit: ByteLimit,
    limits: &Limits,
) -> Result<Fetched, Failure> {
    let reading = tokio::task::spawn_blocking(move || read(&dir, &name, limit));
    // A network file system can hang; its thread is left behind then, its waiter is not.
    match tokio::time::timeout(limits.total, reading).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Failure::Aborted),
        Err(_) => Err(Failure::Slow { received_bytes: 0, after: limits.total }),
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
