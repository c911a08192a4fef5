//! `[[trust]]`: a TUF root of trust, which domain's bundle anchors it, and where its metadata is.

use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroU64};

use serde::{Deserialize, Deserializer};
use spiffe::TrustDomain;
use tufd_tuf::key::Fingerprint;
use tufd_tuf::metadata::Version;

use super::error::Wrong;
use super::values::choose;
use crate::fetch::{HttpRule, SourceUrl};

/// One root of trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustConfig {
    /// What policies call it.
    pub name: String,
    /// The SPIFFE trust domain whose bundle wraps its root keys.
    pub trust_domain: TrustDomain,
    /// How many of the anchor's keys must have signed a root.
    pub threshold: NonZeroU32,
    /// Where its metadata is, the preferred source first; never empty.
    pub metadata: Vec<SourceUrl>,
    /// Raised to leave a chain.
    pub epoch: NonZeroU64,
    /// Where the walk to the first root starts.
    pub min_root_version: Version,
    /// The only keys that may be in the anchor, if given; never an empty set.
    pub anchor_pins: Option<BTreeSet<Fingerprint>>,
}

const MAX_NAME_CHARS: usize = 63;
/// An anchor has at most so many keys.
const MAX_THRESHOLD: u64 = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTrust {
    name: Option<String>,
    trust_domain: Option<String>,
    threshold: Option<u64>,
    metadata: Option<Vec<String>>,
    #[serde(default = "one")]
    epoch: u64,
    #[serde(default = "one")]
    min_root_version: u64,
    anchor_pins: Option<Vec<String>>,
    #[serde(default)]
    allow_http: bool,
    /// Only the default is available yet: ids are taken as declared.
    #[serde(default, rename = "keyid", deserialize_with = "keyid")]
    _keyid: (),
    /// Only the default is available yet: succinct bins are refused.
    #[serde(default = "yes")]
    succinct_terminating: bool,
}

impl RawTrust {
    /// `at` is the entry's own key, such as `trust[0]`.
    pub(super) fn check(self, at: &str) -> Result<TrustConfig, Wrong> {
        let key = |name: &str| format!("{at}.{name}");
        let rule = if self.allow_http { HttpRule::Anywhere } else { HttpRule::LoopbackOnly };
        if !self.succinct_terminating {
            return Err(Wrong::new(key("succinct_terminating"), "false is not available yet"));
        }
        let threshold = threshold(&key("threshold"), self.threshold)?;
        Ok(TrustConfig {
            name: name(&key("name"), self.name)?,
            trust_domain: trust_domain(&key("trust_domain"), self.trust_domain)?,
            threshold,
            metadata: metadata(&key("metadata"), self.metadata, rule)?,
            epoch: epoch(&key("epoch"), self.epoch)?,
            min_root_version: version(&key("min_root_version"), self.min_root_version)?,
            anchor_pins: pins(&key("anchor_pins"), self.anchor_pins, threshold)?,
        })
    }
}

fn one() -> u64 {
    1
}

fn yes() -> bool {
    true
}

fn keyid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    choose(deserializer, &[("warn", ())], &["off", "strict"])
}

/// It is shown, logged and compared: nothing in it needs escaping.
fn name(key: &str, given: Option<String>) -> Result<String, Wrong> {
    let name = given.ok_or_else(|| Wrong::missing(key))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME_CHARS || !name.bytes().all(plain) {
        return Err(Wrong::new(
            key,
            format!("must have 1 to {MAX_NAME_CHARS} characters of a-z, A-Z, 0-9, `-`, `_`, `.`"),
        ));
    }
    Ok(name)
}

fn trust_domain(key: &str, given: Option<String>) -> Result<TrustDomain, Wrong> {
    let text = given.ok_or_else(|| Wrong::missing(key))?;
    let allowed = "must be a trust domain's name such as \"tuf-root.acme.example\"";
    // The crate takes the domain out of a whole SPIFFE ID, too.
    if text.contains('/') {
        return Err(Wrong::new(key, allowed));
    }
    TrustDomain::new(&text).map_err(|error| Wrong::new(key, format!("{allowed}: {error}")))
}

fn threshold(key: &str, given: Option<u64>) -> Result<NonZeroU32, Wrong> {
    let threshold = given.ok_or_else(|| Wrong::missing(key))?;
    let fits = u32::try_from(threshold)
        .ok()
        .and_then(NonZeroU32::new)
        .filter(|_| threshold <= MAX_THRESHOLD);
    fits.ok_or_else(|| {
        Wrong::new(
            key,
            format!("is {threshold}, must be from 1 to {MAX_THRESHOLD}; 2 or more are advised"),
        )
    })
}

fn epoch(key: &str, given: u64) -> Result<NonZeroU64, Wrong> {
    NonZeroU64::new(given).ok_or_else(|| Wrong::new(key, "is 0, must be 1 or more"))
}

/// No root has a higher one: taken for another number, it would let old roots in.
fn version(key: &str, given: u64) -> Result<Version, Wrong> {
    let wrong = |_| Wrong::new(key, format!("is {given}, must be from 1 to 2^53"));
    Version::try_from(given).map_err(wrong)
}

fn metadata(
    key: &str,
    given: Option<Vec<String>>,
    rule: HttpRule,
) -> Result<Vec<SourceUrl>, Wrong> {
    let given = given.ok_or_else(|| Wrong::missing(key))?;
    if given.is_empty() {
        return Err(Wrong::new(key, "needs at least one source"));
    }
    let mut sources: Vec<SourceUrl> = Vec::new();
    for (index, text) in given.iter().enumerate() {
        let wrong = |problem: String| Wrong::new(format!("{key}[{index}]"), problem);
        let source = SourceUrl::parse(text, rule).map_err(|error| wrong(error.to_string()))?;
        if sources.contains(&source) {
            return Err(wrong(format!("{source} is given twice")));
        }
        sources.push(source);
    }
    Ok(sources)
}

fn pins(
    key: &str,
    given: Option<Vec<String>>,
    threshold: NonZeroU32,
) -> Result<Option<BTreeSet<Fingerprint>>, Wrong> {
    let Some(given) = given else { return Ok(None) };
    let mut pins = BTreeSet::new();
    for (index, text) in given.iter().enumerate() {
        let problem = "must be the SHA-256 of a public key, 64 lower-case hexadecimal digits";
        let pin = text.parse().map_err(|_| Wrong::new(format!("{key}[{index}]"), problem))?;
        pins.insert(pin);
    }
    if pins.len() < usize::try_from(threshold.get()).unwrap_or(usize::MAX) {
        return Err(Wrong::new(
            key,
            format!(
                "has {} fingerprints: no root could reach the threshold of {threshold}",
                pins.len()
            ),
        ));
    }
    Ok(Some(pins))
}
