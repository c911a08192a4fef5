//! `verify-image` asks tufd, the daemon of this node, whether an image may be used, and obeys.
//!
//! It exits 0 on ALLOW, 1 on DENY, 3 without a verdict (tufd is down, too slow, not believed). Whatever is not 0 means:
//! do not use the image.
//!
//! `TUFD_SOCKET` names the socket, `TUFD_UID` the user that tufd runs as besides root.

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tonic::transport::Endpoint;
use tufd_proto::v1::verifier_client::VerifierClient;
use tufd_proto::v1::{Decision, Verdict, VerifyImageRequest};

/// For everything. tufd may look for newer metadata for up to 6 s before it answers.
const DEADLINE: Duration = Duration::from_secs(8);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Result<Vec<_>, _> = env::args_os().skip(1).map(OsString::into_string).collect();
    let Ok([reference, digest]) = arguments.as_deref() else {
        eprintln!("usage: verify-image REFERENCE DIGEST");
        return ExitCode::from(2);
    };
    let answer = timeout(DEADLINE, verify(reference, digest)).await;
    let answer = answer.unwrap_or_else(|_| bail!("none within {DEADLINE:?}"));
    let verdict = match answer {
        Ok(verdict) => verdict,
        Err(error) => {
            eprintln!("no verdict: {error:#}");
            return ExitCode::from(3);
        }
    };
    println!("{} {}: {}", verdict.decision().as_str_name(), verdict.reason, verdict.text);
    if verdict.decision() != Decision::Allow {
        return ExitCode::FAILURE;
    }
    // Only here: use the image, by this digest.
    ExitCode::SUCCESS
}

/// ALLOW or DENY. Every error is "no verdict", and the caller blocks on it.
async fn verify(reference: &str, digest: &str) -> Result<Verdict> {
    let mut connection = Some(TokioIo::new(connect().await?));
    // The checked connection and no other: a second one would be nobody's.
    let connector = tower::service_fn(move |_| {
        std::future::ready(connection.take().ok_or_else(|| io::Error::other("connection lost")))
    });
    let channel = Endpoint::from_static("http://tufd").connect_with_connector(connector).await?;
    let request = VerifyImageRequest {
        reference: reference.to_owned(),
        digest: digest.to_owned(),
        ..VerifyImageRequest::default()
    };
    let verdict = VerifierClient::new(channel).verify_image(request).await?.into_inner();
    ensure!(verdict.digest == digest, "the verdict is about {:?}", verdict.digest);
    match verdict.decision() {
        Decision::Allow | Decision::Deny => Ok(verdict),
        Decision::Unspecified => bail!("neither ALLOW nor DENY: {}", verdict.decision),
    }
}

/// Connects to tufd's socket and believes it only if root or tufd's user listens: anyone can create a socket.
async fn connect() -> Result<UnixStream> {
    let path = setting("TUFD_SOCKET", "unix:///run/tufd/tufd.sock");
    let path = path.strip_prefix("unix:").unwrap_or(&path);
    let path = path.strip_prefix("//").unwrap_or(path);
    let uid: u32 = setting("TUFD_UID", "0").parse().context("TUFD_UID")?;
    let connection = UnixStream::connect(path).await.with_context(|| path.to_owned())?;
    let peer = connection.peer_cred()?.uid();
    ensure!(
        peer == 0 || peer == uid,
        "uid {peer} listens on {path}, which is neither root nor tufd"
    );
    Ok(connection)
}

fn setting(name: &str, otherwise: &str) -> String {
    env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| otherwise.to_owned())
}
