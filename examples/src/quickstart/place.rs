use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rustix::fs::Mode;
use rustix::process::{geteuid, umask};
use tempfile::TempDir;

/// The kernel takes socket paths of 107 bytes: where the usual directory is deep, `/tmp` it is.
const BASE_BYTES_MAX: usize = 60;
/// The kernel shows this for every user it cannot map, so the verifier believes nobody who has it.
const OVERFLOW_UID: u32 = 65534;

/// A private directory that holds everything and is removed at the end.
#[derive(Debug)]
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Result<Self> {
        ensure!(
            geteuid().as_raw() != OVERFLOW_UID,
            "uid {OVERFLOW_UID} stands for every user that the kernel cannot map; run it as any other user"
        );
        // The verifier refuses files that others may write, whatever the user's umask is.
        umask(Mode::RWXG | Mode::RWXO);
        // It follows no symbolic links, either.
        let usual = std::env::temp_dir().canonicalize().context("no temporary directory")?;
        let base = if usual.as_os_str().len() > BASE_BYTES_MAX { "/tmp".into() } else { usual };
        let directory = tempfile::Builder::new().prefix("tufd-quickstart-").tempdir_in(&base);
        Ok(Self(
            directory.with_context(|| format!("cannot make a directory in {}", base.display()))?,
        ))
    }

    /// The path of something in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// What the organisation publishes into, and the daemon reads.
    pub(crate) fn repository(&self) -> PathBuf {
        self.path("repository")
    }

    pub(crate) fn agent_socket(&self) -> PathBuf {
        self.path("agent/api.sock")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("run/tufd.sock")
    }

    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.path("admin/admin.sock")
    }

    /// Makes a directory in it.
    pub(crate) fn directory(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }

    /// Writes a file that only we may change.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Opens a log that is only added to.
    pub(crate) fn log(&self, name: &str) -> Result<File> {
        let path = self.path(name);
        File::options()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Removes it with everything in it.
    pub(crate) fn remove(self) -> Result<()> {
        let path = self.0.path().to_owned();
        self.0.close().with_context(|| format!("{} stays behind", path.display()))
    }
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::write(path, text)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))
}
