use std::io;
use std::path::PathBuf;

use tufd_tuf::content::ContentRefusal;
use tufd_tuf::metadata::{RoleName, Version};
use tufd_tuf::refusal::Refusal;

use crate::fetch::{FetchError, FileName, FileNameError, OpenError, TargetPathError};

/// Why a command was not done. What was trusted before stays so.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("cannot read {}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("cannot write {}", .path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("{} trusts no root yet: run tuf-client init", .dir.display())]
    NotInitialised { dir: PathBuf },
    #[error("{} has a trusted root already; a new start takes an empty directory", .dir.display())]
    Initialised { dir: PathBuf },
    #[error("{} cannot be trusted", .path.display())]
    Root { path: PathBuf, source: Refusal },
    #[error("{} is not the root that was trusted last, version {trusted}", .path.display())]
    OtherRoot { path: PathBuf, trusted: Version },
    #[error("{} is missing or damaged: what was trusted before is not known, a new start takes an empty directory", .path.display())]
    FloorsLost { path: PathBuf },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("the source has no {file}")]
    Absent { file: FileName },
    #[error("{file} was refused")]
    Refused { file: FileName, source: Refusal },
    #[error("the trusted metadata cannot be used")]
    Chain(#[source] Refusal),
    #[error("more roots may follow root {after}; the next run goes on")]
    MoreRoots { after: Version },
    #[error(transparent)]
    RoleFile(#[from] FileNameError),
    #[error(transparent)]
    TargetPath(#[from] TargetPathError),
    #[error("no role that may speak of target {target:?} vouches for it")]
    TargetNotFound { target: String },
    #[error("target {target:?} cannot be looked up: role {role} cannot be had")]
    RoleUnavailable { target: String, role: RoleName },
    #[error("target {target:?} cannot be looked up: role {role} expired at {expires}")]
    RoleExpired { target: String, role: RoleName, expires: jiff::Timestamp },
    #[error("target {target:?} cannot be looked up: the delegations of role {role} take too long")]
    TooCostly { target: String, role: RoleName },
    #[error("{file} is not what is signed")]
    Content { file: FileName, source: ContentRefusal },
    #[error("target {target:?} cannot be the name of a file here")]
    ArtifactName { target: String },
    #[error("cannot start")]
    Start(#[source] io::Error),
}
