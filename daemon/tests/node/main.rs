//! The whole daemon in one process, with fakes at its edges: an agent, sources that misbehave, and a clock that a
//! test moves. Timers run on a paused tokio clock, so nothing here sleeps and nothing depends on the machine's speed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // helpers of tests

mod alarms;
mod anchor;
mod chain;
mod disk;
mod floors;
mod hangup;
mod lookup;
mod metrics;
mod mirrors;
mod node;
mod probe;
mod program;
mod reload;
mod rotation;
mod state;
mod surface;
mod table;

use testkit::site;
