//! The anchor: TUF root public keys as a SPIFFE bundle gives them, and how many of them a root needs.
//!
//! The keys come from the bundle, the threshold and the pins from the local configuration, nothing from the metadata.

mod bundle;
mod state;

use std::collections::{BTreeMap, BTreeSet};

pub use bundle::{AUTHORITIES_MAX, Bundle, BundleError, BundleKey, KEYS_MAX};
pub use state::{AnchorLimits, AnchorState, Heard, Place, Said};

use crate::key::Fingerprint;
use crate::metadata::{Threshold, Version};

/// What the local configuration says of an anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorRules {
    /// How many anchor keys must have signed a root.
    pub threshold: Threshold,
    /// Where given, the only keys that count: SPIRE may then remove keys but not add any.
    pub pins: Option<BTreeSet<Fingerprint>>,
}

/// The keys that count today, and how many of them a root needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    keys: BTreeMap<Fingerprint, BundleKey>,
    threshold: Threshold,
}

impl Anchor {
    /// The anchor that a bundle makes under the local rules.
    #[must_use]
    pub fn new(bundle: &Bundle, rules: &AnchorRules) -> Self {
        let pinned = |key: &&BundleKey| {
            rules.pins.as_ref().is_none_or(|pins| pins.contains(&key.fingerprint))
        };
        let keys =
            bundle.keys().iter().filter(pinned).map(|key| (key.fingerprint, key.clone())).collect();
        Self { keys, threshold: rules.threshold }
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &BundleKey> {
        self.keys.values()
    }

    /// Whether the key is one of them.
    #[must_use]
    pub fn has(&self, fingerprint: &Fingerprint) -> bool {
        self.keys.contains_key(fingerprint)
    }

    /// How many of them a root needs.
    #[must_use]
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// The highest version such that at least `threshold` keys carry it or a higher one: who asks for 6 asks for 5 too.
    #[must_use]
    pub fn least_root_version(&self) -> Option<Version> {
        let mut carried: Vec<Version> =
            self.keys.values().filter_map(|key| key.least_root_version).collect();
        carried.sort_unstable_by(|a, b| b.cmp(a));
        carried.get(self.threshold.get() as usize - 1).copied()
    }
}
