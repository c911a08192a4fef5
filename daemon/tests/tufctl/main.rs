//! The real tufctl against a daemon that answers what a test wants.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

mod fake;
mod program;
mod trust;
mod verify;
