//! One refresh: the session's steps in order, with bytes from the sources, writing down before going on.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp as Time;
use tokio::sync::watch;
use tokio::time::Instant;
use tufd_tuf::floors::RootFloor;
use tufd_tuf::hash::Sha256;
use tufd_tuf::metadata::{FileMeta, FileNames, Role, Snapshot, Targets, Timestamp, Version};
use tufd_tuf::refusal::Refusal;
use tufd_tuf::root::{Coverage, TrustedRoot};
use tufd_tuf::session::{AwaitRoles, AwaitTimestamp, Next, Refused, Session};
use tufd_tuf::view::{FloorsKnown, Repository, TrustView};

use super::{Changed, Done, Ended, Keeper, RefreshError};
use crate::causes::in_one_line;
use crate::config::TrustConfig;
use crate::fetch::{Answer, ByteLimit, Fetched, FileName, Patience, SourceIndex};

/// Delegated roles that are not there by then answer "unavailable" until the next refresh.
const ROLES_BUDGET: Duration = Duration::from_secs(20);

/// One refresh of one trust.
pub(super) struct Update<'k> {
    pub(super) keeper: &'k Keeper,
    patience: Patience,
    /// Changes when somebody begins to wait.
    asked: watch::Receiver<()>,
    /// The fixed time of the update (TUF 5.1).
    now: Time,
    /// Answers that the sources gave, be it that there is no such file.
    answered: usize,
    /// Answers that they owe, and copies of theirs that were refused.
    owed: usize,
}

/// What the sources gave for a file of which the content is not known yet.
pub(super) struct Offered {
    pub(super) file: FileName,
    pub(super) found: Vec<Copy>,
    /// What stands if none of that is good: nobody has the file, or nobody answers.
    pub(super) otherwise: RefreshError,
}

/// What one source gave.
pub(super) type Copy = (SourceIndex, Vec<u8>);
type Failed<S> = (Session<S>, RefreshError);

impl<'k> Update<'k> {
    pub(super) fn new(keeper: &'k Keeper, patience: Patience, asked: watch::Receiver<()>) -> Self {
        Self { keeper, patience, asked, now: keeper.clock.now(), answered: 0, owed: 0 }
    }

    pub(super) fn trust(&self) -> &TrustConfig {
        &self.keeper.trust
    }

    pub(super) fn now(&self) -> Time {
        self.now
    }

    pub(super) fn view(&self) -> Arc<TrustView> {
        self.keeper.view()
    }

    /// Refreshes and publishes. Whatever verified on the way stays, also when a later step fails.
    pub(super) async fn run(mut self) -> Done {
        let before = identity(&self.view());
        let error = self.steps().await.err();
        let ended = error.as_ref().map_or(Ended::Well, RefreshError::ended);
        let error = error.map(|error| in_one_line(&error));
        self.publish_trouble(error.clone());
        let changed = if identity(&self.view()) == before { Changed::No } else { Changed::Yes };
        Done { error, ended, changed }
    }

    async fn steps(&mut self) -> Result<(), RefreshError> {
        let (view, floors) = (self.view(), self.keeper.record.floors_now());
        let root = match &view.root {
            Some(root) => root.clone(),
            None => self.first_root(floors.root.as_ref()).await?,
        };
        let session = Session::update(root, view.chain.clone(), floors, self.now);
        if view.root.is_none() {
            self.trust_root(&session).await?;
        }
        let session = match view.coverage() {
            Some(Coverage::NotCovered(_)) => self.complete_root(session).await?,
            Some(Coverage::Covered(_) | Coverage::BelowLeast(_)) | None => session,
        };
        let session = self.newest_root(session).await?;
        self.keeper.record.floors(session.floors()).await?;
        let session = match self.timestamp(session).await? {
            Next::Roles(session) => session,
            Next::Snapshot(session) => {
                self.keeper.record.floors(session.floors()).await?;
                let meta = session.wanted().clone();
                let session = self.obtain(session, Snapshot::TYPE, &meta, Session::snapshot).await;
                let session = session.map_err(|(_, error)| error)?;
                self.keeper.record.floors(session.floors()).await?;
                let meta = session.wanted().map_err(RefreshError::Chain)?.clone();
                self.obtain(session, Targets::TYPE, &meta, Session::targets)
                    .await
                    .map_err(|(_, error)| error)?
            }
        };
        let session = self.roles(session).await;
        self.answer_with(session).await
    }

    /// Asks every source; the highest that is in order wins (TUF 5.4).
    async fn timestamp(&mut self, session: Session<AwaitTimestamp>) -> Result<Next, RefreshError> {
        let Offered { file, found, otherwise } =
            self.ask_all(None, Timestamp::TYPE, Timestamp::BYTES_MAX).await?;
        let (mut offers, mut error) = (Vec::new(), otherwise);
        for (source, bytes) in found {
            let bytes: Arc<[u8]> = bytes.into();
            match session.in_order(&bytes) {
                Ok(()) => offers.push(bytes),
                Err(why) => error = self.refused(source, &file, why),
            }
        }
        if offers.is_empty() {
            return Err(error);
        }
        session
            .timestamp(offers)
            .map_err(|refused| RefreshError::Refused { file, why: refused.why })
    }

    /// Loads delegated roles as far as they can be had in time.
    async fn roles(&mut self, mut session: Session<AwaitRoles>) -> Session<AwaitRoles> {
        let until = Instant::now() + ROLES_BUDGET;
        while let Some(wanted) = session.wanted().cloned() {
            if Instant::now() > until {
                session = session.without();
                continue;
            }
            let role = wanted.edge.role;
            session = match self.obtain(session, role.as_str(), &wanted.meta, Session::role).await {
                Ok(next) => next,
                Err((old, error)) => {
                    let error = in_one_line(&error);
                    tracing::warn!(%role, error, "a delegated role is unavailable");
                    old.without()
                }
            };
        }
        session
    }

    /// The chain is complete: metadata durable, then floors, then it answers.
    async fn answer_with(&self, session: Session<AwaitRoles>) -> Result<(), RefreshError> {
        let (trust, floors) = session.finish();
        let view = self.view();
        let same = view.chain.as_ref().is_some_and(|held| {
            held.timestamp().hash() == trust.timestamp().hash()
                && held.roles().count() == trust.roles().count()
        });
        if !same {
            self.keeper.record.chain(&trust, &floors).await?;
        } else if !self.keeper.record.has(&trust) {
            self.keeper.record.chain_again(&trust).await?;
        }
        let found_again = view.floors == FloorsKnown::Lost && self.owed == 0;
        if found_again {
            self.keeper.record.floors_found().await?;
            tracing::warn!(target: "audit", trust = %self.trust().name, "FLOORS_FOUND");
        }
        if !same || found_again {
            self.keeper.board.update(&self.trust().name, |view| {
                view.chain = Some(trust);
                view.floors = if found_again { FloorsKnown::Yes } else { view.floors };
            });
        }
        Ok(())
    }

    fn publish_trouble(&self, trouble: Option<String>) {
        let repository =
            if self.answered > 0 { Repository::Reachable } else { Repository::Unreachable };
        let (view, time_floor) = (self.view(), self.keeper.record.floors_now().time());
        let before = (&view.trouble, view.repository, view.time_floor);
        if before != (&trouble, repository, time_floor) {
            self.keeper.board.update(&self.trust().name, |view| {
                view.trouble = trouble;
                view.repository = repository;
                view.time_floor = time_floor;
            });
        }
    }

    /// Asks every source for a file of which the content is not known yet.
    pub(super) async fn ask_all(
        &mut self,
        version: Option<Version>,
        role: &str,
        bytes_max: usize,
    ) -> Result<Offered, RefreshError> {
        let file = FileName::metadata(version.map(u64::from), role)?;
        let answers = self.answers(&file, ByteLimit::new(bytes_max as u64)).await;
        let (mut found, mut answered) = (Vec::new(), 0);
        let mut otherwise =
            RefreshError::Unreachable { file: file.clone(), last: "none in time".into() };
        for answer in answers {
            match answer.result {
                Ok(Fetched::Found(bytes)) => found.push((answer.source, bytes)),
                Ok(Fetched::Absent) => otherwise = RefreshError::Absent { file: file.clone() },
                Err(error) => {
                    otherwise = otherwise.or_unreachable(in_one_line(&error));
                    continue;
                }
            }
            answered += 1;
        }
        self.answered += answered;
        self.owed += self.trust().metadata.len().saturating_sub(answered);
        Ok(Offered { file, found, otherwise })
    }

    /// With all patience only as long as nobody waits.
    async fn answers(&mut self, file: &FileName, limit: ByteLimit) -> Vec<Answer> {
        let mirrors = &self.keeper.mirrors;
        if self.patience == Patience::Thorough {
            tokio::select! {
                answers = mirrors.all(file, limit, Patience::Thorough) => return answers,
                _ = self.asked.changed() => self.patience = Patience::Hedged,
            }
        }
        mirrors.all(file, limit, Patience::Hedged).await
    }

    /// Asks source after source for a file that another one names until a copy passes the next gate.
    async fn obtain<From, To>(
        &mut self,
        mut session: Session<From>,
        role: &str,
        meta: &FileMeta,
        gate: impl Fn(Session<From>, Vec<u8>) -> Result<Session<To>, Refused<Session<From>>>,
    ) -> Result<Session<To>, Failed<From>> {
        let version = match session.trusted_root().file_names() {
            FileNames::Versioned => Some(meta.version.into()),
            FileNames::Plain => None,
        };
        let file = match FileName::metadata(version, role) {
            Ok(file) => file,
            Err(error) => return Err((session, error.into())),
        };
        // Of the three kinds that are asked for here, targets may be the largest; the gate has each one's own limit.
        let most = Targets::BYTES_MAX as u64;
        let limit = ByteLimit::new(meta.length.unwrap_or(most).min(most));
        let keeper = self.keeper;
        let mut asked = keeper.mirrors.first(&file, limit);
        let mut error =
            RefreshError::Unreachable { file: file.clone(), last: "none in time".into() };
        while let Some(answer) = asked.next().await {
            match answer.result {
                Ok(Fetched::Found(bytes)) => match gate(session, bytes) {
                    Ok(next) => return Ok(next),
                    Err(Refused { session: old, why }) => {
                        error = self.refused(answer.source, &file, why);
                        session = old;
                    }
                },
                Ok(Fetched::Absent) => error = error.or_absent(),
                Err(failure) => error = error.or_unreachable(in_one_line(&failure)),
            }
        }
        Err((session, error))
    }

    pub(super) fn refused(
        &mut self,
        source: SourceIndex,
        file: &FileName,
        why: Refusal,
    ) -> RefreshError {
        // That all roles together are too large is not the fault of who gave one.
        if !matches!(why, Refusal::RolesTooBig { .. }) {
            self.owed += 1;
            self.keeper.mirrors.refused(source, &in_one_line(&why));
        }
        RefreshError::Refused { file: file.clone(), why }
    }
}

impl Offered {
    /// Whether no source has the file; that some could not be asked is an error.
    pub(super) fn nothing(self) -> Result<(), RefreshError> {
        if matches!(self.otherwise, RefreshError::Absent { .. }) {
            return Ok(());
        }
        Err(self.otherwise)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }
}

/// What tells one trusted state from another.
fn identity(view: &TrustView) -> (Option<RootFloor>, Option<Sha256>, usize) {
    let chain = view.chain.as_ref();
    let roles = chain.map_or(0, |chain| chain.roles().count());
    (view.root.as_ref().map(TrustedRoot::floor), chain.map(|chain| chain.timestamp().hash()), roles)
}
