//! Signatures over a role, made all at once or collected one holder at a time.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tufd_tuf::hash::Sha256;
use tufd_tuf::metadata::Version;

use crate::key::{KeyError, Signer};
use crate::public_key::{KeyId, PublicKey};
use crate::role::Role;

/// A metadata file: a role and its signatures so far (TUF 4.2).
///
/// What is signed is the canonical form of `signed`, so the layout of the file is free.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Signed {
    signatures: Vec<Signature>,
    signed: Value,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// Why a file cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// Not the JSON of a metadata file.
    #[error("not a metadata file")]
    Malformed(#[source] serde_json::Error),
    /// JSON that metadata may not carry: duplicate keys, fractions, too deep.
    #[error("not JSON that TUF may sign")]
    NotCanonical(#[source] tufd_tuf::json::JsonError),
    /// The file is longer than any metadata.
    #[error("the file has {found} bytes, more than {MAX_FILE_BYTES}")]
    TooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// What is to be signed is not what the holder reviewed.
    #[error("the draft is {found}, not {reviewed} as reviewed")]
    Changed {
        /// The digest that the holder reviewed.
        reviewed: Sha256,
        /// The digest of the file.
        found: Sha256,
    },
    /// The key has signed this file already.
    #[error("key {keyid} has signed already")]
    SignedAlready {
        /// The key.
        keyid: KeyId,
    },
    /// The file says no version, or 0.
    #[error("the file has no version")]
    NoVersion,
    /// The key failed.
    #[error("key {keyid}")]
    Key {
        /// The key.
        keyid: KeyId,
        /// What it says.
        source: KeyError,
    },
}

/// The longest metadata file that is read for signing.
pub const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;

impl Signed {
    /// A role signed by all of `signers`, who are at hand.
    ///
    /// # Errors
    /// [`SignError`] when a key fails or is given twice.
    pub fn new(role: &impl Role, signers: &[&dyn Signer]) -> Result<Self, SignError> {
        Self::draft(role)?.signed_by(signers)
    }

    /// A role without signatures: where a ceremony starts.
    ///
    /// # Errors
    /// [`SignError::NotCanonical`] when the role holds a fraction in a `custom`.
    pub fn draft(role: &impl Role) -> Result<Self, SignError> {
        Self::from_value(serde_json::to_value(role).map_err(SignError::Malformed)?)
    }

    /// Any `signed` value without signatures: for tests that break a rule on purpose.
    ///
    /// # Errors
    /// [`SignError::NotCanonical`] when it has no canonical form.
    pub fn from_value(signed: Value) -> Result<Self, SignError> {
        canonical(&signed)?;
        Ok(Self { signatures: Vec::new(), signed, other: Map::new() })
    }

    /// Reads a file, with the signatures collected so far; they are not verified here.
    ///
    /// # Errors
    /// [`SignError::TooLong`], [`SignError::NotCanonical`] or [`SignError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignError> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(SignError::TooLong { found: bytes.len() });
        }
        // serde_json keeps the last of two equal keys, others the first: refuse such a file.
        tufd_tuf::json::canonical(bytes).map_err(SignError::NotCanonical)?;
        serde_json::from_slice(bytes).map_err(SignError::Malformed)
    }

    /// The file.
    ///
    /// # Errors
    /// [`SignError::Malformed`] when it cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SignError> {
        serde_json::to_vec(self).map_err(SignError::Malformed)
    }

    /// SHA-256 of what is signed, in canonical form: what the holders of a ceremony compare before
    /// each of them signs.
    ///
    /// # Errors
    /// [`SignError::NotCanonical`].
    pub fn digest(&self) -> Result<Sha256, SignError> {
        Ok(Sha256::of(&canonical(&self.signed)?))
    }

    /// Adds one holder's signature to what the holder reviewed.
    ///
    /// # Errors
    /// [`SignError::Changed`] when the file is not what was reviewed, [`SignError::SignedAlready`],
    /// or [`SignError::Key`]; the file is then as before.
    pub fn add(&mut self, signer: &dyn Signer, reviewed: Sha256) -> Result<(), SignError> {
        let message = canonical(&self.signed)?;
        let found = Sha256::of(&message);
        if found != reviewed {
            return Err(SignError::Changed { reviewed, found });
        }
        let keyid = signer.public_key().id().clone();
        if self.signatures.iter().any(|signature| signature.keyid == keyid.as_str()) {
            return Err(SignError::SignedAlready { keyid });
        }
        let signature = signer
            .sign(&message)
            .map_err(|source| SignError::Key { keyid: keyid.clone(), source })?;
        self.signatures.push(Signature::new(&keyid, &signature));
        Ok(())
    }

    /// Adds the signatures of `signers`, who are at hand and see this very value.
    ///
    /// # Errors
    /// As [`Signed::add`].
    pub fn signed_by(mut self, signers: &[&dyn Signer]) -> Result<Self, SignError> {
        let reviewed = self.digest()?;
        for signer in signers {
            self.add(*signer, reviewed)?;
        }
        Ok(self)
    }

    /// Which of `keys` have validly signed, in the order of `keys`: to show how far a collection
    /// is. Clients decide by their own rule, not by this list.
    ///
    /// # Errors
    /// [`SignError::NotCanonical`].
    pub fn signers(&self, keys: &[PublicKey]) -> Result<Vec<KeyId>, SignError> {
        let message = canonical(&self.signed)?;
        let signed = |key: &&PublicKey| {
            self.signatures.iter().any(|signature| signature.is_of(key, &message))
        };
        Ok(keys.iter().filter(signed).map(|key| key.id().clone()).collect())
    }

    /// The version that the file states.
    ///
    /// # Errors
    /// [`SignError::NoVersion`].
    pub fn version(&self) -> Result<Version, SignError> {
        let number = self.signed.get("version").and_then(Value::as_u64);
        number.and_then(|number| number.try_into().ok()).ok_or(SignError::NoVersion)
    }

    /// What is signed.
    pub fn signed(&self) -> &Value {
        &self.signed
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Signature {
    keyid: String,
    sig: String,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl Signature {
    fn new(keyid: &KeyId, signature: &[u8]) -> Self {
        Self { keyid: keyid.as_str().to_owned(), sig: hex::encode(signature), other: Map::new() }
    }

    fn is_of(&self, key: &PublicKey, message: &[u8]) -> bool {
        let signature = hex::decode(&self.sig).unwrap_or_default();
        self.keyid == key.id().as_str() && key.verifies(message, &signature)
    }
}

fn canonical(signed: &Value) -> Result<Vec<u8>, SignError> {
    let json = serde_json::to_vec(signed).map_err(SignError::Malformed)?;
    tufd_tuf::json::canonical(&json).map_err(SignError::NotCanonical)
}
