//! Image references as distribution/reference reads them: `nginx` is `docker.io/library/nginx:latest`.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use crate::hash::Sha256;

/// A name in full, with a tag, a digest, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    name: String,
    tag: Option<String>,
    digest: Option<ImageDigest>,
}

/// `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageDigest(Sha256);

/// Why a text is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Nothing at all.
    #[error("the reference is empty")]
    Empty,
    /// A name of more than 255 bytes.
    #[error("the name is longer than {NAME_MAX} bytes")]
    TooLong,
    /// Upper case in the repository.
    #[error("the repository {name:?} must be lower case")]
    UpperCase {
        /// The name.
        name: String,
    },
    /// Not a registry.
    #[error("{domain:?} is no registry")]
    Domain {
        /// The part before the first slash.
        domain: String,
    },
    /// Not a repository.
    #[error("{path:?} is no repository")]
    Path {
        /// The part after the registry.
        path: String,
    },
    /// Not a tag.
    #[error("{tag:?} is no tag")]
    Tag {
        /// The part after the colon.
        tag: String,
    },
    /// Not a SHA-256 digest.
    #[error("{digest:?} is no sha256 digest")]
    Digest {
        /// The part after the at sign.
        digest: String,
    },
    /// 64 hexadecimal digits alone are an image id.
    #[error("64 hexadecimal digits are an id, not a name")]
    Identifier,
}

/// Bytes of a registry and repository together.
const NAME_MAX: usize = 255;
/// Longer texts are not even looked at.
const REFERENCE_MAX: usize = 4_096;
const TAG_MAX: usize = 128;

impl Reference {
    /// `registry/repository`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The digest inside the reference.
    #[must_use]
    pub fn digest(&self) -> Option<ImageDigest> {
        self.digest
    }

    /// The TUF target that must vouch for the digest: the tag's own where there is a tag, else the digest's.
    /// Any tag of the repository would void every right that is scoped by tag.
    #[must_use]
    pub fn target_path(&self, digest: ImageDigest) -> String {
        match &self.tag {
            Some(tag) => format!("{}:{tag}", self.name),
            None => format!("{}@{digest}", self.name),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

impl ImageDigest {
    /// The hash.
    #[must_use]
    pub fn sha256(self) -> Sha256 {
        self.0
    }
}

impl fmt::Display for ImageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl FromStr for ImageDigest {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let hash = text.strip_prefix("sha256:").and_then(|hex| hex.parse().ok());
        hash.map(Self).ok_or_else(|| ReferenceError::Digest { digest: cut(text) })
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if text.len() > REFERENCE_MAX {
            return Err(ReferenceError::TooLong);
        }
        if text.len() == 64
            && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        {
            return Err(ReferenceError::Identifier);
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (text, None),
        };
        let (domain, remote) = split_domain(rest)?;
        let (path, tag) = match remote.split_once(':') {
            Some((path, tag)) => (path, Some(check_tag(tag)?)),
            None => (remote.as_str(), None),
        };
        let name = check_name(&domain, path)?;
        let tag = match (tag, digest) {
            (None, None) => Some("latest".to_owned()),
            (tag, _) => tag,
        };
        Ok(Self { name, tag, digest })
    }
}

/// `splitDockerDomain` of distribution/reference, on the one spelling of a registry.
fn split_domain(name: &str) -> Result<(String, String), ReferenceError> {
    let hub = |remote: &str| {
        let library = if remote.contains('/') { "" } else { "library/" };
        (HUB.to_owned(), format!("{library}{remote}"))
    };
    let Some((domain, remote)) = name.split_once('/') else { return Ok(hub(name)) };
    let is_domain =
        domain == "localhost" || domain.contains(['.', ':']) || domain.to_lowercase() != domain;
    if !is_domain {
        return Ok(hub(name));
    }
    let registry = one_spelling(domain);
    match registry.ok_or_else(|| ReferenceError::Domain { domain: cut(domain) })? {
        registry if registry == HUB => Ok(hub(remote)),
        registry => Ok((registry, remote.to_owned())),
    }
}

const HUB: &str = "docker.io";

fn check_name(registry: &str, path: &str) -> Result<String, ReferenceError> {
    if path.to_lowercase() != path {
        return Err(ReferenceError::UpperCase { name: cut(path) });
    }
    if !path.split('/').all(is_path_component) {
        return Err(ReferenceError::Path { path: cut(path) });
    }
    let name = format!("{registry}/{path}");
    if name.len() > NAME_MAX {
        return Err(ReferenceError::TooLong);
    }
    Ok(name)
}

/// A registry in the one spelling that policies and targets know, if it is one: `Registry.example:0443` reaches the same
/// host as `registry.example`, and must not reach another policy (docs/adr/0012). Host name, IPv4, or IPv6 in brackets.
pub(super) fn one_spelling(domain: &str) -> Option<String> {
    let (host, port) = match domain.strip_prefix('[') {
        Some(rest) => {
            let (ipv6, port) = rest.split_once(']')?;
            (format!("[{}]", ipv6.parse::<Ipv6Addr>().ok()?), port)
        }
        None => {
            let (host, port) = domain.split_at(domain.find(':').unwrap_or(domain.len()));
            let host =
                host.split('.').all(is_domain_component).then(|| host.to_ascii_lowercase())?;
            (if host == "index.docker.io" { HUB.to_owned() } else { host }, port)
        }
    };
    let Some(digits) = port.strip_prefix(':') else { return port.is_empty().then_some(host) };
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match digits.trim_start_matches('0').parse::<u16>().ok()? {
        443 => Some(host),
        port => Some(format!("{host}:{port}")),
    }
}

fn is_domain_component(label: &str) -> bool {
    !label.is_empty()
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// `[a-z0-9]+` joined by `.`, `_`, `__` or any number of `-`.
fn is_path_component(component: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let mut separator = String::new();
    let mut after_word = false;
    for c in component.bytes() {
        if alphanumeric(c) {
            let joins = matches!(separator.as_str(), "" | "." | "_" | "__")
                || separator.bytes().all(|b| b == b'-');
            if !joins || (!after_word && !separator.is_empty()) {
                return false;
            }
            separator.clear();
            after_word = true;
        } else if matches!(c, b'.' | b'_' | b'-') {
            separator.push(char::from(c));
        } else {
            return false;
        }
    }
    after_word && separator.is_empty()
}

fn check_tag(tag: &str) -> Result<String, ReferenceError> {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let fits = tag.len() <= TAG_MAX
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'));
    fits.then(|| tag.to_owned()).ok_or_else(|| ReferenceError::Tag { tag: cut(tag) })
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e692418e4cbaf90ca69d05a66403747baa33ee08806650b51fab815ad7fc331f";

    #[test]
    fn names_are_written_in_full() {
        let cases = [
            ("nginx", "docker.io/library/nginx:latest"),
            ("library/nginx", "docker.io/library/nginx:latest"),
            ("index.docker.io/nginx:1", "docker.io/library/nginx:1"),
            ("docker.io/a/b", "docker.io/a/b:latest"),
            ("a/b/c:v", "docker.io/a/b/c:v"),
            ("nginx:5000", "docker.io/library/nginx:5000"),
            ("localhost/x", "localhost/x:latest"),
            ("localhost:5000/x", "localhost:5000/x:latest"),
            ("127.0.0.1:5000/pay/app:v1", "127.0.0.1:5000/pay/app:v1"),
            ("[::1]:5000/x", "[::1]:5000/x:latest"),
            ("Example/x", "example/x:latest"),
            ("LOCALHOST/x", "localhost/x:latest"),
            ("R.io:0443/x", "r.io/x:latest"),
            ("INDEX.docker.io/nginx", "docker.io/library/nginx:latest"),
            ("index.docker.io:443/a/b", "docker.io/a/b:latest"),
            ("Docker.io:443/nginx", "docker.io/library/nginx:latest"),
            ("[0:0::1]/x", "[::1]/x:latest"),
            ("r.io:0080/x", "r.io:80/x:latest"),
            ("[2001:DB8::443]/x", "[2001:db8::443]/x:latest"),
            ("[::1]:443/x", "[::1]/x:latest"),
            ("r.io/a__b/c--d/e.f_g:V_1.2-3", "r.io/a__b/c--d/e.f_g:V_1.2-3"),
        ];
        for (text, expected) in cases {
            assert_eq!(
                text.parse::<Reference>().map(|r| r.to_string()),
                Ok(expected.to_owned()),
                "{text}"
            );
        }
        let pinned = format!("r.io/a:v1@sha256:{HEX}");
        assert_eq!(pinned.parse::<Reference>().unwrap().to_string(), pinned);
        assert_eq!(format!("r.io/a@sha256:{HEX}").parse::<Reference>().unwrap().tag, None);
    }

    #[test]
    fn junk_is_refused() {
        let long = format!("r.io/{}", "a".repeat(260));
        let upper = format!("r.io/a@sha256:{}", HEX.to_uppercase());
        let cases = [
            "",
            "/",
            "a//b",
            "r.io/",
            "r.io/A",
            "Nginx",
            "r.io/a:",
            "r.io/a:-v",
            "r.io/a@",
            "r.io/a@sha256:00",
            "-r.io/a",
            "r-.io/a",
            "r.io:/a",
            "r.io:x/a",
            "a___b/c",
            "r.io/a..b",
            "r.io/.a",
            "r.io/a.",
            "r.io/a_-b",
            "https://r.io/a",
            "r.io/a b",
            "r.io/a\n",
            "r.io/\u{e4}",
            "r.io/a:v@x:y",
            "[::1/x",
            "[]/x",
            "../x",
            "r.io/a@sha512:00",
            HEX,
            long.as_str(),
            upper.as_str(),
            ":v1",
            "@",
            "r.io/a@sha256:zz",
            "r.io/a:v:w",
        ];
        for text in cases {
            assert!(text.parse::<Reference>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_digest_alone_never_looks_at_tags() {
        let digest: ImageDigest = format!("sha256:{HEX}").parse().unwrap();
        let target = |text: &str| text.parse::<Reference>().unwrap().target_path(digest);
        assert_eq!(target("r.io/a:v1"), "r.io/a:v1");
        assert_eq!(target(&format!("r.io/a:v1@{digest}")), "r.io/a:v1");
        assert_eq!(target(&format!("r.io/a@{digest}")), format!("r.io/a@{digest}"));
    }
}
