use tufd_proto::v1::verifier_client::VerifierClient;
use tufd_proto::v1::{Decision, Verdict, VerifyImageRequest};

use super::command::Image;
use super::connect::Daemon;
use super::failure::{Exit, Failure};
use super::program::Answer;
use super::{json, show};

/// `tufctl verify REF@DIGEST`.
pub(super) async fn verify(daemon: &Daemon, image: Image) -> Result<Answer, Failure> {
    let Image { reference, digest } = image;
    let request = VerifyImageRequest {
        reference,
        digest: digest.clone(),
        media_type: String::new(),
        size: 0,
    };
    let mut client = VerifierClient::new(daemon.channel.clone());
    let verdict = daemon.answer(client.verify_image(request)).await?.map_err(|status| {
        Failure::NoVerdict { code: status.code(), message: status.message().to_owned() }
    })?;
    let exit = exit(&verdict, &digest)?;
    Ok(Answer { exit, table: show::verdict(&verdict), json: json::verdict(verdict) })
}

/// Only ALLOW, and about what was asked, is 0.
fn exit(verdict: &Verdict, asked: &str) -> Result<Exit, Failure> {
    let Verdict { decision, digest, .. } = verdict;
    match Decision::try_from(*decision) {
        Ok(Decision::Allow) if digest == asked => Ok(Exit::Fine),
        Ok(Decision::Allow) => {
            Err(Failure::OtherDigest { found: digest.clone(), asked: asked.to_owned() })
        }
        Ok(Decision::Deny) => Ok(Exit::Bad),
        Ok(Decision::Unspecified) | Err(_) => Err(Failure::Undecided { decision: *decision }),
    }
}
