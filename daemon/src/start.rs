//! The start: what our own files still know of each trust, and the tasks that keep it.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use anyhow::{Context, Result};
use jiff::SignedDuration;
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
use crate::ledger::{Chain, Found, Ledger};
use crate::refresh::{Keeper, Record, Refresher, replay};
use crate::serve::Shared;
use crate::setup::Setup;
use crate::store::{Allowed, Cache, MetadataStore, Scope, StateDir};

/// Takes up every trust where it was left, and starts its refresher among `writers`.
///
/// # Errors
/// A floor file that cannot be read, or one of a newer tufd.
pub(crate) fn start_trusts(
    setup: &Setup,
    state: &StateDir,
    clock: &Clock,
    writers: &mut JoinSet<()>,
) -> Result<(Shared, Vec<Listener>, Ledger)> {
    let Setup { config, policies, availability } = setup;
    let (ledger, found) = Ledger::open(state.path()).context("the floor file")?;
    let store: Arc<dyn MetadataStore> = Cache::open_or_memory(&state.database()).into();
    let mut restored = BTreeMap::new();
    for trust in &config.trusts {
        let (record, view) = restore(config, trust, &ledger, found, &store)?;
        restored.insert(trust.name.clone(), (record, Arc::new(view)));
    }
    let trusts =
        restored.iter().map(|(name, (_, view))| (name.clone(), Arc::clone(view))).collect();
    let board = Arc::new(Board::new(Generation {
        number: 1,
        trusts,
        policies: Arc::clone(policies),
        availability: *availability,
        built: crate::built(),
    }));
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
        allowed: Arc::new(Allowed::default()),
        counts: Arc::default(),
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
        let text = "no verdicts until every source verified";
        tracing::error!(target: "audit", trust = %trust.name, text, "FLOORS_LOST");
    }
    let view = TrustView {
        anchor: page.anchor,
        rules: anchor_rules(trust)?,
        limits: anchor_limits(config),
        root,
        chain,
        earlier: None,
        time_floor: page.floors.time(),
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
