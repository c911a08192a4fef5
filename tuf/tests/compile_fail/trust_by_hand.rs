//! A chain comes out of a session.
use tufd_tuf::metadata::{Snapshot, Targets, Timestamp};
use tufd_tuf::root::TrustedRoot;
use tufd_tuf::trust::Trust;
use tufd_tuf::verified::Verified;

fn chain(
    root: TrustedRoot,
    timestamp: Verified<Timestamp>,
    snapshot: Verified<Snapshot>,
    targets: Verified<Targets>,
) -> Trust {
    Trust::new(root, timestamp, snapshot, targets)
}

fn main() {}
