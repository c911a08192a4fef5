//! A daemon that answers what a test wants, and the real tufctl run against it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use prost_types::Timestamp;
use serde_json::Value;
use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status};
use tufd_proto::v1::admin_server::{Admin, AdminServer};
use tufd_proto::v1::trust_server::{Trust, TrustServer};
use tufd_proto::v1::verifier_server::{Verifier, VerifierServer};
use tufd_proto::v1::{
    Anchor, AnchorKey, GetTrustRequest, RefreshRequest, RefreshResponse, RefreshResult,
    ResetTimeFloorRequest, ResetTimeFloorResponse, Role, Root, Source, TrustEntry, TrustState,
    Verdict, VerifyImageRequest, Warning,
};

pub(crate) const DIGEST: &str =
    "sha256:0000000000000000000000000000000000000000000000000000000000000000";
pub(crate) const IMAGE: &str = "registry.example/app:v1@sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// What the fake daemon says, the same on both sockets.
#[derive(Clone)]
pub(crate) struct Says {
    pub(crate) verdict: Result<Verdict, Status>,
    pub(crate) state: Result<TrustState, Status>,
    pub(crate) refresh: Result<RefreshResponse, Status>,
}

impl Default for Says {
    fn default() -> Self {
        Self { verdict: Ok(verdict(1)), state: Ok(state("")), refresh: Ok(refreshed("")) }
    }
}

#[tonic::async_trait]
impl Verifier for Says {
    /// A verdict is about the request only if the request is as it was given.
    async fn verify_image(
        &self,
        request: Request<VerifyImageRequest>,
    ) -> Result<Response<Verdict>, Status> {
        let request = request.into_inner();
        let expected = VerifyImageRequest {
            reference: IMAGE.into(),
            digest: DIGEST.into(),
            ..Default::default()
        };
        if request != expected {
            return Err(Status::invalid_argument(format!("{request:?}")));
        }
        self.verdict.clone().map(Response::new)
    }
}

#[tonic::async_trait]
impl Trust for Says {
    async fn get_trust(
        &self,
        request: Request<GetTrustRequest>,
    ) -> Result<Response<TrustState>, Status> {
        match request.into_inner().trust.as_str() {
            "" | "acme" => self.state.clone().map(Response::new),
            "nothing" => Ok(Response::new(TrustState::default())),
            other => Err(Status::not_found(format!("no {other}"))),
        }
    }
}

#[tonic::async_trait]
impl Admin for Says {
    async fn refresh(
        &self,
        request: Request<RefreshRequest>,
    ) -> Result<Response<RefreshResponse>, Status> {
        match request.into_inner().trust.as_str() {
            "" | "acme" => self.refresh.clone().map(Response::new),
            other => Err(Status::not_found(format!("no {other}"))),
        }
    }

    async fn reset_time_floor(
        &self,
        request: Request<ResetTimeFloorRequest>,
    ) -> Result<Response<ResetTimeFloorResponse>, Status> {
        match request.into_inner().trust {
            trust if trust == "acme" => {
                let before = Some(prost_types::Timestamp { seconds: 1_800_000_000, nanos: 0 });
                Ok(Response::new(ResetTimeFloorResponse { trust, before }))
            }
            other => Err(Status::not_found(format!("no {other}"))),
        }
    }
}

/// Sockets of a fake daemon in a directory of their own.
pub(crate) struct Node {
    directory: tempfile::TempDir,
    daemon: Option<Runtime>,
}

pub(crate) struct Said {
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Node {
    pub(crate) fn empty() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), daemon: None }
    }

    pub(crate) fn saying(says: Says) -> Self {
        let mut node = Self::empty();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let bind = |path: PathBuf| {
            runtime.block_on(async { UnixListenerStream::new(UnixListener::bind(path).unwrap()) })
        };
        let (verdicts, admin) = (bind(node.socket()), bind(node.admin()));
        let server = tonic::transport::Server::builder()
            .add_service(VerifierServer::new(says.clone()))
            .add_service(TrustServer::new(says.clone()));
        runtime.spawn(server.serve_with_incoming(verdicts));
        let server = tonic::transport::Server::builder().add_service(AdminServer::new(says));
        runtime.spawn(server.serve_with_incoming(admin));
        node.daemon = Some(runtime);
        node
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory().join("tufd.sock")
    }

    pub(crate) fn admin(&self) -> PathBuf {
        self.directory().join("admin.sock")
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_tufctl"))
            .args(arguments)
            .env("TUFD_SOCKET", self.socket())
            .env("TUFD_ADMIN_SOCKET", self.admin())
            .output()
            .unwrap();
        Said::of(output)
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let said = self.run(&[arguments, &["-o", "json"]].concat());
        (said.exit, serde_json::from_str(&said.stdout).unwrap())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.shutdown_background();
        }
    }
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let Output { status, stdout, stderr } = output;
        Self { exit: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }
}

pub(crate) fn verifying(verdict: Result<Verdict, Status>) -> Node {
    Node::saying(Says { verdict, ..Says::default() })
}

pub(crate) fn trusting(state: TrustState) -> Node {
    Node::saying(Says { state: Ok(state), ..Says::default() })
}

/// 2026-01-01T00:00:00Z and some seconds.
pub(crate) fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds: 1_767_225_600 + seconds, nanos: 0 })
}

pub(crate) fn versions() -> HashMap<String, u64> {
    HashMap::from([("payments".into(), 9), ("root".into(), 3)])
}

pub(crate) fn verdict(decision: i32) -> Verdict {
    Verdict {
        decision,
        reason: "A_REASON".into(),
        text: "a text".into(),
        reference: "registry.example/app:v1".into(),
        digest: DIGEST.into(),
        trust: "acme".into(),
        role_path: vec!["targets".into(), "payments".into()],
        keys: vec!["aa".into()],
        versions: versions(),
        expires: HashMap::from([("root".into(), at(0).unwrap())]),
        generation: 4,
        would_be: 2,
        valid_until: Some(Timestamp { seconds: 1_767_225_600, nanos: 500_000_000 }),
    }
}

pub(crate) fn refreshed(error: &str) -> RefreshResponse {
    let result = RefreshResult {
        trust: "acme".into(),
        error: error.into(),
        changed: true,
        generation: 4,
        versions: versions(),
    };
    RefreshResponse { results: vec![result] }
}

pub(crate) fn state(reason: &str) -> TrustState {
    let trust = TrustEntry {
        name: "acme".into(),
        trust_domain: "spiffe-domain.example".into(),
        epoch: 1,
        reason: reason.into(),
        text: if reason.is_empty() { String::new() } else { "why".into() },
        anchor: Some(anchor()),
        root: Some(Root {
            version: 3,
            expires: at(0),
            threshold: 1,
            keys: vec!["a".into()],
            covered: true,
            covering: 1,
        }),
        roles: vec![role("timestamp", ""), role("payments", "targets")],
        sources: vec![Source {
            url: "https://mirror.example/".into(),
            error: String::new(),
            last_answer: at(-5),
        }],
        last_refresh: at(-5),
        last_error: String::new(),
        next_refresh: at(60),
        warnings: vec![Warning { code: "ANCHOR_BEHIND".into(), text: "a warning".into() }],
    };
    TrustState { generation: 4, time: at(0), version: "0.1.0".into(), trusts: vec![trust] }
}

pub(crate) fn anchor() -> Anchor {
    let key = |fingerprint: &str| AnchorKey {
        fingerprint: fingerprint.into(),
        algorithm: "ed25519".into(),
        in_root: false,
        covers: false,
    };
    Anchor {
        state: "fresh".into(),
        since: at(-60),
        threshold: 1,
        keys: vec![
            key("fingerprint-1"),
            AnchorKey { in_root: true, covers: true, ..key("fingerprint-2") },
        ],
        ..Anchor::default()
    }
}

pub(crate) fn role(name: &str, delegator: &str) -> Role {
    Role {
        name: name.into(),
        version: 9,
        expires: at(6 * 86_400 + 3 * 3600),
        threshold: 1,
        keys: vec!["b".into()],
        delegator: delegator.into(),
    }
}
