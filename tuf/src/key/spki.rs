//! SubjectPublicKeyInfo: reading it whatever its OID says, writing it in one way.

use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey as Parsed;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::{Algorithm, PublicKey};

/// Smaller RSA keys are refused (TUF 4.2 asks for 2048).
pub const RSA_BITS_MIN: u32 = 2048;
/// Larger RSA keys are refused: they only cost time.
pub const RSA_BITS_MAX: u32 = 8192;

const ED25519: &str = "1.3.101.112";
const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
/// The DER before the 32 bytes of an Ed25519 key (RFC 8410).
const ED25519_PREFIX: &[u8] =
    &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// AlgorithmIdentifier of id-ecPublicKey with P-256 (RFC 5480).
const P256_ALGORITHM: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
    0xce, 0x3d, 0x03, 0x01, 0x07,
];
/// AlgorithmIdentifier of id-ecPublicKey with P-384 (RFC 5480).
const P384_ALGORITHM: &[u8] = &[
    0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04,
    0x00, 0x22,
];
/// AlgorithmIdentifier of rsaEncryption (RFC 3279).
const RSA_ALGORITHM: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// Why bytes are no key that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not PEM.
    #[error("the key is not PEM")]
    NotPem,
    /// PEM of something else.
    #[error("the PEM holds a {label:?}, not a \"PUBLIC KEY\"")]
    PemLabel {
        /// The label found.
        label: String,
    },
    /// Not a SubjectPublicKeyInfo, or its key does not fit its kind.
    #[error("the key is malformed")]
    Malformed,
    /// A kind of key that is not supported.
    #[error("keys of kind {what} are not supported")]
    Unsupported {
        /// OID or keytype/scheme.
        what: String,
    },
    /// An RSA modulus that is too small or too large.
    #[error("RSA of {bits} bits; {RSA_BITS_MIN} to {RSA_BITS_MAX} are accepted")]
    RsaSize {
        /// Bits of the modulus.
        bits: u32,
    },
}

pub(super) fn parse(der: &[u8]) -> Result<PublicKey, KeyError> {
    let (rest, info) = SubjectPublicKeyInfo::from_der(der).map_err(|_| KeyError::Malformed)?;
    if !rest.is_empty() {
        return Err(KeyError::Malformed);
    }
    from_info(&info)
}

pub(crate) fn from_info(info: &SubjectPublicKeyInfo<'_>) -> Result<PublicKey, KeyError> {
    let oid = info.algorithm.algorithm.to_id_string();
    if oid == ED25519 {
        return ed25519(info.subject_public_key.data.as_ref());
    }
    match info.parsed().map_err(|_| KeyError::Malformed)? {
        Parsed::EC(point) => {
            let curve = info.algorithm.parameters.as_ref().and_then(|p| p.as_oid().ok());
            ec(&curve.map(|oid| oid.to_id_string()).unwrap_or_default(), point.data())
        }
        Parsed::RSA(key) => rsa(key.modulus, key.exponent),
        Parsed::DSA(_) | Parsed::GostR3410(_) | Parsed::GostR3410_2012(_) | Parsed::Unknown(_) => {
            Err(KeyError::Unsupported { what: oid })
        }
    }
}

pub(super) fn ed25519(raw: &[u8]) -> Result<PublicKey, KeyError> {
    if raw.len() != 32 {
        return Err(KeyError::Malformed);
    }
    Ok(PublicKey::new(Algorithm::Ed25519, [ED25519_PREFIX, raw].concat(), raw.to_vec()))
}

/// Only uncompressed points: a compressed one would be a second encoding of the same key.
fn ec(curve: &str, point: &[u8]) -> Result<PublicKey, KeyError> {
    let (algorithm, prefix, length) = match curve {
        P256 => (Algorithm::EcdsaP256, P256_ALGORITHM, 65),
        P384 => (Algorithm::EcdsaP384, P384_ALGORITHM, 97),
        other => return Err(KeyError::Unsupported { what: format!("curve {other}") }),
    };
    if point.len() != length || point.first() != Some(&4) {
        return Err(KeyError::Malformed);
    }
    Ok(PublicKey::new(algorithm, spki(prefix, point), point.to_vec()))
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<PublicKey, KeyError> {
    let (n, e) = (trim(modulus), trim(exponent));
    let zeros = n.first().map_or(0, |byte| byte.leading_zeros());
    let bits = u32::try_from(n.len() * 8).unwrap_or(u32::MAX).saturating_sub(zeros);
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
        return Err(KeyError::RsaSize { bits });
    }
    let raw = tlv(0x30, &[unsigned(n), unsigned(e)].concat());
    Ok(PublicKey::new(Algorithm::Rsa { bits }, spki(RSA_ALGORITHM, &raw), raw))
}

fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    tlv(0x30, &[algorithm, &tlv(0x03, &[&[0], key].concat())].concat())
}

fn trim(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// A positive INTEGER in DER: a leading zero where the top bit is set.
fn unsigned(number: &[u8]) -> Vec<u8> {
    let pad: &[u8] = if number.first().is_none_or(|byte| *byte >= 0x80) { &[0] } else { &[] };
    tlv(0x02, &[pad, number].concat())
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let mut out = vec![tag];
    match content.len() {
        short @ 0..=0x7f => out.extend(u8::try_from(short)),
        _ => {
            let bytes = trim(&length);
            out.push(0x80 | u8::try_from(bytes.len()).unwrap_or(8));
            out.extend_from_slice(bytes);
        }
    }
    out.extend_from_slice(content);
    out
}
