//! What a test listens to while it does something else: verdicts, and the log.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::node::{API, Node, look_up};

/// Asks for verdicts on the image that is signed from the start, again and again.
pub(crate) struct Probe {
    stop: oneshot::Sender<()>,
    seen: JoinHandle<BTreeSet<String>>,
}

impl Probe {
    pub(crate) fn start(node: &Node) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let channel = node.channel();
        let seen = tokio::spawn(async move {
            let mut seen = BTreeSet::new();
            while stopped.try_recv().is_err() {
                seen.insert(look_up(channel.clone(), API).await);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            seen
        });
        Self { stop, seen }
    }

    pub(crate) async fn saw_only(self, reason: &str) {
        self.stop.send(()).unwrap();
        assert_eq!(self.seen.await.unwrap(), BTreeSet::from([reason.to_owned()]));
    }
}

/// With a single dispatcher alive, `tracing` asks the one of the thread that comes to a line of the log first, and what
/// that says holds for all threads: a test without one would silence another's lines. So there are always two.
static ANOTHER: LazyLock<tracing::Dispatch> =
    LazyLock::new(|| tracing::Dispatch::new(tracing_subscriber::registry()));

/// What this thread logs from now on.
pub(crate) fn heard() -> Log {
    LazyLock::force(&ANOTHER);
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    Log { lines, _guard: tracing::subscriber::set_default(subscriber) }
}

pub(crate) struct Log {
    lines: Lines,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.lines.0.lock().unwrap().clone()).unwrap()
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
