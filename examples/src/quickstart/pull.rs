//! What containerd asks its image verifier at a pull, and what it hears.

use std::fmt;
use std::path::Path;
use std::process::{Output, Stdio};

use anyhow::{Context, Result};
use serde_json::json;
use testkit::FakeImage;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

const DESCRIPTOR: &str = "application/vnd.oci.descriptor.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// More of an answer that is none is not shown.
const SHOWN_CHARS: usize = 40;

/// A pull: the name as the user wrote it, and what the registry says it is.
#[derive(Debug, Clone)]
pub(crate) struct Pull {
    pub(crate) name: String,
    pub(crate) digest: String,
    size: u64,
}

/// What the verifier is to say.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    Allow,
    Deny(&'static str),
    /// There is no verdict, and that blocks, too.
    NoVerdict,
}

/// What it said.
#[derive(Debug)]
pub(crate) struct Answer {
    line: String,
    exit: Option<i32>,
}

impl Pull {
    pub(crate) fn new(name: &str, image: &FakeImage) -> Self {
        let (digest, size) = (image.index.digest().to_string(), image.index.size());
        Self { name: name.to_owned(), digest, size }
    }

    /// The same pull with the digest in the name, in place of the tag.
    pub(crate) fn by_digest(&self) -> Self {
        let repository =
            self.name.rsplit_once(':').map_or(&*self.name, |(repository, _)| repository);
        Self { name: format!("{repository}@{}", self.digest), ..self.clone() }
    }

    /// Runs the verifier as containerd does.
    pub(crate) async fn ask(&self, verifier: &Path, configuration: &Path) -> Result<Answer> {
        let mut child = Command::new(verifier)
            .args(["-name", &self.name, "-digest", &self.digest, "-stdin-media-type", DESCRIPTOR])
            .env("TUFD_VERIFIER_CONFIG", configuration)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", verifier.display()))?;
        let descriptor = json!({"mediaType": INDEX, "digest": self.digest, "size": self.size});
        if let Some(mut stdin) = child.stdin.take() {
            // A verifier that blocks before it reads has answered, too.
            let _gone = stdin.write_all(descriptor.to_string().as_bytes()).await;
        }
        Ok(child.wait_with_output().await?.into())
    }
}

impl Expected {
    /// Both must be as expected: the code decides for containerd, the line tells people why.
    pub(crate) fn is(self, answer: &Answer) -> bool {
        let exit = match self {
            Self::Allow => 0,
            Self::Deny(_) => 1,
            Self::NoVerdict => 3,
        };
        answer.exit == Some(exit) && answer.said() == self.to_string()
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("ALLOW SIGNED"),
            Self::Deny(reason) => write!(f, "DENY {reason}"),
            Self::NoVerdict => f.write_str("DENY NO_VERDICT"),
        }
    }
}

impl Answer {
    /// Decision and reason.
    pub(crate) fn said(&self) -> &str {
        self.line.split_once(':').map_or(&self.line, |(said, _)| said)
    }

    /// The whole line.
    pub(crate) fn line(&self) -> &str {
        &self.line
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let agrees = match self.exit {
            Some(0) => self.line.starts_with("ALLOW "),
            Some(1 | 3) => self.line.starts_with("DENY "),
            Some(_) | None => false,
        };
        let said: String = self.said().chars().take(SHOWN_CHARS).collect();
        match (agrees, self.exit) {
            (true, _) => f.write_str(&said),
            (false, Some(code)) => write!(f, "{said} (exit {code})"),
            (false, None) => write!(f, "{said} (killed)"),
        }
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        let line = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        Self { line, exit: output.status.code() }
    }
}
