//! The accept loop against callers that misbehave, with an empty gRPC server behind it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // helpers of tests

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_stream::{Stream, StreamExt};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::service_fn;
use tufd::peer::Peer;
use tufd::serve::accept::{
    ACCEPT_BACK_OFF, AcceptPolicy, Listen, PeerStream, incoming, server_limits,
};
use tufd::serve::socket::{SocketMode, SocketName, bind};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// After this a test fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(60);
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);

/// A listener whose answers are written down: who connects next, or how accepting fails. Then it waits for ever.
struct Script(Mutex<VecDeque<io::Result<(UnixStream, Peer)>>>);

impl Listen for Script {
    async fn accept(&self) -> io::Result<(UnixStream, Peer)> {
        let next = self.0.lock().unwrap().pop_front();
        match next {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

fn script(answers: impl IntoIterator<Item = io::Result<(UnixStream, Peer)>>) -> Script {
    Script(Mutex::new(answers.into_iter().collect()))
}

fn uid(uid: u32) -> Peer {
    Peer { uid, gid: uid, pid: None }
}

fn allowing(uids: &[u32]) -> AcceptPolicy {
    AcceptPolicy { allow_uids: uids.into(), ..AcceptPolicy::default() }
}

/// Both ends of a connection; the caller's has sent `sent`.
async fn caller(peer: Peer, sent: &[u8]) -> (UnixStream, io::Result<(UnixStream, Peer)>) {
    let (mut client, server) = UnixStream::pair().unwrap();
    client.write_all(sent).await.unwrap();
    (client, Ok((server, peer)))
}

/// Everything the other side sends until it closes.
async fn rest_of(client: &mut UnixStream) -> Vec<u8> {
    let mut all = Vec::new();
    match timeout(PATIENCE, client.read_to_end(&mut all)).await.expect("it is closed") {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
    all
}

/// The next connection that is let through.
async fn next_of(
    accepted: &mut (impl Stream<Item = io::Result<PeerStream>> + Unpin),
) -> PeerStream {
    let next = timeout(PATIENCE, accepted.next()).await;
    next.expect("one is let through").expect("the stream goes on").unwrap()
}

#[tokio::test]
async fn accept_unauthorised_uid_closed_before_a_byte_is_answered() {
    let (mut stranger, connection) = caller(uid(1000), PREFACE).await;
    let (_friend, friends_connection) = caller(uid(7), PREFACE).await;
    let mut accepted = Box::pin(incoming(script([connection, friends_connection]), allowing(&[7])));
    let first = next_of(&mut accepted).await;
    assert_eq!(tonic::transport::server::Connected::connect_info(&first), uid(7));
    assert_eq!(rest_of(&mut stranger).await, b"");
}

#[tokio::test(start_paused = true)]
async fn accept_silent_and_half_prefaces_closed_by_the_deadline() {
    let started = Instant::now();
    let (mut silent, silent_connection) = caller(uid(7), b"").await;
    let (mut half, half_connection) = caller(uid(7), &PREFACE[..23]).await;
    let policy = allowing(&[7]);
    let deadline = policy.preface_deadline;
    let _accepted = incoming(script([silent_connection, half_connection]), policy);
    assert_eq!(rest_of(&mut silent).await, b"");
    assert_eq!(rest_of(&mut half).await, b"");
    let passed = started.elapsed(); // the clock is paused: it moves only to the next timer
    assert!(passed >= deadline && passed < deadline * 2, "{passed:?}");
}

#[tokio::test]
async fn accept_other_protocols_closed() {
    let (mut web, connection) = caller(uid(7), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let _accepted = incoming(script([connection]), allowing(&[7]));
    assert_eq!(rest_of(&mut web).await, b"");
}

#[tokio::test]
async fn accept_replays_the_preface_and_what_follows() {
    let (mut client, connection) = caller(uid(7), PREFACE).await;
    client.write_all(b"and more").await.unwrap();
    client.shutdown().await.unwrap();
    let mut accepted = Box::pin(incoming(script([connection]), allowing(&[7])));
    let mut stream = next_of(&mut accepted).await;
    let mut bytes = Vec::new();
    let mut small = [0; 5];
    loop {
        match stream.read(&mut small).await.unwrap() {
            0 => break,
            count => bytes.extend_from_slice(&small[..count]),
        }
    }
    assert_eq!(bytes, [PREFACE, b"and more"].concat());
}

#[tokio::test]
async fn accept_quota_holds_and_root_gets_in_under_a_flood() {
    let policy =
        AcceptPolicy { per_uid: 2, total: 5, reserved_for_root: 1, ..allowing(&[0, 7, 8]) };
    let mut clients = Vec::new();
    let mut answers = Vec::new();
    for peer in [7, 7, 7, 8, 8, 8, 0, 0] {
        let (client, connection) = caller(uid(peer), PREFACE).await;
        clients.push(client);
        answers.push(connection);
    }
    let mut accepted = Box::pin(incoming(script(answers), policy));
    let mut served: Vec<PeerStream> = Vec::new();
    for _ in 0..5 {
        served.push(next_of(&mut accepted).await);
    }
    let mut uids: Vec<u32> =
        served.iter().map(|it| tonic::transport::server::Connected::connect_info(it).uid).collect();
    uids.sort_unstable();
    assert_eq!(uids, [0, 7, 7, 8, 8]);
    for refused in [2, 5, 7] {
        assert_eq!(rest_of(&mut clients[refused]).await, b"", "connection {refused}");
    }
}

#[tokio::test]
async fn accept_place_is_given_back_when_the_connection_closes() {
    let (queue, answers) = mpsc::unbounded_channel();
    struct Queue(tokio::sync::Mutex<mpsc::UnboundedReceiver<(UnixStream, Peer)>>);
    impl Listen for Queue {
        async fn accept(&self) -> io::Result<(UnixStream, Peer)> {
            match self.0.lock().await.recv().await {
                Some(answer) => Ok(answer),
                None => std::future::pending().await,
            }
        }
    }
    let policy = AcceptPolicy { per_uid: 1, ..allowing(&[7]) };
    let mut accepted = Box::pin(incoming(Queue(tokio::sync::Mutex::new(answers)), policy));
    for _ in 0..3 {
        let (_client, connection) = caller(uid(7), PREFACE).await;
        queue.send(connection.unwrap()).unwrap();
        let served = next_of(&mut accepted).await;
        let (mut second, connection) = caller(uid(7), PREFACE).await;
        queue.send(connection.unwrap()).unwrap();
        assert_eq!(rest_of(&mut second).await, b"");
        drop(served);
    }
}

#[tokio::test(start_paused = true)]
async fn accept_errors_neither_end_the_stream_nor_spin() {
    let started = Instant::now();
    let errors =
        [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE, rustix::io::Errno::CONNABORTED];
    let mut answers: Vec<_> = errors.map(|errno| Err(errno.into())).into();
    let (_client, connection) = caller(uid(7), PREFACE).await;
    answers.push(connection);
    let mut accepted = Box::pin(incoming(script(answers), allowing(&[7])));
    next_of(&mut accepted).await;
    assert!(started.elapsed() >= ACCEPT_BACK_OFF * 3);
}

#[tokio::test]
async fn accept_listener_closes_when_the_server_lets_go() {
    struct Held(#[allow(dead_code)] oneshot::Sender<()>);
    impl Listen for Held {
        async fn accept(&self) -> io::Result<(UnixStream, Peer)> {
            std::future::pending().await
        }
    }
    let (held, released) = oneshot::channel();
    drop(incoming(Held(held), allowing(&[7])));
    let released = timeout(PATIENCE, released).await;
    assert!(released.expect("the listener is dropped").is_err());
}

/// A health service behind the real loop on a real socket; a caller of another uid than ours gets an error.
async fn serve(policy: AcceptPolicy) -> (tempfile::TempDir, SocketName, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap().join("tufd.sock");
    let (listener, name) = bind(&path, SocketMode(0o660)).unwrap();
    let (_, health) = tonic_health::server::health_reporter();
    let service = InterceptedService::new(health, |request: Request<()>| {
        let peer = request.extensions().get::<Peer>().copied();
        match peer {
            Some(Peer { uid, pid: Some(_), .. }) if uid == own_uid() => Ok(request),
            _ => Err(Status::internal(format!("{peer:?}"))),
        }
    });
    let server = server_limits(REQUEST_DEADLINE).add_service(service);
    tokio::spawn(server.serve_with_incoming(incoming(listener, policy)));
    (dir, name, path)
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

async fn connect(path: PathBuf) -> Result<Channel, tonic::transport::Error> {
    let connector = service_fn(move |_: tonic::transport::Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://localhost").connect_with_connector(connector).await
}

async fn check(channel: Channel) -> Result<(), Status> {
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.map(|_| ())
}

#[tokio::test]
async fn accept_calls_reach_a_service_that_sees_its_caller() {
    let own = own_uid();
    let (_dir, _name, path) = serve(allowing(&[own])).await;
    check(connect(path).await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn accept_own_uid_off_the_list_is_refused_on_a_real_socket() {
    let stranger = own_uid() + 1;
    let (_dir, _name, path) = serve(allowing(&[stranger])).await;
    let mut client = UnixStream::connect(&path).await.unwrap();
    assert_eq!(rest_of(&mut client).await, b"");
}

#[tokio::test]
async fn accept_silent_flood_does_not_keep_others_out() {
    let own = own_uid();
    let preface_deadline = Duration::from_secs(1);
    let policy = AcceptPolicy {
        per_uid: 4,
        total: 4,
        reserved_for_root: 0,
        preface_deadline,
        ..allowing(&[own])
    };
    let (_dir, _name, path) = serve(policy).await;
    let mut flood = Vec::new();
    for _ in 0..4 {
        flood.push(UnixStream::connect(&path).await.unwrap());
    }
    for silent in &mut flood {
        assert_eq!(rest_of(silent).await, b"", "closed by the deadline");
    }
    check(connect(path).await.unwrap()).await.unwrap();
}
