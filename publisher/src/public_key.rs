//! Public keys as TUF metadata writes them.

use std::fmt;

use pem_rfc7468::LineEnding;
use serde::Serialize;
use tufd_tuf::hash::Sha256;
use tufd_tuf::key::{Algorithm, PublicKey as Material, Scheme};

use crate::key::KeyError;

/// A key's name in metadata: the SHA-256 of its canonical TUF form, in hexadecimal (TUF 4.2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct KeyId(String);

impl KeyId {
    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A public key that may be given a role: its material, and how TUF writes and names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    material: Material,
    scheme: Scheme,
    tuf: TufKey,
    id: KeyId,
}

/// A key object of metadata: `{"keytype","scheme","keyval":{"public"}}` (TUF 4.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TufKey {
    keytype: &'static str,
    scheme: &'static str,
    keyval: KeyValue,
}

impl PublicKey {
    /// Reads a DER SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`KeyError::Public`] for a kind or size that TUF clients would not take.
    pub fn from_spki_der(spki: &[u8]) -> Result<Self, KeyError> {
        Self::new(Material::from_spki_der(spki).map_err(KeyError::Public)?)
    }

    /// Reads a PEM SubjectPublicKeyInfo (`PUBLIC KEY`).
    ///
    /// # Errors
    /// [`KeyError::Public`].
    pub fn from_spki_pem(pem: &str) -> Result<Self, KeyError> {
        Self::new(Material::from_spki_pem(pem).map_err(KeyError::Public)?)
    }

    /// The key's id: equal to python-securesystemslib's for the same key.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The key itself, as the rules of trust know it: kind, fingerprint, SubjectPublicKeyInfo.
    pub fn material(&self) -> &Material {
        &self.material
    }

    /// The key as DER SubjectPublicKeyInfo.
    pub fn spki_der(&self) -> &[u8] {
        self.material.spki_der()
    }

    /// The key as PEM SubjectPublicKeyInfo, 64 columns, with a newline at its end.
    ///
    /// # Errors
    /// [`KeyError::Pem`] if the key is too long to encode.
    pub fn spki_pem(&self) -> Result<String, KeyError> {
        pem(self.spki_der())
    }

    /// The key as metadata writes it.
    pub fn tuf_key(&self) -> &TufKey {
        &self.tuf
    }

    /// Whether `signature` is this key's signature of `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.material.verifies(self.scheme, message, signature)
    }

    fn new(material: Material) -> Result<Self, KeyError> {
        let (scheme, tuf) = tuf_key(&material)?;
        let json = serde_json::to_vec(&tuf).map_err(KeyError::Json)?;
        let canonical = tufd_tuf::json::canonical(&json).map_err(KeyError::NotCanonical)?;
        let id = KeyId(Sha256::of(&canonical).to_string());
        Ok(Self { material, scheme, tuf, id })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct KeyValue {
    /// Hexadecimal of the 32 bytes (Ed25519), or a PEM SubjectPublicKeyInfo (ECDSA, RSA).
    public: String,
}

/// Length of the raw Ed25519 key, which ends its SubjectPublicKeyInfo (RFC 8410, 4).
const ED25519_BYTES: usize = 32;

fn tuf_key(key: &Material) -> Result<(Scheme, TufKey), KeyError> {
    let (how, keytype, scheme) = match key.algorithm() {
        Algorithm::Ed25519 => (Scheme::Ed25519, "ed25519", "ed25519"),
        Algorithm::EcdsaP256 => (Scheme::EcdsaSha2P256, "ecdsa", "ecdsa-sha2-nistp256"),
        Algorithm::EcdsaP384 => (Scheme::EcdsaSha2P384, "ecdsa", "ecdsa-sha2-nistp384"),
        Algorithm::Rsa { .. } => (Scheme::RsaPssSha256, "rsa", "rsassa-pss-sha256"),
    };
    let public = match (key.algorithm(), key.spki_der().last_chunk::<ED25519_BYTES>()) {
        (Algorithm::Ed25519, Some(raw)) => hex::encode(raw),
        (_, _) => pem(key.spki_der())?,
    };
    Ok((how, TufKey { keytype, scheme, keyval: KeyValue { public } }))
}

fn pem(spki: &[u8]) -> Result<String, KeyError> {
    pem_rfc7468::encode_string("PUBLIC KEY", LineEnding::LF, spki).map_err(KeyError::Pem)
}
