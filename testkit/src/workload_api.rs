//! A Workload API that serves X.509 bundles as a SPIRE agent does, and misbehaves when told to.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tufd_proto::workload::spiffe_workload_api_server::{
    SpiffeWorkloadApi, SpiffeWorkloadApiServer,
};
use tufd_proto::workload::{X509BundlesRequest, X509BundlesResponse};

/// A SPIRE agent lets everybody connect; its directory is the only guard.
const SOCKET_MODE: u32 = 0o777;

/// A running Workload API. Each change of its bundles is sent to all open streams, an equal one is not (as SPIRE).
/// Changes that follow each other faster than a stream reads are merged. Dropping it stops it.
#[derive(Debug)]
pub struct FakeWorkloadApi {
    socket: PathBuf,
    answer: watch::Sender<Answer>,
    opened: watch::Sender<u64>,
    running: Option<Running>,
}

impl FakeWorkloadApi {
    /// Serves at `socket` on the current tokio runtime, with no bundle yet.
    ///
    /// # Errors
    /// When the socket cannot be bound.
    pub fn start(socket: impl Into<PathBuf>) -> io::Result<Self> {
        let answer = watch::Sender::new(Answer::Message(X509BundlesResponse::default()));
        let mut fake =
            Self { socket: socket.into(), answer, opened: watch::Sender::new(0), running: None };
        fake.restart()?;
        Ok(fake)
    }

    /// Where it serves.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Gives trust domain `domain` (a name without `spiffe://`) this bundle: concatenated DER, or nothing.
    pub fn set(&self, domain: &str, der_bundle: impl Into<Vec<u8>>) {
        let bundle = der_bundle.into();
        self.change(|bundles| {
            bundles.insert(id_of(domain), bundle);
        });
    }

    /// Takes the trust domain out of the messages.
    pub fn remove(&self, domain: &str) {
        self.change(|bundles| {
            bundles.remove(&id_of(domain));
        });
    }

    /// Sends an empty map.
    pub fn clear(&self) {
        self.change(HashMap::clear);
    }

    /// Sends `message` as it is; later changes start from it.
    pub fn raw(&self, message: X509BundlesResponse) {
        self.answer.send_if_modified(|answer| replace(answer, Answer::Message(message)));
    }

    /// Ends all streams, open and new, as an agent does that has no registration entry for the caller.
    pub fn deny(&self) {
        self.answer.send_if_modified(|answer| {
            let message = answer.message_mut().clone();
            replace(answer, Answer::Denied(message))
        });
    }

    /// Undoes [`deny`](Self::deny).
    pub fn allow(&self) {
        self.answer.send_if_modified(|answer| {
            let message = answer.message_mut().clone();
            replace(answer, Answer::Message(message))
        });
    }

    /// Cuts every connection and removes the socket, as a killed agent. The bundles are kept.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.cut();
            let _ = std::fs::remove_file(&self.socket);
        }
    }

    /// Serves again at the same path, after a [`stop`](Self::stop) if it was not stopped.
    ///
    /// # Errors
    /// When the socket cannot be bound.
    pub fn restart(&mut self) -> io::Result<()> {
        self.stop();
        let listener = UnixListener::bind(&self.socket)?;
        std::fs::set_permissions(&self.socket, std::fs::Permissions::from_mode(SOCKET_MODE))?;
        let service = Service { answer: self.answer.clone(), opened: self.opened.clone() };
        self.running = Some(Running::serve(listener, service));
        Ok(())
    }

    /// Streams opened since the start; wait on it for the next.
    pub fn streams_opened(&self) -> watch::Receiver<u64> {
        self.opened.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<String, Vec<u8>>)) {
        self.answer.send_if_modified(|answer| {
            let before = answer.message_mut().bundles.clone();
            change(&mut answer.message_mut().bundles);
            answer.message_mut().bundles != before
        });
    }
}

impl Drop for FakeWorkloadApi {
    fn drop(&mut self) {
        self.stop();
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Message(X509BundlesResponse),
    /// With what it says once it is allowed again.
    Denied(X509BundlesResponse),
}

impl Answer {
    fn message_mut(&mut self) -> &mut X509BundlesResponse {
        match self {
            Self::Message(message) | Self::Denied(message) => message,
        }
    }
}

#[derive(Debug)]
struct Running {
    server: JoinHandle<()>,
    connections: Connections,
}

impl Running {
    fn serve(listener: UnixListener, service: Service) -> Self {
        let connections = Connections::default();
        let accepted = connections.clone();
        let incoming = UnixListenerStream::new(listener)
            .map(move |stream| stream.and_then(|it| accepted.keep(it)));
        let server = tokio::spawn(async move {
            // It ends by being aborted; what goes wrong before shows in the test that waits for an answer.
            let _ = Server::builder()
                .add_service(SpiffeWorkloadApiServer::new(service))
                .serve_with_incoming(incoming)
                .await;
        });
        Self { server, connections }
    }

    fn cut(self) {
        self.server.abort();
        for connection in self.connections.lock().drain(..) {
            let _ = connection.shutdown(std::net::Shutdown::Both); // the peer may have closed it
        }
    }
}

/// Second handles of the accepted sockets: tonic serves each in a task that outlives its server.
#[derive(Clone, Debug, Default)]
struct Connections(Arc<Mutex<Vec<StdStream>>>);

impl Connections {
    fn keep(&self, stream: UnixStream) -> io::Result<UnixStream> {
        let second = StdStream::from(stream.as_fd().try_clone_to_owned()?);
        self.lock().push(second);
        Ok(stream)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<StdStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Service {
    answer: watch::Sender<Answer>,
    opened: watch::Sender<u64>,
}

#[tonic::async_trait]
impl SpiffeWorkloadApi for Service {
    type FetchX509BundlesStream = ReceiverStream<Result<X509BundlesResponse, Status>>;

    async fn fetch_x509_bundles(
        &self,
        request: Request<X509BundlesRequest>,
    ) -> Result<Response<Self::FetchX509BundlesStream>, Status> {
        if request.metadata().get("workload.spiffe.io").is_none_or(|value| value != "true") {
            return Err(Status::invalid_argument("security header missing from request"));
        }
        self.opened.send_modify(|count| *count += 1);
        let (messages, stream) = mpsc::channel(1);
        tokio::spawn(push(self.answer.subscribe(), messages));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

async fn push(
    mut answers: watch::Receiver<Answer>,
    messages: mpsc::Sender<Result<X509BundlesResponse, Status>>,
) {
    loop {
        let answer = answers.borrow_and_update().clone();
        let message = match answer {
            Answer::Message(message) => Ok(message),
            Answer::Denied(_) => Err(Status::permission_denied("no identity issued")),
        };
        let last = message.is_err();
        if messages.send(message).await.is_err() || last {
            return;
        }
        tokio::select! {
            () = messages.closed() => return,
            changed = answers.changed() => if changed.is_err() { return },
        }
    }
}

fn id_of(domain: &str) -> String {
    format!("spiffe://{domain}")
}

/// Whether it changed anything.
fn replace(answer: &mut Answer, new: Answer) -> bool {
    let changed = *answer != new;
    *answer = new;
    changed
}
