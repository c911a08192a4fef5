//! TUF root keys as X.509 certificates, the form in which a SPIFFE bundle carries keys.
//!
//! A wrapper is made from the public key alone and signed by a key that is thrown away, so an
//! offline root key signs nothing but TUF metadata. Of a wrapper only the public key counts.

use std::fmt;
use std::str::FromStr;

use pem_rfc7468::LineEnding;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, SanType,
    SubjectPublicKeyInfo, date_time_ymd,
};
use tufd_tuf::metadata::Version;

use crate::public_key::PublicKey;

/// A SPIFFE trust domain's name: lower-case letters, digits, `.`, `-` and `_`, at most 255.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustDomain(String);

/// The bundle of a TUF root's trust domain: one wrapper a key.
#[derive(Debug, Clone)]
pub struct AnchorBundle {
    certificates: Vec<Vec<u8>>,
}

/// Why a key cannot be wrapped.
#[derive(Debug, thiserror::Error)]
pub enum WrapError {
    /// Not the name of a trust domain.
    #[error("{found:?} is no SPIFFE trust domain")]
    TrustDomain {
        /// The text.
        found: String,
    },
    /// A bundle without keys withdraws the root from all nodes; that is never made by accident.
    #[error("a bundle needs at least one key")]
    NoKeys,
    /// The library refuses to make the certificate.
    #[error("cannot make the certificate")]
    Certificate(#[source] rcgen::Error),
    /// The certificate is too long for PEM.
    #[error("cannot write PEM")]
    Pem(#[source] pem_rfc7468::Error),
}

impl FromStr for TrustDomain {
    type Err = WrapError;

    fn from_str(name: &str) -> Result<Self, WrapError> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
        if name.is_empty() || name.len() > TRUST_DOMAIN_BYTES || !name.bytes().all(allowed) {
            return Err(WrapError::TrustDomain { found: name.to_owned() });
        }
        Ok(Self(name.to_owned()))
    }
}

impl TrustDomain {
    /// The name, without `spiffe://`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl AnchorBundle {
    /// Wraps each key for the trust domain. With `least_root`, nodes enter no older root than
    /// that once a threshold of keys says so.
    ///
    /// # Errors
    /// [`WrapError::NoKeys`] or [`WrapError::Certificate`].
    pub fn new(
        domain: &TrustDomain,
        keys: &[PublicKey],
        least_root: Option<Version>,
    ) -> Result<Self, WrapError> {
        if keys.is_empty() {
            return Err(WrapError::NoKeys);
        }
        let wrap = |key: &PublicKey| wrap(domain, key.spki_der(), least_root);
        let certificates = keys.iter().map(wrap).collect::<Result<_, _>>()?;
        Ok(Self { certificates })
    }

    /// The certificates in DER, in the order of the keys.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    /// The certificates in DER one after the other, as the Workload API sends a bundle.
    pub fn to_der(&self) -> Vec<u8> {
        self.certificates.concat()
    }

    /// The certificates in PEM, for `spire-server bundle set`.
    ///
    /// # Errors
    /// [`WrapError::Pem`] when a certificate is too long.
    pub fn to_pem(&self) -> Result<String, WrapError> {
        let encode = |der: &Vec<u8>| pem_rfc7468::encode_string("CERTIFICATE", LineEnding::LF, der);
        self.certificates.iter().map(encode).collect::<Result<_, _>>().map_err(WrapError::Pem)
    }
}

/// SPIFFE-ID 2.1.
const TRUST_DOMAIN_BYTES: usize = 255;

fn wrap(
    domain: &TrustDomain,
    spki: &[u8],
    least_root: Option<Version>,
) -> Result<Vec<u8>, WrapError> {
    let key = SubjectPublicKeyInfo::from_der(spki).map_err(WrapError::Certificate)?;
    let mut params = named("TUF root key");
    params.is_ca = IsCa::ExplicitNoCa;
    params.not_before = date_time_ymd(1970, 1, 1);
    // RFC 5280, 4.1.2.5: no well-defined end. TUF carries expiry, SPIRE carries keys.
    params.not_after = date_time_ymd(9999, 12, 31);
    let least = least_root.map(|version| format!("spiffe://{domain}/tuf-root/{version}"));
    params.subject_alt_names = std::iter::once(format!("spiffe://{domain}"))
        .chain(least)
        .map(|uri| uri.try_into().map(SanType::URI))
        .collect::<Result<_, _>>()
        .map_err(WrapError::Certificate)?;
    let throwaway = KeyPair::generate().map_err(WrapError::Certificate)?;
    let issuer = Issuer::new(named("thrown away"), throwaway);
    let certificate = params.signed_by(&key, &issuer).map_err(WrapError::Certificate)?;
    Ok(certificate.der().to_vec())
}

fn named(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}
