//! The messages as JSON, with the proto's names. Each is taken apart whole, so that a new field cannot be forgotten.

use std::collections::HashMap;

use serde_json::{Value, json};
use tufd_proto::v1::{
    Anchor, AnchorKey, RefreshResponse, RefreshResult, Role, Root, Source, TrustEntry, TrustState,
    Verdict, Warning,
};

use super::text::{decision, moment};

pub(super) fn verdict(verdict: Verdict) -> Value {
    let Verdict {
        decision: decided,
        reason,
        text,
        reference,
        digest,
        trust,
        role_path,
        keys,
        versions,
        expires,
        generation,
        would_be,
        valid_until,
    } = verdict;
    let expires: HashMap<_, _> =
        expires.into_iter().map(|(role, at)| (role, date(Some(at)))).collect();
    json!({
        "decision": decision(decided), "reason": reason, "text": text, "reference": reference, "digest": digest,
        "trust": trust, "role_path": role_path, "keys": keys, "versions": versions, "expires": expires,
        "generation": generation, "would_be": decision(would_be), "valid_until": date(valid_until),
    })
}

pub(super) fn trust_state(state: TrustState) -> Value {
    let TrustState { generation, time, version, trusts } = state;
    json!({
        "generation": generation, "time": date(time), "version": version,
        "trusts": trusts.into_iter().map(trust_entry).collect::<Vec<_>>(),
    })
}

pub(super) fn refresh(response: RefreshResponse) -> Value {
    let RefreshResponse { results } = response;
    let results = results.into_iter().map(|result| {
        let RefreshResult { trust, error, changed, generation, versions } = result;
        json!({
            "trust": trust, "error": error, "changed": changed, "generation": generation, "versions": versions,
        })
    });
    json!({ "results": results.collect::<Vec<_>>() })
}

fn trust_entry(entry: TrustEntry) -> Value {
    let TrustEntry {
        name,
        trust_domain,
        epoch,
        reason,
        text,
        anchor: of_anchor,
        root: of_root,
        roles,
        sources,
        last_refresh,
        last_error,
        next_refresh,
        warnings,
    } = entry;
    json!({
        "name": name, "trust_domain": trust_domain, "epoch": epoch, "reason": reason, "text": text,
        "anchor": of_anchor.map(anchor), "root": of_root.map(root),
        "roles": roles.into_iter().map(role).collect::<Vec<_>>(),
        "sources": sources.into_iter().map(source).collect::<Vec<_>>(),
        "last_refresh": date(last_refresh), "last_error": last_error, "next_refresh": date(next_refresh),
        "warnings": warnings.into_iter().map(warning).collect::<Vec<_>>(),
    })
}

fn anchor(anchor: Anchor) -> Value {
    let Anchor { state, since, threshold, keys, skipped, least_root_version, confirmed, withdraws } =
        anchor;
    json!({
        "state": state, "since": date(since), "threshold": threshold,
        "keys": keys.into_iter().map(anchor_key).collect::<Vec<_>>(), "skipped": skipped,
        "least_root_version": least_root_version, "confirmed": date(confirmed), "withdraws": date(withdraws),
    })
}

fn anchor_key(key: AnchorKey) -> Value {
    let AnchorKey { fingerprint, algorithm, in_root, covers } = key;
    json!({ "fingerprint": fingerprint, "algorithm": algorithm, "in_root": in_root, "covers": covers })
}

fn root(root: Root) -> Value {
    let Root { version, expires, threshold, keys, covered, covering } = root;
    json!({
        "version": version, "expires": date(expires), "threshold": threshold, "keys": keys, "covered": covered,
        "covering": covering,
    })
}

fn role(role: Role) -> Value {
    let Role { name, version, expires, threshold, keys, delegator } = role;
    json!({
        "name": name, "version": version, "expires": date(expires), "threshold": threshold, "keys": keys,
        "delegator": delegator,
    })
}

fn source(source: Source) -> Value {
    let Source { url, error, last_answer } = source;
    json!({ "url": url, "error": error, "last_answer": date(last_answer) })
}

fn warning(warning: Warning) -> Value {
    let Warning { code, text } = warning;
    json!({ "code": code, "text": text })
}

/// RFC 3339, or null where there is none.
fn date(timestamp: Option<prost_types::Timestamp>) -> Value {
    moment(timestamp).map_or(Value::Null, |moment| Value::String(moment.to_string()))
}
