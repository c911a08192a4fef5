//! While roots are looked for there is no taking a snapshot, and no finishing.
use tufd_tuf::session::{Rooting, Session};

fn skip(session: Session<Rooting>, bytes: Vec<u8>) {
    let _ = session.snapshot(bytes);
}

fn hurry(session: Session<Rooting>) {
    let _ = session.finish();
}

fn main() {}
