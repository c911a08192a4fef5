//! Calls on the daemon's sockets, as a client makes them.

use std::path::Path;

use anyhow::{Context, Result};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::Status;
use tonic::transport::{Channel, Endpoint, Uri};
use tufd_proto::v1::admin_client::AdminClient;
use tufd_proto::v1::trust_client::TrustClient;
use tufd_proto::v1::verifier_client::VerifierClient;
use tufd_proto::v1::{
    GetTrustRequest, RefreshRequest, RefreshResult, TrustEntry, Verdict, VerifyImageRequest,
};

/// Connections to both sockets, made when they are needed and again when they broke. Clones share them.
#[derive(Debug, Clone)]
pub struct Client {
    verifier: VerifierClient<Channel>,
    trust: TrustClient<Channel>,
    admin: AdminClient<Channel>,
}

impl Client {
    pub(crate) fn new(socket: &Path, admin_socket: &Path) -> Self {
        let channel = connect(socket);
        Self {
            verifier: VerifierClient::new(channel.clone()),
            trust: TrustClient::new(channel),
            admin: AdminClient::new(connect(admin_socket)),
        }
    }

    /// Asks about an image.
    ///
    /// # Errors
    /// No verdict.
    pub async fn verify(&mut self, reference: &str, digest: &str) -> Result<Verdict, Status> {
        let (reference, digest) = (reference.to_owned(), digest.to_owned());
        let request = VerifyImageRequest { reference, digest, ..VerifyImageRequest::default() };
        Ok(self.verifier.verify_image(request).await?.into_inner())
    }

    /// What the node trusts.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn trust(&mut self) -> Result<TrustEntry> {
        let state = self.trust.get_trust(GetTrustRequest::default()).await?.into_inner();
        state.trusts.into_iter().next().context("the daemon shows no trust")
    }

    /// `tufctl refresh`.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub async fn refresh(&mut self) -> Result<RefreshResult> {
        let response = self.admin.refresh(RefreshRequest::default()).await?.into_inner();
        response.results.into_iter().next().context("the daemon refreshed no trust")
    }
}

fn connect(socket: &Path) -> Channel {
    let socket = socket.to_owned();
    let dial = tower::service_fn(move |_: Uri| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://tufd").connect_with_connector_lazy(dial)
}
