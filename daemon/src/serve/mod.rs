//! Being built.

pub mod accept;
pub mod socket;
