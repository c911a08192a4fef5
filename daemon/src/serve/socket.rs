//! Binding a Unix socket so that its name never leads to anything but a listening socket of the right mode.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::net::UnixListener;

use crate::peer::{PathError, real_path};

/// Mode of the parent directories that are made; a stricter umask makes them stricter.
const PARENT_MODE: u32 = 0o750;
/// Connections the kernel holds until they are accepted; it caps this at `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// Permission bits of a socket; connecting needs write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketMode(pub u32);

/// A name in the file system that leads to our listening socket. Dropping it removes the name, if it is still ours.
#[derive(Debug)]
pub struct SocketName {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketName {
    /// Where clients connect.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketName {
    /// Another daemon may have taken the name over: only our own inode is removed.
    fn drop(&mut self) {
        let still_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|entry| entry.dev() == self.device && entry.ino() == self.inode);
        if still_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the socket's name stays behind");
        }
    }
}

/// Why a socket cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Something that is not ours to remove lies there.
    #[error("{} exists and is not a socket", path.display())]
    NotASocket {
        /// The configured path.
        path: PathBuf,
    },
    /// A process listens there, or it cannot be told that none does.
    #[error("{} is served by another process", path.display())]
    InUse {
        /// The configured path.
        path: PathBuf,
        /// What connecting gave, unless it succeeded.
        source: Option<io::Error>,
    },
    /// The path has no last component, or no directory to lie in.
    #[error("{} names no file in a directory", path.display())]
    NoName {
        /// The configured path.
        path: PathBuf,
    },
    /// Somebody else could replace the socket.
    #[error("the directory of {} is not safe for a socket", path.display())]
    Directory {
        /// The configured path.
        path: PathBuf,
        /// The component at fault.
        source: PathError,
    },
    /// The system refused a step.
    #[error("cannot {step} for {}", path.display())]
    Io {
        /// The step, as a verb and its object.
        step: &'static str,
        /// The configured path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Listens on `path` with exactly `mode`; needs a tokio runtime.
///
/// Missing parents are made with mode 0750; all of them must belong to root or to this process's user and be closed
/// to others. The socket is bound under a passing name beside `path`, given its mode, made to listen and then renamed,
/// so nobody meets it with another mode and a stale socket is replaced in one step. The one-daemon rule itself is kept
/// by the lock of the state directory, not here.
///
/// # Errors
/// [`SocketError`]: a file of another kind at `path`, a live listener there, or a step that the system refused.
pub fn bind(path: &Path, mode: SocketMode) -> Result<(UnixListener, SocketName), SocketError> {
    let at = At { path };
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(SocketError::NoName { path: path.into() });
    };
    // The passing name may be the shorter one: a path that clients could not connect to is refused here.
    at.step("name the socket", SocketAddrUnix::new(path))?;
    at.step(
        "make the directory",
        DirBuilder::new().recursive(true).mode(PARENT_MODE).create(parent),
    )?;
    let own_uid = rustix::process::geteuid().as_raw();
    let parent = real_path(parent, &[own_uid])
        .map_err(|source| SocketError::Directory { path: path.into(), source })?;
    let place = parent.join(name);
    refuse_occupied(&at, &place)?;
    let passing = parent.join(passing_name());
    let bound = publish(&at, &passing, &place, mode);
    if bound.is_err() {
        let _ = fs::remove_file(&passing); // best effort: the error that matters is on its way
    }
    bound
}

/// Reports steps that fail under the path the operator configured.
struct At<'a> {
    path: &'a Path,
}

impl At<'_> {
    fn step<T, E: Into<io::Error>>(
        &self,
        step: &'static str,
        result: Result<T, E>,
    ) -> Result<T, SocketError> {
        result.map_err(|source| SocketError::Io {
            step,
            path: self.path.into(),
            source: source.into(),
        })
    }
}

fn publish(
    at: &At<'_>,
    passing: &Path,
    place: &Path,
    mode: SocketMode,
) -> Result<(UnixListener, SocketName), SocketError> {
    let socket = at.step("make a socket", unix_socket())?;
    let address = at.step("name the socket", SocketAddrUnix::new(passing))?;
    at.step("bind the socket", rustix::net::bind(&socket, &address))?;
    at.step("set the socket's mode", fs::set_permissions(passing, Permissions::from_mode(mode.0)))?;
    let entry = at.step("look at the socket", fs::symlink_metadata(passing))?;
    at.step("listen", rustix::net::listen(&socket, BACKLOG))?;
    let listener = at.step("listen", UnixListener::from_std(socket.into()))?;
    at.step("rename the socket", fs::rename(passing, place))?;
    Ok((listener, SocketName { path: place.into(), device: entry.dev(), inode: entry.ino() }))
}

/// Only an absent name and a socket on which nobody listens may be taken. A listener that cannot be told from a dead
/// one (no permission, a full backlog) counts as alive.
fn refuse_occupied(at: &At<'_>, place: &Path) -> Result<(), SocketError> {
    match fs::symlink_metadata(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return at.step("look at the path", Err(error)),
        Ok(entry) if !entry.file_type().is_socket() => {
            return Err(SocketError::NotASocket { path: at.path.into() });
        }
        Ok(_) => {}
    }
    let probe = at.step("make a socket", unix_socket())?;
    let address = at.step("name the socket", SocketAddrUnix::new(place))?;
    match rustix::net::connect(&probe, &address) {
        Err(rustix::io::Errno::CONNREFUSED | rustix::io::Errno::NOENT) => Ok(()),
        Ok(()) => Err(SocketError::InUse { path: at.path.into(), source: None }),
        Err(errno) => Err(SocketError::InUse { path: at.path.into(), source: Some(errno.into()) }),
    }
}

/// Non-blocking, so that probing a daemon with a full backlog answers at once.
fn unix_socket() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// Short, since a socket's path holds 107 bytes; unlike any other passing name of a living process.
fn passing_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(".{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};

    const MODE: SocketMode = SocketMode(0o660);

    fn room() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        (dir, real)
    }

    #[tokio::test]
    async fn socket_mode_is_exact_and_parents_are_made() {
        let (_dir, room) = room();
        for mode in [0o600, 0o660, 0o666] {
            let path = room.join(format!("made/{mode:o}/tufd.sock"));
            let (_listener, name) = bind(&path, SocketMode(mode)).unwrap();
            assert_eq!(name.path(), path);
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, mode);
            StdStream::connect(&path).unwrap();
            let around: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
            assert_eq!(around.len(), 1, "the passing name is gone");
        }
        assert_eq!(fs::metadata(room.join("made")).unwrap().mode() & 0o7027, 0, "closed to others");
    }

    #[tokio::test]
    async fn socket_stale_is_replaced() {
        let (_dir, room) = room();
        let path = room.join("tufd.sock");
        drop(StdListener::bind(&path).unwrap());
        let (_listener, _name) = bind(&path, MODE).unwrap();
        StdStream::connect(&path).unwrap();
    }

    #[tokio::test]
    async fn socket_of_a_living_daemon_refused() {
        let (_dir, room) = room();
        let path = room.join("tufd.sock");
        let (_listener, _name) = bind(&path, MODE).unwrap();
        let second = bind(&path, MODE).map(|_| ());
        assert!(matches!(second, Err(SocketError::InUse { .. })), "{second:?}");
        StdStream::connect(&path).unwrap();
    }

    #[tokio::test]
    async fn socket_other_kinds_refused_and_kept() {
        let (_dir, room) = room();
        let (_listener, _name) = bind(&room.join("real.sock"), MODE).unwrap();
        fs::write(room.join("file"), "precious").unwrap();
        fs::create_dir(room.join("folder")).unwrap();
        std::os::unix::fs::symlink("real.sock", room.join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", room.join("dangling")).unwrap();
        for name in ["file", "folder", "link", "dangling"] {
            let answer = bind(&room.join(name), MODE).map(|_| ());
            assert!(matches!(answer, Err(SocketError::NotASocket { .. })), "{name}: {answer:?}");
        }
        assert_eq!(fs::read_to_string(room.join("file")).unwrap(), "precious");
    }

    #[tokio::test]
    async fn socket_in_a_directory_open_to_others_refused() {
        let (_dir, room) = room();
        let open = room.join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        let answer = bind(&open.join("tufd.sock"), MODE).map(|_| ());
        assert!(matches!(answer, Err(SocketError::Directory { .. })), "{answer:?}");
    }

    #[tokio::test]
    async fn socket_is_removed_when_done_but_a_successor_stays() {
        let (_dir, room) = room();
        let path = room.join("tufd.sock");
        let (listener, name) = bind(&path, MODE).unwrap();
        drop((listener, name));
        assert!(!path.exists());
        let (listener, name) = bind(&path, MODE).unwrap();
        drop(listener);
        let (_listener, _successor) = bind(&path, MODE).unwrap();
        drop(name);
        StdStream::connect(&path).unwrap();
    }

    #[tokio::test]
    async fn socket_path_without_a_name_refused() {
        assert!(matches!(bind(Path::new("/"), MODE).map(|_| ()), Err(SocketError::NoName { .. })));
        let relative = bind(Path::new("relative"), MODE).map(|_| ());
        assert!(matches!(relative, Err(SocketError::Directory { .. })), "{relative:?}");
        let (_dir, room) = room();
        let long = bind(&room.join("x".repeat(120)), MODE).map(|_| ());
        assert!(matches!(long, Err(SocketError::Io { .. })), "{long:?}");
    }
}
