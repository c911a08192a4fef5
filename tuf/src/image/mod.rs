//! Image names and the policies that speak of them.

mod policy;
mod reference;

pub use policy::{Exemption, ImagePattern, PatternError, Policy, PolicyError, PolicySet, Rule};
pub use reference::{ImageDigest, Reference, ReferenceError};
