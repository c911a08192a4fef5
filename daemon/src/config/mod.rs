//! The configuration file: read once, checked whole, refused with the name of the key that is wrong.
//!
//! `deploy/tufd.toml` is the reference for people; a test holds it against what is here. A key that is not known is an
//! error, and so is one of a later version: a setting that is silently not applied is a hole.

mod bounds;
mod error;
mod load;
mod log;
mod metrics;
mod policy;
mod sections;
mod sockets;
mod system;
mod trust;
mod values;
mod workload_api;

pub use error::ConfigError;
pub use load::Config;
pub use log::{AuditTo, Log, LogFormat, LogLevel};
pub use metrics::Metrics;
pub use policy::{PolicyConfig, PolicyMode};
pub use sections::{Availability, Verdicts};
pub use sockets::{Admin, Serve};
pub use system::{Names, System};
pub use trust::TrustConfig;
pub use values::Patience;
pub use workload_api::WorkloadApi;
