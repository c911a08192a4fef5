//! The one writer of a trust's chain: a task that runs one refresh at a time, and the handle that asks it to.

mod copy;
mod enter;
mod error;
mod misses;
mod record;
mod root;
mod schedule;
mod update;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::Instrument as _;
use tufd_tuf::metadata::Role as _;
use tufd_tuf::view::TrustView;

pub use copy::Copy;
pub use error::RefreshError;
pub use record::{Record, Replayed, replay};

use crate::board::Board;
use crate::clock::Clock;
use crate::config::TrustConfig;
use crate::fetch::{Mirrors, Patience, SourceHealth};
use misses::Misses;
use schedule::Schedule;
use update::Update;

/// A lookup waits no longer for a refresh than this.
pub const LOOKUP_DEADLINE: Duration = Duration::from_secs(6);
/// Lookups that may wait for the next refresh; more are answered at once from what there is.
const LOOKUPS_MAX: usize = 1_024;
/// The same for what must not be turned away because lookups came first.
const ORDERS_MAX: usize = 16;

/// Asks for refreshes of one trust and knows how they went.
#[derive(Debug, Clone)]
pub struct Refresher {
    lookups: mpsc::Sender<Demand>,
    orders: mpsc::Sender<Demand>,
    resets: mpsc::Sender<Reset>,
    asked: watch::Sender<()>,
    mirrors: Arc<Mirrors>,
    status: Arc<Mutex<Status>>,
    misses: Arc<Mutex<Misses>>,
}

/// How refreshes went.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// When one last ended with every step verified.
    pub last_success: Option<Timestamp>,
    /// Why the newest did not.
    pub error: Option<String>,
    /// When the next is due.
    pub next: Option<Timestamp>,
    /// How many found something new.
    pub changed: u64,
    /// How many found nothing new.
    pub unchanged: u64,
    /// How many did not verify every step.
    pub failed: u64,
    /// How many could not write down what verified.
    pub unkept: u64,
}

/// How one refresh ended.
#[derive(Debug, Clone)]
pub struct Done {
    /// Why it did not verify every step, where it did not.
    pub error: Option<String>,
    /// How far it came.
    pub ended: Ended,
    /// Whether anything else is trusted than before.
    pub changed: Changed,
}

/// How far a refresh came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Every step verified.
    Well,
    /// One did not.
    Short,
    /// What verified could not be written down.
    Unkept,
}

/// Whether anything else is trusted than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// A lookup that newer metadata could turn into ALLOW: spaced.
    Lookup,
    /// `tufctl refresh`, or a new bundle: at once.
    Now,
}

/// Asks for the time floor to be dropped; answered with the one that was, or why it still stands.
type Reset = oneshot::Sender<Result<Option<Timestamp>, RefreshError>>;

#[derive(Debug)]
struct Demand {
    cause: Cause,
    done: oneshot::Sender<Done>,
}

/// What a refresh of one trust works with.
#[derive(Debug, Clone)]
pub struct Keeper {
    /// The trust's configuration.
    pub trust: TrustConfig,
    /// Where its metadata is.
    pub mirrors: Arc<Mirrors>,
    /// Where what verified is kept.
    pub record: Record,
    /// What answers.
    pub board: Arc<Board>,
    /// What was known of the trust at the start; the board knows better.
    pub first: Arc<TrustView>,
    /// The time.
    pub clock: Clock,
}

impl Keeper {
    /// What is known of the trust now.
    fn view(&self) -> Arc<TrustView> {
        self.board.trust(&self.trust.name).unwrap_or_else(|| Arc::clone(&self.first))
    }
}

impl Refresher {
    /// Starts its task among `tasks`. It ends with the last handle. A `copy` is awaited where files are damaged or gone.
    #[must_use]
    pub fn start(keeper: Keeper, copy: Copy, period: Duration, tasks: &mut JoinSet<()>) -> Self {
        let (lookups, looked_up) = mpsc::channel(LOOKUPS_MAX);
        let (orders, ordered) = mpsc::channel(ORDERS_MAX);
        let (resets, to_reset) = mpsc::channel(ORDERS_MAX);
        let status = Arc::new(Mutex::new(Status::default()));
        let mirrors = Arc::clone(&keeper.mirrors);
        let (asked, hurry) = watch::channel(());
        let schedule = Schedule::new(period);
        let task = Task { keeper, schedule, status: Arc::clone(&status), asked: hurry };
        tasks.spawn(task.run(looked_up, ordered, to_reset, copy));
        let misses = Arc::new(Mutex::new(Misses::new(period)));
        Self { lookups, orders, resets, asked, misses, mirrors, status }
    }

    /// Asks for a refresh on behalf of a lookup and waits for it, unless none may start in time. Returns when the
    /// answer may be another one.
    pub async fn for_lookup(&self, reference: &str, digest: &str) {
        let name = self.misses().name(reference, digest);
        if !self.misses().may_ask(name) {
            return;
        }
        let (done, ended) = oneshot::channel();
        if self.lookups.try_send(Demand { cause: Cause::Lookup, done }).is_ok() {
            self.asked.send_replace(());
            // A time-out is no error: the lookup is answered from what there is.
            match timeout(LOOKUP_DEADLINE, ended).await {
                Ok(Ok(Done { changed: Changed::Yes, .. })) => self.misses().forget(),
                Ok(Ok(Done { changed: Changed::No, .. })) => self.misses().missed(name),
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }

    /// Refreshes now and tells how that went; `None` when the daemon is going down.
    pub async fn now(&self) -> Option<Done> {
        let (done, ended) = oneshot::channel();
        self.orders.send(Demand { cause: Cause::Now, done }).await.ok()?;
        self.asked.send_replace(());
        ended.await.ok()
    }

    /// Asks for a refresh now without waiting.
    pub fn wake(&self) {
        let (done, _) = oneshot::channel();
        // A full queue means that a refresh follows anyway.
        let _ = self.orders.try_send(Demand { cause: Cause::Now, done });
        self.asked.send_replace(());
    }

    /// Drops the time floor between two refreshes, and tells which there was; `None` when the daemon is going down. The
    /// operator's word only: it never falls by itself.
    pub async fn reset_time_floor(&self) -> Option<Result<Option<Timestamp>, RefreshError>> {
        let (reply, done) = oneshot::channel();
        self.resets.send(reply).await.ok()?;
        self.asked.send_replace(());
        done.await.ok()
    }

    /// How refreshes went.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn misses(&self) -> MutexGuard<'_, Misses> {
        self.misses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How each source has been doing.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceHealth> {
        self.mirrors.health()
    }
}

struct Task {
    keeper: Keeper,
    schedule: Schedule,
    status: Arc<Mutex<Status>>,
    /// Changes after each demand, so that a thorough refresh ends soon.
    asked: watch::Receiver<()>,
}

impl Task {
    /// One refresh at a time. Those who ask while one runs wait for the next: it alone can know of what they know.
    async fn run(
        mut self,
        mut lookups: mpsc::Receiver<Demand>,
        mut orders: mpsc::Receiver<Demand>,
        mut resets: mpsc::Receiver<Reset>,
        copy: Copy,
    ) {
        let mut copy = copy::first(&self.keeper, copy).await;
        let mut waiting: Vec<Demand> = Vec::new();
        loop {
            let lookup_only = !waiting.is_empty();
            let at =
                if lookup_only { self.schedule.lookup_at() } else { self.schedule.periodic_at() };
            tokio::select! {
                Some(demand) = orders.recv() => waiting.push(demand),
                demand = lookups.recv() => match demand {
                    Some(demand) => waiting.push(demand),
                    None => return,
                },
                Some(reply) = resets.recv() => drop(reply.send(self.reset_time_floor().await)),
                found = copy::later(&mut copy) => copy::take_up(&self.keeper, found).await,
                () = sleep_until(at.min(self.schedule.periodic_at())) => {}
            }
            self.asked.mark_unchanged();
            while let Ok(demand) = orders.try_recv().or_else(|_| lookups.try_recv()) {
                waiting.push(demand);
            }
            let now = Instant::now();
            let urgent = waiting.iter().any(|demand| demand.cause == Cause::Now);
            let looked_up = !waiting.is_empty() && self.schedule.lookup_at() <= now;
            if urgent || looked_up || self.schedule.periodic_at() <= now {
                let (trust, cause) = (&self.keeper.trust.name, cause(&waiting));
                let span = tracing::info_span!("refresh", trust, cause);
                self.refresh(std::mem::take(&mut waiting)).instrument(span).await;
            }
        }
    }

    async fn refresh(&mut self, asked: Vec<Demand>) {
        let patience = if asked.is_empty() { Patience::Thorough } else { Patience::Hedged };
        let done = Update::new(&self.keeper, patience, self.asked.clone()).run().await;
        match &done.error {
            None => tracing::info!(changed = ?done.changed, "refreshed"),
            Some(error) => tracing::warn!(%error, "refresh failed"),
        }
        let lookup = asked.iter().any(|demand| demand.cause == Cause::Lookup);
        let expires = self.expires_in();
        self.schedule.ended(&done, lookup, expires);
        self.note(&done);
        for Demand { cause: _, done: reply } in asked {
            let _ = reply.send(done.clone());
        }
    }

    async fn reset_time_floor(&self) -> Result<Option<Timestamp>, RefreshError> {
        let Keeper { record, board, trust, .. } = &self.keeper;
        let floors = record.floors_now();
        if let Err(error) = record.floors(&floors.without_time()).await {
            // In memory the floor is gone, and the next write would take that along although the operator was told no.
            let _ = record.floors(&floors).await;
            return Err(error);
        }
        board.update(&trust.name, |view| view.time_floor = None);
        Ok(floors.time())
    }

    fn note(&self, done: &Done) {
        let now = self.keeper.clock.now();
        let in_a_while = self.schedule.periodic_at().saturating_duration_since(Instant::now());
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if done.error.is_none() {
            status.last_success = Some(now);
        }
        let count = match (done.ended, done.changed) {
            (Ended::Well, Changed::Yes) => &mut status.changed,
            (Ended::Well, Changed::No) => &mut status.unchanged,
            (Ended::Short, _) => &mut status.failed,
            (Ended::Unkept, _) => &mut status.unkept,
        };
        *count += 1;
        status.error = done.error.clone();
        status.next = now.checked_add(in_a_while).ok();
    }

    /// Until the timestamp expires.
    fn expires_in(&self) -> Option<Duration> {
        let view = self.keeper.view();
        let expires = view.chain.as_ref()?.timestamp().expires();
        Some(
            Duration::try_from(expires.duration_since(self.keeper.clock.now())).unwrap_or_default(),
        )
    }
}

/// Why a refresh starts, in a word for the log.
fn cause(asked: &[Demand]) -> &'static str {
    let ordered = asked.iter().any(|demand| demand.cause == Cause::Now);
    match asked {
        [] => "period",
        _ if ordered => "order",
        _ => "lookup",
    }
}
