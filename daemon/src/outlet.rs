//! A thread that writes lines: a disk or a terminal that hangs holds up nobody who has something to say.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::Builder;
use std::time::Duration;

/// Lines may wait for as much, bytes: some thousands of them. A further one is lost.
const WAITING_MAX: usize = 4 * 1024 * 1024;

/// What the thread is asked for, in this order.
#[derive(Debug)]
pub(crate) enum Order {
    /// Write this.
    Line(String),
    /// Open the file anew.
    Reopen,
}

/// Where lines are left for the thread. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    orders: Sender<Step>,
    queue: Arc<Queue>,
}

#[derive(Debug)]
struct Queue {
    name: &'static str,
    waiting: AtomicUsize,
    /// Lines, since the thread last wrote one.
    lost: AtomicU64,
}

#[derive(Debug)]
enum Step {
    Do(Order),
    Answer(SyncSender<()>),
}

impl Outlet {
    /// Starts a thread that does with each order what `carry_out` does. It ends with the last clone.
    pub(crate) fn start(name: &'static str, carry_out: impl FnMut(Order) + Send + 'static) -> Self {
        let (orders, steps) = channel();
        let (waiting, lost) = (AtomicUsize::new(0), AtomicU64::new(0));
        let queue = Arc::new(Queue { name, waiting, lost });
        let of_the_thread = Arc::clone(&queue);
        let work = move || of_the_thread.work(&steps, carry_out);
        if let Err(error) = Builder::new().name(name.to_owned()).spawn(work) {
            eprintln!("tufd: {name}: no thread, so every line is lost: {error}");
        }
        Self { orders, queue }
    }

    /// Leaves a line. Whether there was room for it.
    pub(crate) fn put(&self, line: String) -> bool {
        let bytes = line.len();
        let room = self.queue.waiting.fetch_add(bytes, Relaxed) < WAITING_MAX;
        if room && self.orders.send(Step::Do(Order::Line(line))).is_ok() {
            return true;
        }
        self.queue.waiting.fetch_sub(bytes, Relaxed);
        self.queue.lose();
        false
    }

    pub(crate) fn reopen(&self) {
        // Without a thread there is nothing open.
        let _ = self.orders.send(Step::Do(Order::Reopen));
    }

    /// Waits until what was left up to now is done, but no longer than `limit`.
    pub(crate) fn flush(&self, limit: Duration) {
        let (done, wait) = sync_channel(1);
        if self.orders.send(Step::Answer(done)).is_ok() {
            let _ = wait.recv_timeout(limit);
        }
    }
}

impl Queue {
    fn work(&self, steps: &Receiver<Step>, mut carry_out: impl FnMut(Order)) {
        for step in steps {
            match step {
                Step::Do(order) => {
                    let bytes = if let Order::Line(line) = &order { line.len() } else { 0 };
                    carry_out(order);
                    self.waiting.fetch_sub(bytes, Relaxed);
                    self.tell_what_was_lost();
                }
                Step::Answer(done) => drop(done.send(())),
            }
        }
    }

    /// Says so once, on a thread of its own: stderr may be what hangs.
    fn lose(&self) {
        if self.lost.fetch_add(1, Relaxed) == 0 {
            let name = self.name;
            let say =
                move || eprintln!("tufd: {name}: what writes the lines hangs; lines are lost");
            drop(Builder::new().spawn(say));
        }
    }

    fn tell_what_was_lost(&self) {
        if self.lost.load(Relaxed) > 0 && self.waiting.load(Relaxed) < WAITING_MAX / 2 {
            let lost = self.lost.swap(0, Relaxed);
            eprintln!("tufd: {}: {lost} lines were lost", self.name);
        }
    }
}

/// Takes what is written in one piece as a line. What is lost is not the writer's trouble.
impl io::Write for Outlet {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(String::from_utf8_lossy(line).into_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn lines_beyond_what_may_wait_are_lost_and_the_others_come_in_order() {
        let ((gate, opened), (written, seen)) = (channel::<()>(), channel());
        let outlet = Outlet::start("test", move |order| {
            let _ = opened.recv();
            let _ = written.send(order);
        });
        let line = |number: usize| format!("{number} {}", "x".repeat(WAITING_MAX / 4));
        let taken = (0..6).filter(|number| outlet.put(line(*number))).collect::<Vec<_>>();
        assert_eq!(taken, [0, 1, 2, 3]);
        outlet.flush(Duration::from_millis(1)); // does not wait for what hangs
        drop(gate);
        outlet.flush(Duration::from_secs(60));
        assert!(outlet.put(line(6)));
        drop(outlet);
        let seen = seen.iter().map(|order| {
            let Order::Line(text) = order else { panic!("{order:?}") };
            text.split(' ').next().unwrap().to_owned()
        });
        assert_eq!(seen.collect::<Vec<_>>(), ["0", "1", "2", "3", "6"]);
    }
}
