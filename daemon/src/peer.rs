//! Who is on the other end of a Unix socket, and who can reach into a path.
//!
//! A Unix socket authenticates nobody by its name: what counts is the uid the kernel reports for the connection
//! in hand, and that nobody else can swap what the path leads to.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use tokio::net::UnixStream;

/// The superuser.
pub const ROOT_UID: u32 = 0;

/// Links followed before a path is refused, as the kernel's own limit (`ELOOP`, path_resolution(7)).
const LINKS_MAX: u32 = 40;
/// `S_ISVTX`: in such a directory nobody but the owner can rename or remove an entry.
const MODE_STICKY: u32 = 0o1000;
/// Write for the group or for others.
const MODE_WRITABLE_BY_OTHERS: u32 = 0o022;

/// Credentials of a peer as the kernel recorded them when it connected or listened (`SO_PEERCRED`, unix(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Effective user id, as seen in this process's user namespace.
    pub uid: u32,
    /// Effective primary group id; supplementary groups are not reported.
    pub gid: u32,
    /// Process id, where the kernel knows one. It may be reused: for logs only.
    pub pid: Option<i32>,
}

impl Peer {
    /// The peer of a connected stream.
    ///
    /// # Errors
    /// When the kernel does not tell, for example because the peer is already gone.
    pub fn of(stream: &UnixStream) -> io::Result<Self> {
        let cred = stream.peer_cred()?;
        Ok(Self { uid: cred.uid(), gid: cred.gid(), pid: cred.pid() })
    }
}

/// Why a path is not to be relied on.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// Only an absolute path names one thing.
    #[error("{} is not an absolute path", path.display())]
    NotAbsolute {
        /// The path as given.
        path: PathBuf,
    },
    /// Whoever owns this could lead the path elsewhere.
    #[error("{} belongs to uid {uid}, which is neither root nor trusted here", path.display())]
    Owner {
        /// The directory, link or last entry.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Others could replace what this directory holds.
    #[error("directory {} is writable by group or others (mode {mode:04o})", path.display())]
    Writable {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The links of the path lead in circles.
    #[error("{} leads through too many symbolic links", path.display())]
    Links {
        /// The path as given.
        path: PathBuf,
    },
    /// A component could not be read.
    #[error("cannot look at {}", path.display())]
    Io {
        /// The component.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Walks to `path` as the kernel would and returns where it really leads.
///
/// Every directory passed and every link followed must belong to root or to one of `owners`, and no directory may be
/// writable by group or others unless it is sticky. So between this walk and the use of the returned path nobody but
/// them can change what it names. The last entry's owner is held to the same; its kind is the caller's to check.
///
/// # Errors
/// [`PathError`] naming the first component that fails.
pub fn real_path(path: &Path, owners: &[u32]) -> Result<PathBuf, PathError> {
    if !path.is_absolute() {
        return Err(PathError::NotAbsolute { path: path.into() });
    }
    let mut real = PathBuf::from("/");
    check_entry(&real, &look_at(&real)?, owners)?;
    let mut pending = names_of(path);
    let mut links = 0;
    while let Some(name) = pending.pop_front() {
        if name == ".." {
            real.pop();
            continue;
        }
        let next = real.join(&name);
        let entry = look_at(&next)?;
        check_entry(&next, &entry, owners)?;
        if !entry.is_symlink() {
            real = next;
            continue;
        }
        links += 1;
        if links > LINKS_MAX {
            return Err(PathError::Links { path: path.into() });
        }
        let target = fs::read_link(&next).map_err(|source| PathError::Io { path: next, source })?;
        if target.is_absolute() {
            real = PathBuf::from("/");
        }
        let mut rest = names_of(&target);
        rest.append(&mut pending);
        pending = rest;
    }
    Ok(real)
}

fn check_entry(path: &Path, entry: &Metadata, owners: &[u32]) -> Result<(), PathError> {
    let uid = entry.uid();
    if uid != ROOT_UID && !owners.contains(&uid) {
        return Err(PathError::Owner { path: path.into(), uid });
    }
    let mode = entry.mode() & 0o7777;
    if entry.is_dir() && mode & MODE_WRITABLE_BY_OTHERS != 0 && mode & MODE_STICKY == 0 {
        return Err(PathError::Writable { path: path.into(), mode });
    }
    Ok(())
}

fn look_at(path: &Path) -> Result<Metadata, PathError> {
    fs::symlink_metadata(path).map_err(|source| PathError::Io { path: path.into(), source })
}

/// The names to walk, without `/` and `.`; `..` is kept as itself.
fn names_of(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn own_uid() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn room() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        (dir, real)
    }

    #[test]
    fn path_through_trusted_links_is_resolved() {
        let (_dir, room) = room();
        fs::create_dir_all(room.join("a/b")).unwrap();
        fs::write(room.join("a/file"), "").unwrap();
        symlink("a/b/..", room.join("relative")).unwrap();
        symlink(room.join("relative"), room.join("absolute")).unwrap();
        let real = real_path(&room.join("absolute/./file"), &[own_uid()]).unwrap();
        assert_eq!(real, room.join("a/file"));
    }

    #[test]
    fn path_world_writable_directory_refused() {
        let (_dir, room) = room();
        let open = room.join("open");
        fs::create_dir(&open).unwrap();
        fs::write(open.join("file"), "").unwrap();
        for (mode, sound) in [(0o777, false), (0o770, false), (0o1777, true), (0o755, true)] {
            fs::set_permissions(&open, fs::Permissions::from_mode(mode)).unwrap();
            let answer = real_path(&open.join("file"), &[own_uid()]);
            assert_eq!(answer.is_ok(), sound, "mode {mode:o}: {answer:?}");
        }
    }

    #[test]
    fn path_detour_through_a_writable_directory_refused() {
        let (_dir, room) = room();
        let open = room.join("open");
        fs::create_dir(&open).unwrap();
        fs::write(room.join("file"), "").unwrap();
        // Both ends are sound; only the link in between lies where anybody may replace it.
        symlink(room.join("file"), open.join("second")).unwrap();
        symlink(open.join("second"), room.join("first")).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        let answer = real_path(&room.join("first"), &[own_uid()]);
        assert!(
            matches!(answer, Err(PathError::Writable { ref path, .. }) if *path == open),
            "{answer:?}"
        );
    }

    #[test]
    fn path_of_a_foreign_owner_refused() {
        let (_dir, room) = room();
        let foreign_uid = own_uid() + 1;
        let owned_by_foreign = std::os::unix::fs::chown(&room, Some(foreign_uid), None).is_ok();
        let trusted = if owned_by_foreign { own_uid() } else { foreign_uid };
        let answer = real_path(&room, &[trusted]);
        assert!(
            matches!(answer, Err(PathError::Owner { ref path, .. }) if *path == room),
            "{answer:?}"
        );
    }

    #[test]
    fn path_link_loop_refused() {
        let (_dir, room) = room();
        symlink(room.join("b"), room.join("a")).unwrap();
        symlink(room.join("a"), room.join("b")).unwrap();
        assert!(matches!(real_path(&room.join("a"), &[own_uid()]), Err(PathError::Links { .. })));
    }

    #[test]
    fn path_relative_refused() {
        assert!(matches!(real_path(Path::new("run/x"), &[0]), Err(PathError::NotAbsolute { .. })));
    }
}
