//! What the daemon answers over its two Unix sockets. Services only read the board, and ask a refresher.

pub mod accept;
mod admin;
pub mod socket;
mod trust;
mod verifier;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use admin::AdminService;
pub use trust::TrustService;
pub use verifier::VerifierService;

use crate::board::Board;
use crate::clock::Clock;
use crate::config::TrustConfig;
use crate::metrics::Counts;
use crate::refresh::{LOOKUP_DEADLINE, Refresher};
use crate::store::Allowed;

/// A call is answered within this: the wait for a refresh, and some.
pub const CALL_DEADLINE: Duration = LOOKUP_DEADLINE.saturating_add(Duration::from_secs(1));
/// `tufctl refresh` waits for the sources.
pub const ADMIN_DEADLINE: Duration = Duration::from_secs(120);

/// What services work with.
#[derive(Debug, Clone)]
pub struct Shared {
    /// What answers.
    pub board: Arc<Board>,
    /// The refresher of each trust, by name.
    pub refreshers: Arc<BTreeMap<String, Refresher>>,
    /// The configuration of each trust, by name.
    pub trusts: Arc<BTreeMap<String, TrustConfig>>,
    /// What was allowed under an unexpired chain.
    pub allowed: Arc<Allowed>,
    /// What was answered so far.
    pub counts: Arc<Counts>,
    /// The time.
    pub clock: Clock,
}

impl Shared {
    /// The trusts that a request speaks of: one, or all for an empty name.
    ///
    /// # Errors
    /// `NOT_FOUND` naming those there are.
    fn named(&self, name: &str) -> Result<Vec<(&String, &Refresher)>, tonic::Status> {
        let found: Vec<_> =
            self.refreshers.iter().filter(|(own, _)| name.is_empty() || *own == name).collect();
        if found.is_empty() {
            let known: Vec<&str> = self.refreshers.keys().map(String::as_str).collect();
            return Err(tonic::Status::not_found(format!(
                "no [[trust]] is named {name:?}; there are: {}",
                known.join(", ")
            )));
        }
        Ok(found)
    }
}
