//! A whole repository with consistent snapshots, and its way into a directory.

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tufd_tuf::metadata::Version;

use crate::key::Signer;
use crate::role::{MetaFile, Snapshot, TimestampRole};
use crate::sign::{SignError, Signed};

/// The signed roots and targets roles that are to be published together.
#[derive(Debug, Clone, Default)]
pub struct Release {
    files: BTreeMap<String, Vec<u8>>,
    meta: BTreeMap<String, MetaFile>,
}

/// How an online role is issued: its version, its end, its holders.
#[derive(Clone, Copy)]
pub struct Issue<'a> {
    /// The version.
    pub version: Version,
    /// When the file ceases to be valid.
    pub expires: Timestamp,
    /// Who signs.
    pub signers: &'a [&'a dyn Signer],
}

/// The files of a repository by name, as a client asks for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repository {
    files: BTreeMap<String, Vec<u8>>,
}

/// Why a repository cannot be put together or written.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The metadata of a role is no file.
    #[error("role {role}")]
    Role {
        /// The role.
        role: String,
        /// What is wrong with it.
        source: SignError,
    },
    /// A delegated role may not be called like a top-level one.
    #[error("no targets role may be named {role:?}")]
    RoleName {
        /// The name.
        role: String,
    },
    /// The version was published with other bytes; publish the next one.
    #[error("{} was published with other content", path.display())]
    VersionReused {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("file {}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Release {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a root under its own version. Clients walk through all of them, so pass each one that
    /// was ever published.
    ///
    /// # Errors
    /// [`PublishError::Role`] when it is no metadata file.
    pub fn root(mut self, root: &Signed) -> Result<Self, PublishError> {
        let (version, bytes) = file_of("root", root)?;
        self.files.insert(versioned("root", version), bytes);
        Ok(self)
    }

    /// Adds the top-level `targets` or a delegated role; the snapshot will list it.
    ///
    /// # Errors
    /// [`PublishError::RoleName`] or [`PublishError::Role`].
    pub fn targets(mut self, role: &str, targets: &Signed) -> Result<Self, PublishError> {
        if role.is_empty() || ["root", "timestamp", "snapshot"].contains(&role) {
            return Err(PublishError::RoleName { role: role.to_owned() });
        }
        let (version, bytes) = file_of(role, targets)?;
        self.meta.insert(format!("{role}.json"), MetaFile::of(version, &bytes));
        self.files.insert(versioned(role, version), bytes);
        Ok(self)
    }

    /// Signs a snapshot of the targets roles that were added.
    ///
    /// # Errors
    /// [`PublishError::Role`] when a key fails.
    pub fn snapshot(&self, issue: Issue<'_>) -> Result<Signed, PublishError> {
        let role = Snapshot::new(issue.version, issue.expires, self.meta.clone());
        Signed::new(&role, issue.signers).map_err(failed("snapshot"))
    }

    /// Signs a timestamp of `snapshot`, a new one or, when only the timestamp is due, the one that
    /// was published last.
    ///
    /// # Errors
    /// [`PublishError::Role`] when a key fails or the snapshot is no metadata file.
    pub fn finish(
        mut self,
        snapshot: &Signed,
        timestamp: Issue<'_>,
    ) -> Result<Repository, PublishError> {
        let (version, bytes) = file_of("snapshot", snapshot)?;
        let meta = MetaFile::of(version, &bytes);
        self.files.insert(versioned("snapshot", version), bytes);
        let role = TimestampRole::new(timestamp.version, timestamp.expires, meta);
        let signed = Signed::new(&role, timestamp.signers).map_err(failed("timestamp"))?;
        let (_, bytes) = file_of("timestamp", &signed)?;
        self.files.insert(TIMESTAMP.to_owned(), bytes);
        Ok(Repository { files: self.files })
    }
}

impl Repository {
    /// The files by name: `N.root.json`, `N.ROLE.json`, `N.snapshot.json`, `timestamp.json`.
    pub fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    /// The files, to be kept elsewhere.
    pub fn into_files(self) -> BTreeMap<String, Vec<u8>> {
        self.files
    }

    /// Writes the files into a directory, each whole and on disk before the next, `timestamp.json`
    /// last: a client sees the old repository or the new one. Files of older versions stay.
    ///
    /// # Errors
    /// [`PublishError::VersionReused`] when a version was published with other bytes, which would
    /// split the clients; [`PublishError::File`] when the system refuses.
    pub fn write_to(&self, directory: &Path) -> Result<(), PublishError> {
        let wanted = |source| PublishError::File { path: directory.to_owned(), source };
        std::fs::create_dir_all(directory).map_err(wanted)?;
        let (last, first): (Vec<_>, Vec<_>) =
            self.files.iter().partition(|(name, _)| *name == TIMESTAMP);
        for (name, bytes) in first {
            write_version(&directory.join(name), bytes)?;
        }
        // The names are on disk before the timestamp that leads to them.
        sync(directory).map_err(wanted)?;
        for (name, bytes) in last {
            let path = directory.join(name);
            replace(&path, bytes).map_err(|source| PublishError::File { path, source })?;
        }
        sync(directory).map_err(wanted)
    }
}

/// The file name of a version of a role. Of a role's name only RFC 3986's unreserved characters
/// stand as they are, so that no name leaves the directory.
pub fn versioned(role: &str, version: Version) -> String {
    format!("{version}.{}.json", percent_encode(role))
}

const TIMESTAMP: &str = "timestamp.json";

fn percent_encode(role: &str) -> String {
    let mut name = String::with_capacity(role.len());
    for byte in role.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name
}

fn file_of(role: &str, signed: &Signed) -> Result<(Version, Vec<u8>), PublishError> {
    let version = signed.version().map_err(failed(role))?;
    Ok((version, signed.to_bytes().map_err(failed(role))?))
}

fn failed(role: &str) -> impl Fn(SignError) -> PublishError + '_ {
    move |source| PublishError::Role { role: role.to_owned(), source }
}

fn write_version(path: &Path, bytes: &[u8]) -> Result<(), PublishError> {
    match std::fs::read(path) {
        Ok(found) if found == bytes => Ok(()),
        Ok(_) => Err(PublishError::VersionReused { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => replace(path, bytes)
            .map_err(|source| PublishError::File { path: path.to_owned(), source }),
        Err(source) => Err(PublishError::File { path: path.to_owned(), source }),
    }
}

/// Metadata is public: 0644, whatever a temporary file is made with.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|refused| refused.error)?;
    Ok(())
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
