//! What a verdict says, and how it comes to say it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp as Time;

use super::generation::{Asked, Request};
use crate::image::Exemption;
use crate::key::Fingerprint;
use crate::known_good::AllowKey;
use crate::metadata::{Role, RoleName, Snapshot, Target, Timestamp, Version};
use crate::reason::Reason;
use crate::search::{Answer, Found, search, search_in_grace};
use crate::trust::{Fresh, Grace, Trust};

/// Allowed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The image may be used.
    Allow,
    /// It may not.
    Deny,
}

/// A finished evaluation.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Allowed or not.
    pub decision: Decision,
    /// Why.
    pub reason: Reason,
    /// Why, as a sentence.
    pub text: String,
    /// The reference in full, as far as it could be read.
    pub reference: String,
    /// The digest asked about.
    pub digest: String,
    /// The `[[trust]]` that decided, if one did.
    pub trust: Option<String>,
    /// Roles from `targets` to the one that vouches.
    pub role_path: Vec<RoleName>,
    /// Keys whose signatures on that role counted.
    pub keys: BTreeSet<Fingerprint>,
    /// Versions of the roles that decided.
    pub versions: BTreeMap<RoleName, Version>,
    /// Expiries of the roles that decided.
    pub expires: BTreeMap<RoleName, Time>,
    /// The generation that answered.
    pub generation: u64,
    /// What the answer would have been, where a mode overrode it.
    pub would_be: Option<Decision>,
    /// The first moment at which the answer may change without anything new.
    pub valid_until: Option<Time>,
}

/// Why there is no answer: nothing was ever verified. Every caller blocks on it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: trust {trust:?} has verified nothing yet: {text}", Reason::NoTrust)]
pub struct NoVerdict {
    /// The `[[trust]]`.
    pub trust: String,
    /// What is missing.
    pub text: String,
}

impl Verdict {
    /// Names this question, and an ALLOW to it if it is one.
    #[must_use]
    pub fn allow_key(&self) -> AllowKey {
        AllowKey::new(self.trust.as_deref().unwrap_or_default(), &self.reference, &self.digest)
    }

    /// Whether it is a plain yes: a role vouches for the image under an unexpired chain.
    #[must_use]
    pub fn is_yes(&self) -> bool {
        self.decision == Decision::Allow && self.reason == Reason::Signed
    }

    pub(super) fn is_no(&self) -> bool {
        self.decision == Decision::Deny || self.would_be.is_some()
    }

    pub(super) fn new(request: &Request<'_>, generation: u64) -> Self {
        Self {
            decision: Decision::Deny,
            reason: Reason::NoPolicy,
            text: String::new(),
            reference: request.reference.chars().take(512).collect(),
            digest: request.digest.chars().take(128).collect(),
            trust: None,
            role_path: Vec::new(),
            keys: BTreeSet::new(),
            versions: BTreeMap::new(),
            expires: BTreeMap::new(),
            generation,
            would_be: None,
            valid_until: None,
        }
    }

    pub(super) fn deny(mut self, reason: Reason, text: String) -> Self {
        self.decision = Decision::Deny;
        self.reason = reason;
        self.text = text;
        self
    }

    /// Only the question: what was asked, and of whom.
    pub(super) fn unanswered(&self) -> Self {
        Self {
            role_path: Vec::new(),
            keys: BTreeSet::new(),
            versions: BTreeMap::new(),
            expires: BTreeMap::new(),
            valid_until: None,
            ..self.clone()
        }
    }

    pub(super) fn of(mut self, trust: &str) -> Self {
        self.trust = Some(trust.to_owned());
        self
    }

    pub(super) fn noting(mut self, note: &str) -> Self {
        self.text = format!("{}; {note}", self.text);
        self
    }

    pub(super) fn exempt(mut self, exemption: &Exemption) -> Self {
        let Exemption { images, digests: _, until, reason } = exemption;
        self.decision = Decision::Allow;
        self.reason = Reason::Exempt;
        self.text = format!("exempt under {images} until {until}: {reason}");
        self.valid_until = Some(*until);
        self
    }

    /// What mode `warn` makes of it.
    pub(super) fn allowed_anyway(mut self) -> Self {
        if self.decision == Decision::Deny {
            (self.decision, self.would_be) = (Decision::Allow, Some(Decision::Deny));
            return self.noting("the [[policy]] has mode \"warn\" and lets it pass");
        }
        self
    }

    /// What a chain past its expiry says, of an image that was denied for that expiry only.
    pub(super) fn known_good(
        self,
        grace: Grace<'_>,
        asked: Asked<'_>,
        anchor_changes: Option<Time>,
        strict: &Self,
    ) -> Self {
        let path = asked.reference.target_path(asked.digest);
        let found = search_in_grace(&grace, &path);
        let mut found = self.of_search(grace.trust(), found, &path, asked);
        let lasting = found
            .expires
            .iter()
            .filter(|(role, _)| ![Timestamp::TYPE, Snapshot::TYPE].contains(&role.as_str()));
        let ends = lasting.map(|(_, expires)| *expires).chain(anchor_changes);
        found.valid_until = ends.chain([grace.until()]).min();
        if found.decision == Decision::Allow {
            found.reason = Reason::KnownGood;
            found.would_be = Some(Decision::Deny);
            found.text = format!(
                "{}; allowed here before, and until {} for lack of anything fresh: {}: {}",
                found.text,
                grace.until(),
                strict.reason,
                strict.text
            );
        }
        found
    }

    fn by<R: Role>(&mut self, name: &RoleName, role: &R) {
        self.versions.insert(name.clone(), role.version());
        self.expires.insert(name.clone(), role.expires());
    }

    /// Until the first role that was asked expires, or a clock of the anchor runs out.
    pub(super) fn valid_until(mut self, anchor_changes: Option<Time>) -> Self {
        self.valid_until = self.expires.values().copied().chain(anchor_changes).min();
        self
    }

    fn of_chain(mut self, trust: &Trust) -> Self {
        self.by(trust.root().name(), &***trust.root());
        self.by(trust.timestamp().name(), &**trust.timestamp());
        self.by(trust.snapshot().name(), &**trust.snapshot());
        self.by(trust.targets().name(), &**trust.targets());
        self
    }

    /// Looks the image up. Takes the proof that the chain is unexpired now.
    pub(super) fn of_target(self, fresh: Fresh<'_>, asked: Asked<'_>) -> Self {
        let path = asked.reference.target_path(asked.digest);
        self.of_search(fresh.trust(), search(&fresh, &path), &path, asked)
    }

    fn of_search(
        mut self,
        trust: &Trust,
        Found { asked: roles, answer }: Found<'_>,
        path: &str,
        asked: Asked<'_>,
    ) -> Self {
        self = self.of_chain(trust);
        roles.iter().for_each(|role| self.by(role.name(), &***role));
        match answer {
            Answer::Target { target, role, path: way } => {
                self.keys = role.signers().clone();
                self.role_path = way;
                self.of_signed(target, role.name(), path, asked)
            }
            Answer::NotFound => {
                let roles: Vec<&str> = roles.iter().map(|role| role.name().as_str()).collect();
                let text = format!(
                    "no role that may speak of it signed {path} (asked: {})",
                    roles.join(", ")
                );
                self.deny(Reason::TargetNotFound, text)
            }
            Answer::Unavailable { role } => {
                let text =
                    format!("role {role} may speak of {path} and could not be had from any source");
                self.deny(Reason::RoleUnavailable, text)
            }
            Answer::TooCostly { role } => {
                let text =
                    format!("the delegations of role {role} are too costly to compare with {path}");
                self.deny(Reason::RoleUnavailable, text)
            }
            Answer::Expired { role, expires } => {
                let text = format!(
                    "role {role} expired at {expires}; whoever signs it must publish it anew"
                );
                self.deny(Reason::RoleExpired, text)
            }
        }
    }

    /// What was signed, against what is asked about.
    fn of_signed(mut self, target: &Target, by: &RoleName, path: &str, asked: Asked<'_>) -> Self {
        let Asked { reference: _, digest, size, now: _ } = asked;
        if target.hashes.sha256() != Some(digest.sha256()) {
            let signed =
                target.hashes.sha256().map_or("no sha256".into(), |hash| format!("sha256:{hash}"));
            let text = format!("{by} signed {path} as {signed}, not as {digest}");
            return self.deny(Reason::DigestMismatch, text);
        }
        if let Some(size) = size.filter(|size| *size != target.length) {
            let text = format!("{by} signed {path} with {} bytes, not with {size}", target.length);
            return self.deny(Reason::DigestMismatch, text);
        }
        self.decision = Decision::Allow;
        self.reason = Reason::Signed;
        self.text = format!("{by} signed {path}");
        self
    }
}
