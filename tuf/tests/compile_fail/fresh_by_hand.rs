//! That a chain is unexpired is proved by `Trust::fresh` alone.
use tufd_tuf::trust::{Fresh, Trust};

fn stale(trust: &Trust, now: jiff::Timestamp) -> Fresh<'_> {
    Fresh { trust, now }
}

fn main() {}
