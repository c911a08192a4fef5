use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tufd_tuf::floors::Floors;
use tufd_tuf::metadata::{Role, Root, Snapshot, Targets, Timestamp};
use tufd_tuf::root::TrustedRoot;
use tufd_tuf::session::{Next, Session};
use tufd_tuf::trust::Trust;
use tufd_tuf::verified::Raw;

use super::error::ClientError;
use crate::fetch::FileName;

/// The metadata directory: the newest trusted file of each role as `ROLE.json`, and the floors.
///
/// Metadata in it is untrusted input, like the network's. The root in it is trusted, and so are the floors: whoever can
/// write them could replace the program.
#[derive(Debug)]
pub(super) struct MetadataDir {
    path: PathBuf,
    /// Held until the run ends.
    _lock: File,
}

/// Without `.json`: everything that ends so is metadata.
const FLOORS: &str = "floors";
/// No metadata may be larger; floors name all roles of a snapshot.
const FILE_BYTES_MAX: u64 = 8 << 20;

impl MetadataDir {
    /// Opens the directory; waits for a run that is using it.
    pub(super) fn open(path: &Path) -> Result<Self, ClientError> {
        match File::open(path).and_then(|dir| dir.lock().map(|()| dir)) {
            Ok(lock) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ClientError::NotInitialised { dir: path.to_owned() })
            }
            Err(source) => Err(ClientError::Unreadable { path: path.to_owned(), source }),
        }
    }

    /// Makes the directory where it is missing, and opens it.
    pub(super) fn create(path: &Path) -> Result<Self, ClientError> {
        fs::create_dir_all(path)
            .map_err(|source| ClientError::Unwritable { path: path.to_owned(), source })?;
        Self::open(path)
    }

    /// Trusts the first root (TUF 5.2).
    pub(super) fn init(&self, root: &Path) -> Result<(), ClientError> {
        if self.read(root_file()?.as_str())?.is_some() {
            return Err(ClientError::Initialised { dir: self.path.clone() });
        }
        let absent = || ClientError::Unreadable {
            path: root.to_owned(),
            source: io::ErrorKind::NotFound.into(),
        };
        let bytes: Arc<[u8]> = read(root)?.ok_or_else(absent)?.into();
        let trusted = shipped(root, &bytes)?;
        let mut floors = Floors::default();
        floors.root = Some(trusted.floor());
        self.keep_floors(&floors)?;
        self.replace(root_file()?.as_str(), &bytes)
    }

    /// The trusted root and the floors.
    pub(super) fn trusted(&self) -> Result<(TrustedRoot, Floors), ClientError> {
        let (root_file, floors_path) = (root_file()?, self.path.join(FLOORS));
        let not_initialised = || ClientError::NotInitialised { dir: self.path.clone() };
        let bytes = self.read(root_file.as_str())?.ok_or_else(not_initialised)?;
        let path = self.path.join(root_file.as_str());
        let root = shipped(&path, &bytes.into())?;
        let floors: Option<Floors> =
            self.read(FLOORS)?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Some((floors, floor)) = floors.and_then(|all| all.root.clone().map(|root| (all, root)))
        else {
            return Err(ClientError::FloorsLost { path: floors_path });
        };
        // A newer one was written by a run that ended before it wrote the floors.
        let newer = root.version() > floor.version;
        if !newer && root.floor().sha256 != floor.sha256 {
            return Err(ClientError::OtherRoot { path, trusted: floor.version });
        }
        Ok((root, floors))
    }

    /// The stored chain without delegated roles, if it passes the same gate as the network's.
    pub(super) fn chain(&self, root: &TrustedRoot, floors: &Floors) -> Option<Arc<Trust>> {
        let stored = |role| self.metadata(&FileName::metadata(None, role).ok()?);
        let timestamp = [stored(Timestamp::TYPE)?];
        let session = match Session::replay(root.clone(), floors).timestamp(timestamp).ok()? {
            Next::Snapshot(session) => session,
            Next::Roles(session) => return Some(session.finish().0),
        };
        let session = session.snapshot(stored(Snapshot::TYPE)?).ok()?;
        Some(session.targets(stored(Targets::TYPE)?).ok()?.finish().0)
    }

    /// A stored file. One that cannot be read is one that is not there.
    pub(super) fn metadata(&self, file: &FileName) -> Option<Arc<[u8]>> {
        self.read(file.as_str()).ok().flatten().map(Arc::from)
    }

    /// Keeps a root the moment it verified. It is read back as trusted whatever the floors say, so it comes first.
    pub(super) fn keep_root(&self, bytes: &[u8], floors: &Floors) -> Result<(), ClientError> {
        self.replace(root_file()?.as_str(), bytes)?;
        self.keep_floors(floors)
    }

    /// Keeps a verified file, its floor first: only then is a file that is behind the floors an old one.
    pub(super) fn keep(
        &self,
        file: &FileName,
        bytes: &[u8],
        floors: &Floors,
    ) -> Result<(), ClientError> {
        self.keep_floors(floors)?;
        self.replace(file.as_str(), bytes)
    }

    /// Keeps floors, but no time: time is what the caller says it is.
    pub(super) fn keep_floors(&self, floors: &Floors) -> Result<(), ClientError> {
        let path = self.path.join(FLOORS);
        let json = serde_json::to_vec(&floors.without_time())
            .map_err(|error| ClientError::Unwritable { path, source: error.into() })?;
        if self.read(FLOORS)?.is_some_and(|written| written == json) {
            return Ok(());
        }
        self.replace(FLOORS, &json)
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ClientError> {
        read(&self.path.join(name))
    }

    /// Puts the whole file in the place of the old one, or nothing.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), ClientError> {
        let path = self.path.join(name);
        let replace = || {
            let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            File::open(&self.path)?.sync_all()
        };
        replace().map_err(|source| ClientError::Unwritable { path: path.clone(), source })
    }
}

fn root_file() -> Result<FileName, ClientError> {
    Ok(FileName::metadata(None, Root::TYPE)?)
}

fn shipped(path: &Path, bytes: &Arc<[u8]>) -> Result<TrustedRoot, ClientError> {
    Raw::new(Arc::clone(bytes))
        .and_then(TrustedRoot::shipped)
        .map_err(|source| ClientError::Root { path: path.to_owned(), source })
}

/// A file of ours or of the caller's, cut where no metadata is so long.
fn read(path: &Path) -> Result<Option<Vec<u8>>, ClientError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ClientError::Unreadable { path: path.to_owned(), source }),
    }
}
