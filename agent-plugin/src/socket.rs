use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use tokio::net::UnixStream;
use tokio::time::sleep;

use crate::place::{Owners, Place, PlaceError};

/// Between two tries while the backlog is full.
const BACKLOG_PAUSE: Duration = Duration::from_millis(5);

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
    let stream = dial(path).await.map_err(failed)?;
    let peer = stream.peer_cred().map_err(failed)?.uid();
    if owners.hold(peer) {
        Ok(stream)
    } else {
        Err(SocketError::Impostor { path: path.to_owned(), peer, owners })
    }
}

/// A full backlog answers at once with "would block": somebody floods the socket. The caller's deadline bounds the wait.
async fn dial(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(BACKLOG_PAUSE).await,
            dialled => return dialled,
        }
    }
}
