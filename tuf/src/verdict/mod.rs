//! The answer: a pure function of what the node trusts, its policies, the time and the request.

mod answer;
mod generation;

pub use answer::{Decision, NoVerdict, Verdict};
pub use generation::{Generation, Request};
