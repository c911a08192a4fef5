//! Private keys: made in memory, kept as PKCS#8 PEM files.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::{fmt, sync::Arc};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PSS_SHA256,
    RsaKeyPair,
};
use pem_rfc7468::LineEnding;
use zeroize::Zeroizing;

use crate::public_key::PublicKey;

/// Something that signs for one public key: a key in memory, later a PKCS#11 token or a KMS.
pub trait Signer {
    /// The key whose signatures [`Signer::sign`] makes.
    fn public_key(&self) -> &PublicKey;

    /// Signs `message` by the scheme of the public key: Ed25519 as 64 bytes, ECDSA as ASN.1 DER,
    /// RSA as PSS with SHA-256, MGF1-SHA-256 and a salt of 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Signing`] when the library or the token fails.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError>;
}

/// The kinds of private keys that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Ed25519.
    Ed25519,
    /// ECDSA over P-256.
    EcdsaP256,
    /// RSA of 2048 bits, the least that TUF clients should take.
    Rsa2048,
    /// RSA of 3072 bits, what to take when RSA is asked for.
    Rsa3072,
    /// RSA of 4096 bits.
    Rsa4096,
}

/// Why a key cannot be had or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The library could not make a key.
    #[error("cannot make a key of kind {kind:?}")]
    Generate {
        /// What was asked for.
        kind: KeyKind,
    },
    /// The signature could not be made.
    #[error("signing failed")]
    Signing,
    /// Not a PKCS#8 key of a [`KeyKind`].
    #[error("not a PKCS#8 private key of Ed25519, ECDSA P-256 or RSA of 2048 to 8192 bits")]
    UnsupportedPrivate,
    /// The library could not write the key.
    #[error("cannot encode the key")]
    Encode,
    /// Not a public key that TUF clients take.
    #[error("not a usable public key")]
    Public(#[source] tufd_tuf::key::KeyError),
    /// Not PEM as RFC 7468 has it.
    #[error("not strict PEM")]
    Pem(#[source] pem_rfc7468::Error),
    /// PEM of something else.
    #[error("expected PEM of a {expected}, found {found}")]
    Label {
        /// The label that was asked for.
        expected: &'static str,
        /// The label in the text.
        found: String,
    },
    /// The key could not be written as JSON.
    #[error("cannot write the key as JSON")]
    Json(#[source] serde_json::Error),
    /// The key's JSON has no canonical form.
    #[error("the key has no canonical form")]
    NotCanonical(#[source] tufd_tuf::json::JsonError),
    /// The key file could not be read or made; an existing file is never replaced.
    #[error("key file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key file is longer than any key.
    #[error("key file {} is longer than {MAX_KEY_FILE_BYTES} bytes", path.display())]
    FileTooLong {
        /// The file.
        path: PathBuf,
    },
}

/// The longest key file that is read: an RSA key of 8192 bits takes 6.5 KiB.
pub const MAX_KEY_FILE_BYTES: u64 = 16 * 1024;

/// A private key in memory. The library clears it when the last clone is dropped.
#[derive(Clone)]
pub struct SigningKey {
    pair: Arc<Pair>,
    public: PublicKey,
}

impl SigningKey {
    /// Makes a new key from the system's randomness.
    ///
    /// # Errors
    /// [`KeyError::Generate`] when the library fails.
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        let rsa = |size| RsaKeyPair::generate(size).map(Pair::Rsa);
        let pair = match kind {
            KeyKind::Ed25519 => Ed25519KeyPair::generate().map(Pair::Ed25519),
            KeyKind::EcdsaP256 => {
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map(Pair::EcdsaP256)
            }
            KeyKind::Rsa2048 => rsa(KeySize::Rsa2048),
            KeyKind::Rsa3072 => rsa(KeySize::Rsa3072),
            KeyKind::Rsa4096 => rsa(KeySize::Rsa4096),
        };
        Self::from_pair(pair.map_err(|_| KeyError::Generate { kind })?)
    }

    /// Reads an unencrypted PKCS#8 PEM (`PRIVATE KEY`), as OpenSSL and [`SigningKey::to_pem`]
    /// write it.
    ///
    /// # Errors
    /// [`KeyError::Pem`], [`KeyError::Label`] or [`KeyError::UnsupportedPrivate`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let (label, der) = pem_rfc7468::decode_vec(pem).map_err(KeyError::Pem)?;
        let der = Zeroizing::new(der);
        if label != PRIVATE_LABEL {
            return Err(KeyError::Label { expected: PRIVATE_LABEL, found: label.to_owned() });
        }
        Self::from_pair(Pair::from_pkcs8(&der).ok_or(KeyError::UnsupportedPrivate)?)
    }

    /// The private key as PKCS#8 PEM; the text is cleared when dropped.
    ///
    /// # Errors
    /// [`KeyError::Encode`] or [`KeyError::Pem`] when the library cannot write it.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        let encode = |der: &[u8]| {
            pem_rfc7468::encode_string(PRIVATE_LABEL, LineEnding::LF, der).map_err(KeyError::Pem)
        };
        let failed = |_| KeyError::Encode;
        match &*self.pair {
            Pair::Ed25519(pair) => encode(pair.to_pkcs8v1().map_err(failed)?.as_ref()),
            Pair::EcdsaP256(pair) => encode(pair.to_pkcs8v1().map_err(failed)?.as_ref()),
            Pair::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                encode(der.as_ref())
            }
        }
        .map(Zeroizing::new)
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// [`KeyError::File`], [`KeyError::FileTooLong`] or what [`SigningKey::from_pem`] says.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let mut pem = Zeroizing::new(Vec::with_capacity(MAX_KEY_FILE_BYTES as usize + 1));
        file.take(MAX_KEY_FILE_BYTES + 1).read_to_end(&mut pem).map_err(failed)?;
        if pem.len() as u64 > MAX_KEY_FILE_BYTES {
            return Err(KeyError::FileTooLong { path: path.to_owned() });
        }
        Self::from_pem(&pem)
    }

    /// Writes the key as a new file of mode 0600, whole or not at all.
    ///
    /// # Errors
    /// [`KeyError::File`], also when the file exists: a key is never replaced.
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        let pem = self.to_pem()?;
        write_new(path, pem.as_bytes())
            .map_err(|source| KeyError::File { path: path.to_owned(), source })
    }

    fn from_pair(pair: Pair) -> Result<Self, KeyError> {
        let spki = match &pair {
            Pair::Ed25519(pair) => pair.public_key().as_der(),
            Pair::EcdsaP256(pair) => pair.public_key().as_der(),
            Pair::Rsa(pair) => pair.public_key().as_der(),
        };
        let spki = spki.map_err(|_| KeyError::Encode)?;
        Ok(Self { public: PublicKey::from_spki_der(spki.as_ref())?, pair: Arc::new(pair) })
    }
}

impl Signer for SigningKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &*self.pair {
            Pair::Ed25519(pair) => pair.try_sign(message).map(|sig| sig.as_ref().to_vec()),
            Pair::EcdsaP256(pair) => pair.sign(&random, message).map(|sig| sig.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PSS_SHA256, &random, message, &mut signature).map(|()| signature)
            }
        }
        .map_err(|_| KeyError::Signing)
    }
}

/// Shows the public half only.
impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

const PRIVATE_LABEL: &str = "PRIVATE KEY";

enum Pair {
    Ed25519(Ed25519KeyPair),
    EcdsaP256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Pair {
    /// Each parser takes its own algorithm's identifier only.
    fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let ecdsa = || EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der);
        Ed25519KeyPair::from_pkcs8(der)
            .map(Self::Ed25519)
            .or_else(|_| ecdsa().map(Self::EcdsaP256))
            .or_else(|_| RsaKeyPair::from_pkcs8(der).map(Self::Rsa))
            .ok()
    }
}

/// A temporary file is 0600 from its first moment, and takes its name only if the name is free.
fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|refused| refused.error)?;
    File::open(directory)?.sync_all()
}
