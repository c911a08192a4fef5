//! Image names and the policies that speak of them.

mod policy;
mod reference;

pub use policy::{ImagePattern, PatternError, Policy, PolicyError, PolicySet};
pub use reference::{ImageDigest, Reference, ReferenceError};
