//! The search for a target, which loads each delegated role when it first asks it (TUF 5.6.7).

use std::sync::Arc;

use jiff::Timestamp as Time;
use tufd_tuf::metadata::{Role as _, RoleName, Target};
use tufd_tuf::refusal::Refusal;
use tufd_tuf::search::{Answer, search};
use tufd_tuf::session::Session;

use super::error::ClientError;
use super::update::{Chain, Update, file_of, limit_of};
use crate::fetch::FileName;

/// What is signed about a target, and by whom.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) target: Target,
    /// The way to the role that vouches for it, from `targets`.
    pub(super) role_path: Vec<RoleName>,
}

impl Update {
    /// Looks a target up.
    pub(super) async fn find(&self, chain: &mut Chain, name: &str) -> Result<Found, ClientError> {
        loop {
            let target = || name.to_owned();
            match chain.ask(name, self.now)? {
                Answer::Target { target, role: _, path } => {
                    return Ok(Found { target: target.clone(), role_path: path });
                }
                Answer::Unavailable { role } => self.load(chain, &role, name).await?,
                Answer::NotFound => {
                    return Err(ClientError::TargetNotFound { target: target() });
                }
                Answer::Expired { role, expires } => {
                    return Err(ClientError::RoleExpired { target: target(), role, expires });
                }
                Answer::TooCostly { role } => {
                    return Err(ClientError::TooCostly { target: target(), role });
                }
            }
        }
    }

    /// Loads the role that the search lacks: our own copy if it passes the gate, else the source's.
    async fn load(
        &self,
        chain: &mut Chain,
        role: &RoleName,
        name: &str,
    ) -> Result<(), ClientError> {
        let unavailable =
            || ClientError::RoleUnavailable { target: name.to_owned(), role: role.clone() };
        let meta = chain.trust.snapshot().role(role).ok_or_else(unavailable)?.clone();
        let stored_as = FileName::metadata(None, role.as_str())?;
        if let Some(bytes) = self.dir.metadata(&stored_as) {
            chain.offer(role, &bytes);
            if !chain.lacks(role, name, self.now)? {
                return Ok(());
            }
        }
        let file = file_of(chain.trust.root().file_names(), role.as_str(), meta.version)?;
        let bytes = self.fetch(&file, limit_of(&meta)).await?;
        let refused = chain.offer(role, &bytes);
        if chain.lacks(role, name, self.now)? {
            return Err(
                refused.map_or_else(unavailable, |source| ClientError::Refused { file, source })
            );
        }
        if chain.is_fresh(role, &bytes, self.now) {
            self.dir.keep(&stored_as, &bytes, &chain.floors)?;
        }
        Ok(())
    }
}

impl Chain {
    fn ask(&self, name: &str, now: Time) -> Result<Answer<'_>, ClientError> {
        Ok(search(&self.trust.fresh(now).map_err(ClientError::Chain)?, name).answer)
    }

    /// Whether the search ends for want of this role.
    fn lacks(&self, wanted: &RoleName, name: &str, now: Time) -> Result<bool, ClientError> {
        Ok(matches!(self.ask(name, now)?, Answer::Unavailable { role } if role == *wanted))
    }

    /// Offers a file of a role to all who delegate to it. Returns why the last one who refused it did.
    fn offer(&mut self, role: &RoleName, bytes: &Arc<[u8]>) -> Option<Refusal> {
        let mut session = Session::more(&self.trust, self.floors.clone());
        let mut refused = None;
        while let Some(wanted) = session.wanted() {
            if wanted.edge.role != *role {
                session = session.without();
                continue;
            }
            session = session.role(Arc::clone(bytes)).unwrap_or_else(|refusal| {
                refused = Some(refusal.why);
                refusal.session.without()
            });
        }
        self.trust = session.finish().0;
        refused
    }

    /// Whether these bytes are a loaded file of the role that has not expired.
    fn is_fresh(&self, role: &RoleName, bytes: &Arc<[u8]>, now: Time) -> bool {
        let mut roles = self.trust.roles();
        roles
            .any(|(edge, file)| edge.role == *role && file.bytes() == bytes && file.expires() > now)
    }
}
