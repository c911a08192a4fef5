//! `tufd.v1.Trust`: what the node trusts, and why.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp as Time;
use tonic::{Request, Response, Status};
use tufd_proto::v1;
use tufd_proto::v1::trust_server::Trust;
use tufd_tuf::condition::{Condition, Noted};
use tufd_tuf::metadata::{Delegation, Role as _, RoleKeys, Targets, Threshold};
use tufd_tuf::trust::{Edge, Trust as Chain};
use tufd_tuf::verified::Verified;
use tufd_tuf::view::TrustView;

use super::{Shared, wire};
use crate::refresh::Refresher;

/// More delegated roles are not listed: one delegate can make thousands, and the answer is one message.
const ROLES_LISTED_MAX: usize = 256;
/// More keys of a role are not listed.
const KEYS_LISTED_MAX: usize = 16;

/// Shows what the node trusts.
#[derive(Debug, Clone)]
pub struct TrustService(pub Shared);

#[tonic::async_trait]
impl Trust for TrustService {
    async fn get_trust(
        &self,
        request: Request<v1::GetTrustRequest>,
    ) -> Result<Response<v1::TrustState>, Status> {
        let (generation, now) = (self.0.board.now(), self.0.clock.now());
        let named = self.0.named(&request.get_ref().trust)?;
        let entry = |(name, refresher): (&String, &Refresher)| {
            let view = generation.trusts.get(name)?;
            Some(self.entry(name, view, refresher, now))
        };
        Ok(Response::new(v1::TrustState {
            generation: generation.number,
            time: Some(wire::time(now)),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            trusts: named.into_iter().filter_map(entry).collect(),
        }))
    }
}

impl TrustService {
    fn entry(
        &self,
        name: &str,
        view: &TrustView,
        refresher: &Refresher,
        now: Time,
    ) -> v1::TrustEntry {
        let (reason, text) = match view.fresh(now) {
            Ok(_) => (String::new(), String::new()),
            Err(closed) => (closed.reason.code().to_owned(), closed.text),
        };
        let config = self.0.trusts.get(name);
        let listed = view.chain.as_deref().map(Listed::of).unwrap_or_default();
        let status = refresher.status();
        v1::TrustEntry {
            name: name.to_owned(),
            trust_domain: config.map(|trust| trust.trust_domain.to_string()).unwrap_or_default(),
            epoch: config.map(|trust| trust.epoch.get()).unwrap_or_default(),
            reason,
            text,
            anchor: Some(anchor(view, now)),
            root: root(view),
            warnings: warnings(view, now, &listed),
            roles: listed.roles,
            sources: sources(refresher),
            last_refresh: status.last_success.map(wire::time),
            last_error: status.error.unwrap_or_default(),
            next_refresh: status.next.map(wire::time),
        }
    }
}

/// Versions of the top-level roles.
pub(super) fn versions(view: &TrustView) -> HashMap<String, u64> {
    let root = view.root.as_ref().map(|root| ("root".to_owned(), root.version().into()));
    let chain = view.chain.iter().flat_map(|chain| {
        [
            (chain.timestamp().name().to_string(), chain.timestamp().version().into()),
            (chain.snapshot().name().to_string(), chain.snapshot().version().into()),
            (chain.targets().name().to_string(), chain.targets().version().into()),
        ]
    });
    root.into_iter().chain(chain).collect()
}

fn anchor(view: &TrustView, now: Time) -> v1::Anchor {
    let Noted { condition, since } = view.noted(now);
    let pends = condition != Condition::Withdrawn;
    let withdraws = view.anchor.withdraws_at(&view.limits).filter(|_| pends);
    let coverage = view.coverage();
    let covering = coverage.as_ref().and_then(|coverage| coverage.keys());
    let in_root = view.root.as_ref().map(|root| root.root().fingerprints()).unwrap_or_default();
    let today = view.today();
    let keys = today.iter().flat_map(|anchor| anchor.keys()).map(|key| v1::AnchorKey {
        fingerprint: key.fingerprint.to_string(),
        algorithm: key.algorithm.to_string(),
        in_root: in_root.contains(&key.fingerprint),
        covers: covering.is_some_and(|keys| keys.contains(&key.fingerprint)),
    });
    v1::Anchor {
        state: condition.name().to_owned(),
        since: Some(wire::time(since)),
        threshold: view.rules.threshold.get(),
        keys: keys.collect(),
        skipped: view.anchor.bundle().map(|bundle| bundle.skipped()).unwrap_or_default(),
        least_root_version: today
            .as_ref()
            .and_then(|a| a.least_root_version())
            .map_or(0, u64::from),
        confirmed: view.anchor.confirmed().map(wire::time),
        withdraws: withdraws.map(wire::time),
    }
}

fn root(view: &TrustView) -> Option<v1::Root> {
    let root = view.root.as_ref()?;
    let coverage = view.coverage();
    let covering =
        coverage.as_ref().and_then(|coverage| coverage.keys()).map_or(0, |keys| keys.len());
    Some(v1::Root {
        version: root.version().into(),
        expires: Some(wire::time(root.expires())),
        threshold: root.root().threshold().get(),
        keys: wire::strings(root.root().fingerprints()),
        covered: coverage.is_some_and(|coverage| coverage.is_covered()),
        covering: u32::try_from(covering).unwrap_or(u32::MAX),
    })
}

/// The roles of a chain as far as they are listed.
#[derive(Default)]
struct Listed {
    roles: Vec<v1::Role>,
    /// Whether there are more roles, or more keys of one.
    cut: bool,
}

impl Listed {
    /// In the order of the search: each role after the one that delegates to it.
    fn of(chain: &Chain) -> Self {
        let (timestamp, snapshot, targets) = (chain.timestamp(), chain.snapshot(), chain.targets());
        let root = chain.root();
        let mut roles = vec![
            role(timestamp, timestamp.version(), timestamp.expires(), root.timestamp(), ""),
            role(snapshot, snapshot.version(), snapshot.expires(), root.snapshot(), ""),
            role(targets, targets.version(), targets.expires(), root.targets(), ""),
        ];
        let mut below = delegated(chain);
        let mut cut = below.len() > ROLES_LISTED_MAX;
        below.truncate(ROLES_LISTED_MAX);
        roles.append(&mut below);
        for role in &mut roles {
            cut |= role.keys.len() > KEYS_LISTED_MAX;
            role.keys.truncate(KEYS_LISTED_MAX);
        }
        Self { roles, cut }
    }
}

/// One more than are listed, at most. Without recursion: whoever holds one delegated key can delegate a thousand times
/// in depth.
fn delegated(chain: &Chain) -> Vec<v1::Role> {
    let below = |from: &Verified<Targets>| {
        let edge = |delegation: &Delegation| {
            let edge = Edge { delegator: from.name().clone(), role: delegation.name.clone() };
            (edge, delegation.keys.clone())
        };
        from.delegations().iter().rev().map(edge).collect::<Vec<_>>()
    };
    let (mut stack, mut seen, mut roles) = (below(chain.targets()), BTreeSet::new(), Vec::new());
    while let Some((edge, keys)) = stack.pop().filter(|_| roles.len() <= ROLES_LISTED_MAX) {
        let Some(targets) = chain.role(&edge) else { continue };
        let delegator = edge.delegator.clone();
        if seen.insert(edge) {
            let (version, expires) = (targets.version(), targets.expires());
            roles.push(role(targets, version, expires, &keys, delegator.as_str()));
            stack.extend(below(targets));
        }
    }
    roles
}

fn role<R>(
    file: &Verified<R>,
    version: impl Into<u64>,
    expires: Time,
    keys: &RoleKeys,
    delegator: &str,
) -> v1::Role {
    v1::Role {
        name: file.name().to_string(),
        version: version.into(),
        expires: Some(wire::time(expires)),
        threshold: Threshold::get(keys.threshold()),
        keys: wire::strings(file.signers()),
        delegator: delegator.to_owned(),
    }
}

fn sources(refresher: &Refresher) -> Vec<v1::Source> {
    let sources = refresher.sources().into_iter().map(|health| v1::Source {
        url: health.url.to_string(),
        error: health.last_error.map(|(_, error)| error).unwrap_or_default(),
        last_answer: health.last_answer.map(wire::time),
    });
    sources.collect()
}

fn warnings(view: &TrustView, now: Time, listed: &Listed) -> Vec<v1::Warning> {
    let mut warnings = Vec::new();
    let mut warn =
        |code: &str, text: String| warnings.push(v1::Warning { code: code.to_owned(), text });
    // By the anchor itself: that a root is not covered hides neither.
    let heard = view.anchor.condition(&view.limits, now);
    if let Some(code) = pending(heard) {
        let due = view.anchor.withdraws_at(&view.limits);
        let due = due.map_or("never counts as withdrawn".into(), |at| format!("withdrawn at {at}"));
        warn(code, format!("{}; {due}", heard.meaning()));
    }
    let lacking = view.lacking_keys();
    if !lacking.is_empty() {
        let keys = wire::strings(lacking).join(", ");
        warn("ANCHOR_BEHIND", format!("{}: {keys}", Condition::Behind.meaning()));
    }
    if let (Some(root), Some(anchor)) = (&view.root, view.today())
        && anchor.threshold() < root.root().threshold()
    {
        let (own, roots) = (anchor.threshold().get(), root.root().threshold().get());
        let text = format!("[[trust]] threshold {own} is below the root role's own {roots}");
        warn("THRESHOLD_LOW", text);
    }
    if let Some(floor) = view.clock_back(now) {
        let text = format!(
            "the clock says {now}, but {floor} was proved; set it, or see `tufctl state reset-time-floor`"
        );
        warn("CLOCK_BACK", text);
    }
    if view.anchor.bundle().is_some_and(|bundle| bundle.skipped() > 0) {
        warn("KEYS_SKIPPED", "the bundle holds certificates without a key that can be used".into());
    }
    if listed.cut {
        warn(
            "ROLES_CUT",
            format!(
                "at most {ROLES_LISTED_MAX} delegated roles and {KEYS_LISTED_MAX} keys of each role are listed"
            ),
        );
    }
    warnings
}

/// The code of a withdrawal that is not one yet.
fn pending(condition: Condition) -> Option<&'static str> {
    match condition {
        Condition::Missing | Condition::Empty => Some("WITHDRAWAL_PENDING"),
        Condition::Denied => Some("PERMISSION_DENIED"),
        Condition::Withdrawn
        | Condition::Stale
        | Condition::NotCovered
        | Condition::Undecodable
        | Condition::Unreachable
        | Condition::Behind
        | Condition::Cached
        | Condition::Fresh
        | Condition::Waiting => None,
    }
}
