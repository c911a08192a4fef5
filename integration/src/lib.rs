//! What the drivers `faults`, `killed` and `soak` share: the real `tufd` in a process of its own between a fake SPIRE
//! agent and web servers that misbehave, its clients, an organisation that publishes without end, and a judge that
//! knows the right answer to every question.
//!
//! Everything goes through the files and sockets that an operator or a client sees.

mod acme;
mod client;
mod judge;
mod load;
mod node;
mod patience;
mod report;

pub use acme::{Acme, Change, DOMAIN, Questions, TEAM};
pub use client::Client;
pub use judge::{Image, Judge};
pub use load::Load;
pub use node::{Node, Settings, Usage};
pub use patience::within;
pub use report::Report;
