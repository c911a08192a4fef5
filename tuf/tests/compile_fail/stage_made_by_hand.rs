//! A stage is reached by the stages before it.
use tufd_tuf::session::AwaitTimestamp;

fn main() {
    let _ = AwaitTimestamp(());
}
