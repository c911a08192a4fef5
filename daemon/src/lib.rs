//! tufd, the driver around the rules: watches bundles, fetches, stores and serves. It holds no rule of trust.
//!
//! One way, one writer: bundle → anchor → root → timestamp → snapshot → targets → verdict.

pub mod anchor;
pub mod audit;
pub mod backup;
pub mod board;
mod causes;
pub mod client;
pub mod clock;
pub mod config;
pub mod ctl;
pub mod fetch;
mod follower;
pub mod ledger;
pub mod logging;
pub mod metrics;
mod outlet;
pub mod peer;
mod pulse;
pub mod refresh;
mod regular_file;
mod reload;
mod run;
pub mod serve;
mod setup;
mod start;
pub mod store;
pub mod workload_api;

pub use reload::Running;
pub use run::run;
pub use setup::Setup;

/// When this program was built.
#[must_use]
pub fn built() -> jiff::Timestamp {
    let seconds = env!("TUFD_BUILT").parse().unwrap_or_default();
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
