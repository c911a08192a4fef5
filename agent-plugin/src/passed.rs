//! A pull that passes without a verdict leaves a byte behind: tufd cannot count what it was not asked, but it can see how
//! long the file is.

use std::path::Path;

use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;
use thiserror::Error;

use crate::place::{Owners, Place, PlaceError};

/// tufd, another user, asks for the file's length and not for the file.
const DIRECTORY_MODE: u32 = 0o755;

#[derive(Debug, Error)]
pub(crate) enum MarkError {
    #[error("its mark is in no place that only root can write")]
    Place(#[from] PlaceError),
    #[error("cannot make the directory of its mark")]
    Make(#[source] Errno),
    #[error("cannot write its mark")]
    Write(#[source] Errno),
}

/// Leaves the byte. The file is made where it is missing, and so is its directory, as after each boot.
pub(crate) fn mark(path: &Path) -> Result<(), MarkError> {
    let file = match open(path) {
        Err(error) if error.is_missing() => {
            make_directory(path)?;
            open(path)?
        }
        opened => opened?,
    };
    rustix::io::write(file, b".").map(drop).map_err(MarkError::Write)
}

fn open(path: &Path) -> Result<std::os::fd::OwnedFd, PlaceError> {
    Place::find(path, Owners::of_config())?.open_to_append(path)
}

fn make_directory(of: &Path) -> Result<(), MarkError> {
    let Some(directory) = of.parent() else { return Ok(()) };
    let Place { parent, name, .. } = Place::find(directory, Owners::of_config())?;
    let mode = Mode::from_raw_mode(DIRECTORY_MODE);
    match rustix::fs::mkdirat(&parent, &name, mode) {
        // Whatever the umask is.
        Ok(()) => rustix::fs::chmodat(&parent, &name, mode, AtFlags::empty()),
        // Another pull was faster.
        Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error),
    }
    .map_err(MarkError::Make)
}
