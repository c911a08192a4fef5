//! Opens a connection to the Workload API, and only to one that a trusted user serves.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

use crate::peer::{PathError, Peer, real_path};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Somebody else could make the path lead to a socket of their own, or it leads nowhere.
    #[error("the path of the Workload API socket cannot be trusted")]
    Path(#[from] PathError),
    /// Something else lies there.
    #[error("{} is not a socket", path.display())]
    NotASocket {
        /// Where the configured path leads.
        path: PathBuf,
    },
    /// The socket's file belongs to somebody else.
    #[error("the socket {} belongs to uid {uid}, which is not in allowed_uids", path.display())]
    SocketOwner {
        /// Where the configured path leads.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Somebody else listens.
    #[error("the socket {} is served by uid {uid}, which is not in allowed_uids", path.display())]
    Impostor {
        /// Where the configured path leads.
        path: PathBuf,
        /// Who called `listen` (`SO_PEERCRED`).
        uid: u32,
    },
    /// Nobody listens, or the system refused.
    #[error("cannot connect to {}", path.display())]
    Connect {
        /// Where the configured path leads.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Connects to the socket at `path`. The check that counts is the last: the peer of the connection returned.
pub(super) async fn dial(path: &Path, allowed_uids: &[u32]) -> Result<UnixStream, DialError> {
    let path = real_path(path, allowed_uids)?;
    check_socket(&path, allowed_uids)?;
    let connected = UnixStream::connect(&path).await;
    let with_peer = connected.and_then(|stream| Peer::of(&stream).map(|peer| (stream, peer)));
    match with_peer {
        Ok((stream, peer)) if allowed_uids.contains(&peer.uid) => Ok(stream),
        Ok((_, peer)) => Err(DialError::Impostor { path, uid: peer.uid }),
        Err(source) => Err(DialError::Connect { path, source }),
    }
}

fn check_socket(path: &Path, allowed_uids: &[u32]) -> Result<(), DialError> {
    let entry =
        fs::symlink_metadata(path).map_err(|source| PathError::Io { path: path.into(), source })?;
    if !entry.file_type().is_socket() {
        return Err(DialError::NotASocket { path: path.into() });
    }
    if !allowed_uids.contains(&entry.uid()) {
        return Err(DialError::SocketOwner { path: path.into(), uid: entry.uid() });
    }
    Ok(())
}
