//! One refresh: the session's steps in order, with bytes from the sources, writing down before going on.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp as Time;
use tokio::sync::watch;
use tokio::time::Instant;
use tufd_tuf::hash::Sha256;
use tufd_tuf::metadata::{FileMeta, FileNames, Role, Root, Snapshot, Targets, Timestamp, Version};
use tufd_tuf::refusal::Refusal;
use tufd_tuf::session::{AwaitRoles, AwaitTimestamp, Next, Refused, Rooting, Session};
use tufd_tuf::view::{FloorsKnown, Repository, TrustView};

use super::{Changed, Done, Keeper, RefreshError};
use crate::causes::in_one_line;
use crate::config::TrustConfig;
use crate::fetch::{Answer, ByteLimit, Fetched, FileName, Patience, SourceIndex};

/// More new roots are not followed in one refresh; the next one goes on (TUF 5.3.3).
const ROOTS_MAX: usize = 256;
/// Delegated roles that are not there by then answer "unavailable" until the next refresh.
const ROLES_BUDGET: Duration = Duration::from_secs(20);

/// One refresh of one trust.
pub(super) struct Update<'k> {
    keeper: &'k Keeper,
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
    file: FileName,
    found: Vec<(SourceIndex, Vec<u8>)>,
    /// What stands if none of that is good: nobody has the file, or nobody answers.
    otherwise: RefreshError,
}

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
        let error = self.steps().await.err().map(|error| in_one_line(&error));
        self.publish_trouble(error.clone());
        let changed = if identity(&self.view()) == before { Changed::No } else { Changed::Yes };
        Done { error, changed }
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

    /// Follows the chain of roots (TUF 5.3). Each is written down and trusted the moment it verifies.
    async fn newest_root(
        &mut self,
        mut session: Session<Rooting>,
    ) -> Result<Session<AwaitTimestamp>, RefreshError> {
        for _ in 0..ROOTS_MAX {
            let offered = self.ask_all(Some(session.wanted()), Root::TYPE, Root::BYTES_MAX).await?;
            let nobody_has_it = matches!(offered.otherwise, RefreshError::Absent { .. });
            match self.first_good(session, offered, |s, bytes| {
                s.root(bytes).map_err(|r| (r.session, r.why))
            }) {
                Ok(next) => session = next,
                // A source that gives junk is not heard where others say that there is nothing.
                Err((old, _)) if nobody_has_it => {
                    return old.newest().map_err(|refused| RefreshError::Chain(refused.why));
                }
                Err((_, error)) => return Err(error),
            }
            self.trust_root(&session).await?;
        }
        // The limit is not the end of the chain: nothing is verified under a root that may have a successor.
        Err(RefreshError::MoreRoots { after: session.trusted_root().version() })
    }

    /// Written down, then it decides what answers.
    async fn trust_root(&self, session: &Session<Rooting>) -> Result<(), RefreshError> {
        let root = session.trusted_root();
        self.keeper.record.root(root, self.view().root.as_ref(), session.floors()).await?;
        tracing::warn!(target: "audit", trust = %self.trust().name, version = %root.version(), "ROOT_TRUSTED");
        let (root, chain) = (root.clone(), session.held().cloned());
        self.keeper.board.update(&self.trust().name, |view| {
            view.root = Some(root);
            view.chain = chain;
        });
        Ok(())
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
                    tracing::warn!(trust = %self.trust().name, %role, error, "a delegated role is unavailable");
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
        let view = self.view();
        if view.trouble != trouble || view.repository != repository {
            self.keeper.board.update(&self.trust().name, |view| {
                view.trouble = trouble;
                view.repository = repository;
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

    /// The first copy that passes the gate; where none does, what was put in comes back.
    pub(super) fn first_good<S, T>(
        &mut self,
        mut state: S,
        offered: Offered,
        gate: impl Fn(S, Vec<u8>) -> Result<T, (S, Refusal)>,
    ) -> Result<T, (S, RefreshError)> {
        let Offered { file, found, otherwise: mut error } = offered;
        for (source, bytes) in found {
            match gate(state, bytes) {
                Ok(good) => return Ok(good),
                Err((old, why)) => {
                    error = self.refused(source, &file, why);
                    state = old;
                }
            }
        }
        Err((state, error))
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
        let mut error = RefreshError::Absent { file: file.clone() };
        while let Some(answer) = asked.next().await {
            match answer.result {
                Ok(Fetched::Found(bytes)) => match gate(session, bytes) {
                    Ok(next) => return Ok(next),
                    Err(Refused { session: old, why }) => {
                        error = self.refused(answer.source, &file, why);
                        session = old;
                    }
                },
                Ok(Fetched::Absent) => {}
                Err(failure) => error = error.or_unreachable(in_one_line(&failure)),
            }
        }
        Err((session, error))
    }

    fn refused(&mut self, source: SourceIndex, file: &FileName, why: Refusal) -> RefreshError {
        self.owed += 1;
        self.keeper.mirrors.refused(source, &in_one_line(&why));
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
fn identity(view: &TrustView) -> (Option<Version>, Option<Sha256>, usize) {
    let chain = view.chain.as_ref();
    let roles = chain.map_or(0, |chain| chain.roles().count());
    (
        view.root.as_ref().map(|root| root.version()),
        chain.map(|chain| chain.timestamp().hash()),
        roles,
    )
}
