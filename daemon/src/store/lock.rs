//! One daemon per state directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Holds the directory until dropped, or until the process ends in any way.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

/// Why the directory is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another daemon holds it.
    #[error("{} is held by the daemon with pid {pid}", path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// What the holder wrote, `unknown` where it is no number.
        pid: String,
    },
    /// The lock file cannot be opened or locked.
    #[error("cannot lock {}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl DirectoryLock {
    /// Takes `lock` in `dir`. It works on a full or read-only disk, where the pid cannot be written.
    ///
    /// # Errors
    /// [`LockError::Held`] by another process, or by another lock in this one.
    pub fn take(dir: &Path) -> Result<Self, LockError> {
        let path = dir.join("lock");
        let failed = |source| LockError::Io { path: path.clone(), source };
        let mut file = open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = pid_in(&mut file);
                return Err(LockError::Held { path, pid });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        if let Err(error) = write_pid(&mut file) {
            tracing::warn!(lock = %path.display(), %error, "cannot write the pid into the lock file");
        }
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags).mode(0o600);
    match options.clone().write(true).create(true).truncate(false).open(path) {
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => options.open(path),
        other => other,
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn pid_in(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(16).read_to_string(&mut text);
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(pid)) => pid.to_string(),
        _ => "unknown".to_owned(),
    }
}
