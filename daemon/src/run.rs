//! Puts the daemon together: state, anchors, refreshers, sockets; and takes it down again.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::SignedDuration;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tonic::transport::server::Router;
use tonic_health::ServingStatus;
use tufd_proto::v1::admin_server::AdminServer;
use tufd_proto::v1::trust_server::TrustServer;
use tufd_proto::v1::verifier_server::VerifierServer;
use tufd_tuf::anchor::{AnchorLimits, AnchorRules};
use tufd_tuf::image::{ImagePattern, Policy, PolicySet};
use tufd_tuf::metadata::Threshold;
use tufd_tuf::verdict::Generation;
use tufd_tuf::view::{FloorsKnown, Repository, TrustView};

use crate::anchor::{self, Listener};
use crate::board::Board;
use crate::clock::Clock;
use crate::config::{Config, Patience, TrustConfig};
use crate::fetch::{Limits, Mirrors, Source};
use crate::ledger::{Chain, Found, Ledger};
use crate::refresh::{Keeper, Record, Refresher, replay};
use crate::serve::accept::{AcceptPolicy, REQUEST_BYTES_MAX, incoming, server_limits};
use crate::serve::socket::{self, SocketMode, SocketName};
use crate::serve::{
    ADMIN_DEADLINE, AdminService, CALL_DEADLINE, Shared, TrustService, VerifierService,
};
use crate::store::{Cache, MetadataStore, Scope, StateDir};
use crate::workload_api::WorkloadApi;

/// Bundle events that may wait for the anchors to take them in.
const EVENTS_MAX: usize = 16;
/// How often health is looked at when nothing happens: expiry comes without an event.
const HEALTH_EVERY: Duration = Duration::from_secs(1);
/// Calls under way get so long to finish when the daemon goes down.
const DRAIN: Duration = Duration::from_secs(2);
const ADMIN_MODE: SocketMode = SocketMode(0o600);

/// Compiles the `[[policy]]` sections.
///
/// # Errors
/// A pattern that is none, or two that tie, by the key.
pub fn policies(config: &Config) -> Result<PolicySet> {
    let compile = |(at, policy): (usize, &crate::config::PolicyConfig)| {
        let images =
            ImagePattern::new(&policy.images).with_context(|| format!("policy[{at}].images"))?;
        Ok(Policy { images, trust: policy.trust.clone() })
    };
    let policies = config.policies.iter().enumerate().map(compile).collect::<Result<Vec<_>>>()?;
    PolicySet::new(policies).context("policy: two patterns tie")
}

/// Runs the daemon until `shutdown`. `ready` is called when both sockets answer.
///
/// # Errors
/// What keeps it from starting, or ended it.
pub async fn run(
    config: Config,
    clock: Clock,
    ready: impl FnOnce(),
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let state = StateDir::open(&config.state_dir).context("state.dir")?;
    // Writers of the state end with this function, whichever way it ends.
    let mut writers = JoinSet::new();
    let (shared, listeners, ledger) = start_trusts(&config, &state, &clock, &mut writers)?;
    let (down, _) = watch::channel(());
    let mut servers = JoinSet::new();
    let sockets = serve(&config, &shared, &down, &mut servers).await?;
    start_anchors(&config, &shared, listeners, ledger, &mut writers);
    ready();
    tracing::info!(serve = %config.serve.socket.display(), admin = %config.admin.socket.display(), "serving");
    tokio::select! {
        () = shutdown => tracing::info!("going down"),
        Some(ended) = servers.join_next() => ended.context("a task of the daemon panicked")??,
        Some(ended) = writers.join_next() => ended.context("a task of the daemon panicked")?,
    }
    drop(down);
    let drained = async { while servers.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(DRAIN, drained).await;
    writers.shutdown().await;
    drop(sockets);
    Ok(())
}

fn start_trusts(
    config: &Config,
    state: &StateDir,
    clock: &Clock,
    writers: &mut JoinSet<()>,
) -> Result<(Shared, Vec<Listener>, Ledger)> {
    let (ledger, found) = Ledger::open(state.path()).context("the floor file")?;
    let store: Arc<dyn MetadataStore> = Cache::open_or_memory(&state.database()).into();
    let mut restored = BTreeMap::new();
    for trust in &config.trusts {
        let (record, view) = restore(config, trust, &ledger, found, &store)?;
        restored.insert(trust.name.clone(), (record, Arc::new(view)));
    }
    let trusts =
        restored.iter().map(|(name, (_, view))| (name.clone(), Arc::clone(view))).collect();
    let policies = Arc::new(policies(config)?);
    let board =
        Arc::new(Board::new(Generation { number: 1, trusts, policies, built: crate::built() }));
    let (mut refreshers, mut listeners, mut known) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
    for trust in &config.trusts {
        let Some((record, first)) = restored.remove(&trust.name) else { continue };
        let open = |url: &crate::fetch::SourceUrl| Source::open(url.clone(), Limits::default());
        let mirrors =
            Arc::new(Mirrors::new(trust.metadata.iter().map(open).collect::<Result<_, _>>()?));
        let (board, clock) = (Arc::clone(&board), clock.clone());
        // A lower epoch in the configuration changes nothing.
        let epoch = NonZeroU64::new(record.scope.epoch).unwrap_or(trust.epoch);
        let trust = TrustConfig { epoch, ..trust.clone() };
        known.insert(trust.name.clone(), trust.clone());
        let keeper = Keeper { trust: trust.clone(), mirrors, record, board, first, clock };
        let refresher = Refresher::start(keeper, config.refresh_period, writers);
        let (name, domain) = (trust.name.clone(), trust.trust_domain.clone());
        listeners.push(Listener { name: name.clone(), domain, refresher: refresher.clone() });
        refreshers.insert(name, refresher);
    }
    let shared = Shared {
        board,
        refreshers: Arc::new(refreshers),
        trusts: Arc::new(known),
        clock: clock.clone(),
    };
    Ok((shared, listeners, ledger))
}

/// What our own files still know of a trust.
fn restore(
    config: &Config,
    trust: &TrustConfig,
    ledger: &Ledger,
    found: Found,
    store: &Arc<dyn MetadataStore>,
) -> Result<(Record, TrustView)> {
    let domain = trust.trust_domain.to_string();
    let (page, chain) = ledger.begin(&domain, trust.epoch.get()).context("the floor file")?;
    match chain {
        Chain::Same => {}
        Chain::New { before } => {
            tracing::warn!(target: "audit", trust = %trust.name, before, epoch = trust.epoch, "EPOCH_RAISED");
        }
        Chain::Higher { kept } => {
            tracing::error!(trust = %trust.name, kept, epoch = trust.epoch, "an epoch is never lowered; the higher one stays");
        }
    }
    let scope = Scope { trust: domain, epoch: page.epoch };
    let record = Record { store: Arc::clone(store), ledger: ledger.clone(), scope };
    let (root, chain) = replay(&record, &page.floors);
    // A cache without a floor file is what is left when both slots were deleted.
    let lost =
        page.floors_lost || found == Found::Lost || (found == Found::Never && record.has_root());
    if lost {
        // The next write makes the floor file whole again, and must not make it look as if nothing had been lost.
        ledger.lose_floors(&record.scope.trust);
        tracing::error!(trust = %trust.name, "the floor file is lost: no verdicts until every source verified");
    }
    let view = TrustView {
        anchor: page.anchor,
        rules: anchor_rules(trust)?,
        limits: anchor_limits(config),
        root,
        chain,
        floors: if lost { FloorsKnown::Lost } else { FloorsKnown::Yes },
        repository: Repository::Unreachable,
        trouble: None,
    };
    Ok((record, view))
}

fn anchor_rules(trust: &TrustConfig) -> Result<AnchorRules> {
    let threshold = Threshold::try_from(trust.threshold.get()).map_err(anyhow::Error::msg)?;
    Ok(AnchorRules { threshold, pins: trust.anchor_pins.clone() })
}

fn anchor_limits(config: &Config) -> AnchorLimits {
    let limit =
        |patience: Patience| patience.limit().and_then(|d| SignedDuration::try_from(d).ok());
    AnchorLimits {
        withdraw_after: limit(config.workload_api.withdraw_after),
        permission_denied_after: limit(config.workload_api.permission_denied_after),
        anchor_max_age: limit(config.workload_api.anchor_max_age),
    }
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
    let api = WorkloadApi::new(config.workload_api.socket.clone(), uids);
    let domains = listeners.iter().map(|listener| listener.domain.clone()).collect();
    let (board, clock) = (Arc::clone(&shared.board), shared.clock.clone());
    writers.spawn(api.watch(domains, events));
    writers.spawn(anchor::keep(heard, listeners, board, ledger, clock));
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
