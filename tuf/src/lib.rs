//! The rules of trust, without I/O: bytes and a time come in, verdicts and reasons go out.

pub mod anchor;
pub mod condition;
pub mod content;
pub mod floors;
pub mod hash;
pub mod image;
pub mod json;
pub mod key;
pub mod known_good;
pub mod metadata;
pub mod reason;
pub mod refusal;
pub mod root;
pub mod search;
pub mod session;
pub mod trust;
pub mod verdict;
pub mod verified;
pub mod view;
