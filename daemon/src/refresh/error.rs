use tufd_tuf::metadata::Version;
use tufd_tuf::refusal::Refusal;

use super::Ended;
use crate::fetch::{FileName, FileNameError};
use crate::ledger::LedgerError;
use crate::store::ChainError;

/// Why a refresh ended before every step had verified. What was trusted before stays so.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// No source answered.
    #[error("no source answers for {file}: {last}")]
    Unreachable {
        /// The file asked for.
        file: FileName,
        /// What the last one said.
        last: String,
    },
    /// Every source that answered says that it has no such file.
    #[error("no source has {file}")]
    Absent {
        /// The file asked for.
        file: FileName,
    },
    /// What the sources gave was refused.
    #[error("{file} was refused")]
    Refused {
        /// The file asked for.
        file: FileName,
        /// Why, of the last copy.
        #[source]
        why: Refusal,
    },
    /// A step of the chain refused without a file.
    #[error(transparent)]
    Chain(Refusal),
    /// More new roots than one refresh follows.
    #[error("more roots may follow root {after}; the next refresh goes on")]
    MoreRoots {
        /// The root that is trusted now.
        after: Version,
    },
    /// There is nothing to enter a chain with.
    #[error("no root can be entered: {why}")]
    NoAnchor {
        /// What the anchor lacks.
        why: &'static str,
    },
    /// No root on offer is covered.
    #[error("no root from version {from} on can be entered: {last}")]
    NotEntered {
        /// Where the walk started.
        from: Version,
        /// What the last one lacked.
        last: String,
    },
    /// A role name that no file can have.
    #[error("a role's name is too long")]
    Name(#[from] FileNameError),
    /// The metadata could not be kept.
    #[error("verified metadata cannot be kept")]
    Store(#[from] ChainError),
    /// The floors could not be kept.
    #[error("floors cannot be kept")]
    Ledger(#[from] LedgerError),
    /// A task of the daemon ended.
    #[error("a writing task ended")]
    Ended(#[from] tokio::task::JoinError),
}

impl RefreshError {
    /// How far the refresh came.
    pub(super) fn ended(&self) -> Ended {
        match self {
            Self::Store(_) | Self::Ledger(_) | Self::Ended(_) => Ended::Unkept,
            Self::Unreachable { .. }
            | Self::Absent { .. }
            | Self::Refused { .. }
            | Self::Chain(_)
            | Self::MoreRoots { .. }
            | Self::NoAnchor { .. }
            | Self::NotEntered { .. }
            | Self::Name(_) => Ended::Short,
        }
    }

    /// That a source has no such file is worth telling where no copy was refused.
    pub(super) fn or_absent(self) -> Self {
        let Self::Unreachable { file, last: _ } = self else { return self };
        Self::Absent { file }
    }

    /// A source that does not answer is worth telling only where no other one said anything.
    pub(super) fn or_unreachable(self, why: String) -> Self {
        let Self::Unreachable { file, last: _ } = self else { return self };
        Self::Unreachable { file, last: why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An operator reads these words in the verdict: an outage must not read as a repository without the file.
    #[test]
    fn outage_and_absence_are_told_apart() {
        let file = FileName::metadata(Some(7), "snapshot").unwrap();
        let silent = || RefreshError::Unreachable { file: file.clone(), last: "none".into() };
        let said = silent().or_unreachable("refused".into()).to_string();
        assert_eq!(said, "no source answers for 7.snapshot.json: refused");
        let said = silent().or_absent().or_unreachable("refused".into()).to_string();
        assert_eq!(said, "no source has 7.snapshot.json");
    }
}
