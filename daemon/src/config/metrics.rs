//! `[metrics]`: where Prometheus may ask.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::values::FilePath;

/// `[metrics]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// The TCP address that `GET /metrics` is answered on, if any.
    pub listen: Option<SocketAddr>,
    /// The file in which `tufd-verifier` marks each pull that passed without a verdict.
    pub verifier_passed: PathBuf,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawMetrics {
    listen: Option<SocketAddr>,
    verifier_passed: FilePath,
}

impl Default for RawMetrics {
    fn default() -> Self {
        Self { listen: None, verifier_passed: FilePath("/run/tufd-verifier/passed".into()) }
    }
}

impl RawMetrics {
    pub(super) fn check(self) -> Metrics {
        Metrics { listen: self.listen, verifier_passed: self.verifier_passed.0 }
    }
}
