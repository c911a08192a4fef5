//! The audit stream: each event of the target `audit` as one JSON object on one line, whatever the log shows of it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::OFlags;
use serde::{Serialize, Serializer};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::config::AuditTo;
use crate::outlet::{Order, Outlet};
use crate::peer::ROOT_UID;

/// Target of the events that belong here. Fields keep their names: `trust`, `reference`, `digest`, `reason`, `text`,
/// `uid`, `pid`, `generation`; `docs/operators.md` has the events.
pub const TARGET: &str = "audit";

/// Its members may read it; the unit's umask takes that away.
const MODE: u32 = 0o640;

/// Lines that could not be written where they belong, of this process: it has one log.
static FAILURES: AtomicU64 = AtomicU64::new(0);

/// How many lines went to stderr instead of the file, or nowhere: also those that found the queue full.
#[must_use]
pub fn failures() -> u64 {
    FAILURES.load(Relaxed)
}

/// Leaves audit lines for a thread that writes them.
#[derive(Debug, Clone)]
pub struct Audit(Outlet);

impl Audit {
    /// Where the configuration says. A file that cannot be opened is tried again with each line.
    #[must_use]
    pub fn new(to: AuditTo) -> Self {
        let mut open = Open::default();
        let audit = Self(Outlet::start("audit", move |order| match order {
            Order::Line(line) => open.write(&to, &line),
            Order::Reopen => open.reopen(&to),
        }));
        audit.reopen();
        audit
    }

    /// Takes the events of [`TARGET`] and no others.
    pub fn layer<S: Subscriber + for<'s> LookupSpan<'s>>(&self) -> impl Layer<S> + use<S> {
        Events(self.clone()).with_filter(filter_fn(|event| event.target() == TARGET))
    }

    /// Opens the file anew for the lines from now on: logrotate has moved it away.
    pub fn reopen(&self) {
        self.0.reopen();
    }

    /// Waits until the lines up to now are written, but no longer than `limit`.
    pub fn flush(&self, limit: Duration) {
        self.0.flush(limit);
    }
}

struct Events(Audit);

impl<S: Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = Line { level: event.metadata().level().as_str(), fields };
        if let Ok(text) = serde_json::to_string(&line) {
            let taken = self.0.0.put(ascii(&text));
            FAILURES.fetch_add(u64::from(!taken), Relaxed);
        }
    }
}

/// The file, on the thread that may block.
#[derive(Debug, Default)]
struct Open {
    file: Option<File>,
    /// Whether the last line may have been cut in the middle.
    torn: bool,
}

impl Open {
    fn reopen(&mut self, to: &AuditTo) {
        let AuditTo::File(path) = to else { return };
        *self = Self::default();
        if let Err(error) = self.file(path) {
            eprintln!("tufd: audit: {}: {error}", path.display());
        }
    }

    fn write(&mut self, to: &AuditTo, line: &str) {
        if let AuditTo::File(path) = to {
            let Err(error) = self.append(path, line) else { return };
            FAILURES.fetch_add(1, Relaxed);
            eprintln!("tufd: audit: {}: {error}; the line follows", path.display());
        }
        if io::stderr().lock().write_all(line.as_bytes()).is_err() {
            FAILURES.fetch_add(1, Relaxed);
        }
    }

    fn append(&mut self, path: &Path, line: &str) -> io::Result<()> {
        let line = if self.torn { format!("\n{line}") } else { line.to_owned() };
        // In one piece: several lines at once must not be torn by each other, nor by a full disk unnoticed.
        match self.file(path)?.write(line.as_bytes()) {
            Ok(written) if written == line.len() => self.torn = false,
            Ok(written) => {
                self.torn |= written > 0;
                return Err(io::ErrorKind::WriteZero.into());
            }
            Err(error) => {
                self.file = None;
                return Err(error);
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> io::Result<&mut File> {
        if self.file.is_none() {
            self.file = Some(open(path)?);
        }
        self.file.as_mut().ok_or(io::ErrorKind::NotFound.into())
    }
}

/// A regular file of our own or of root's. A link is not followed, and a FIFO does not hold the thread up.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(MODE)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
        .open(path)?;
    let found = file.metadata()?;
    let own = rustix::process::geteuid().as_raw();
    if !found.is_file() || ![ROOT_UID, own].contains(&found.uid()) {
        return Err(io::Error::other("it is not a regular file of tufd's user or of root"));
    }
    Ok(file)
}

/// The fields of one event, in the order of the code.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.push((field.name(), value.into()));
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

struct Line {
    level: &'static str,
    fields: Fields,
}

impl Serialize for Line {
    /// What tracing calls the message is the event.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = ("time", Value::from(Timestamp::now().to_string()));
        let (event, fields): (Vec<_>, Vec<_>) =
            self.fields.0.iter().cloned().partition(|(name, _)| *name == "message");
        let event = event.into_iter().map(|(_, event)| ("event", event));
        let level = ("level", Value::from(self.level));
        serializer.collect_map([time].into_iter().chain(event).chain([level]).chain(fields))
    }
}

/// JSON as ASCII, so that no character of a name can steer the terminal or the tool that shows it.
fn ascii(json: &str) -> String {
    let mut line = String::with_capacity(json.len() + 1);
    for each in json.chars() {
        if matches!(each, ' '..='~') {
            line.push(each);
        } else {
            // Outside of strings JSON is ASCII, and inside this is how it writes anything else.
            each.encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| line += &format!("\\u{unit:04x}"));
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_after_a_torn_one_starts_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit");
        std::fs::write(&path, "{\"time\":\"20").unwrap();
        let mut open = Open { file: None, torn: true };
        open.append(&path, "{}\n").unwrap();
        open.append(&path, "{}\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"time\":\"20\n{}\n{}\n");
    }

    #[test]
    fn file_that_cannot_be_written_is_opened_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit");
        std::fs::write(&path, "").unwrap();
        let mut open = Open { file: Some(File::open(&path).unwrap()), torn: false };
        open.append(&path, "lost\n").unwrap_err();
        open.append(&path, "kept\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept\n");
    }
}
