//! The trusted root: further copies of it, whose signatures add up, and the roots that follow.

use tufd_tuf::metadata::{Role as _, Root};
use tufd_tuf::refusal::Refusal;
use tufd_tuf::session::{AwaitTimestamp, Rooting, Session};

use super::RefreshError;
use super::update::{Copy, Offered, Update};
use crate::fetch::FileName;

/// More new roots are not followed in one refresh; the next one goes on (TUF 5.3.3).
const ROOTS_MAX: usize = 256;

impl Update<'_> {
    /// A root that today's anchor does not cover may only lack signatures that a mirror withheld when it was taken.
    pub(super) async fn complete_root(
        &mut self,
        session: Session<Rooting>,
    ) -> Result<Session<Rooting>, RefreshError> {
        let known = session.trusted_root().floor();
        let Offered { file, found, otherwise: _ } =
            self.ask_all(Some(known.version), Root::TYPE, Root::BYTES_MAX).await?;
        let session = self.add_copies(session, &file, found, also);
        if session.trusted_root().floor() != known {
            self.keep_root(&session).await?;
            tracing::warn!(target: "audit", trust = %self.trust().name, version = u64::from(known.version), "ROOT_SIGNATURES_FOUND");
        }
        Ok(session)
    }

    /// Follows the chain of roots (TUF 5.3). Each is written down and trusted the moment it verifies.
    pub(super) async fn newest_root(
        &mut self,
        mut session: Session<Rooting>,
    ) -> Result<Session<AwaitTimestamp>, RefreshError> {
        for _ in 0..ROOTS_MAX {
            let offered = self.ask_all(Some(session.wanted()), Root::TYPE, Root::BYTES_MAX).await?;
            let nobody_has_it = matches!(offered.otherwise, RefreshError::Absent { .. });
            let gate = |s: Session<_>, bytes| {
                s.root(bytes).map_err(|refused| (refused.session, refused.why))
            };
            match self.united(session, offered, gate, also) {
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

    /// The moment it is trusted.
    pub(super) async fn trust_root(&self, session: &Session<Rooting>) -> Result<(), RefreshError> {
        self.keep_root(session).await?;
        let version = u64::from(session.trusted_root().version());
        tracing::warn!(target: "audit", trust = %self.trust().name, version, "ROOT_TRUSTED");
        Ok(())
    }

    /// Written down, then it decides what answers.
    async fn keep_root(&self, session: &Session<Rooting>) -> Result<(), RefreshError> {
        let root = session.trusted_root();
        self.keeper.record.root(root, self.view().root.as_ref(), session.floors()).await?;
        let (root, chain) = (root.clone(), session.held().cloned());
        self.keeper.board.update(&self.trust().name, |view| {
            view.root = Some(root);
            view.chain = chain;
        });
        Ok(())
    }

    /// The first copy that passes the gate, with what the copies after it add; where none passes, what was put in comes
    /// back.
    pub(super) fn united<S, T>(
        &mut self,
        mut state: S,
        offered: Offered,
        gate: impl Fn(S, Vec<u8>) -> Result<T, (S, Refusal)>,
        add: impl Fn(T, Vec<u8>) -> Result<T, (T, Refusal)>,
    ) -> Result<T, (S, RefreshError)> {
        let Offered { file, found, otherwise: mut error } = offered;
        let mut copies = found.into_iter();
        while let Some((source, bytes)) = copies.next() {
            match gate(state, bytes) {
                Ok(good) => return Ok(self.add_copies(good, &file, copies, add)),
                Err((old, why)) => {
                    error = self.refused(source, &file, why);
                    state = old;
                }
            }
        }
        Err((state, error))
    }

    /// What further copies of a trusted root add to it.
    fn add_copies<T>(
        &mut self,
        mut to: T,
        file: &FileName,
        copies: impl IntoIterator<Item = Copy>,
        add: impl Fn(T, Vec<u8>) -> Result<T, (T, Refusal)>,
    ) -> T {
        for (source, bytes) in copies {
            to = add(to, bytes).unwrap_or_else(|(same, why)| {
                self.refused(source, file, why);
                same
            });
        }
        to
    }
}

fn also(
    session: Session<Rooting>,
    bytes: Vec<u8>,
) -> Result<Session<Rooting>, (Session<Rooting>, Refusal)> {
    session.also(bytes).map_err(|refused| (refused.session, refused.why))
}
