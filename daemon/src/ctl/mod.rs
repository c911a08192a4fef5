//! `tufctl`: asks the daemon on this node and shows the answer, as tables for people or as one JSON document.
//!
//! Exit codes: 0 ALLOW or in order, 1 DENY, unhealthy or what failed, 2 usage, 3 no verdict or no daemon.

mod command;
mod connect;
mod failure;
mod json;
mod program;
mod show;
mod state;
mod table;
pub(crate) mod text;
mod trust;
mod verify;

pub use program::main;
