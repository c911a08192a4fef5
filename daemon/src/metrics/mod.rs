//! What Prometheus sees: counters of what was answered, and a picture of the board at the moment it asks.
//!
//! Labels are names of the configuration, reason codes and states, never an image, a digest, a key or an address: the
//! number of series is fixed by the configuration.

mod counts;
mod passes;
mod picture;
mod server;
mod sheet;
mod trusts;

pub(crate) use passes::passed;

pub use counts::Counts;
pub use picture::Picture;
pub use server::{CONNECTIONS_MAX, EXCHANGE_DEADLINE, serve};
