//! Bytes of metadata from sources that nobody trusts: web servers, mirrors, directories.
//!
//! What comes out is capped in size and time and otherwise unchecked. A file's name is percent-encoded, metadata's to
//! one segment ([`FileName`]), so that no role name is ever a path. No redirects, no proxy from the environment, no
//! decompression, no credentials.

mod error;
mod file;
mod http;
mod limits;
mod mirrors;
mod name;
mod source;
mod url;

pub use error::{Failure, FetchError};
pub use limits::{ByteLimit, Limits};
pub use mirrors::{Answer, Candidates, Mirrors, Patience, SourceHealth, SourceIndex};
pub(crate) use name::encode;
pub use name::{FileName, FileNameError, TargetPathError};
pub use source::{Fetched, OpenError, Source, Take};
pub use url::{HttpRule, SourceError, SourceUrl};
