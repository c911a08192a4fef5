//! The rules against an organisation whose repository misbehaves: one module a stage, one test an attack. Each asserts
//! the refusal or the reason, and what stays trusted.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a fault of a helper is a fault of the test"
)]

mod anchor;
mod anchor_state;
mod bundle;
mod condition;
mod delegators;
mod floors;
mod graph;
mod history;
mod known_good;
mod node;
mod properties;
mod roles;
mod root;
mod root_form;
mod snapshot;
mod targets;
mod time;
mod timestamp;
mod verdict;
mod view;
mod world;
