//! Only the counting of signatures makes a `Verified`.
use tufd_tuf::metadata::Targets;
use tufd_tuf::verified::Verified;

fn claim() -> Verified<Targets> {
    Verified(Default::default())
}

fn main() {}
