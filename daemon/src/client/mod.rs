//! `tuf-client`: a plain TUF client over the same rules and the same fetcher as the daemon's, with the command line of
//! tuf-conformance.
//!
//! It has no anchor: its root is the one it was given by `init` (TUF 5.2). Nothing of the daemon may use that way in.
//!
//! Exit codes: 0 done, 1 not done, 2 usage.

mod artifact;
mod command;
mod directory;
mod error;
mod program;
mod search;
mod update;

pub use program::main;
