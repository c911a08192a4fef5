//! `tufd.v1.Verifier`: the answer from memory, or after one refresh that could turn it into ALLOW.

use std::time::Instant;

use tonic::{Request, Response, Status};
use tracing::Instrument as _;
use tufd_proto::v1;
use tufd_proto::v1::verifier_server::Verifier;
use tufd_tuf::known_good::Availability;
use tufd_tuf::reason::Reason;
use tufd_tuf::verdict::{self, Decision, NoVerdict, Verdict};

use super::{Shared, wire};
use crate::peer::Peer;

/// Answers whether an image may be used.
#[derive(Debug, Clone)]
pub struct VerifierService(pub Shared);

#[tonic::async_trait]
impl Verifier for VerifierService {
    async fn verify_image(
        &self,
        request: Request<v1::VerifyImageRequest>,
    ) -> Result<Response<v1::Verdict>, Status> {
        let peer = request.extensions().get::<Peer>().copied();
        let v1::VerifyImageRequest { reference, digest, media_type: _, size } =
            request.into_inner();
        let asked = verdict::Request {
            reference: &reference,
            digest: &digest,
            size: (size > 0).then_some(size),
        };
        let span = tracing::debug_span!("verdict", reference, digest);
        self.answer(&asked, peer).instrument(span).await
    }
}

impl VerifierService {
    async fn answer(
        &self,
        asked: &verdict::Request<'_>,
        peer: Option<Peer>,
    ) -> Result<Response<v1::Verdict>, Status> {
        let mut answer = self.decide(asked);
        if let Some(trust) = could_become_allow(&answer)
            && let Some(refresher) = self.0.refreshers.get(trust)
        {
            refresher.for_lookup(asked.reference, asked.digest).await;
            answer = self.decide(asked);
        }
        self.0.counts.answered(&answer);
        match answer {
            Ok(verdict) => {
                log(&verdict, peer);
                Ok(Response::new(wire::verdict(verdict)))
            }
            Err(no_verdict) => {
                log_none(&no_verdict, asked, peer);
                Err(Status::unavailable(no_verdict.to_string()))
            }
        }
    }

    fn decide(&self, request: &verdict::Request<'_>) -> Result<Verdict, NoVerdict> {
        let (generation, now) = (self.0.board.now(), self.0.clock.now());
        let begun = Instant::now();
        let allowed = &self.0.allowed;
        let answer = generation.decide(request, now, &|key| allowed.knows(&key.into_bytes()));
        self.0.counts.decided_in(begun.elapsed());
        let answer = answer?;
        if answer.is_yes() && generation.availability != Availability::Strict {
            allowed.note(answer.allow_key().into_bytes(), now);
        }
        Ok(answer)
    }
}

/// The trust of which newer metadata could turn the answer into ALLOW.
fn could_become_allow(answer: &Result<Verdict, NoVerdict>) -> Option<&str> {
    match answer {
        Ok(verdict) if verdict.reason.newer_metadata_could_allow() => verdict.trust.as_deref(),
        Ok(_) => None,
        Err(no_verdict) => {
            Reason::NoTrust.newer_metadata_could_allow().then_some(&no_verdict.trust)
        }
    }
}

fn log(verdict: &Verdict, peer: Option<Peer>) {
    let Verdict { reason, text, reference, digest, trust, generation, .. } = verdict;
    let (reason, trust) = (reason.code(), trust.as_deref());
    if verdict.is_yes() {
        tracing::debug!(reason, ?peer, generation, "ALLOW");
        return;
    }
    let (uid, pid) = (peer.map(|peer| peer.uid), peer.and_then(|peer| peer.pid));
    match verdict.decision {
        Decision::Allow => {
            tracing::warn!(target: "audit", trust, reason, reference, digest, text, uid, pid, generation, "PASSED");
        }
        Decision::Deny => {
            tracing::warn!(target: "audit", trust, reason, reference, digest, text, uid, pid, generation, "DENY");
        }
    }
}

/// A request of which nothing was decided may be long.
fn log_none(none: &NoVerdict, asked: &verdict::Request<'_>, peer: Option<Peer>) {
    let NoVerdict { trust, text } = none;
    let reason = Reason::NoTrust.code();
    let (uid, pid) = (peer.map(|peer| peer.uid), peer.and_then(|peer| peer.pid));
    let shortened = |text: &str| text.chars().take(512).collect::<String>();
    let (reference, digest) = (shortened(asked.reference), shortened(asked.digest));
    tracing::warn!(target: "audit", trust, reason, reference, digest, text, uid, pid, "NO_VERDICT");
}
