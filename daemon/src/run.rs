//! Puts the daemon together: state, anchors, refreshers, sockets; and takes it down again.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tonic::transport::server::Router;
use tonic_health::ServingStatus;
use tufd_proto::v1::admin_server::AdminServer;
use tufd_proto::v1::trust_server::TrustServer;
use tufd_proto::v1::verifier_server::VerifierServer;

use crate::anchor::{self, Listener};
use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::Ledger;
use crate::metrics::{self, Picture};
use crate::pulse::Pulse;
use crate::reload::Running;
use crate::serve::accept::{AcceptPolicy, REQUEST_BYTES_MAX, incoming, server_limits};
use crate::serve::socket::{self, SocketMode, SocketName};
use crate::serve::{
    ADMIN_DEADLINE, AdminService, CALL_DEADLINE, Shared, TrustService, VerifierService,
};
use crate::setup::Setup;
use crate::start::{Started, start_trusts};
use crate::store::StateDir;
use crate::workload_api::WorkloadApi;

/// Bundle events that may wait for the anchors to take them in.
const EVENTS_MAX: usize = 16;
/// How often health is looked at when nothing happens: expiry comes without an event.
const HEALTH_EVERY: Duration = Duration::from_secs(1);
/// Calls under way get so long to finish when the daemon goes down.
const DRAIN: Duration = Duration::from_secs(2);
/// And then what writes the state, on a disk that may hang.
const LAST_WRITES: Duration = Duration::from_millis(2500);
/// Between tries to take the metrics' address, doubling.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
const ADMIN_MODE: SocketMode = SocketMode(0o600);

/// Runs the daemon on `state` until `shutdown`. `ready` is called when it answers.
///
/// It ends within a few seconds, and leaves behind what hangs on a disk: such a thread may still write, so the state is to
/// stay locked until the process is gone.
///
/// # Errors
/// What keeps it from starting, or ended it.
pub async fn run(
    setup: Setup,
    state: &StateDir,
    clock: Clock,
    ready: impl FnOnce(Running),
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let config = &setup.config;
    // Writers of the state end with this function, whichever way it ends.
    let mut writers = JoinSet::new();
    let Started { shared, listeners, ledger, follower, waiting } =
        start_trusts(&setup, state, &clock, &mut writers)?;
    let (down, _) = watch::channel(());
    let mut servers = JoinSet::new();
    let sockets = serve(config, &shared, &down, &mut servers).await?;
    let picture = Picture { shared: shared.clone(), follower: follower.clone() };
    let metrics = serve_metrics(config, picture, &down, &mut servers).await;
    let pulse = Pulse {
        clock,
        counts: Arc::clone(&shared.counts),
        ledger: ledger.clone(),
        verifier_passed: config.metrics.verifier_passed.clone(),
    };
    start_anchors(config, &shared, listeners, ledger, &mut writers);
    writers.spawn(pulse.run());
    tracing::info!(serve = %config.serve.socket.display(), admin = %config.admin.socket.display(), ?metrics, "serving");
    writers.spawn(follower.clone().run(waiting));
    ready(Running::new(config.clone(), &shared, metrics));
    tokio::select! {
        () = shutdown => tracing::info!("going down"),
        Some(ended) = servers.join_next() => ended.context("a task of the daemon panicked")??,
        Some(ended) = writers.join_next() => ended.context("a task of the daemon panicked")?,
    }
    drop(down);
    let drained = async { while servers.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(DRAIN, drained).await;
    let last = async {
        writers.shutdown().await;
        follower.finish().await;
    };
    let _ = tokio::time::timeout(LAST_WRITES, last).await;
    drop(sockets);
    Ok(())
}

fn start_anchors(
    config: &Config,
    shared: &Shared,
    listeners: Vec<Listener>,
    ledger: Ledger,
    writers: &mut JoinSet<()>,
) {
    let (events, heard) = mpsc::channel(EVENTS_MAX);
    let uids = config.workload_api.allowed_uids.iter().copied().collect();
    let api = WorkloadApi::new(config.workload_api.socket.clone(), uids)
        .confirming_within(config.workload_api.anchor_max_age.limit());
    let domains = listeners.iter().map(|listener| listener.domain.clone()).collect();
    let (board, clock) = (Arc::clone(&shared.board), shared.clock.clone());
    writers.spawn(api.watch(domains, events));
    writers.spawn(anchor::keep(heard, listeners, board, ledger, clock));
}

/// Answers Prometheus where the configuration says so; gives back where that is. An address that cannot be had, maybe
/// because another user of this machine holds it, keeps nobody from verdicts: it is tried again.
async fn serve_metrics(
    config: &Config,
    picture: Picture,
    down: &watch::Sender<()>,
    tasks: &mut JoinSet<Result<()>>,
) -> Option<SocketAddr> {
    let listen = config.metrics.listen?;
    let bound = bind(listen).await;
    let address = bound.as_ref().and_then(|listener| listener.local_addr().ok());
    let mut down = down.subscribe();
    let serve = async move {
        let listener = match bound {
            Some(listener) => listener,
            None => bind_at_last(listen).await,
        };
        metrics::serve(listener, picture).await;
    };
    tasks.spawn(async move {
        tokio::select! {
            () = serve => {}
            _ = down.changed() => {}
        }
        Ok(())
    });
    address
}

async fn bind(listen: SocketAddr) -> Option<TcpListener> {
    let bound = TcpListener::bind(listen).await;
    bound
        .inspect_err(|error| {
            tracing::error!(%listen, %error, "metrics.listen cannot be had; it is tried again");
        })
        .ok()
}

async fn bind_at_last(listen: SocketAddr) -> TcpListener {
    let mut pause = PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        if let Some(listener) = bind(listen).await {
            tracing::info!(%listen, "metrics are served");
            return listener;
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Binds both sockets and serves on them. The names are held until the daemon is down.
async fn serve(
    config: &Config,
    shared: &Shared,
    down: &watch::Sender<()>,
    tasks: &mut JoinSet<Result<()>>,
) -> Result<[SocketName; 2]> {
    let open = |path: &Path, mode, key| socket::bind(path, mode).context(key);
    let (listener, name) =
        open(&config.serve.socket, SocketMode(config.serve.mode), "serve.socket")?;
    let (admin_listener, admin_name) = open(&config.admin.socket, ADMIN_MODE, "admin.socket")?;

    let (reporter, health) = tonic_health::server::health_reporter();
    let services = server_limits(CALL_DEADLINE)
        .add_service(health)
        .add_service(
            VerifierServer::new(VerifierService(shared.clone()))
                .max_decoding_message_size(REQUEST_BYTES_MAX),
        )
        .add_service(
            TrustServer::new(TrustService(shared.clone()))
                .max_decoding_message_size(REQUEST_BYTES_MAX),
        );
    let admin_services = server_limits(ADMIN_DEADLINE)
        .add_service(
            AdminServer::new(AdminService(shared.clone()))
                .max_decoding_message_size(REQUEST_BYTES_MAX),
        )
        .add_service(
            TrustServer::new(TrustService(shared.clone()))
                .max_decoding_message_size(REQUEST_BYTES_MAX),
        );

    let policy = accept_policy(&config.serve.allow_uids, &config.serve.allow_gids);
    let admin_policy = accept_policy(&config.admin.allow_uids, &BTreeSet::new());
    tasks.spawn(serve_on(services, listener, policy, down.subscribe()));
    tasks.spawn(serve_on(admin_services, admin_listener, admin_policy, down.subscribe()));
    tokio::spawn(report_health(reporter, shared.clone(), down.subscribe()));
    Ok([name, admin_name])
}

fn accept_policy(uids: &BTreeSet<u32>, gids: &BTreeSet<u32>) -> AcceptPolicy {
    let (allow_uids, allow_gids) = (uids.iter().copied().collect(), gids.iter().copied().collect());
    AcceptPolicy { allow_uids, allow_gids, ..AcceptPolicy::default() }
}

async fn serve_on(
    services: Router,
    listener: UnixListener,
    policy: AcceptPolicy,
    mut down: watch::Receiver<()>,
) -> Result<()> {
    let shutdown = async move { while down.changed().await.is_ok() {} };
    services
        .serve_with_incoming_shutdown(incoming(listener, policy), shutdown)
        .await
        .context("a socket's server ended")
}

/// `grpc.health.v1`: the process is alive under "", and the Verifier serves while a trust can answer ALLOW.
async fn report_health(
    reporter: tonic_health::server::HealthReporter,
    shared: Shared,
    mut down: watch::Receiver<()>,
) {
    let mut changes = shared.board.changes();
    loop {
        let now = shared.clock.now();
        let open = shared.board.now().trusts.values().any(|view| view.fresh(now).is_ok());
        let status = if open { ServingStatus::Serving } else { ServingStatus::NotServing };
        reporter.set_service_status("tufd.v1.Verifier", status).await;
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep(HEALTH_EVERY) => {}
            _ = down.changed() => return,
        }
    }
}
