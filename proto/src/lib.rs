//! The wire contracts: `tufd.v1` as served by the daemon, and the part of the SPIFFE Workload API that it uses.
#![allow(missing_docs, clippy::all)]

/// The daemon's services: `Verifier`, `Trust` and `Admin`.
pub mod v1 {
    tonic::include_proto!("tufd.v1");
}

/// `SpiffeWorkloadAPI.FetchX509Bundles` (SPIFFE Workload API, section 5.2.2).
pub mod workload {
    tonic::include_proto!("_");
}
