//! When the daemon was killed, and what came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// When the daemon is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Point {
    /// While it starts: opens its state, replays, binds, refreshes.
    Start,
    /// During a refresh of a version that is published whole.
    Refresh,
    /// While the version is being published file by file, and asked for again and again.
    Publish,
    /// Some time after a refresh: what the daemon writes in the background is being written.
    Later,
}

/// Of all kills.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) first_verdicts: Vec<Duration>,
    kills: BTreeMap<Point, u32>,
    /// Kills when the version had answered already.
    answered: u32,
    /// Versions that answered after the restart, and never before the kill.
    pub(crate) kept_unseen: u32,
}

impl Point {
    /// Starts are quick, so there are more of them.
    pub(crate) fn any(random: &mut fastrand::Rng) -> Self {
        match random.u8(..10) {
            0..4 => Self::Start,
            4..6 => Self::Refresh,
            6..8 => Self::Publish,
            _ => Self::Later,
        }
    }
}

impl Figures {
    /// A kill, and the newest version that was published and seen by then.
    pub(crate) fn killed(&mut self, point: Point, published: u64, seen: u64) {
        *self.kills.entry(point).or_default() += 1;
        self.answered += u32::from(seen == published);
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first_verdicts, kills, answered, kept_unseen } = self;
        let mut first: Vec<_> = first_verdicts.clone();
        first.sort_unstable();
        let half = first.get(first.len() / 2).copied().unwrap_or_default();
        let most = first.last().copied().unwrap_or_default();
        write!(out, "kills {kills:?}, {answered} when the version answered already, ")?;
        write!(
            out,
            "{kept_unseen} versions answered only after the restart; from exec to the first verdict "
        )?;
        write!(out, "{half:.0?} at the median, {most:.0?} at most")
    }
}
