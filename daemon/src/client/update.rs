use std::sync::Arc;

use jiff::Timestamp as Time;
use tufd_tuf::floors::Floors;
use tufd_tuf::metadata::{FileMeta, FileNames, Role, Root, Snapshot, Targets, Timestamp, Version};
use tufd_tuf::session::{AwaitTimestamp, Next, Refused, Rooting, Session};
use tufd_tuf::trust::Trust;

use super::directory::MetadataDir;
use super::error::ClientError;
use crate::fetch::{ByteLimit, Fetched, FileName, Source};

/// One run: everything is checked at its fixed time (TUF 5.1).
#[derive(Debug)]
pub(super) struct Update {
    pub(super) dir: MetadataDir,
    pub(super) source: Source,
    pub(super) now: Time,
}

/// A chain that is unexpired, with the delegated roles loaded so far.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) trust: Arc<Trust>,
    pub(super) floors: Floors,
}

/// More new roots are not followed in one run (TUF 5.3.3).
const ROOTS_MAX: usize = 256;

impl Update {
    /// The top-level roles (TUF 5.1 to 5.6). Each is kept the moment it verifies.
    pub(super) async fn refresh(&self) -> Result<Chain, ClientError> {
        let (root, floors) = self.dir.trusted()?;
        let held = self.dir.chain(&root, &floors);
        let session = self.newest_root(Session::update(root, held, floors, self.now)).await?;
        let session = match self.timestamp(session).await? {
            Next::Roles(session) => session,
            Next::Snapshot(session) => {
                let meta = session.wanted().clone();
                let session =
                    self.obtain(session, Snapshot::TYPE, &meta, Session::snapshot).await?;
                let meta = session.wanted().map_err(ClientError::Chain)?.clone();
                self.obtain(session, Targets::TYPE, &meta, Session::targets).await?
            }
        };
        let (trust, floors) = session.finish();
        self.dir.keep_floors(&floors)?;
        trust.fresh(self.now).map_err(ClientError::Chain)?;
        Ok(Chain { trust, floors })
    }

    async fn newest_root(
        &self,
        mut session: Session<Rooting>,
    ) -> Result<Session<AwaitTimestamp>, ClientError> {
        for _ in 0..ROOTS_MAX {
            let file = FileName::metadata(Some(session.wanted().into()), Root::TYPE)?;
            let limit = ByteLimit::new(Root::BYTES_MAX as u64);
            let Fetched::Found(bytes) = self.source.get(&file, limit).await? else {
                return session.newest().map_err(|refused| ClientError::Chain(refused.why));
            };
            let bytes: Arc<[u8]> = bytes.into();
            session = session.root(Arc::clone(&bytes)).map_err(|refused| refuse(&file, refused))?;
            self.dir.keep_root(&bytes, session.floors())?;
        }
        Err(ClientError::MoreRoots { after: session.trusted_root().version() })
    }

    async fn timestamp(&self, session: Session<AwaitTimestamp>) -> Result<Next, ClientError> {
        let file = FileName::metadata(None, Timestamp::TYPE)?;
        let bytes = self.fetch(&file, ByteLimit::new(Timestamp::BYTES_MAX as u64)).await?;
        let next =
            session.timestamp([Arc::clone(&bytes)]).map_err(|refused| refuse(&file, refused))?;
        if let Next::Snapshot(session) = &next {
            self.dir.keep(&file, &bytes, session.floors())?;
        }
        Ok(next)
    }

    /// A file that another one names: our own copy if it passes the gate, else the source's.
    async fn obtain<From, To>(
        &self,
        mut session: Session<From>,
        role: &str,
        meta: &FileMeta,
        gate: impl Fn(Session<From>, Arc<[u8]>) -> Result<Session<To>, Refused<Session<From>>>,
    ) -> Result<Session<To>, ClientError> {
        let stored_as = FileName::metadata(None, role)?;
        if let Some(bytes) = self.dir.metadata(&stored_as) {
            session = match gate(session, bytes) {
                Ok(next) => return Ok(next),
                Err(refused) => refused.session,
            };
        }
        let file = file_of(session.trusted_root().file_names(), role, meta.version)?;
        let bytes = self.fetch(&file, limit_of(meta)).await?;
        let next = gate(session, Arc::clone(&bytes)).map_err(|refused| refuse(&file, refused))?;
        self.dir.keep(&stored_as, &bytes, next.floors())?;
        Ok(next)
    }

    pub(super) async fn fetch(
        &self,
        file: &FileName,
        limit: ByteLimit,
    ) -> Result<Arc<[u8]>, ClientError> {
        match self.source.get(file, limit).await? {
            Fetched::Found(bytes) => Ok(bytes.into()),
            Fetched::Absent => Err(ClientError::Absent { file: file.clone() }),
        }
    }
}

/// The name of a file that another one lists.
pub(super) fn file_of(
    names: FileNames,
    role: &str,
    version: Version,
) -> Result<FileName, ClientError> {
    let version = match names {
        FileNames::Versioned => Some(version.into()),
        FileNames::Plain => None,
    };
    Ok(FileName::metadata(version, role)?)
}

/// Of the kinds that others list, targets may be the largest; the gate has each one's own limit.
pub(super) fn limit_of(meta: &FileMeta) -> ByteLimit {
    let most = Targets::BYTES_MAX as u64;
    ByteLimit::new(meta.length.unwrap_or(most).min(most))
}

fn refuse<S>(file: &FileName, refused: Refused<Session<S>>) -> ClientError {
    ClientError::Refused { file: file.clone(), source: refused.why }
}
