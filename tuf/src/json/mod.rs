//! JSON of the network: one bounded span tree over the bytes gives both the canonical form that was signed and
//! the typed structs, so what is verified and what is read can never differ.
//!
//! Integers only, no duplicate keys (escaped or not), bounded depth and count. There is no generic value type.

mod canonical;
mod de;
mod parser;
mod tree;

pub use canonical::canonical;
pub(crate) use de::from_node;
pub(crate) use tree::{Document, Node};

/// Values nested deeper than this are refused.
pub const DEPTH_MAX: usize = 64;
/// Values in one document beyond this are refused; 16,384 hashed bins take about 250,000.
pub const VALUES_MAX: usize = 1_000_000;

/// Why a document is no JSON that TUF may carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not UTF-8.
    #[error("not UTF-8 at byte {at}")]
    NotUtf8 {
        /// Offset in bytes.
        at: usize,
    },
    /// A byte that the grammar does not allow there.
    #[error("expected {expected} at byte {at}")]
    Syntax {
        /// What the grammar wants.
        expected: &'static str,
        /// Offset in bytes.
        at: usize,
    },
    /// A number with a fraction, an exponent, a leading zero, or out of the range of 64 bits.
    #[error("only integers of 64 bits are allowed, at byte {at}")]
    NotAnInteger {
        /// Offset in bytes.
        at: usize,
    },
    /// The same key twice in one object, compared after unescaping.
    #[error("duplicate key {key:?}")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// More values than [`VALUES_MAX`], or a document of 4 GiB.
    #[error("more than {VALUES_MAX} values")]
    TooMany,
    /// The typed struct does not fit.
    #[error("{message}")]
    Shape {
        /// serde's account of it.
        message: String,
    },
}

impl JsonError {
    /// An account of what does not fit. It may quote a file that nobody signed, so it is cut.
    pub(crate) fn shape(message: impl std::fmt::Display) -> Self {
        Self::Shape { message: cut(&message.to_string()) }
    }
}

/// The beginning of a text that goes into an error.
fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}
