use std::io;

use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};
use tufd_proto::v1::verifier_client::VerifierClient;
use tufd_proto::v1::{Decision, Verdict, VerifyImageRequest};

use crate::args::Image;
use crate::descriptor::Descriptor;
use crate::outcome::Outcome;

#[derive(Debug, Error)]
pub(crate) enum AskError {
    #[error("the connection failed")]
    Connection(#[source] tonic::transport::Error),
    #[error("gRPC {code:?}: {message}")]
    Status { code: tonic::Code, message: String },
    #[error("its decision is {0}, neither ALLOW nor DENY")]
    Undecided(i32),
    #[error("its ALLOW is about {found:?}, not about {asked}")]
    OtherDigest { found: String, asked: String },
}

/// One call over the connection whose peer was checked.
pub(crate) async fn ask(
    stream: UnixStream,
    image: &Image,
    descriptor: Descriptor,
) -> Result<Outcome, AskError> {
    let channel = channel(stream).await.map_err(AskError::Connection)?;
    let request = VerifyImageRequest {
        reference: image.name.clone(),
        digest: image.digest.clone(),
        media_type: descriptor.media_type,
        size: descriptor.size,
    };
    match VerifierClient::new(channel).verify_image(request).await {
        Ok(response) => obey(image, response.into_inner()),
        Err(status) => {
            Err(AskError::Status { code: status.code(), message: status.message().to_owned() })
        }
    }
}

/// The only place that makes an `Outcome::Allow`.
fn obey(image: &Image, verdict: Verdict) -> Result<Outcome, AskError> {
    let Verdict { decision, mut reason, text, digest, .. } = verdict;
    if reason.trim().is_empty() {
        "NO_REASON".clone_into(&mut reason);
    }
    match Decision::try_from(decision) {
        Ok(Decision::Allow) if digest == image.digest => Ok(Outcome::Allow { reason, text }),
        Ok(Decision::Allow) => {
            Err(AskError::OtherDigest { found: digest, asked: image.digest.clone() })
        }
        Ok(Decision::Deny) => Ok(Outcome::Deny { reason, text }),
        Ok(Decision::Unspecified) | Err(_) => Err(AskError::Undecided(decision)),
    }
}

/// A channel that has this one connection and cannot make another, which nobody would have checked.
async fn channel(stream: UnixStream) -> Result<Channel, tonic::transport::Error> {
    let mut stream = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_| {
        let stream =
            stream.take().ok_or_else(|| io::Error::other("the connection to tufd was lost"));
        std::future::ready(stream)
    });
    // The address is a name for HTTP/2's authority only.
    Endpoint::from_static("http://tufd").connect_with_connector(connector).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Image {
        Image { name: "app:v1".into(), digest: "sha256:00".into() }
    }

    #[test]
    fn every_number_but_allow_and_deny_is_no_verdict() {
        for decision in (-3..1000).chain([i32::MIN, i32::MAX]) {
            let verdict = Verdict {
                decision,
                digest: "sha256:00".into(),
                reason: "R".into(),
                ..Verdict::default()
            };
            let (reason, text) = ("R".to_owned(), String::new());
            match (decision, obey(&image(), verdict)) {
                (1, outcome) => assert_eq!(outcome.unwrap(), Outcome::Allow { reason, text }),
                (2, outcome) => assert_eq!(outcome.unwrap(), Outcome::Deny { reason, text }),
                (_, outcome) => {
                    assert!(matches!(outcome, Err(AskError::Undecided(_))), "{decision}")
                }
            }
        }
    }

    #[test]
    fn allow_about_another_digest_is_no_verdict() {
        for digest in ["", "sha256:01", "SHA256:00", "sha256:00 "] {
            let verdict = Verdict { decision: 1, digest: digest.into(), ..Verdict::default() };
            assert!(
                matches!(obey(&image(), verdict), Err(AskError::OtherDigest { .. })),
                "{digest:?}"
            );
        }
    }
}
