//! The trusted root: entered once under the anchor, then followed along TUF's own chain.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use crate::anchor::Anchor;
use crate::floors::RootFloor;
use crate::key::Fingerprint;
use crate::metadata::{FileNames, Role, Root, Version};
use crate::refusal::Refusal;
use crate::verified::{Raw, Verified};

/// A root that was entered under an anchor (or shipped with a plain client), or follows from one that was. It is known by its content: which signatures
/// a copy carries is a mirror's choice, so those of all copies add up.
#[derive(Debug, Clone)]
pub struct TrustedRoot {
    /// The copy that most keys of its own root role signed.
    root: Verified<Root>,
    /// All keys known to have signed it, as keys of its own root role or of its predecessor's.
    signed_by: Arc<BTreeSet<Fingerprint>>,
    /// Its predecessor, where it was followed from there in this run.
    predecessor: Option<Verified<Root>>,
}

/// Which of today's anchor keys signed a root, and whether that is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coverage {
    /// At least the anchor's threshold.
    Covered(BTreeSet<Fingerprint>),
    /// Too few.
    NotCovered(BTreeSet<Fingerprint>),
    /// Below the version that the anchor asks for.
    BelowLeast(Version),
}

impl TrustedRoot {
    /// Enters a chain at a root that satisfies its own root role and is covered by the anchor.
    ///
    /// # Errors
    /// [`Refusal`]; the walk may go on with the next version.
    pub fn enter(raw: Raw<Root>, version: Version, anchor: &Anchor) -> Result<Self, Refusal> {
        let root = raw.verify_by_itself()?;
        root.expect_version(version)?;
        let entered = Self::new(root, BTreeSet::new(), None);
        match entered.coverage(anchor) {
            Coverage::Covered(_) => Ok(entered),
            Coverage::NotCovered(keys) => Err(Refusal::NotCovered {
                version,
                covering: keys.len(),
                needed: anchor.threshold(),
            }),
            Coverage::BelowLeast(least) => Err(Refusal::BelowLeastRoot { version, least }),
        }
    }

    /// Takes the root that came with a client (TUF 5.2): it satisfies its own root role, and nobody's anchor is asked.
    /// For the plain client alone; `cargo xtask walls` keeps the daemon off it.
    ///
    /// # Errors
    /// [`Refusal`]
    pub fn shipped(raw: Raw<Root>) -> Result<Self, Refusal> {
        Ok(Self::new(raw.verify_by_itself()?, BTreeSet::new(), None))
    }

    /// Goes on to the next root: exactly N+1, signed by N's and its own threshold (TUF 5.3.4, 5.3.5).
    ///
    /// # Errors
    /// [`Refusal`]; the trusted root stays.
    pub fn succeed(&self, raw: Raw<Root>) -> Result<Self, Refusal> {
        let (root, signers) = raw.verify_after(self.root.root())?;
        root.expect_version(self.version().next())?;
        Ok(Self::new(root, signers, Some(self.root.clone())))
    }

    /// The same root with the signers of another copy of it, which passes the same gate as the first one did.
    ///
    /// # Errors
    /// [`Refusal::NotTheTrustedRoot`] for any other root; [`Refusal`]; what is known of it stays.
    pub fn also(&self, raw: Raw<Root>) -> Result<Self, Refusal> {
        let (copy, mut signers) = match &self.predecessor {
            Some(predecessor) => raw.verify_after(predecessor.root())?,
            None => (raw.verify_by_itself()?, BTreeSet::new()),
        };
        if copy.content() != self.root.content() {
            return Err(Refusal::NotTheTrustedRoot { version: copy.version() });
        }
        signers.extend(self.signed_by.iter().chain(copy.signers()));
        let fuller = copy.signers().len() > self.root.signers().len();
        let root = if fuller { copy } else { self.root.clone() };
        Ok(Self::new(root, signers, self.predecessor.clone()))
    }

    /// Takes up again the root that the floor file names, from bytes that anyone may have handed us. Any copy with
    /// enough signatures will do; the floor knows of those that it lacks.
    ///
    /// # Errors
    /// [`Refusal::NotTheTrustedRoot`] for any other root.
    pub fn restore(raw: Raw<Root>, floor: &RootFloor) -> Result<Self, Refusal> {
        let root = raw.verify_by_itself()?;
        if root.content() != floor.sha256 || root.version() != floor.version {
            return Err(Refusal::NotTheTrustedRoot { version: root.version() });
        }
        Ok(Self::new(root, floor.signed_by.clone(), None))
    }

    fn new(
        root: Verified<Root>,
        mut signed_by: BTreeSet<Fingerprint>,
        predecessor: Option<Verified<Root>>,
    ) -> Self {
        signed_by.extend(root.signers());
        Self { root, signed_by: Arc::new(signed_by), predecessor }
    }

    /// What the floor file keeps of it.
    #[must_use]
    pub fn floor(&self) -> RootFloor {
        RootFloor {
            version: self.version(),
            sha256: self.root.content(),
            signed_by: BTreeSet::clone(&self.signed_by),
        }
    }

    /// All keys known to have signed it, as keys of its own root role or of its predecessor's.
    #[must_use]
    pub fn signed_by(&self) -> &BTreeSet<Fingerprint> {
        &self.signed_by
    }

    /// Which of the anchor's keys signed it, as keys of its own root role or of its predecessor's.
    #[must_use]
    pub fn coverage(&self, anchor: &Anchor) -> Coverage {
        if let Some(least) = anchor.least_root_version().filter(|least| self.version() < *least) {
            return Coverage::BelowLeast(least);
        }
        let covering: BTreeSet<Fingerprint> =
            self.signed_by.iter().filter(|key| anchor.has(key)).copied().collect();
        if anchor.threshold().is_met_by(covering.len()) {
            return Coverage::Covered(covering);
        }
        Coverage::NotCovered(covering)
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.root.version()
    }

    /// How the repository names its files.
    #[must_use]
    pub fn file_names(&self) -> FileNames {
        self.root.file_names()
    }
}

impl Deref for TrustedRoot {
    type Target = Verified<Root>;

    fn deref(&self) -> &Verified<Root> {
        &self.root
    }
}

impl Coverage {
    /// The anchor keys that signed.
    #[must_use]
    pub fn keys(&self) -> Option<&BTreeSet<Fingerprint>> {
        match self {
            Self::Covered(keys) | Self::NotCovered(keys) => Some(keys),
            Self::BelowLeast(_) => None,
        }
    }

    /// Whether the root is covered.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        matches!(self, Self::Covered(_))
    }
}
