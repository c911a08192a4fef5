//! What answers now. Readers take the whole of it without a lock; writers replace one trust, or the policies, at a time.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tufd_tuf::image::PolicySet;
use tufd_tuf::known_good::Availability;
use tufd_tuf::verdict::Generation;
use tufd_tuf::view::TrustView;

/// The generation that answers.
#[derive(Debug)]
pub struct Board {
    current: ArcSwap<Generation>,
    writing: Mutex<()>,
    changed: watch::Sender<u64>,
}

impl Board {
    /// Starts with a generation.
    #[must_use]
    pub fn new(first: Generation) -> Self {
        let (changed, _) = watch::channel(first.number);
        Self { current: ArcSwap::from_pointee(first), writing: Mutex::new(()), changed }
    }

    /// The generation that answers now.
    #[must_use]
    pub fn now(&self) -> Arc<Generation> {
        self.current.load_full()
    }

    /// One trust of it; `None` for a name that is not configured.
    #[must_use]
    pub fn trust(&self, name: &str) -> Option<Arc<TrustView>> {
        self.current.load().trusts.get(name).cloned()
    }

    /// Changes one trust, and with it the generation.
    pub fn update(&self, name: &str, change: impl FnOnce(&mut TrustView)) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Generation::clone(&self.current.load());
        let Some(view) = next.trusts.get_mut(name) else { return };
        change(Arc::make_mut(view));
        next.number += 1;
        let number = next.number;
        self.current.store(Arc::new(next));
        self.changed.send_replace(number);
    }

    /// Puts other policies in force; gives back the number of the generation that has them.
    pub fn govern(&self, policies: Arc<PolicySet>, availability: Availability) -> u64 {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.current.load();
        let number = now.number + 1;
        let next = Generation { number, policies, availability, ..Generation::clone(&now) };
        self.current.store(Arc::new(next));
        self.changed.send_replace(number);
        number
    }

    /// Tells of each new generation by its number.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
