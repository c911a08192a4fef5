//! The start: what our own files still know of each trust, and the tasks that keep it.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use anyhow::{Context, Result};
use jiff::SignedDuration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tufd_tuf::anchor::{AnchorLimits, AnchorRules};
use tufd_tuf::metadata::Threshold;
use tufd_tuf::verdict::Generation;
use tufd_tuf::view::{FloorsKnown, Repository, TrustView};

use crate::anchor::Listener;
use crate::board::Board;
use crate::clock::Clock;
use crate::config::{Config, Patience, TrustConfig};
use crate::fetch::{Limits, Mirrors, Source};
use crate::follower::{Follower, Waiting};
use crate::ledger::{Chain, Found, Ledger, Page};
use crate::refresh::{Copy, Keeper, Record, Refresher, Replayed, replay};
use crate::serve::Shared;
use crate::setup::Setup;
use crate::store::{Allowed, ChainDir, Left, Scope, StateDir};

/// All that runs on, and what is not running yet.
pub(crate) struct Started {
    pub(crate) shared: Shared,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) ledger: Ledger,
    /// To be run when the daemon serves.
    pub(crate) follower: Follower,
    /// Whom the database may help when it is open.
    pub(crate) waiting: Vec<Waiting>,
}

/// A trust as it was left.
struct Restored {
    record: Record,
    view: Arc<TrustView>,
    copy: Copy,
}

/// Takes up every trust where it was left, and starts its refresher among `writers`.
///
/// # Errors
/// A floor file that cannot be read, or one of a newer tufd.
pub(crate) fn start_trusts(
    setup: &Setup,
    state: &StateDir,
    clock: &Clock,
    writers: &mut JoinSet<()>,
) -> Result<Started> {
    let Setup { config, policies, availability } = setup;
    let allowed = Arc::new(Allowed::default());
    let mut left = LeftBehind::open(state, Follower::new(state.database(), Arc::clone(&allowed)))?;
    let mut restored = BTreeMap::new();
    for trust in &config.trusts {
        restored.insert(trust.name.clone(), left.restore(config, trust)?);
    }
    let view = |(name, trust): (&String, &Restored)| (name.clone(), Arc::clone(&trust.view));
    let board = Arc::new(Board::new(Generation {
        number: 1,
        trusts: restored.iter().map(view).collect(),
        policies: Arc::clone(policies),
        availability: *availability,
        built: crate::built(),
    }));
    let (mut refreshers, mut listeners, mut known) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
    for trust in &config.trusts {
        let Some(Restored { record, view: first, copy }) = restored.remove(&trust.name) else {
            continue;
        };
        let open = |url: &crate::fetch::SourceUrl| Source::open(url.clone(), Limits::default());
        let mirrors =
            Arc::new(Mirrors::new(trust.metadata.iter().map(open).collect::<Result<_, _>>()?));
        let (board, clock) = (Arc::clone(&board), clock.clone());
        // A lower epoch in the configuration changes nothing.
        let epoch = NonZeroU64::new(record.scope.epoch).unwrap_or(trust.epoch);
        let trust = TrustConfig { epoch, ..trust.clone() };
        known.insert(trust.name.clone(), trust.clone());
        let keeper = Keeper { trust: trust.clone(), mirrors, record, board, first, clock };
        let refresher = Refresher::start(keeper, copy, config.refresh_period, writers);
        let (name, domain) = (trust.name.clone(), trust.trust_domain.clone());
        listeners.push(Listener { name: name.clone(), domain, refresher: refresher.clone() });
        refreshers.insert(name, refresher);
    }
    let shared = Shared {
        board,
        refreshers: Arc::new(refreshers),
        trusts: Arc::new(known),
        allowed,
        counts: Arc::default(),
        clock: clock.clone(),
    };
    let LeftBehind { state: _, ledger, found: _, follower, waiting } = left;
    Ok(Started { shared, listeners, ledger, follower, waiting })
}

/// What a daemon before this one left in the state directory.
struct LeftBehind<'s> {
    state: &'s StateDir,
    ledger: Ledger,
    found: Found,
    follower: Follower,
    waiting: Vec<Waiting>,
}

impl<'s> LeftBehind<'s> {
    fn open(state: &'s StateDir, follower: Follower) -> Result<Self> {
        let (ledger, found) = Ledger::open(state.path()).context("the floor file")?;
        Ok(Self { state, ledger, found, follower, waiting: Vec::new() })
    }

    /// What our own files still know of a trust.
    fn restore(&mut self, config: &Config, trust: &TrustConfig) -> Result<Restored> {
        let before = self.ledger.pages().remove(trust.trust_domain.as_str());
        let page = self.begin(trust)?;
        let scope = Scope { trust: trust.trust_domain.to_string(), epoch: page.epoch };
        let chain = ChainDir::open(self.state.path(), &scope);
        let kept = chain.kept();
        let Replayed { root, chain: answers, older } =
            replay(|file| kept.get(file).cloned(), &page.floors);
        if let Some(why) = older {
            tracing::error!(trust = %trust.name, why, "the files of the last chain are older than the floor file");
        }
        if answers.is_some() && chain.left() == Left::Whole {
            self.follower.follow(&scope, kept);
        }
        let lost = page.floors_lost || self.found.is_loss(before.as_ref(), self.state, &chain);
        if lost {
            // The next write makes the floor file whole again, and must not make it look as if nothing had been lost.
            self.ledger.lose_floors(&scope.trust);
            let text = "no verdicts until every source verified";
            tracing::error!(target: "audit", trust = %trust.name, text, "FLOORS_LOST");
        }
        let view = Arc::new(TrustView {
            time_floor: page.floors.time(),
            anchor: page.anchor,
            rules: anchor_rules(trust)?,
            limits: anchor_limits(config),
            root,
            chain: answers,
            floors: if lost { FloorsKnown::Lost } else { FloorsKnown::Yes },
            repository: Repository::Unreachable,
            trouble: None,
        });
        let (taker, copy) = oneshot::channel();
        self.waiting.push(Waiting { scope: scope.clone(), floors: page.floors, taker });
        let (ledger, follower) = (self.ledger.clone(), self.follower.clone());
        let record = Record { chain: Arc::new(chain), ledger, follower, scope };
        Ok(Restored { record, view, copy })
    }

    /// The page of a trust under the configured epoch.
    fn begin(&self, trust: &TrustConfig) -> Result<Page> {
        let domain = trust.trust_domain.to_string();
        let (page, chain) =
            self.ledger.begin(&domain, trust.epoch.get()).context("the floor file")?;
        match chain {
            Chain::Same => {}
            Chain::New { before } => {
                tracing::warn!(target: "audit", trust = %trust.name, before, epoch = trust.epoch, "EPOCH_RAISED");
                let left = Scope { trust: domain, epoch: before };
                ChainDir::forget(self.state.path(), &left);
                self.follower.follow(&left, Arc::default());
            }
            Chain::Higher { kept } => {
                tracing::error!(trust = %trust.name, kept, epoch = trust.epoch, "an epoch is never lowered; the higher one stays");
            }
        }
        Ok(page)
    }
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
