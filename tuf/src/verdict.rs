//! The answer: a pure function of what the node trusts, its policies, the time and the request.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp as Time;

use crate::image::{ImageDigest, PolicySet, Reference};
use crate::key::Fingerprint;
use crate::metadata::{Role, RoleName, Version};
use crate::reason::Reason;
use crate::search::{Answer, search};
use crate::trust::Fresh;
use crate::view::{Closed, TrustView};

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// As the user wrote it.
    pub reference: &'a str,
    /// `sha256:…` of what is about to be pulled.
    pub digest: &'a str,
    /// Size of the descriptor in bytes, where known.
    pub size: Option<u64>,
}

/// Everything that answers, swapped in whole.
#[derive(Debug, Clone)]
pub struct Generation {
    /// Grows by one with each change.
    pub number: u64,
    /// Every `[[trust]]` by name.
    pub trusts: BTreeMap<String, Arc<TrustView>>,
    /// Which of them speaks of which images.
    pub policies: Arc<PolicySet>,
    /// When this program was built: no clock stands before that.
    pub built: Time,
}

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

impl Generation {
    /// Answers a request at a time.
    ///
    /// # Errors
    /// [`NoVerdict`]
    pub fn decide(&self, request: &Request<'_>, now: Time) -> Result<Verdict, NoVerdict> {
        let mut verdict = Verdict::new(request, self.number);
        if now < self.built {
            let text = format!(
                "the clock says {now}, but this program was built at {}; set the clock",
                self.built
            );
            return Ok(verdict.deny(Reason::ClockImplausible, text));
        }
        let (reference, digest) = match parse(request) {
            Ok(parsed) => parsed,
            Err(text) => return Ok(verdict.deny(Reason::InvalidReference, text)),
        };
        verdict.reference = reference.to_string();
        let Some(policy) = self.policies.find(reference.name()) else {
            let text =
                format!("no [[policy]] matches {}; add one or use another image", reference.name());
            return Ok(verdict.deny(Reason::NoPolicy, text));
        };
        verdict.trust = Some(policy.trust.clone());
        let Some(view) = self.trusts.get(&policy.trust) else {
            return Err(NoVerdict {
                trust: policy.trust.clone(),
                text: "it is not configured".into(),
            });
        };
        match view.fresh(now) {
            Ok(fresh) => {
                let answer =
                    verdict.of_chain(fresh).of_target(fresh, &reference, digest, request.size);
                Ok(answer.valid_until(view.anchor.changes_at(&view.limits, now)))
            }
            Err(Closed { reason: Reason::NoTrust, text }) => {
                Err(NoVerdict { trust: policy.trust.clone(), text })
            }
            Err(Closed { reason, text }) => Ok(verdict.deny(reason, text)),
        }
    }
}

impl Verdict {
    fn new(request: &Request<'_>, generation: u64) -> Self {
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
            valid_until: None,
        }
    }

    fn deny(mut self, reason: Reason, text: String) -> Self {
        self.decision = Decision::Deny;
        self.reason = reason;
        self.text = text;
        self
    }

    fn by<R: Role>(&mut self, name: &RoleName, role: &R) {
        self.versions.insert(name.clone(), role.version());
        self.expires.insert(name.clone(), role.expires());
    }

    /// Until the first role that was asked expires, or a clock of the anchor runs out.
    fn valid_until(mut self, anchor_changes: Option<Time>) -> Self {
        self.valid_until = self.expires.values().copied().chain(anchor_changes).min();
        self
    }

    fn of_chain(mut self, fresh: Fresh<'_>) -> Self {
        let trust = fresh.trust();
        self.by(trust.root().name(), &***trust.root());
        self.by(trust.timestamp().name(), &**trust.timestamp());
        self.by(trust.snapshot().name(), &**trust.snapshot());
        self.by(trust.targets().name(), &**trust.targets());
        self
    }

    /// Looks the image up. Takes the proof that the chain is unexpired now.
    fn of_target(
        mut self,
        fresh: Fresh<'_>,
        reference: &Reference,
        digest: ImageDigest,
        size: Option<u64>,
    ) -> Self {
        let path = reference.target_path(digest);
        match search(&fresh, &path) {
            Answer::Found { target, role, path: roles, asked } => {
                asked.into_iter().for_each(|role| self.by(role.name(), &**role));
                self.keys = role.signers().clone();
                self.role_path = roles;
                let by = role.name();
                if target.hashes.sha256() != Some(digest.sha256()) {
                    let signed = target
                        .hashes
                        .sha256()
                        .map_or("no sha256".into(), |hash| format!("sha256:{hash}"));
                    let text = format!("{by} signed {path} as {signed}, not as {digest}");
                    return self.deny(Reason::DigestMismatch, text);
                }
                if let Some(size) = size.filter(|size| *size != target.length) {
                    let text =
                        format!("{by} signed {path} with {} bytes, not with {size}", target.length);
                    return self.deny(Reason::DigestMismatch, text);
                }
                self.decision = Decision::Allow;
                self.reason = Reason::Signed;
                self.text = format!("{by} signed {path}");
                self
            }
            Answer::NotFound { visited } => {
                let asked: Vec<&str> = visited.iter().map(RoleName::as_str).collect();
                let text = format!(
                    "no role that may speak of it signed {path} (asked: {})",
                    asked.join(", ")
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
}

/// The digest inside the name must equal the one given.
fn parse(request: &Request<'_>) -> Result<(Reference, ImageDigest), String> {
    let reference: Reference = request.reference.parse().map_err(|e| format!("{e}"))?;
    let digest: ImageDigest = request.digest.parse().map_err(|e| format!("{e}"))?;
    match reference.digest().filter(|named| *named != digest) {
        Some(named) => Err(format!("the reference names {named}, but {digest} was asked about")),
        None => Ok((reference, digest)),
    }
}
