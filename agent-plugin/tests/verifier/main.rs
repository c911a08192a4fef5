//! The real program, run as containerd runs it, against a daemon that answers what a test wants.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers fail as a test does")]

mod answers;
mod fake;
mod trusted_paths;
