//! SHA-256 and SHA-512 as values.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256, SHA512, digest};
use serde::{Deserialize, Serialize};

/// Why a text is no hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {digits} lower-case hexadecimal digits")]
pub struct HashError {
    text: String,
    digits: usize,
}

/// A SHA-256 value. Written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// Hashes bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut out = [0; 32];
        out.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self(out)
    }

    /// The bytes.
    #[must_use]
    pub fn into_bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

impl FromStr for Sha256 {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let refused = || HashError { text: text.chars().take(80).collect(), digits: 64 };
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(refused());
        }
        let mut out = [0; 32];
        hex::decode_to_slice(text, &mut out).map_err(|_| refused())?;
        Ok(Self(out))
    }
}

impl TryFrom<String> for Sha256 {
    type Error = HashError;

    fn try_from(text: String) -> Result<Self, HashError> {
        text.parse()
    }
}

impl From<Sha256> for String {
    fn from(hash: Sha256) -> Self {
        hash.to_string()
    }
}

/// Hashes under way, each with what it must become.
pub struct HashCheck(Vec<(Context, Vec<u8>)>);

impl HashCheck {
    /// Takes the next bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        self.0.iter_mut().for_each(|(context, _)| context.update(bytes));
    }

    /// Whether all came out right.
    #[must_use]
    pub fn matches(self) -> bool {
        self.0.into_iter().all(|(context, expected)| context.finish().as_ref() == expected)
    }
}

/// The hashes a file lists for another (TUF 4.4, 4.5): those of a known kind, and whether there were any at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashes {
    sha256: Option<Sha256>,
    sha512: Option<Vec<u8>>,
}

impl Hashes {
    /// Reads `{"sha256": "…", …}`; unknown kinds are passed over, but alone they are an error.
    pub(crate) fn from_map<'a>(
        map: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, HashError> {
        let mut hashes = Self { sha256: None, sha512: None };
        let mut unknown = None;
        for (kind, value) in map {
            match kind {
                "sha256" => hashes.sha256 = Some(value.to_ascii_lowercase().parse()?),
                "sha512" => {
                    let refused =
                        || HashError { text: value.chars().take(80).collect(), digits: 128 };
                    let bytes = hex::decode(value).map_err(|_| refused())?;
                    hashes.sha512 = Some((bytes.len() == 64).then_some(bytes).ok_or_else(refused)?);
                }
                other => unknown = Some(other),
            }
        }
        if hashes.sha256.is_none() && hashes.sha512.is_none() {
            return Err(HashError {
                text: unknown.unwrap_or_default().chars().take(80).collect(),
                digits: 64,
            });
        }
        Ok(hashes)
    }

    /// Whether every hash of a known kind is that of the bytes.
    #[must_use]
    pub fn match_bytes(&self, bytes: &[u8]) -> bool {
        let mut check = self.check();
        check.take(bytes);
        check.matches()
    }

    /// The same for bytes that come in pieces.
    #[must_use]
    pub fn check(&self) -> HashCheck {
        let sha256 = self.sha256.map(|Sha256(hash)| (Context::new(&SHA256), hash.to_vec()));
        let sha512 = self.sha512.clone().map(|hash| (Context::new(&SHA512), hash));
        HashCheck(sha256.into_iter().chain(sha512).collect())
    }

    /// Those of a known kind as TUF writes them: kind and lower-case hexadecimal, SHA-256 first.
    pub fn listed(&self) -> impl Iterator<Item = (&'static str, String)> {
        let sha256 = self.sha256.map(|hash| ("sha256", hash.to_string()));
        let sha512 = self.sha512.as_ref().map(|hash| ("sha512", hex::encode(hash)));
        sha256.into_iter().chain(sha512)
    }

    /// The SHA-256 among them.
    #[must_use]
    pub fn sha256(&self) -> Option<Sha256> {
        self.sha256
    }
}
