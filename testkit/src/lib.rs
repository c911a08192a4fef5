//! What tests and the quickstart stand on: an organisation whose repository can be made to
//! misbehave, a web server that does, a manual clock, images that exist by their digests, and a fake
//! Workload API.
//!
//! ```
//! use testkit::{Clock, FakeImage, Org, Team, damage};
//!
//! let clock = Clock::default();
//! let mut org = Org::new(&clock);
//! org.add_team(Team::new("payments", &["registry.acme.example/payments/*"]));
//! let image = FakeImage::new("api 1.0").named("registry.acme.example/payments/api:1.0");
//! org.sign_image("payments", &image);
//! let good = org.publish();
//!
//! let mut bad = good.clone();
//! damage::flip_bit(&mut bad, "timestamp.json");
//! assert_ne!(good, bad);
//! let bundle = org.anchor().to_der();
//! # assert!(!bundle.is_empty());
//! ```
//!
//! It signs and writes through `tufpub` only. A fault in here is a fault of the test, so it
//! panics.

#![expect(clippy::expect_used, reason = "a fault in the testkit is a fault of the test")]

mod clock;
pub mod damage;
mod images;
mod org;
mod repository;
pub mod site;
mod team;
pub mod workload_api;

pub use clock::Clock;
pub use images::FakeImage;
pub use org::{Lifetimes, Org};
pub use repository::Files;
pub use team::Team;

#[cfg(test)]
mod tests;
