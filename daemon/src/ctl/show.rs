use std::collections::HashMap;

use jiff::Timestamp;
use tufd_proto::v1::{Anchor, RefreshResponse, Root, TrustEntry, TrustState, Verdict};

use super::table::Page;
use super::text::{decision, moment, moment_from, round};

/// Roles in the order in which they are verified; delegated ones follow by name.
const ROLES: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

pub(super) fn verdict(verdict: &Verdict) -> String {
    let now = Timestamp::now();
    let mut page = Page::default();
    let decided = decision(verdict.decision).unwrap_or_default();
    page.line(&format!("{decided} {}: {}", verdict.reason, verdict.text));
    page.facts([
        ("reference", verdict.reference.clone()),
        ("digest", verdict.digest.clone()),
        ("would be", decision(verdict.would_be).unwrap_or_default().to_owned()),
        ("trust", verdict.trust.clone()),
        ("role path", verdict.role_path.join(" → ")),
        ("keys", verdict.keys.join(", ")),
        ("generation", verdict.generation.to_string()),
        (
            "valid until",
            verdict.valid_until.map(|at| moment_from(Some(at), now)).unwrap_or_default(),
        ),
    ]);
    let rows = ordered(&verdict.versions).into_iter().map(|(role, version)| {
        [role.to_owned(), version.to_string(), moment_from(verdict.expires.get(role).copied(), now)]
    });
    page.rows(["role", "version", "expires"], rows.collect());
    page.text()
}

pub(super) fn status(state: &TrustState) -> String {
    let now = clock(state);
    let mut page = Page::default();
    heading(&mut page, state);
    page.rows(
        ["trust", "state", "anchor", "root", "timestamp expires", "last refresh", "next refresh"],
        state.trusts.iter().map(|trust| row(trust, now)).collect(),
    );
    for trust in &state.trusts {
        notes(&mut page, trust);
    }
    page.text()
}

pub(super) fn trust_state(state: &TrustState) -> String {
    let now = clock(state);
    let mut page = Page::default();
    heading(&mut page, state);
    for trust in &state.trusts {
        page.blank();
        entry(&mut page, trust, now);
    }
    page.text()
}

pub(super) fn refresh(response: &RefreshResponse) -> String {
    let mut page = Page::default();
    let rows = response.results.iter().map(|result| {
        let outcome = match (result.error.is_empty(), result.changed) {
            (false, _) => "failed",
            (true, true) => "changed",
            (true, false) => "nothing new",
        };
        let versions = ordered(&result.versions)
            .into_iter()
            .map(|(role, version)| format!("{role} {version}"));
        let versions = versions.collect::<Vec<_>>().join(", ");
        [result.trust.clone(), outcome.to_owned(), result.generation.to_string(), versions]
    });
    page.rows(["trust", "outcome", "generation", "versions"], rows.collect());
    for result in response.results.iter().filter(|result| !result.error.is_empty()) {
        page.line(&format!("{}: {}", result.trust, result.error));
    }
    page.text()
}

fn heading(page: &mut Page, state: &TrustState) {
    let time =
        moment(state.time).map_or_else(|| "unknown".to_owned(), |time| round(time).to_string());
    page.line(&format!(
        "tufd {}, generation {}, its clock {time}",
        state.version, state.generation
    ));
}

fn row(trust: &TrustEntry, now: Timestamp) -> [String; 7] {
    let timestamp =
        trust.roles.iter().find(|role| role.name == "timestamp").and_then(|role| role.expires);
    [
        trust.name.clone(),
        answers(trust),
        trust.anchor.as_ref().map_or_else(|| "-".to_owned(), |anchor| condition(anchor, now)),
        trust.root.as_ref().map_or_else(
            || "none".to_owned(),
            |root| format!("{}, {}", root.version, coverage(root)),
        ),
        moment_from(timestamp, now),
        moment_from(trust.last_refresh, now),
        moment_from(trust.next_refresh, now),
    ]
}

/// Why it cannot answer, why it is behind, and what it warns about.
fn notes(page: &mut Page, trust: &TrustEntry) {
    if !trust.reason.is_empty() {
        page.line(&format!("{}: {}: {}", trust.name, trust.reason, trust.text));
    }
    if !trust.last_error.is_empty() {
        page.line(&format!("{}: the last refresh failed: {}", trust.name, trust.last_error));
    }
    for warning in &trust.warnings {
        page.line(&format!("{}: warning {}: {}", trust.name, warning.code, warning.text));
    }
}

fn entry(page: &mut Page, trust: &TrustEntry, now: Timestamp) {
    page.line(&format!("{}: {}", trust.name, answers(trust)));
    page.facts([
        ("trust domain", trust.trust_domain.clone()),
        ("epoch", trust.epoch.to_string()),
        ("last refresh", moment_from(trust.last_refresh, now)),
        ("next refresh", moment_from(trust.next_refresh, now)),
    ]);
    notes(page, trust);
    if let Some(anchor) = &trust.anchor {
        anchor_of(page, anchor, now);
    }
    roles(page, trust, now);
    let sources = trust.sources.iter().map(|source| {
        let error = if source.error.is_empty() { "answers" } else { &source.error };
        [source.url.clone(), error.to_owned(), moment_from(source.last_answer, now)]
    });
    page.rows(["source", "state", "last answer"], sources.collect());
}

fn anchor_of(page: &mut Page, anchor: &Anchor, now: Timestamp) {
    page.facts([
        ("anchor", condition(anchor, now)),
        (
            "threshold",
            format!("{} of {} keys must sign a root", anchor.threshold, anchor.keys.len()),
        ),
        ("confirmed", moment_from(anchor.confirmed, now)),
        ("withdraws", anchor.withdraws.map(|at| moment_from(Some(at), now)).unwrap_or_default()),
        (
            "skipped",
            number(u64::from(anchor.skipped), " authorities without a key that can be used"),
        ),
        ("least root", number(anchor.least_root_version, "")),
    ]);
    let keys = anchor.keys.iter().map(|key| {
        let in_root = if key.in_root { "in the root" } else { "not in the root" };
        let covers = if key.covers { "covers" } else { "does not cover" };
        [key.fingerprint.clone(), key.algorithm.clone(), in_root.to_owned(), covers.to_owned()]
    });
    page.rows(["anchor key", "algorithm", "root role", "this root"], keys.collect());
}

/// The root and the roles below it.
fn roles(page: &mut Page, trust: &TrustEntry, now: Timestamp) {
    let root = trust.root.iter().map(|root| {
        let signers = format!("{} of {}", root.threshold, root.keys.len());
        [
            "root".to_owned(),
            root.version.to_string(),
            moment_from(root.expires, now),
            signers,
            coverage(root),
        ]
    });
    let others = trust.roles.iter().map(|role| {
        let signers = format!("{} needed, {} signed", role.threshold, role.keys.len());
        let below = if role.delegator.is_empty() {
            String::new()
        } else {
            format!("delegated by {}", role.delegator)
        };
        [
            role.name.clone(),
            role.version.to_string(),
            moment_from(role.expires, now),
            signers,
            below,
        ]
    });
    page.rows(["role", "version", "expires", "keys", ""], root.chain(others).collect());
}

fn answers(trust: &TrustEntry) -> String {
    if trust.reason.is_empty() { "ok".to_owned() } else { trust.reason.clone() }
}

fn condition(anchor: &Anchor, now: Timestamp) -> String {
    format!("{} since {}", anchor.state, moment_from(anchor.since, now))
}

fn coverage(root: &Root) -> String {
    let covered = if root.covered { "covered" } else { "NOT covered" };
    format!("{covered} by {} keys", root.covering)
}

fn number(number: u64, unit: &str) -> String {
    if number == 0 { String::new() } else { format!("{number}{unit}") }
}

fn ordered(versions: &HashMap<String, u64>) -> Vec<(&str, u64)> {
    let rank = |role: &str| ROLES.iter().position(|known| *known == role).unwrap_or(ROLES.len());
    let mut versions: Vec<_> =
        versions.iter().map(|(role, version)| (role.as_str(), *version)).collect();
    versions.sort_by_key(|(role, _)| (rank(role), *role));
    versions
}

/// What is fresh is for the daemon's clock to say.
fn clock(state: &TrustState) -> Timestamp {
    moment(state.time).unwrap_or_else(Timestamp::now)
}
