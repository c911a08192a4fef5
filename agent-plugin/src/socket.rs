use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio::net::UnixStream;

use crate::place::{Owners, Place, PlaceError};

#[derive(Debug, Error)]
pub(crate) enum SocketError {
    #[error("the socket's path is not trusted")]
    Path(#[from] PlaceError),
    #[error("cannot connect to {}; is the service running? (systemctl status tufd)", .path.display())]
    Connect { path: PathBuf, source: io::Error },
    #[error("{} is served by uid {peer}, not by {owners}", .path.display())]
    Impostor { path: PathBuf, peer: u32, owners: Owners },
}

/// Connects to tufd, and to nobody else: only root and the daemon can have put the socket there, and the peer of
/// this very connection is one of them.
pub(crate) async fn connect(path: &Path, daemon: Option<u32>) -> Result<UnixStream, SocketError> {
    let owners = Owners::of_socket(daemon);
    Place::find(path, owners)?.check_socket(path)?;
    let failed = |source| SocketError::Connect { path: path.to_owned(), source };
    let stream = UnixStream::connect(path).await.map_err(failed)?;
    let peer = stream.peer_cred().map_err(failed)?.uid();
    if owners.hold(peer) {
        Ok(stream)
    } else {
        Err(SocketError::Impostor { path: path.to_owned(), peer, owners })
    }
}
