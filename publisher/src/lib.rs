//! Builds, signs and writes TUF repositories, and wraps root keys for a SPIFFE bundle.
//!
//! ```
//! use tufpub::{
//!     AnchorBundle, Descriptor, Image, Issue, KeyKind, Release, Root, Signed, Signer, SigningKey,
//!     Targets, Threshold, Version,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let one = Threshold::try_from(1)?;
//! let expires = "2030-01-01T00:00:00Z".parse()?;
//! let key = SigningKey::generate(KeyKind::Ed25519)?;
//! let held: &[_] = &[key.public_key().clone()];
//! let signers: &[&dyn Signer] = &[&key];
//!
//! // One key for all roles, for the sake of brevity.
//! let root = Root::new(Version::FIRST, expires, [(held, one); 4]);
//! let mut targets = Targets::new(Version::FIRST, expires);
//! let manifest = Descriptor::new(&format!("sha256:{}", "ab".repeat(32)), 1024)?;
//! targets.targets = Image::new("registry.acme.example/web:1.0", manifest, [])?.targets();
//!
//! let issue = Issue { version: Version::FIRST, expires, signers };
//! let release = Release::new()
//!     .root(&Signed::new(&root, signers)?)?
//!     .targets("targets", &Signed::new(&targets, signers)?)?;
//! let snapshot = release.snapshot(issue)?;
//! let repository = release.finish(&snapshot, issue)?;
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path();
//! repository.write_to(directory)?;
//! assert!(directory.join("timestamp.json").exists());
//!
//! // For `spire-server bundle set -id spiffe://tuf-root.acme.example`.
//! let bundle = AnchorBundle::new(&"tuf-root.acme.example".parse()?, held, None)?;
//! assert!(bundle.to_pem()?.starts_with("-----BEGIN CERTIFICATE-----"));
//! # Ok(())
//! # }
//! ```

pub mod image;
pub mod key;
pub mod public_key;
pub mod repository;
pub mod role;
pub mod sign;
pub mod wrapper;

pub use image::{Descriptor, Image, ImageError};
pub use key::{KeyError, KeyKind, Signer, SigningKey};
pub use public_key::{KeyId, PublicKey};
pub use repository::{Issue, PublishError, Release, Repository, versioned};
pub use role::{Delegations, Root, Search, TargetFile, Targets, TimestampRole};
pub use sign::{SignError, Signed};
pub use tufd_tuf::metadata::{Threshold, Version};
pub use wrapper::{AnchorBundle, TrustDomain, WrapError};

#[cfg(test)]
mod tests;
