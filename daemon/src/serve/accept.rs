//! The accept loop: who may connect, how many at once, and how long a connection may stay silent.
//!
//! tonic's own loop admits everybody, spins when descriptors run out and never closes a connection that sends
//! nothing. Here a peer passes three gates before any HTTP/2 state exists for it: its credentials (`SO_PEERCRED`),
//! a place under the quotas, and a whole client preface within a deadline. What comes later (slow frames, dead peers,
//! floods of streams) is bounded by [`server_limits`].

mod admission;
mod stream;

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;

pub use admission::{
    AcceptPolicy, CONNECTIONS_PER_UID, CONNECTIONS_RESERVED_FOR_ROOT, CONNECTIONS_TOTAL,
    PREFACE_DEADLINE, Refusal,
};
pub use stream::PeerStream;

use crate::peer::Peer;
use admission::Admission;

/// Pause after a failed accept, so that a lack of descriptors (`EMFILE`) is no busy loop.
pub const ACCEPT_BACK_OFF: Duration = Duration::from_millis(10);
/// Least time between two log lines about refused connections, so that a flood does not fill the disk.
pub const REFUSALS_LOG_EVERY: Duration = Duration::from_secs(10);
/// A silent connection is pinged after this.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// A ping unanswered for this long ends the connection.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Calls at once on one connection.
pub const STREAMS_MAX: u32 = 32;
/// Flow-control window of a stream and of a connection, bytes: what one peer can make us hold.
pub const WINDOW_BYTES: u32 = 64 * 1024;
/// Decoded headers of one request, bytes.
pub const HEADER_LIST_BYTES_MAX: u32 = 8 * 1024;
/// Streams that a peer opened and reset before they were served (rapid reset, CVE-2023-44487).
pub const PENDING_RESETS_MAX: usize = 20;
/// A request message, bytes. tonic sets it per service: every `…Server::new(service)` is followed by
/// `.max_decoding_message_size(REQUEST_BYTES_MAX)`.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// Connections that passed the gates and wait for the server to take them.
const READY_QUEUE: usize = 32;

/// Where connections come from: a Unix listener, or a test's stand-in.
pub trait Listen: Send + 'static {
    /// The next connection and who opened it. Must be cancel safe.
    fn accept(&self) -> impl Future<Output = io::Result<(UnixStream, Peer)>> + Send;
}

impl Listen for UnixListener {
    async fn accept(&self) -> io::Result<(UnixStream, Peer)> {
        let (stream, _) = UnixListener::accept(self).await?;
        let peer = Peer::of(&stream)?;
        Ok((stream, peer))
    }
}

/// Connections for tonic's `serve_with_incoming_shutdown`, each past every gate of `policy`.
///
/// The stream never ends by itself and never yields an error: a failed accept is logged and retried after
/// [`ACCEPT_BACK_OFF`]. Dropping it closes the listener and the connections that are not through yet. Services find
/// the caller as `request.extensions().get::<Peer>()`. Needs a tokio runtime.
pub fn incoming<L: Listen>(
    listener: L,
    policy: AcceptPolicy,
) -> impl Stream<Item = io::Result<PeerStream>> {
    let (ready, connections) = mpsc::channel(READY_QUEUE);
    tokio::spawn(accept_all(listener, policy, ready));
    ReceiverStream::new(connections)
}

/// A tonic server with every limit a local flood meets after the gates; `request_deadline` bounds a call from its
/// headers to the head of its response, slow request bodies included. Connections have no greatest age: who holds one
/// holds no more than his own place, and a call that crosses the GOAWAY of an aged one is lost, which blocks a pull.
pub fn server_limits(request_deadline: Duration) -> Server {
    Server::builder()
        .timeout(request_deadline)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .http2_max_header_list_size(HEADER_LIST_BYTES_MAX)
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
}

type Ready = mpsc::Sender<io::Result<PeerStream>>;

async fn accept_all<L: Listen>(listener: L, policy: AcceptPolicy, ready: Ready) {
    let deadline = policy.preface_deadline;
    let admission = Admission::new(policy);
    let mut opening = JoinSet::new();
    let mut refusals = RefusalLog::default();
    loop {
        tokio::select! {
            () = ready.closed() => return,
            Some(opened) = opening.join_next() => refusals.note_opening(opened),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match admission.admit(peer) {
                    Ok(place) => {
                        let opening_stream = PeerStream::open(stream, peer, place, deadline);
                        opening.spawn(hand_over(opening_stream, ready.clone()));
                    }
                    Err(refusal) => refusals.note(&refusal),
                },
                Err(error) => {
                    refusals.note(&Refusal::Accept(error));
                    sleep(ACCEPT_BACK_OFF).await;
                }
            },
        }
    }
}

async fn hand_over(
    opening: impl Future<Output = Result<PeerStream, Refusal>>,
    ready: Ready,
) -> Result<(), Refusal> {
    let stream = opening.await?;
    // It fails only when the server is gone, and the connection with it.
    let _ = ready.send(Ok(stream)).await;
    Ok(())
}

/// Logs refusals at once when they are rare and as a count when they are not.
#[derive(Default)]
struct RefusalLog {
    last_line: Option<Instant>,
    unlogged: u64,
}

impl RefusalLog {
    fn note_opening(&mut self, opened: Result<Result<(), Refusal>, JoinError>) {
        match opened {
            Ok(Ok(())) => {}
            Ok(Err(refusal)) => self.note(&refusal),
            Err(error) => tracing::error!(%error, "opening a connection failed"),
        }
    }

    fn note(&mut self, refusal: &Refusal) {
        tracing::debug!(%refusal, "connection refused");
        self.unlogged = self.unlogged.saturating_add(1);
        if self.last_line.is_some_and(|at| at.elapsed() < REFUSALS_LOG_EVERY) {
            return;
        }
        tracing::warn!(last = %refusal, count = self.unlogged, "connections refused");
        self.last_line = Some(Instant::now());
        self.unlogged = 0;
    }
}
