//! The real program against real repositories, and against repositories, mirrors and directories that attack it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

mod artifacts;
mod client;
mod metadata;
mod real;
