use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::sleep;
use tonic::transport::{Channel, Endpoint};
use tonic::{Response, Status};

use super::failure::Failure;

/// Between two tries while the backlog is full.
const BACKLOG_PAUSE: Duration = Duration::from_millis(5);

/// Connection to one of the daemon's sockets, and how long an answer may take.
#[derive(Debug)]
pub(super) struct Daemon {
    socket: PathBuf,
    deadline: Duration,
    pub(super) channel: Channel,
}

impl Daemon {
    /// Not by tonic's own `unix:` address: a path need not be a URI.
    pub(super) async fn connect(socket: &Path, deadline: Duration) -> Result<Self, Failure> {
        let path = socket.to_owned();
        let connector = tower::service_fn(move |_| {
            let path = path.clone();
            async move { dial(&path).await.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_static("http://tufd");
        let channel = tokio::time::timeout(deadline, endpoint.connect_with_connector(connector))
            .await
            .map_err(|_| Failure::Silent { socket: socket.to_owned(), deadline })?
            .map_err(|source| Failure::Unreachable { socket: socket.to_owned(), source })?;
        Ok(Self { socket: socket.to_owned(), deadline, channel })
    }

    /// Awaits a call. What the daemon answered and what the connection did are told apart.
    ///
    /// # Errors
    /// `Ok(Err(_))` is the daemon's own gRPC error, whose meaning is the caller's.
    pub(super) async fn answer<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<Result<T, Status>, Failure> {
        match tokio::time::timeout(self.deadline, call).await {
            Ok(Ok(response)) => Ok(Ok(response.into_inner())),
            Ok(Err(status)) => match status.source() {
                Some(source) => Err(self.closed(source)),
                None => Ok(Err(status)),
            },
            Err(_) => Err(Failure::Silent { socket: self.socket.clone(), deadline: self.deadline }),
        }
    }

    fn closed(&self, source: &(dyn Error + 'static)) -> Failure {
        let socket = self.socket.clone();
        let uid = rustix::process::geteuid().as_raw();
        Failure::Closed { socket, uid, source: source.to_string().into() }
    }
}

/// A full backlog answers at once with "would block": somebody floods the socket. The deadline bounds the wait.
async fn dial(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(BACKLOG_PAUSE).await,
            dialled => return dialled,
        }
    }
}
