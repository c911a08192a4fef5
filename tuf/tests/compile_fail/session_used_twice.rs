//! A step that succeeds takes the session with it.
use tufd_tuf::session::{AwaitSnapshot, Session};

fn twice(session: Session<AwaitSnapshot>, first: Vec<u8>, second: Vec<u8>) {
    let _ = session.snapshot(first);
    let _ = session.snapshot(second);
}

fn main() {}
