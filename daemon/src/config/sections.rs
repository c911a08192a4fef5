//! The short sections: `[state]`, `[refresh]`, `[verdicts]`, `[metrics]`, `[log]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::bounds::{DAY, HOUR, MINUTE, bounded};
use super::error::Wrong;
use super::values::{DirectoryPath, HumanDuration, NotYet, choose};

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
}

/// `[log]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least level that is logged.
    pub level: LogLevel,
    /// How.
    pub format: LogFormat,
}

/// `[log] level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Only what needs an operator.
    Error,
    /// And what may.
    Warn,
    /// And what changed.
    Info,
    /// And why.
    Debug,
    /// And everything else.
    Trace,
}

/// `[log] format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawState {
    dir: DirectoryPath,
}

impl Default for RawState {
    fn default() -> Self {
        Self { dir: DirectoryPath("/var/lib/tufd".into()) }
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
    choose(deserializer, &[("strict", Availability::Strict)], &["known-good"])
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawMetrics {
    listen: Option<NotYet>,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawLog {
    #[serde(deserialize_with = "level")]
    level: LogLevel,
    #[serde(deserialize_with = "format")]
    format: LogFormat,
}

impl Default for RawLog {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text }
    }
}

impl RawLog {
    pub(super) fn check(self) -> Log {
        Log { level: self.level, format: self.format }
    }
}

impl LogLevel {
    /// As `tracing` reads it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LogLevel, D::Error> {
    use LogLevel::{Debug, Error, Info, Trace, Warn};
    let allowed = [Error, Warn, Info, Debug, Trace].map(|level| (level.as_str(), level));
    choose(deserializer, &allowed, &[])
}

fn format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LogFormat, D::Error> {
    choose(deserializer, &[("text", LogFormat::Text), ("json", LogFormat::Json)], &[])
}
