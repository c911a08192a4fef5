//! Keeps what verified, and takes it up again after a restart. What comes back passes the same gate as the network.

use std::collections::BTreeSet;
use std::sync::Arc;

use tufd_tuf::floors::Floors;
use tufd_tuf::refusal::Refusal;
use tufd_tuf::root::TrustedRoot;
use tufd_tuf::session::{AwaitTimestamp, Next, Session};
use tufd_tuf::trust::Trust;
use tufd_tuf::verified::Raw;

use super::RefreshError;
use crate::causes::in_one_line;
use crate::ledger::Ledger;
use crate::store::{CacheFile, CacheKey, MetadataStore, Scope};

/// Where the verified files and the floors of one trust go.
#[derive(Debug, Clone)]
pub struct Record {
    /// Metadata.
    pub store: Arc<dyn MetadataStore>,
    /// Floors.
    pub ledger: Ledger,
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
        let before = before.map(|before| (CacheFile::Predecessor, before.bytes().clone()));
        let root = (CacheFile::Root, root.bytes().clone());
        self.files(before.into_iter().chain([root]).collect()).await?;
        self.floors(floors).await
    }

    /// Writes a whole chain, then its floors.
    pub(super) async fn chain(&self, trust: &Trust, floors: &Floors) -> Result<(), RefreshError> {
        let roles = trust
            .roles()
            .map(|(edge, role)| (CacheFile::Role(edge.role.to_string()), role.bytes().clone()));
        let mut files = vec![
            (CacheFile::Root, trust.root().bytes().clone()),
            (CacheFile::Timestamp, trust.timestamp().bytes().clone()),
            (CacheFile::Snapshot, trust.snapshot().bytes().clone()),
            (CacheFile::Role(trust.targets().name().to_string()), trust.targets().bytes().clone()),
        ];
        files.extend(roles);
        let keep: BTreeSet<CacheKey> =
            files.iter().map(|(file, _)| self.key(file.clone())).collect();
        self.files(files).await?;
        let (store, scope) = (Arc::clone(&self.store), self.scope.clone());
        tokio::task::spawn_blocking(move || store.retain(&scope, &keep)).await??;
        self.floors(floors).await
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

    async fn files(&self, files: Vec<(CacheFile, Arc<[u8]>)>) -> Result<(), RefreshError> {
        let keyed: Vec<_> =
            files.into_iter().map(|(file, bytes)| (self.key(file), bytes)).collect();
        let store = Arc::clone(&self.store);
        let put = move || {
            let files: Vec<(CacheKey, &[u8])> =
                keyed.iter().map(|(key, bytes)| (key.clone(), &**bytes)).collect();
            store.put(&files)
        };
        Ok(tokio::task::spawn_blocking(put).await??)
    }

    /// A cached file. A cache that fails is a cache without the file.
    fn get(&self, file: CacheFile) -> Option<Vec<u8>> {
        let key = self.key(file);
        self.store.get(&key).unwrap_or_else(|error| {
            tracing::warn!(
                ?key,
                error = &error as &dyn std::error::Error,
                "a cached file cannot be read"
            );
            None
        })
    }

    /// Whether anything of this trust is cached.
    #[must_use]
    pub fn has_root(&self) -> bool {
        self.get(CacheFile::Root).is_some()
    }

    fn key(&self, file: CacheFile) -> CacheKey {
        CacheKey { scope: self.scope.clone(), file }
    }
}

/// Takes up root and chain again from the cache, as far as they still pass. Blocks on the disk.
#[must_use]
pub fn replay(record: &Record, floors: &Floors) -> (Option<TrustedRoot>, Option<Arc<Trust>>) {
    let Some(floor) = &floors.root else { return (None, None) };
    let trusted = |file| {
        let root = Raw::new(record.get(file)?).and_then(|raw| TrustedRoot::restore(raw, floor));
        root.inspect_err(|refusal| tracing::warn!(%refusal, "a cached root is not the trusted one"))
            .ok()
    };
    let Some(root) = [CacheFile::Root, CacheFile::Predecessor].into_iter().find_map(trusted) else {
        return (None, None);
    };
    let chain = replay_chain(record, Session::replay(root.clone(), floors));
    (Some(root), chain)
}

fn replay_chain(record: &Record, session: Session<AwaitTimestamp>) -> Option<Arc<Trust>> {
    let refused =
        |why: &Refusal| tracing::warn!(why = in_one_line(why), "the cached chain is incomplete");
    let offer: Arc<[u8]> = record.get(CacheFile::Timestamp)?.into();
    let session = match session.timestamp([offer]).inspect_err(|e| refused(&e.why)).ok()? {
        Next::Snapshot(session) => session,
        Next::Roles(session) => return Some(session.finish().0),
    };
    let session =
        session.snapshot(record.get(CacheFile::Snapshot)?).inspect_err(|e| refused(&e.why)).ok()?;
    let targets = record.get(CacheFile::Role("targets".into()))?;
    let mut session = session.targets(targets).inspect_err(|e| refused(&e.why)).ok()?;
    while let Some(role) = session.wanted().map(|wanted| wanted.edge.role.clone()) {
        session = match record.get(CacheFile::Role(role.to_string())) {
            Some(bytes) => session.role(bytes).unwrap_or_else(|e| e.session.without()),
            None => session.without(),
        };
    }
    Some(session.finish().0)
}
