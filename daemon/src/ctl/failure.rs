use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tonic::{Code, Status};

use crate::backup::BackupError;
use crate::causes::in_one_line;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// ALLOW, or in order.
    Fine = 0,
    /// DENY, unhealthy, a refresh or a command on the state that failed.
    Bad = 1,
    /// The command line asks for what there is not.
    Usage = 2,
    /// No verdict, or no daemon.
    NoAnswer = 3,
}

/// Why there is nothing to show.
#[derive(Debug, Error)]
pub(super) enum Failure {
    #[error("cannot reach tufd at {}; is the service running? (systemctl status tufd)", .socket.display())]
    Unreachable { socket: PathBuf, source: tonic::transport::Error },
    #[error("tufd at {} closed the connection; may uid {uid} use it? ([serve] and [admin] allow_uids)", .socket.display())]
    Closed { socket: PathBuf, uid: u32, source: Box<dyn Error + Send + Sync> },
    #[error("tufd at {} gave no answer within {deadline:?}", .socket.display())]
    Silent { socket: PathBuf, deadline: Duration },
    #[error("no verdict: {message} (gRPC {code:?})")]
    NoVerdict { code: Code, message: String },
    #[error("no verdict: tufd's decision is {decision}, neither ALLOW nor DENY")]
    Undecided { decision: i32 },
    #[error("no verdict: tufd's ALLOW is about {found:?}, not about {asked}")]
    OtherDigest { found: String, asked: String },
    #[error("tufd refused: {message} (gRPC {code:?})")]
    Refused { code: Code, message: String },
    #[error("tufd has no [[trust]] named {name:?}; see tufctl status")]
    NoSuchTrust { name: String },
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("cannot use {}", .file.display())]
    File { file: PathBuf, source: std::io::Error },
    #[error("cannot start")]
    Start(#[source] std::io::Error),
}

impl Failure {
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::NoSuchTrust { .. } => Exit::Usage,
            Self::Backup(_) | Self::File { .. } => Exit::Bad,
            Self::Unreachable { .. }
            | Self::Closed { .. }
            | Self::Silent { .. }
            | Self::NoVerdict { .. }
            | Self::Undecided { .. }
            | Self::OtherDigest { .. }
            | Self::Refused { .. }
            | Self::Start(_) => Exit::NoAnswer,
        }
    }

    /// What a gRPC error means where the call was about one `[[trust]]`, or about all (an empty name).
    pub(super) fn about_trust(status: &Status, name: &str) -> Self {
        if status.code() == Code::NotFound && !name.is_empty() {
            return Self::NoSuchTrust { name: name.to_owned() };
        }
        Self::Refused { code: status.code(), message: status.message().to_owned() }
    }

    /// The error with its sources on one line.
    pub(super) fn sentence(&self) -> String {
        in_one_line(self)
    }
}
