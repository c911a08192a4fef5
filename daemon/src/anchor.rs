//! Takes what the Workload API says to the anchors: at once into what answers, then into the floor file.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use spiffe::TrustDomain;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tufd_tuf::anchor::{AnchorState, Heard, Said};
use tufd_tuf::condition::{Change, Condition};
use tufd_tuf::view::TrustView;

use crate::board::Board;
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::refresh::Refresher;
use crate::workload_api::BundleEvent;

/// How often withdrawals are looked at when nothing is heard: they come into force without a word.
const SETTLE_EVERY: Duration = Duration::from_secs(1);
/// A disk that refused to take an anchor is asked again after this.
const WRITE_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// One trust that listens.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Name of the `[[trust]]`.
    pub name: String,
    /// Its trust domain.
    pub domain: TrustDomain,
    /// Whom a new bundle wakes.
    pub refresher: Refresher,
}

/// Keeps the anchors of all trusts until the events end.
pub async fn keep(
    mut events: mpsc::Receiver<BundleEvent>,
    listeners: Vec<Listener>,
    board: Arc<Board>,
    ledger: Ledger,
    clock: Clock,
) {
    let (changed, changes) = watch::channel(());
    let listen = async {
        loop {
            let event = match timeout(SETTLE_EVERY, events.recv()).await {
                Ok(Some(event)) => Some(event),
                Ok(None) => return,
                Err(_) => None,
            };
            for listener in &listeners {
                if hear(listener, event.as_ref(), &board, clock.now()) {
                    changed.send_replace(());
                }
            }
            if event.is_some() {
                warn_of_shared_keys(&board);
            }
        }
    };
    // Two tasks in one: what answers changes first, and no withdrawal waits for the disk.
    tokio::select! {
        () = listen => {}
        () = write_down(changes, &listeners, &board, &ledger) => {}
    }
}

/// Brings the floor file up to what answers, whenever that changed, and again after a disk that refused.
async fn write_down(
    mut changes: watch::Receiver<()>,
    listeners: &[Listener],
    board: &Board,
    ledger: &Ledger,
) {
    let mut wait = None;
    while next(&mut changes, wait).await.is_ok() {
        wait = None;
        for Listener { name, domain, refresher: _ } in listeners {
            let Some(view) = board.trust(name) else { continue };
            let anchor = view.anchor.clone();
            if let Err(error) =
                ledger.record(domain.as_str(), move |page| page.anchor = anchor).await
            {
                wait = Some(WRITE_AGAIN_AFTER);
                tracing::error!(trust = %name, error = &error as &dyn std::error::Error, "the anchor is not on the disk");
            }
        }
    }
}

/// The next change, or the end of a wait.
async fn next(
    changes: &mut watch::Receiver<()>,
    wait: Option<Duration>,
) -> Result<(), watch::error::RecvError> {
    match wait {
        Some(wait) => timeout(wait, changes.changed()).await.unwrap_or(Ok(())),
        None => changes.changed().await,
    }
}

/// Takes in an event, or nothing but the time. Whether that changed the anchor.
fn hear(listener: &Listener, event: Option<&BundleEvent>, board: &Board, now: Timestamp) -> bool {
    let Listener { name, domain, refresher } = listener;
    let Some(view) = board.trust(name) else { return false };
    let mut next = TrustView::clone(&view);
    // First: what came into force before the message stays so, whatever the message does to the clocks.
    next.anchor.settle(&view.limits, now);
    let heard = event.map_or(Ok(Heard::Same), |event| {
        next.anchor.hear(said(event, domain), domain.as_str(), now)
    });
    let change = next.note(now);
    let changed = next.anchor != view.anchor;
    // Before a word of it is said: no log holds a withdrawal up.
    if changed {
        board.update(name, |view| view.anchor = next.anchor.clone());
        // Without a root, every word of the agent may be the one that lets a root be entered.
        if heard == Ok(Heard::Bundle) || view.root.is_none() {
            refresher.wake();
        }
    }
    if let Err(error) = heard {
        tracing::error!(trust = %name, %error, "the bundle confirms nothing");
    }
    if let Some(event) = event.filter(|_| changed) {
        log_event(name, event, &view.anchor, &next.anchor);
    }
    if let Some(change) = change.filter(|_| changed) {
        log_change(name, change);
    }
    changed
}

fn said<'e>(event: &'e BundleEvent, domain: &TrustDomain) -> Said<'e> {
    match event {
        BundleEvent::Message { place, bundles } => match bundles.get(domain) {
            Some(der) => Said::Authorities(der, *place),
            None => Said::Missing,
        },
        BundleEvent::PermissionDenied { .. } => Said::PermissionDenied,
        BundleEvent::Undecodable { .. } => Said::Undecodable,
        BundleEvent::Unreachable { .. } => Said::Unreachable,
    }
}

fn log_event(trust: &str, event: &BundleEvent, before: &AnchorState, after: &AnchorState) {
    let keys = |state: &AnchorState| {
        let keys = state.bundle().map(|bundle| bundle.keys().to_vec()).unwrap_or_default();
        keys.iter().map(|key| key.fingerprint.to_string()).collect::<Vec<_>>()
    };
    let (old, new) = (keys(before), keys(after));
    if old != new {
        let beyond = |these: &[String], those: &[String]| {
            let beyond: Vec<_> = these.iter().filter(|key| !those.contains(key)).cloned().collect();
            beyond.join(",")
        };
        let (added, removed) = (beyond(&new, &old), beyond(&old, &new));
        tracing::warn!(target: "audit", trust, added, removed, "ANCHOR_CHANGED");
        return;
    }
    match event {
        BundleEvent::Message { .. } => tracing::info!(%trust, "anchor heard"),
        BundleEvent::PermissionDenied { text } => {
            tracing::error!(%trust, %text, "the SPIRE agent has no entry for this daemon");
        }
        BundleEvent::Undecodable { text } => {
            tracing::error!(%trust, %text, "the Workload API's message cannot be decoded");
        }
        BundleEvent::Unreachable { text } => {
            tracing::warn!(%trust, %text, "the SPIRE agent cannot be reached");
        }
    }
}

/// A line for each change of condition, as loud as what it means for an operator.
fn log_change(trust: &str, Change { from, to }: Change) {
    let (from, name, meaning) = (from.map_or("", Condition::name), to.name(), to.meaning());
    match to {
        Condition::Withdrawn
        | Condition::Stale
        | Condition::NotCovered
        | Condition::Denied
        | Condition::Undecodable => {
            tracing::error!(target: "audit", %trust, from, to = name, meaning, "ANCHOR_STATE");
        }
        Condition::Missing | Condition::Empty | Condition::Unreachable | Condition::Behind => {
            tracing::warn!(target: "audit", %trust, from, to = name, meaning, "ANCHOR_STATE");
        }
        Condition::Cached | Condition::Fresh | Condition::Waiting => {
            tracing::info!(target: "audit", %trust, from, to = name, meaning, "ANCHOR_STATE");
        }
    }
}

/// A root key in two anchors means that one ceremony's loss is another's too.
fn warn_of_shared_keys(board: &Board) {
    let generation = board.now();
    let mut owners = std::collections::BTreeMap::new();
    for (name, view) in &generation.trusts {
        for key in view.anchor.bundle().map(|bundle| bundle.keys()).unwrap_or_default() {
            if let Some(other) = owners.insert(key.fingerprint, name) {
                tracing::error!(key = %key.fingerprint, first = %other, second = %name, "one key in two anchors");
            }
        }
    }
}
