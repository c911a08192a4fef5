//! What the daemon says of itself, on stderr, and its audit lines.

use std::io::{Write as _, stderr};
use std::time::Duration;

use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

use crate::audit::{self, Audit};
use crate::config::{Log, LogFormat};
use crate::outlet::{Order, Outlet};

/// At the end, lines that wait get so long.
const LAST_LINES: Duration = Duration::from_millis(250);

/// The log of this process. Nobody waits for what it is written to: lines are left for a thread.
#[derive(Debug)]
pub struct Logging {
    level: reload::Handle<LevelFilter, Registry>,
    lines: Outlet,
    audit: Audit,
}

impl Logging {
    /// Takes what the process logs from now on. An audit event is an audit line and nothing else.
    #[must_use]
    pub fn start(log: &Log) -> Self {
        let (level, handle) = reload::Layer::new(level(log));
        let filter = level.and(filter_fn(|event| event.target() != audit::TARGET));
        let outlet = Outlet::start("log", |order| {
            if let Order::Line(line) = order {
                // There is nowhere to say that it could not be said.
                let _ = stderr().lock().write_all(line.as_bytes());
            }
        });
        let writer = outlet.clone();
        let lines = fmt::layer().with_writer(move || writer.clone());
        let lines = match log.format {
            LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
            LogFormat::Text => lines.with_ansi(false).with_filter(filter).boxed(),
        };
        let audit = Audit::new(log.audit.clone());
        tracing_subscriber::registry().with(lines).with(audit.layer()).init();
        Self { level: handle, lines: outlet, audit }
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

    /// Waits, not for long, until what was said is written.
    pub fn flush(&self) {
        self.audit.flush(LAST_LINES);
        self.lines.flush(LAST_LINES);
    }
}

fn level(log: &Log) -> LevelFilter {
    log.level.as_str().parse().unwrap_or(LevelFilter::INFO)
}
