//! The rules of trust, without I/O: bytes and a time come in, verdicts and reasons go out.

pub mod hash;
pub mod json;
pub mod key;
pub mod metadata;
pub mod refusal;
pub mod verified;
