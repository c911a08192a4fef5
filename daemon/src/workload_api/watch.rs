//! Keeps a stream of bundles open.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use spiffe::TrustDomain;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Status, Streaming};
use tower::service_fn;
use tufd_proto::workload::spiffe_workload_api_client::SpiffeWorkloadApiClient;
use tufd_proto::workload::{X509BundlesRequest, X509BundlesResponse};
use tufd_tuf::anchor::Place;

use super::BundleEvent;
use super::bundles::watched_bundles;
use super::dial::dial;
use crate::causes::in_one_line;

/// A stream is opened anew this often, since only a first message proves that the agent still says what it said.
pub const REOPEN_EVERY: Duration = Duration::from_secs(60 * 60);
/// First ceiling of the pause after a failure; it doubles with each failure.
const BACK_OFF_MIN: Duration = Duration::from_millis(250);
/// Highest ceiling of the pause. A stream that lived longer than this starts the doubling anew.
const BACK_OFF_MAX: Duration = Duration::from_secs(5);
/// For connecting.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// From connected to the first message. An agent has it in memory and sends it at once.
const FIRST_MESSAGE_DEADLINE: Duration = Duration::from_secs(30);
/// A silent connection is pinged after this. Not sooner: a gRPC server in Go, as SPIRE's, takes more than two pings
/// within its five minutes for an attack and breaks off (`too_many_pings`).
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5 * 60 + 30);
/// A ping unanswered for this long ends the connection.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// One message with the bundles of every trust domain, bytes.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// The header without which a Workload API must refuse a call (SPIFFE Workload Endpoint, 6.1).
const SECURITY_HEADER: &str = "workload.spiffe.io";

/// The Workload API of this node.
#[derive(Clone, Debug)]
pub struct WorkloadApi {
    /// Absolute path of its socket.
    pub socket: PathBuf,
    /// Who may own the socket and serve it.
    pub allowed_uids: Vec<u32>,
    /// Life of one stream, see [`REOPEN_EVERY`].
    pub reopen_every: Duration,
}

impl WorkloadApi {
    /// The API at `socket`, served by one of `allowed_uids`.
    pub fn new(socket: PathBuf, allowed_uids: Vec<u32>) -> Self {
        Self { socket, allowed_uids, reopen_every: REOPEN_EVERY }
    }

    /// With streams so short that an agent which answers confirms an anchor before it is `max_age` old.
    #[must_use]
    pub fn confirming_within(mut self, max_age: Option<Duration>) -> Self {
        self.reopen_every = max_age.map_or(REOPEN_EVERY, |age| REOPEN_EVERY.min(age / 2));
        self
    }

    /// Reports what the API says about `domains`, until the receiver of `events` is gone.
    ///
    /// A stream that fails in any way is dropped together with its connection; after a pause with full jitter another
    /// is opened. A reader that polled on after an error would spin, and one that skipped it would miss a message.
    pub async fn watch(self, domains: BTreeSet<TrustDomain>, events: mpsc::Sender<BundleEvent>) {
        let mut back_off = BackOff::default();
        loop {
            let opened_at = Instant::now();
            let ended = tokio::select! {
                () = events.closed() => return,
                ended = self.follow_stream(&domains, &events) => ended,
            };
            let failure = match ended {
                Ended::Due => continue,
                Ended::Failed(failure) => failure,
            };
            if events.send(failure).await.is_err() {
                return;
            }
            tokio::select! {
                () = events.closed() => return,
                () = sleep(back_off.next_pause(opened_at.elapsed())) => {}
            }
        }
    }

    /// Reads one stream to its end.
    async fn follow_stream(
        &self,
        domains: &BTreeSet<TrustDomain>,
        events: &mpsc::Sender<BundleEvent>,
    ) -> Ended {
        let reopen_at = Instant::now() + self.reopen_every;
        let (mut stream, mut message) =
            match timeout(FIRST_MESSAGE_DEADLINE, self.open_stream()).await {
                Ok(Ok(opened)) => opened,
                Ok(Err(failure)) => return Ended::Failed(failure),
                Err(_) => {
                    return Ended::Failed(unreachable_because("the agent sent no message in time"));
                }
            };
        let mut place = Place::First;
        loop {
            let event = match watched_bundles(message.bundles, domains) {
                Ok(bundles) => BundleEvent::Message { place, bundles },
                Err(error) => {
                    return Ended::Failed(BundleEvent::Undecodable { text: error.to_string() });
                }
            };
            if events.send(event).await.is_err() {
                // The caller sees that the receiver is gone.
                return Ended::Due;
            }
            place = Place::Later;
            message = tokio::select! {
                next = next_message(&mut stream) => match next {
                    Ok(next) => next,
                    Err(failure) => return Ended::Failed(failure),
                },
                () = sleep_until(reopen_at) => return Ended::Due,
            };
        }
    }

    /// A new connection, the call on it, and the first message.
    async fn open_stream(
        &self,
    ) -> Result<(Streaming<X509BundlesResponse>, X509BundlesResponse), BundleEvent> {
        let channel =
            self.connect().await.map_err(|error| unreachable_because(&in_one_line(&error)))?;
        let mut client =
            SpiffeWorkloadApiClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let mut request = Request::new(X509BundlesRequest {});
        request.metadata_mut().insert(SECURITY_HEADER, MetadataValue::from_static("true"));
        let mut stream = client
            .fetch_x509_bundles(request)
            .await
            .map_err(|status| event_of(&status))?
            .into_inner();
        let first = next_message(&mut stream).await?;
        Ok((stream, first))
    }

    /// The connector is the only thing that dials, so whatever is sent goes to a peer that was checked.
    async fn connect(&self) -> Result<Channel, tonic::transport::Error> {
        let (socket, allowed_uids): (Arc<PathBuf>, Arc<[u32]>) =
            (Arc::new(self.socket.clone()), self.allowed_uids.as_slice().into());
        let connector = service_fn(move |_: Uri| {
            let (socket, allowed_uids) = (Arc::clone(&socket), Arc::clone(&allowed_uids));
            async move { dial(&socket, &allowed_uids).await.map(TokioIo::new) }
        });
        Endpoint::from_static("http://localhost") // the `:authority` of a call; nothing resolves it
            .connect_timeout(CONNECT_DEADLINE)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .connect_with_connector(connector)
            .await
    }
}

/// How a stream ended.
enum Ended {
    /// It is time for a new one, or nobody listens.
    Due,
    /// The event that says why.
    Failed(BundleEvent),
}

async fn next_message(
    stream: &mut Streaming<X509BundlesResponse>,
) -> Result<X509BundlesResponse, BundleEvent> {
    match stream.message().await {
        Ok(Some(message)) => Ok(message),
        Ok(None) => Err(unreachable_because("the agent ended the stream")),
        Err(status) => Err(event_of(&status)),
    }
}

/// tonic reports a message it cannot decode or that is too long as `INTERNAL` or `OUT_OF_RANGE` without a cause;
/// a broken connection has its cause.
fn event_of(status: &Status) -> BundleEvent {
    let text = in_one_line(status);
    if status.code() == Code::PermissionDenied {
        return BundleEvent::PermissionDenied { text: status.message().to_owned() };
    }
    let undecodable = matches!(status.code(), Code::Internal | Code::OutOfRange);
    if undecodable && status.source().is_none() {
        return BundleEvent::Undecodable { text };
    }
    BundleEvent::Unreachable { text }
}

fn unreachable_because(text: &str) -> BundleEvent {
    BundleEvent::Unreachable { text: text.to_owned() }
}

/// Pauses with full jitter under a doubling ceiling, so that a node's callers do not return in step.
#[derive(Default)]
struct BackOff {
    failures: u32,
}

impl BackOff {
    fn next_pause(&mut self, stream_lived: Duration) -> Duration {
        if stream_lived > BACK_OFF_MAX {
            self.failures = 0;
        }
        let ceiling =
            BACK_OFF_MIN.saturating_mul(2_u32.saturating_pow(self.failures)).min(BACK_OFF_MAX);
        self.failures = self.failures.saturating_add(1);
        ceiling.mul_f64(fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_grows_to_its_ceiling_and_starts_anew() {
        fn longest_of_each(streams_lived: Duration) -> Vec<Duration> {
            let mut longest = vec![Duration::ZERO; 8];
            for _ in 0..500 {
                let mut back_off = BackOff::default();
                for slot in &mut longest {
                    *slot = back_off.next_pause(streams_lived).max(*slot);
                }
            }
            longest
        }
        let failing = longest_of_each(Duration::ZERO);
        assert!(failing[0] <= BACK_OFF_MIN && failing[7] <= BACK_OFF_MAX);
        assert!(failing[7] > BACK_OFF_MAX / 2, "{failing:?}");
        let long_lived = longest_of_each(BACK_OFF_MAX * 2);
        assert!(long_lived.iter().all(|pause| *pause <= BACK_OFF_MIN), "{long_lived:?}");
    }

    #[test]
    fn statuses_become_their_events() {
        let broken = Status::from_error(Box::new(std::io::Error::other("reset")));
        assert!(matches!(event_of(&broken), BundleEvent::Unreachable { .. }));
        assert!(matches!(event_of(&Status::unavailable("x")), BundleEvent::Unreachable { .. }));
        assert!(matches!(
            event_of(&Status::internal("bad protobuf")),
            BundleEvent::Undecodable { .. }
        ));
        let denied = event_of(&Status::permission_denied("no identity issued"));
        assert_eq!(denied, BundleEvent::PermissionDenied { text: "no identity issued".to_owned() });
    }
}
