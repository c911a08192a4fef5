//! tufd, the driver around the rules: watches bundles, fetches, stores and serves. It holds no rule of trust.
//!
//! One way, one writer: bundle → anchor → root → timestamp → snapshot → targets → verdict.

pub mod config;
pub mod ctl;
pub mod fetch;
pub mod peer;
pub mod serve;
pub mod store;
pub mod workload_api;
