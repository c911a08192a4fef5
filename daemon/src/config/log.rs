//! `[log]`: what is told, how, and where the audit lines go.

use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::values::{absolute, choose};

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least level that is logged.
    pub level: LogLevel,
    /// How.
    pub format: LogFormat,
    /// Where audit lines go, whatever the level.
    pub audit: AuditTo,
}

/// `[log] audit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditTo {
    /// Beside the log.
    Stderr,
    /// Appended to a file.
    File(PathBuf),
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
pub(super) struct RawLog {
    #[serde(deserialize_with = "level")]
    level: LogLevel,
    #[serde(deserialize_with = "format")]
    format: LogFormat,
    #[serde(deserialize_with = "audit")]
    audit: AuditTo,
}

impl Default for RawLog {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text, audit: AuditTo::Stderr }
    }
}

impl RawLog {
    pub(super) fn check(self) -> Log {
        Log { level: self.level, format: self.format, audit: self.audit }
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

fn audit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AuditTo, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == "stderr" {
        return Ok(AuditTo::Stderr);
    }
    absolute(&text).map_err(|problem| D::Error::custom(format!("{problem}, or \"stderr\"")))?;
    Ok(AuditTo::File(text.into()))
}
