//! Who may connect, and how many at once.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::peer::{Peer, ROOT_UID};

/// Connections of one uid at once.
pub const CONNECTIONS_PER_UID: usize = 64;
/// Connections of everybody at once.
pub const CONNECTIONS_TOTAL: usize = 256;
/// Of these, how many only root can take.
pub const CONNECTIONS_RESERVED_FOR_ROOT: usize = 16;
/// From accept to the last byte of the client preface.
pub const PREFACE_DEADLINE: Duration = Duration::from_secs(2);

/// What the kernel reports for every user that this user namespace does not map (`/proc/sys/kernel/overflowuid`):
/// it stands for anybody.
const OVERFLOW_UID: u32 = 65534;

/// The rules of one socket.
#[derive(Clone, Debug)]
pub struct AcceptPolicy {
    /// Effective uids that may connect.
    pub allow_uids: Vec<u32>,
    /// Effective *primary* gids that may connect: `SO_PEERCRED` reports no supplementary groups. The overflow uid
    /// never enters by its group.
    pub allow_gids: Vec<u32>,
    /// Connections of one uid at once; root may go on into its reserve.
    pub per_uid: usize,
    /// Connections at once, the reserve included.
    pub total: usize,
    /// Of the total, those kept for uid 0.
    pub reserved_for_root: usize,
    /// Time for a connection to send its HTTP/2 client preface (RFC 9113, 3.4).
    pub preface_deadline: Duration,
}

impl Default for AcceptPolicy {
    /// Root alone, with the limits above.
    fn default() -> Self {
        Self {
            allow_uids: vec![ROOT_UID],
            allow_gids: Vec::new(),
            per_uid: CONNECTIONS_PER_UID,
            total: CONNECTIONS_TOTAL,
            reserved_for_root: CONNECTIONS_RESERVED_FOR_ROOT,
            preface_deadline: PREFACE_DEADLINE,
        }
    }
}

impl AcceptPolicy {
    fn allows(&self, peer: Peer) -> bool {
        let by_group = peer.uid != OVERFLOW_UID && self.allow_gids.contains(&peer.gid);
        by_group || self.allow_uids.contains(&peer.uid)
    }
}

/// Why a connection was closed before it was served, or was none.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Neither its uid nor its primary gid is on the list.
    #[error("uid {} with gid {} may not connect (pid {:?})", .0.uid, .0.gid, .0.pid)]
    Unauthorised(Peer),
    /// Its uid, or everybody, holds all the connections it may.
    #[error("uid {} has no connection left (pid {:?})", .0.uid, .0.pid)]
    Quota(Peer),
    /// It did not send the client preface in time.
    #[error("uid {} sent no HTTP/2 preface in time (pid {:?})", .0.uid, .0.pid)]
    Silent(Peer),
    /// It sent something else, or went away.
    #[error("uid {} does not speak HTTP/2 (pid {:?})", .0.uid, .0.pid)]
    NotHttp2(Peer),
    /// The system gave no connection.
    #[error("cannot accept: {0}")]
    Accept(io::Error),
}

/// Hands out places to connections.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    policy: Arc<AcceptPolicy>,
    taken: Arc<Mutex<Taken>>,
}

/// A connection's place under the quotas, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    uid: u32,
    pool: Pool,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Clone, Copy, Debug)]
enum Pool {
    Shared,
    RootReserve,
}

#[derive(Debug, Default)]
struct Taken {
    shared: usize,
    root_reserve: usize,
    /// Places of the shared pool by uid. Only uids that hold one are in it.
    by_uid: HashMap<u32, usize>,
}

impl Admission {
    pub(super) fn new(policy: AcceptPolicy) -> Self {
        Self { policy: Arc::new(policy), taken: Arc::default() }
    }

    /// A place for `peer`, or why there is none.
    pub(super) fn admit(&self, peer: Peer) -> Result<Place, Refusal> {
        if !self.policy.allows(peer) {
            return Err(Refusal::Unauthorised(peer));
        }
        let mut taken = lock(&self.taken);
        let shared_max = self.policy.total.saturating_sub(self.policy.reserved_for_root);
        let own = taken.by_uid.get(&peer.uid).copied().unwrap_or(0);
        let pool = if own < self.policy.per_uid && taken.shared < shared_max {
            taken.shared += 1;
            taken.by_uid.insert(peer.uid, own + 1);
            Pool::Shared
        } else if peer.uid == ROOT_UID && taken.root_reserve < self.policy.reserved_for_root {
            taken.root_reserve += 1;
            Pool::RootReserve
        } else {
            return Err(Refusal::Quota(peer));
        };
        Ok(Place { uid: peer.uid, pool, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        match self.pool {
            Pool::RootReserve => taken.root_reserve = taken.root_reserve.saturating_sub(1),
            Pool::Shared => {
                taken.shared = taken.shared.saturating_sub(1);
                let left = taken.by_uid.remove(&self.uid).unwrap_or(0).saturating_sub(1);
                if left > 0 {
                    taken.by_uid.insert(self.uid, left);
                }
            }
        }
    }
}

/// Nothing panics while it holds the lock, so poison carries no news.
fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(uid: u32, gid: u32) -> Peer {
        Peer { uid, gid, pid: None }
    }

    fn admission(allow_uids: &[u32], allow_gids: &[u32]) -> Admission {
        let policy = AcceptPolicy {
            allow_uids: allow_uids.into(),
            allow_gids: allow_gids.into(),
            ..AcceptPolicy::default()
        };
        Admission::new(policy)
    }

    fn take_all(admission: &Admission, uid: u32) -> Vec<Place> {
        std::iter::from_fn(|| admission.admit(peer(uid, uid)).ok()).collect()
    }

    #[test]
    fn admission_lists_decide() {
        let admission = admission(&[0, 7], &[50]);
        for (uid, gid, allowed) in
            [(0, 9, true), (7, 9, true), (8, 50, true), (8, 9, false), (50, 7, false)]
        {
            assert_eq!(admission.admit(peer(uid, gid)).is_ok(), allowed, "uid {uid} gid {gid}");
        }
    }

    #[test]
    fn admission_overflow_uid_refused_unless_literal() {
        let by_group = admission(&[0], &[50, OVERFLOW_UID]);
        assert!(matches!(by_group.admit(peer(OVERFLOW_UID, 50)), Err(Refusal::Unauthorised(_))));
        assert!(matches!(
            by_group.admit(peer(OVERFLOW_UID, OVERFLOW_UID)),
            Err(Refusal::Unauthorised(_))
        ));
        assert!(admission(&[OVERFLOW_UID], &[]).admit(peer(OVERFLOW_UID, 0)).is_ok());
    }

    #[test]
    fn admission_quota_per_uid_holds() {
        let admission = admission(&[7, 8], &[]);
        let seven = take_all(&admission, 7);
        assert_eq!(seven.len(), CONNECTIONS_PER_UID);
        assert!(matches!(admission.admit(peer(7, 7)), Err(Refusal::Quota(_))));
        assert!(admission.admit(peer(8, 8)).is_ok());
        drop(seven);
        assert_eq!(take_all(&admission, 7).len(), CONNECTIONS_PER_UID);
        assert!(lock(&admission.taken).by_uid.is_empty(), "uids without a place are forgotten");
    }

    #[test]
    fn admission_root_keeps_its_reserve_under_a_flood() {
        let uids: Vec<u32> = (1..=10).chain([0]).collect();
        let admission = admission(&uids, &[]);
        let flood: Vec<Place> = (1..=10).flat_map(|uid| take_all(&admission, uid)).collect();
        assert_eq!(flood.len(), CONNECTIONS_TOTAL - CONNECTIONS_RESERVED_FOR_ROOT);
        let root = take_all(&admission, 0);
        assert_eq!(root.len(), CONNECTIONS_RESERVED_FOR_ROOT);
        drop(root);
        assert!(
            matches!(admission.admit(peer(1, 1)), Err(Refusal::Quota(_))),
            "the reserve is root's alone"
        );
        assert!(admission.admit(peer(0, 0)).is_ok());
    }
}
