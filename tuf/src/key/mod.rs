//! Public keys. A key is its material: the same point or modulus under another encoding, OID or id is the same key.

mod spki;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{self as sig, UnparsedPublicKey, VerificationAlgorithm};
use serde::{Deserialize, Serialize};

pub(crate) use spki::from_info as key_of;
pub use spki::{KeyError, RSA_BITS_MAX, RSA_BITS_MIN};

use crate::hash::Sha256;

/// SHA-256 of a key's SPKI in its one DER form: what `openssl pkey -pubin -outform DER | sha256sum` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(Sha256);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for Fingerprint {
    type Err = crate::hash::HashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// The kind of a public key and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Algorithm {
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// ECDSA on P-256.
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// RSA with a modulus of so many bits.
    Rsa {
        /// Bits of the modulus.
        bits: u32,
    },
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ed25519 => f.write_str("ed25519"),
            Self::EcdsaP256 => f.write_str("ecdsa-p256"),
            Self::EcdsaP384 => f.write_str("ecdsa-p384"),
            Self::Rsa { bits } => write!(f, "rsa-{bits}"),
        }
    }
}

impl From<Algorithm> for String {
    fn from(algorithm: Algorithm) -> Self {
        algorithm.to_string()
    }
}

impl TryFrom<String> for Algorithm {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "ed25519" => Ok(Self::Ed25519),
            "ecdsa-p256" => Ok(Self::EcdsaP256),
            "ecdsa-p384" => Ok(Self::EcdsaP384),
            other => match other.strip_prefix("rsa-").and_then(|bits| bits.parse().ok()) {
                Some(bits) => Ok(Self::Rsa { bits }),
                None => Err(format!("unknown key algorithm {other:?}")),
            },
        }
    }
}

/// A public key in its one form.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: Algorithm,
    fingerprint: Fingerprint,
    spki: Arc<[u8]>,
    /// As the verifier takes it: 32 bytes, an uncompressed point, or RSAPublicKey in DER.
    raw: Arc<[u8]>,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo in DER (RFC 5280, 4.1.2.7).
    ///
    /// # Errors
    /// [`KeyError`] for a kind or size that is not supported, or bytes that are no key.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        spki::parse(der)
    }

    /// Reads a `PUBLIC KEY` in PEM (RFC 7468).
    ///
    /// # Errors
    /// As [`Self::from_spki_der`].
    pub fn from_spki_pem(pem: &str) -> Result<Self, KeyError> {
        let (label, der) =
            pem_rfc7468::decode_vec(pem.trim().as_bytes()).map_err(|_| KeyError::NotPem)?;
        if label != "PUBLIC KEY" {
            return Err(KeyError::PemLabel { label: label.to_owned() });
        }
        Self::from_spki_der(&der)
    }

    /// Takes the 32 bytes of an Ed25519 key.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] for another length.
    pub fn from_ed25519(raw: &[u8]) -> Result<Self, KeyError> {
        spki::ed25519(raw)
    }

    pub(crate) fn new(algorithm: Algorithm, spki: Vec<u8>, raw: Vec<u8>) -> Self {
        let fingerprint = Fingerprint(Sha256::of(&spki));
        Self { algorithm, fingerprint, spki: spki.into(), raw: raw.into() }
    }

    /// SHA-256 of [`Self::spki_der`].
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Kind and size.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// SubjectPublicKeyInfo in DER, re-encoded: the same for every encoding the key came in.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// Whether `signature` over `message` is this key's under the scheme.
    #[must_use]
    pub fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &dyn VerificationAlgorithm = match (scheme, self.algorithm) {
            (Scheme::Ed25519, Algorithm::Ed25519) => &sig::ED25519,
            (Scheme::EcdsaSha2P256, Algorithm::EcdsaP256) => &sig::ECDSA_P256_SHA256_ASN1,
            (Scheme::EcdsaSha2P384, Algorithm::EcdsaP384) => &sig::ECDSA_P384_SHA384_ASN1,
            (Scheme::RsaPssSha256, Algorithm::Rsa { .. }) => &sig::RSA_PSS_2048_8192_SHA256,
            (
                Scheme::Ed25519
                | Scheme::EcdsaSha2P256
                | Scheme::EcdsaSha2P384
                | Scheme::RsaPssSha256,
                _,
            ) => return false,
        };
        UnparsedPublicKey::new(algorithm, &self.raw).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, self.fingerprint)
    }
}

/// How a key signs (TUF 4.2, "scheme").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `ed25519`
    Ed25519,
    /// `ecdsa-sha2-nistp256`, signatures in ASN.1
    EcdsaSha2P256,
    /// `ecdsa-sha2-nistp384`, signatures in ASN.1
    EcdsaSha2P384,
    /// `rsassa-pss-sha256`
    RsaPssSha256,
}

/// A key as a TUF file gives it: material and scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    public: PublicKey,
    scheme: Scheme,
}

#[derive(Deserialize)]
pub(crate) struct KeyJson {
    keytype: String,
    scheme: String,
    keyval: KeyValue,
}

#[derive(Deserialize)]
struct KeyValue {
    public: String,
}

impl Key {
    /// Reads TUF's key object (TUF 4.2).
    ///
    /// # Errors
    /// [`KeyError`]; such a key is passed over by whoever lists it, and counts for nothing.
    pub(crate) fn from_json(json: &KeyJson) -> Result<Self, KeyError> {
        let unsupported =
            || KeyError::Unsupported { what: format!("{}/{}", json.keytype, json.scheme) };
        let value = &json.keyval.public;
        let (scheme, public) = match (json.keytype.as_str(), json.scheme.as_str()) {
            ("ed25519", "ed25519") => (
                Scheme::Ed25519,
                PublicKey::from_ed25519(&hex::decode(value).map_err(|_| KeyError::Malformed)?)?,
            ),
            ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => {
                (Scheme::EcdsaSha2P256, PublicKey::from_spki_pem(value)?)
            }
            ("ecdsa" | "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384") => {
                (Scheme::EcdsaSha2P384, PublicKey::from_spki_pem(value)?)
            }
            ("rsa", "rsassa-pss-sha256") => {
                (Scheme::RsaPssSha256, PublicKey::from_spki_pem(value)?)
            }
            _ => return Err(unsupported()),
        };
        match (scheme, public.algorithm) {
            (Scheme::Ed25519, Algorithm::Ed25519)
            | (Scheme::EcdsaSha2P256, Algorithm::EcdsaP256)
            | (Scheme::EcdsaSha2P384, Algorithm::EcdsaP384)
            | (Scheme::RsaPssSha256, Algorithm::Rsa { .. }) => Ok(Self { public, scheme }),
            (
                Scheme::Ed25519
                | Scheme::EcdsaSha2P256
                | Scheme::EcdsaSha2P384
                | Scheme::RsaPssSha256,
                _,
            ) => Err(unsupported()),
        }
    }

    /// The material.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verifies(self.scheme, message, signature)
    }
}
