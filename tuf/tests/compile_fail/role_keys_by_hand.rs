//! Who may sign is what verified metadata says, and nobody else.
use tufd_tuf::metadata::{RoleKeys, Threshold};

fn mine() -> RoleKeys {
    RoleKeys { threshold: Threshold::ONE, keys: Default::default() }
}

fn main() {}
