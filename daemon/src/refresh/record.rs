//! Keeps what verified, and takes it up again after a restart. What comes back passes the same gate as the network.

use std::sync::Arc;

use tufd_tuf::floors::Floors;
use tufd_tuf::metadata::{Role as _, RoleName, Targets};
use tufd_tuf::refusal::Refusal;
use tufd_tuf::root::TrustedRoot;
use tufd_tuf::session::{AwaitTimestamp, Next, Session};
use tufd_tuf::trust::Trust;
use tufd_tuf::verified::Raw;

use super::RefreshError;
use crate::causes::in_one_line;
use crate::follower::Follower;
use crate::ledger::Ledger;
use crate::store::{ChainDir, ChainFile, ChainFiles, Left, Scope};

/// Where the verified files and the floors of one trust go.
#[derive(Debug, Clone)]
pub struct Record {
    /// The files.
    pub chain: Arc<ChainDir>,
    /// Floors.
    pub ledger: Ledger,
    /// Whom the database follows.
    pub follower: Follower,
    /// Trust domain and epoch.
    pub scope: Scope,
}

impl Record {
    /// Writes a trusted root, then its floor. Until that is written the one `before` is the trusted one, so it is kept.
    pub(super) async fn root(
        &self,
        root: &TrustedRoot,
        before: Option<&TrustedRoot>,
        floors: &Floors,
    ) -> Result<(), RefreshError> {
        let mut files = ChainFiles::clone(&self.chain.kept());
        if let Some(before) = before {
            files.insert(ChainFile::Predecessor, before.bytes().clone());
        }
        files.insert(ChainFile::Root, root.bytes().clone());
        self.keep(files).await?;
        self.floors(floors).await?;
        self.follow();
        Ok(())
    }

    /// Writes a whole chain, then its floors.
    pub(super) async fn chain(&self, trust: &Trust, floors: &Floors) -> Result<(), RefreshError> {
        self.keep(files_of(trust)).await?;
        self.floors(floors).await?;
        self.follow();
        Ok(())
    }

    /// Writes a chain of which the floors know already.
    pub(super) async fn chain_again(&self, trust: &Trust) -> Result<(), RefreshError> {
        self.keep(files_of(trust)).await?;
        self.follow();
        Ok(())
    }

    /// Whether the files of a chain are known to be on the disk.
    pub(super) fn has(&self, trust: &Trust) -> bool {
        self.is_whole() && *self.chain.kept() == files_of(trust)
    }

    /// Whether nothing that was kept is damaged.
    pub(super) fn is_whole(&self) -> bool {
        self.chain.left() != Left::Damaged
    }

    /// The floors as they stand.
    pub(super) fn floors_now(&self) -> Floors {
        self.ledger.page(&self.scope.trust).floors
    }

    /// Writes floors.
    pub(super) async fn floors(&self, floors: &Floors) -> Result<(), RefreshError> {
        let floors = floors.clone();
        Ok(self.ledger.record(&self.scope.trust, move |page| page.floors = floors).await?)
    }

    /// Notes that the floors are known again.
    pub(super) async fn floors_found(&self) -> Result<(), RefreshError> {
        Ok(self.ledger.record(&self.scope.trust, |page| page.floors_lost = false).await?)
    }

    /// The page comes first: files without one count as a loss of floors.
    async fn keep(&self, files: ChainFiles) -> Result<(), RefreshError> {
        self.ledger.hold(&self.scope.trust).await?;
        let chain = Arc::clone(&self.chain);
        Ok(tokio::task::spawn_blocking(move || chain.keep(files)).await??)
    }

    /// The database may follow: that the floors know of this is on the disk.
    fn follow(&self) {
        self.follower.follow(&self.scope, self.chain.kept());
    }
}

/// What one of our own copies still vouches for.
#[derive(Debug, Clone, Default)]
pub struct Replayed {
    /// The trusted root.
    pub root: Option<TrustedRoot>,
    /// The chain that answered.
    pub chain: Option<Arc<Trust>>,
    /// Why the copy is older than what is known to have answered, if it is.
    pub older: Option<String>,
}

/// Takes up root and chain again from a copy of ours, as far as they still pass. A file that `read` does not give is
/// missing.
#[must_use]
pub fn replay(mut read: impl FnMut(&ChainFile) -> Option<Arc<[u8]>>, floors: &Floors) -> Replayed {
    let mut replayed = Replayed::default();
    let Some(floor) = &floors.root else { return replayed };
    for file in [ChainFile::Root, ChainFile::Predecessor] {
        let Some(bytes) = read(&file) else { continue };
        match Raw::new(bytes).and_then(|raw| TrustedRoot::restore(raw, floor)) {
            Ok(root) => {
                replayed.root = Some(root);
                break;
            }
            Err(refusal) => replayed.older = Some(in_one_line(&refusal)),
        }
    }
    let Some(root) = replayed.root.clone() else { return replayed };
    (replayed.chain, replayed.older) = match replay_chain(read, Session::replay(root, floors)) {
        Ok(chain) => (Some(chain), None),
        Err(Lacking::Refused(older @ Refusal::Rollback { .. })) => {
            (None, Some(in_one_line(&older)))
        }
        Err(why) => {
            tracing::warn!(why = in_one_line(&why), "a copy of the chain is incomplete");
            (None, None)
        }
    };
    replayed
}

/// Why a copy is no chain.
#[derive(Debug, thiserror::Error)]
enum Lacking {
    #[error("there is no {0:?}")]
    File(ChainFile),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

fn replay_chain(
    mut read: impl FnMut(&ChainFile) -> Option<Arc<[u8]>>,
    session: Session<AwaitTimestamp>,
) -> Result<Arc<Trust>, Lacking> {
    let mut need = |file: ChainFile| read(&file).ok_or(Lacking::File(file));
    let timestamp = need(ChainFile::Timestamp)?;
    let session = match session.timestamp([timestamp]).map_err(|refused| refused.why)? {
        Next::Snapshot(session) => session,
        Next::Roles(session) => return Ok(session.finish().0),
    };
    let session = session.snapshot(need(ChainFile::Snapshot)?).map_err(|refused| refused.why)?;
    let targets = need(ChainFile::Role(Targets::TYPE.to_owned()))?;
    let mut session = session.targets(targets).map_err(|refused| refused.why)?;
    while let Some(role) = session.wanted().map(|wanted| wanted.edge.role.to_string()) {
        session = match read(&ChainFile::Role(role)) {
            Some(bytes) => session.role(bytes).unwrap_or_else(|refused| refused.session.without()),
            None => session.without(),
        };
    }
    Ok(session.finish().0)
}

fn files_of(trust: &Trust) -> ChainFiles {
    let role = |name: &RoleName| ChainFile::Role(name.to_string());
    let mut files = ChainFiles::from([
        (ChainFile::Root, trust.root().bytes().clone()),
        (ChainFile::Timestamp, trust.timestamp().bytes().clone()),
        (ChainFile::Snapshot, trust.snapshot().bytes().clone()),
        (role(trust.targets().name()), trust.targets().bytes().clone()),
    ]);
    files.extend(trust.roles().map(|(edge, targets)| (role(&edge.role), targets.bytes().clone())));
    files
}
