//! Pulls that `tufd-verifier` let through without asking us: it leaves a byte for each in a file.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::peer::ROOT_UID;

/// How many there are; `None` where the file is not the verifier's, and says nothing.
pub(crate) fn passed(file: &Path) -> Option<u64> {
    match std::fs::symlink_metadata(file) {
        Ok(found) => {
            let own = rustix::process::geteuid().as_raw();
            let by_the_verifier = found.is_file() && [ROOT_UID, own].contains(&found.uid());
            by_the_verifier.then_some(found.len())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(0),
        Err(_) => None,
    }
}
