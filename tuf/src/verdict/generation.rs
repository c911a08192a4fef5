//! Everything that answers at one moment, and the way from a request to its verdict.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp as Time;

use super::{Decision, NoVerdict, Verdict};
use crate::image::{ImageDigest, PolicySet, Reference, Rule};
use crate::known_good::{AllowKey, Availability};
use crate::reason::Reason;
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
    /// What happens when fresh metadata cannot be had.
    pub availability: Availability,
    /// When this program was built: no clock stands before that.
    pub built: Time,
}

/// What is asked, as far as it could be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) reference: &'a Reference,
    pub(super) digest: ImageDigest,
    pub(super) size: Option<u64>,
    pub(super) now: Time,
}

impl Generation {
    /// Answers a request at a time. `allowed_before` tells what this node allowed under an unexpired chain; it is asked
    /// only where known-good is configured and nothing fresh is to be had.
    ///
    /// # Errors
    /// [`NoVerdict`]
    pub fn decide(
        &self,
        request: &Request<'_>,
        now: Time,
        allowed_before: &dyn Fn(AllowKey) -> bool,
    ) -> Result<Verdict, NoVerdict> {
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
        let exemption = self.policies.exemption(reference.name(), digest);
        if let Some(exemption) = exemption.filter(|exemption| self.time(now) < exemption.until) {
            return Ok(verdict.exempt(exemption));
        }
        let ended = exemption.map(|exemption| exemption.until);
        let asked = Asked { reference: &reference, digest, size: request.size, now };
        let verdict = self.by_policy(verdict, asked, allowed_before)?;
        Ok(match ended {
            Some(until) if verdict.is_no() => {
                verdict.noting(&format!("its exemption ended at {until}"))
            }
            Some(_) | None => verdict,
        })
    }

    /// The latest that any trust knows: exemptions end by it, so a clock set back prolongs none.
    fn time(&self, now: Time) -> Time {
        self.trusts.values().map(|view| view.time(now)).max().unwrap_or(now)
    }

    fn by_policy(
        &self,
        verdict: Verdict,
        asked: Asked<'_>,
        allowed_before: &dyn Fn(AllowKey) -> bool,
    ) -> Result<Verdict, NoVerdict> {
        let name = asked.reference.name();
        let Some(policy) = self.policies.find(name) else {
            let text = format!("no [[policy]] matches {name}; add one or use another image");
            return Ok(verdict.deny(Reason::NoPolicy, text));
        };
        match &policy.rule {
            Rule::Enforce { trust } => self.by_trust(trust, verdict, asked, allowed_before),
            Rule::Warn { trust } => {
                let unasked = verdict.clone().of(trust);
                let found = self.by_trust(trust, verdict, asked, allowed_before);
                let found = found.unwrap_or_else(|none| unasked.deny(Reason::NoTrust, none.text));
                Ok(found.allowed_anyway())
            }
            Rule::Deny => {
                let text = format!("the [[policy]] for {} denies it", policy.images);
                Ok(verdict.deny(Reason::PolicyDeny, text))
            }
        }
    }

    fn by_trust(
        &self,
        trust: &str,
        verdict: Verdict,
        asked: Asked<'_>,
        allowed_before: &dyn Fn(AllowKey) -> bool,
    ) -> Result<Verdict, NoVerdict> {
        let verdict = verdict.of(trust);
        let none = |text| NoVerdict { trust: trust.to_owned(), text };
        let view = self.trusts.get(trust).ok_or_else(|| none("it is not configured".into()))?;
        let changes = view.anchor.changes_at(&view.limits, asked.now);
        let strict = match view.fresh(asked.now) {
            Ok(fresh) => verdict.of_target(fresh, asked).valid_until(changes),
            Err(Closed { reason: Reason::NoTrust, text }) => return Err(none(text)),
            Err(Closed { reason, text }) => verdict.deny(reason, text),
        };
        let Availability::KnownGood { grace } = self.availability else { return Ok(strict) };
        if !strict.reason.is_for_lack_of_freshness() || !allowed_before(strict.allow_key()) {
            return Ok(strict);
        }
        let known = view
            .in_grace(asked.now, grace)
            .map(|grace| strict.unanswered().known_good(grace, asked, changes, &strict));
        Ok(known.filter(|known| known.decision == Decision::Allow).unwrap_or(strict))
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
