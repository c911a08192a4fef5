use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::process::geteuid;
use thiserror::Error;

const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// Who may own what leads to the configuration or to the socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owners {
    /// Besides root.
    other: Option<u32>,
}

/// A directory that only `Owners` can change the way to, held open, and the name of something in it.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) parent: OwnedFd,
    pub(crate) name: OsString,
    owners: Owners,
}

#[derive(Debug, Error)]
pub(crate) enum PlaceError {
    #[error("{} is not an absolute path without `..`", .0.display())]
    NotAbsolute(PathBuf),
    #[error("cannot open {}", .path.display())]
    Open { path: PathBuf, source: Errno },
    #[error("{} is not a {wanted} (symbolic links are not followed)", .path.display())]
    Kind { path: PathBuf, wanted: &'static str },
    #[error("{} belongs to uid {uid}, not to {owners}", .path.display())]
    Owner { path: PathBuf, uid: u32, owners: Owners },
    #[error("{} can be written by others (mode {mode:04o})", .path.display())]
    Writable { path: PathBuf, mode: u32 },
}

impl Owners {
    /// root and the user that this process runs as, who controls it anyway. Under containerd both are root.
    pub(crate) fn of_config() -> Self {
        Self { other: Some(geteuid().as_raw()) }
    }

    /// root and the daemon's user, if there is such a user.
    pub(crate) fn of_socket(daemon: Option<u32>) -> Self {
        Self { other: daemon }
    }

    pub(crate) fn hold(self, uid: u32) -> bool {
        uid == 0 || Some(uid) == self.other
    }
}

impl std::fmt::Display for Owners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.other {
            Some(0) => write!(f, "root"),
            None => write!(f, "root (daemon_user is not in /etc/passwd)"),
            Some(other) => write!(f, "root or uid {other}"),
        }
    }
}

impl Place {
    /// Walks from `/` by descriptors, so that what was checked is what is used.
    ///
    /// Each directory belongs to `owners`, and nobody else may write it. In a sticky one (`/tmp`) others may add
    /// names but not move ours, and each next name's owner is checked too.
    pub(crate) fn find(path: &Path, owners: Owners) -> Result<Self, PlaceError> {
        let names = names(path).ok_or_else(|| PlaceError::NotAbsolute(path.to_owned()))?;
        let Some((name, directories)) = names.split_last() else {
            return Err(PlaceError::NotAbsolute(path.to_owned()));
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut so_far = PathBuf::from("/");
        let mut parent = open(rustix::fs::CWD, Path::new("/"), &so_far, flags)?;
        check_directory(&parent, &so_far, owners)?;
        for directory in directories {
            so_far.push(directory);
            parent = open(&parent, Path::new(directory), &so_far, flags)?;
            check_directory(&parent, &so_far, owners)?;
        }
        Ok(Self { parent, name: (*name).to_owned(), owners })
    }

    /// Opens a regular file for reading and checks the file that was opened.
    pub(crate) fn open_file(&self, path: &Path) -> Result<std::fs::File, PlaceError> {
        // NONBLOCK: a FIFO must not hold us.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = open(&self.parent, Path::new(&self.name), path, flags)?;
        self.check_file(&file, path)?;
        Ok(file.into())
    }

    /// Opens a regular file of `owners` to append to, and makes it, for its owner alone, where it is missing.
    pub(crate) fn open_to_append(&self, path: &Path) -> Result<OwnedFd, PlaceError> {
        let how = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
        let flags = how | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = opened(rustix::fs::openat(&self.parent, &self.name, flags, mode), path)?;
        self.check_file(&file, path)?;
        Ok(file)
    }

    fn check_file(&self, file: &OwnedFd, path: &Path) -> Result<(), PlaceError> {
        let stat = stat_of(file, path)?;
        check_kind(&stat, FileType::RegularFile, "regular file", path)?;
        check_owner(&stat, path, self.owners)?;
        check_mode(&stat, path, OTHERS_WRITE)
    }

    /// Checks that the name is a socket and whose. Its mode says who may connect, not who may replace it.
    pub(crate) fn check_socket(&self, path: &Path) -> Result<(), PlaceError> {
        let stat =
            rustix::fs::statat(&self.parent, &self.name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|source| PlaceError::Open { path: path.to_owned(), source })?;
        check_kind(&stat, FileType::Socket, "socket", path)?;
        check_owner(&stat, path, self.owners)
    }
}

impl PlaceError {
    /// Nothing is there; everything on the way that is there was in order.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Open { source: Errno::NOENT, .. })
    }
}

fn names(path: &Path) -> Option<Vec<&OsStr>> {
    let mut components = path.components();
    if components.next() != Some(Component::RootDir) {
        return None;
    }
    components
        .map(|each| if let Component::Normal(name) = each { Some(name) } else { None })
        .collect()
}

fn open(
    at: impl std::os::fd::AsFd,
    name: &Path,
    path: &Path,
    flags: OFlags,
) -> Result<OwnedFd, PlaceError> {
    opened(rustix::fs::openat(at, name, flags, Mode::empty()), path)
}

fn opened(found: rustix::io::Result<OwnedFd>, path: &Path) -> Result<OwnedFd, PlaceError> {
    found.map_err(|source| {
        let path = path.to_owned();
        match source {
            Errno::NOTDIR => PlaceError::Kind { path, wanted: "directory" },
            Errno::LOOP => PlaceError::Kind { path, wanted: "regular file" },
            source => PlaceError::Open { path, source },
        }
    })
}

fn check_directory(directory: &OwnedFd, path: &Path, owners: Owners) -> Result<(), PlaceError> {
    let stat = stat_of(directory, path)?;
    check_owner(&stat, path, owners)?;
    if stat.st_mode & STICKY != 0 { Ok(()) } else { check_mode(&stat, path, OTHERS_WRITE) }
}

fn stat_of(file: &OwnedFd, path: &Path) -> Result<Stat, PlaceError> {
    rustix::fs::fstat(file).map_err(|source| PlaceError::Open { path: path.to_owned(), source })
}

fn check_kind(
    stat: &Stat,
    kind: FileType,
    wanted: &'static str,
    path: &Path,
) -> Result<(), PlaceError> {
    let found = FileType::from_raw_mode(stat.st_mode);
    if found == kind { Ok(()) } else { Err(PlaceError::Kind { path: path.to_owned(), wanted }) }
}

fn check_owner(stat: &Stat, path: &Path, owners: Owners) -> Result<(), PlaceError> {
    let uid = stat.st_uid;
    if owners.hold(uid) {
        Ok(())
    } else {
        Err(PlaceError::Owner { path: path.to_owned(), uid, owners })
    }
}

fn check_mode(stat: &Stat, path: &Path, refused: u32) -> Result<(), PlaceError> {
    let mode = stat.st_mode & 0o7777;
    if mode & refused == 0 {
        Ok(())
    } else {
        Err(PlaceError::Writable { path: path.to_owned(), mode })
    }
}
