//! What the daemon says of itself, on stderr, and its audit lines.

use std::io::stderr;

use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

use crate::audit::{self, Audit};
use crate::config::{Log, LogFormat};

/// The log of this process.
#[derive(Debug)]
pub struct Logging {
    level: reload::Handle<LevelFilter, Registry>,
    audit: Audit,
}

impl Logging {
    /// Takes what the process logs from now on. An audit event is an audit line and nothing else.
    #[must_use]
    pub fn start(log: &Log) -> Self {
        let (level, handle) = reload::Layer::new(level(log));
        let filter = level.and(filter_fn(|event| event.target() != audit::TARGET));
        let lines = fmt::layer().with_writer(stderr);
        let lines = match log.format {
            LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
            LogFormat::Text => lines.with_ansi(false).with_filter(filter).boxed(),
        };
        let audit = Audit::new(log.audit.clone());
        tracing_subscriber::registry().with(lines).with(audit.layer()).init();
        Self { level: handle, audit }
    }

    /// Takes up another level.
    pub fn reload(&self, log: &Log) {
        // It fails only when the subscriber is gone, and the log with it.
        let _ = self.level.reload(level(log));
    }

    /// Opens the audit file anew.
    pub fn reopen(&self) {
        self.audit.reopen();
    }
}

fn level(log: &Log) -> LevelFilter {
    log.level.as_str().parse().unwrap_or(LevelFilter::INFO)
}
