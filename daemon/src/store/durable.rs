//! One way to replace a file so that after a power cut it is its old or its new whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const TEMPORARY: &str = ".new";

/// Replaces `dir/name`: a temporary file, fsync, rename over the name, fsync of the directory.
///
/// A failed fsync is final for its file (the kernel may have dropped the pages), so a retry starts with a new one.
pub(super) fn replace(dir: &Path, name: &str, parts: &[&[u8]]) -> io::Result<()> {
    let written = write_temporary(dir, name, parts);
    let renamed = written.and_then(|file| {
        file.sync_all()?;
        std::fs::rename(temporary(dir, name), dir.join(name))
    });
    if renamed.is_err() {
        // It takes space that a full disk needs; what cannot be removed is overwritten the next time.
        let _ = std::fs::remove_file(temporary(dir, name));
    }
    renamed.and_then(|()| sync_directory(dir))
}

/// Writes the temporary file that is to become `dir/name`. It is neither durable yet nor in its place.
pub(super) fn write_temporary(dir: &Path, name: &str, parts: &[&[u8]]) -> io::Result<File> {
    let temporary = temporary(dir, name);
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    for part in parts {
        file.write_all(part)?;
    }
    Ok(file)
}

/// The name under which `dir/name` is written.
pub(super) fn temporary(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}{TEMPORARY}"))
}

/// Whether it is the name of such a file.
pub(super) fn is_temporary(name: &str) -> bool {
    name.ends_with(TEMPORARY)
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
