//! The stream of X.509 bundles from the SPIFFE Workload API.
//!
//! What arrives is handed on as bytes: whether an authority carries a usable root key is a rule of trust and decided
//! elsewhere. Nothing here asks for an SVID.
//!
//! The type of a trust domain is that of the crate `spiffe`; its client is not used, for two reasons. It
//! fails a whole message when one certificate of any trust domain cannot be parsed, so a bad certificate elsewhere
//! would hide a withdrawal of our keys. And it dials by itself, while the only authentication this API has is the
//! owner of the socket, which must be checked on the very connection that is used.

mod bundles;
mod dial;
mod watch;

use std::collections::BTreeMap;

use spiffe::TrustDomain;
use tufd_tuf::anchor::Place;

pub use dial::DialError;
pub use watch::{REOPEN_EVERY, WorkloadApi};

/// What the Workload API said, or that it could not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BundleEvent {
    /// A message arrived and was understood.
    Message {
        /// Where in its stream it stands. Only a first message shows what holds now, rather than what changed.
        place: Place,
        /// The watched trust domains that the message has, each with the concatenated DER certificates of its
        /// authorities as they arrived. Absent: the message does not have the domain. Empty: it has no authorities.
        bundles: BTreeMap<TrustDomain, Vec<u8>>,
    },
    /// The agent has no identity for this process, that is, no registration entry (`PERMISSION_DENIED`).
    PermissionDenied {
        /// The agent's words.
        text: String,
    },
    /// Something arrived that cannot be understood; it confirms nothing.
    Undecodable {
        /// What is wrong.
        text: String,
    },
    /// There is no agent, no trusted one, or it broke off.
    Unreachable {
        /// Why.
        text: String,
    },
}
