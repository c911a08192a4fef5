//! Being built.

pub mod workload_api;
