//! The short sections: `[state]`, `[refresh]`, `[verdicts]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::bounds::{DAY, HOUR, MINUTE, bounded};
use super::error::Wrong;
use super::values::{FilePath, HumanDuration, choose};

/// `[verdicts]`: what happens when freshness cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// Which way is preferred.
    pub availability: Availability,
    /// How long expired metadata may still allow, under another availability than strict.
    pub grace_max: Duration,
}

/// `[verdicts] availability`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Expired is DENY.
    Strict,
    /// What was allowed before stays allowed for `grace_max`.
    KnownGood,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawState {
    dir: FilePath,
}

impl Default for RawState {
    fn default() -> Self {
        Self { dir: FilePath("/var/lib/tufd".into()) }
    }
}

impl RawState {
    pub(super) fn check(self) -> PathBuf {
        self.dir.0
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawRefresh {
    period: HumanDuration,
}

impl Default for RawRefresh {
    fn default() -> Self {
        Self { period: HumanDuration(5 * MINUTE) }
    }
}

impl RawRefresh {
    pub(super) fn check(self) -> Result<Duration, Wrong> {
        bounded("refresh.period", self.period.0, Duration::from_secs(1), DAY)
            .map(|()| self.period.0)
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawVerdicts {
    #[serde(deserialize_with = "availability")]
    availability: Availability,
    grace_max: HumanDuration,
}

impl Default for RawVerdicts {
    fn default() -> Self {
        Self { availability: Availability::Strict, grace_max: HumanDuration(DAY) }
    }
}

impl RawVerdicts {
    pub(super) fn check(self) -> Result<Verdicts, Wrong> {
        let grace_max = self.grace_max.0;
        bounded("verdicts.grace_max", grace_max, Duration::ZERO, 72 * HOUR)?;
        Ok(Verdicts { availability: self.availability, grace_max })
    }
}

fn availability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Availability, D::Error> {
    let words = [("strict", Availability::Strict), ("known-good", Availability::KnownGood)];
    choose(deserializer, &words, &[])
}
