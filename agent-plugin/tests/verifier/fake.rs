//! A Verifier that answers what a test wants, and the real program run as containerd runs it.
use std::ffi::OsString;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status};
use tufd_proto::v1::verifier_server::{Verifier, VerifierServer};
use tufd_proto::v1::{Verdict, VerifyImageRequest};

pub(crate) const NAME: &str = "registry.example/app:v1";
pub(crate) const DIGEST: &str =
    "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// What the fake daemon does with a call.
#[derive(Clone)]
pub(crate) enum Answer {
    Verdict(Box<Verdict>),
    Error(Status),
    Never,
    /// ALLOW, with the request as its text.
    Echo,
}

#[tonic::async_trait]
impl Verifier for Answer {
    async fn verify_image(
        &self,
        request: Request<VerifyImageRequest>,
    ) -> Result<Response<Verdict>, Status> {
        match self {
            Self::Verdict(verdict) => Ok(Response::new(Verdict::clone(verdict))),
            Self::Error(status) => Err(status.clone()),
            Self::Never => std::future::pending().await,
            Self::Echo => {
                let VerifyImageRequest { reference, digest, media_type, size } =
                    request.into_inner();
                Ok(Response::new(verdict(1, &digest, &format!("{reference} {media_type} {size}"))))
            }
        }
    }
}

pub(crate) fn verdict(decision: i32, digest: &str, text: &str) -> Verdict {
    Verdict {
        decision,
        digest: digest.to_owned(),
        reason: "A_REASON".to_owned(),
        text: text.to_owned(),
        ..Verdict::default()
    }
}

/// A directory with a configuration, and perhaps a daemon behind `tufd.sock`.
pub(crate) struct Node {
    directory: tempfile::TempDir,
    daemon: Option<Runtime>,
}

/// What one run of the program gave.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) exit: Option<i32>,
    pub(crate) line: String,
    pub(crate) stderr: String,
}

impl Node {
    /// No daemon; the configuration names our own user as the daemon's and has `lines` besides.
    pub(crate) fn empty(lines: &str) -> Self {
        let node = Self { directory: tempfile::tempdir().unwrap(), daemon: None };
        let own = rustix::process::geteuid().as_raw();
        node.configure(&format!(
            "socket = '{}'\ndaemon_user = {own}\n{lines}\n",
            node.socket().display()
        ));
        node
    }

    pub(crate) fn answering(answer: Answer) -> Self {
        Self::empty("deadline = '60s'").serving(answer)
    }

    pub(crate) fn serving(mut self, answer: Answer) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(async { UnixListener::bind(self.socket()).unwrap() });
        runtime.spawn(serve(listener, answer));
        self.daemon = Some(runtime);
        self
    }

    pub(crate) fn configure(&self, text: &str) {
        std::fs::write(self.config(), text).unwrap();
        self.mode(&self.config(), 0o600);
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory().join("tufd.sock")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.directory().join("verifier.toml")
    }

    pub(crate) fn mode(&self, path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// As containerd calls it.
    pub(crate) fn pull(&self) -> Said {
        let stdin = format!(
            r#"{{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"{DIGEST}","size":405}}"#
        );
        self.run(&containerds(), format!("{stdin}\n").as_bytes())
    }

    pub(crate) fn run(&self, arguments: &[OsString], stdin: &[u8]) -> Said {
        let mut child = self.start(arguments, Stdio::piped());
        // The program may end without reading.
        let _gone = child.stdin.take().unwrap().write_all(stdin);
        Said::of(child)
    }

    pub(crate) fn start(&self, arguments: &[OsString], stdout: Stdio) -> Child {
        Command::new(env!("CARGO_BIN_EXE_tufd-verifier"))
            .args(arguments)
            .env("TUFD_VERIFIER_CONFIG", self.config())
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
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
    /// Holds every run to one line.
    pub(crate) fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.len() <= 2048, "{} bytes", stdout.len());
        let line = stdout.strip_suffix('\n').expect("a line").to_owned();
        assert!(!line.contains(char::is_control), "{line:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        Self { exit: output.status.code(), line, stderr }
    }

    /// The block that every "no verdict" is.
    pub(crate) fn is_no_verdict_about(&self, what: &str) {
        assert_eq!(self.exit, Some(3), "{self:?}");
        assert!(self.line.starts_with("DENY NO_VERDICT: ") && self.line.contains(what), "{self:?}");
    }
}

pub(crate) fn containerds() -> Vec<OsString> {
    words(&[
        "-name",
        NAME,
        "-digest",
        DIGEST,
        "-stdin-media-type",
        "application/vnd.oci.descriptor.v1+json",
    ])
}

pub(crate) fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

pub(crate) async fn serve(listener: UnixListener, answer: Answer) {
    let server = tonic::transport::Server::builder().add_service(VerifierServer::new(answer));
    server.serve_with_incoming(UnixListenerStream::new(listener)).await.unwrap();
}
