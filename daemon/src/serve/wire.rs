//! From the rules' types to the messages of the wire.

use std::collections::HashMap;

use jiff::Timestamp as Time;
use prost_types::Timestamp;
use tufd_proto::v1;
use tufd_tuf::metadata::RoleName;
use tufd_tuf::verdict::{Decision, Verdict};

pub(super) fn time(time: Time) -> Timestamp {
    Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond().max(0) }
}

pub(super) fn strings<T: ToString>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

pub(super) fn by_role<T, U>(
    values: impl IntoIterator<Item = (RoleName, T)>,
    to: impl Fn(T) -> U,
) -> HashMap<String, U> {
    values.into_iter().map(|(role, value)| (role.to_string(), to(value))).collect()
}

pub(super) fn verdict(verdict: Verdict) -> v1::Verdict {
    v1::Verdict {
        decision: decision(verdict.decision).into(),
        reason: verdict.reason.code().to_owned(),
        text: verdict.text,
        reference: verdict.reference,
        digest: verdict.digest,
        trust: verdict.trust.unwrap_or_default(),
        role_path: strings(&verdict.role_path),
        keys: strings(&verdict.keys),
        versions: by_role(verdict.versions, u64::from),
        expires: by_role(verdict.expires, time),
        generation: verdict.generation,
        would_be: verdict.would_be.map_or(v1::Decision::Unspecified, decision).into(),
        valid_until: verdict.valid_until.map(time),
    }
}

fn decision(decision: Decision) -> v1::Decision {
    match decision {
        Decision::Allow => v1::Decision::Allow,
        Decision::Deny => v1::Decision::Deny,
    }
}
