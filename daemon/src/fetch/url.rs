//! Addresses of sources, as an operator writes them.

use std::fmt;
use std::path::{Path, PathBuf};

use url::{Host, Url};

use super::FileName;

/// Where plain HTTP is allowed. TUF's safety does not depend on TLS, but who asks for what is nobody else's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpRule {
    /// On literal loopback addresses only.
    LoopbackOnly,
    /// Anywhere (`allow_http = true`).
    Anywhere,
}

/// The checked address of a directory of metadata; it ends in `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceUrl {
    url: Url,
    place: Place,
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Https,
    Http,
    Directory(PathBuf),
}

/// Why an address is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Not a URL.
    #[error("`{text}` is not a URL")]
    NotAUrl {
        /// What was given.
        text: String,
        /// What is wrong with it.
        source: url::ParseError,
    },
    /// A kind of source that a later version will have.
    #[error("`{scheme}://` sources are not available yet; https://, http:// and file:// are")]
    NotYet {
        /// The scheme.
        scheme: String,
    },
    /// A kind of source that there is not.
    #[error("`{scheme}:` is no source; https://, http:// and file:// are")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// Plain HTTP to another machine.
    #[error("http:// is for literal loopback addresses, `{host}` needs allow_http = true")]
    PlainHttp {
        /// The host.
        host: String,
    },
    /// Something in the address that has no meaning here.
    #[error("the address must not have {what}")]
    Superfluous {
        /// What.
        what: &'static str,
    },
    /// A `file://` address that names no directory of this machine.
    #[error("`{url}` must be file:///ABSOLUTE/DIRECTORY/")]
    NoDirectory {
        /// The address.
        url: String,
    },
}

impl SourceUrl {
    /// Checks an address; a missing `/` at its end is added.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub fn parse(text: &str, rule: HttpRule) -> Result<Self, SourceError> {
        // The parser would drop or rewrite these in silence.
        if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err(SourceError::Superfluous {
                what: "white space, control characters or `\\`",
            });
        }
        let mut url = Url::parse(text)
            .map_err(|source| SourceError::NotAUrl { text: text.to_owned(), source })?;
        check_parts(&url)?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let place = place(&url, rule)?;
        Ok(Self { url, place })
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The address of a file in it.
    pub(super) fn file(&self, name: &FileName) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{name}", self.url.path()));
        url
    }
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.url, f)
    }
}

fn check_parts(url: &Url) -> Result<(), SourceError> {
    let superfluous = if !url.username().is_empty() || url.password().is_some() {
        "a user or a password"
    } else if url.query().is_some() {
        "a query"
    } else if url.fragment().is_some() {
        "a fragment"
    } else {
        return Ok(());
    };
    Err(SourceError::Superfluous { what: superfluous })
}

fn place(url: &Url, rule: HttpRule) -> Result<Place, SourceError> {
    match url.scheme() {
        "https" => Ok(Place::Https),
        "http" if rule == HttpRule::Anywhere || is_literal_loopback(url) => Ok(Place::Http),
        "http" => {
            Err(SourceError::PlainHttp { host: url.host_str().unwrap_or_default().to_owned() })
        }
        "file" => directory(url).map(Place::Directory),
        "oci" => Err(SourceError::NotYet { scheme: url.scheme().to_owned() }),
        scheme => Err(SourceError::Scheme { scheme: scheme.to_owned() }),
    }
}

/// `localhost` is a name, and names resolve to whatever a resolver says.
fn is_literal_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    }
}

fn directory(url: &Url) -> Result<PathBuf, SourceError> {
    let refused = || SourceError::NoDirectory { url: url.to_string() };
    let path = url.to_file_path().map_err(|()| refused())?;
    let local = url.host().is_none() && path.is_absolute() && !has_nul(&path);
    if local { Ok(path) } else { Err(refused()) }
}

fn has_nul(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().contains(&0)
}
