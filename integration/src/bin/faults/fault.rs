//! The ways to misbehave.

use testkit::site::{Manner, Site};
use tufd_integration::{Change, TEAM};

/// A way to misbehave.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) how: How,
    /// What the operator reads.
    pub(crate) says: &'static str,
}

#[derive(Debug, Clone)]
pub(crate) enum How {
    Answers(Manner),
    OldFiles,
}

/// Of which files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    All,
    /// The newest file of this role.
    Role(&'static str),
}

pub(crate) const PLACES: [Place; 6] = [
    Place::All,
    Place::Role("root"),
    Place::Role("timestamp"),
    Place::Role("snapshot"),
    Place::Role("targets"),
    Place::Role(TEAM),
];

impl Place {
    /// Something that makes a new file of that kind.
    pub(crate) fn change(self) -> Change {
        match self {
            Self::Role("root") => Change::Root,
            Self::Role("targets") => Change::Team,
            Self::All | Self::Role(_) => Change::Images,
        }
    }
}

/// All of them; redirects lead to a server of which nothing may be asked.
pub(crate) fn faults(elsewhere: &Site) -> Vec<Fault> {
    let redirect = Manner::Redirect(elsewhere.url());
    let answers = [
        ("503", Manner::Unavailable, "status 503"),
        ("stall", Manner::Hang, "bytes came in"),
        ("drip", Manner::Drip, "bytes came in"),
        ("truncated", Manner::Truncated, "broke off"),
        ("10-gb-announced", Manner::Long, "longer than"),
        ("10-gb-chunked", Manner::Endless, "longer than"),
        ("redirect", redirect, "redirect 302"),
        ("404", Manner::Absent, "no source has"),
        ("junk", Manner::Html, "was refused"),
        ("hang-up", Manner::Gone, "broke off"),
    ];
    let answers =
        answers.map(|(name, manner, says)| Fault { name, how: How::Answers(manner), says });
    let old = Fault { name: "old-files", how: How::OldFiles, says: "was refused" };
    answers.into_iter().chain([old]).collect()
}
