//! The authorities of a trust domain: certificates of which only the public key counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::key::{Algorithm, Fingerprint, PublicKey, key_of};
use crate::metadata::Version;

/// A bundle with more distinct keys is refused.
pub const KEYS_MAX: usize = 64;
/// A bundle with more certificates is refused, whatever is in them.
pub const AUTHORITIES_MAX: usize = 1_024;

/// The distinct keys of a bundle. Names, dates, the CA flag and signatures of its certificates are ignored:
/// SPIRE carries keys, TUF carries expiry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    keys: Vec<BundleKey>,
    skipped: u32,
}

/// A key of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleKey {
    /// SHA-256 of its SPKI.
    pub fingerprint: Fingerprint,
    /// Kind and size.
    pub algorithm: Algorithm,
    /// The highest `N` of its wrappers' URI SANs `spiffe://DOMAIN/tuf-root/N`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_root_version: Option<Version>,
}

/// Why a bundle confirms nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not a sequence of DER values.
    #[error("the bundle is no sequence of DER certificates, at byte {at}")]
    NotDer {
        /// Offset in bytes.
        at: usize,
    },
    /// More distinct keys than [`KEYS_MAX`].
    #[error("the bundle holds more than {KEYS_MAX} distinct keys")]
    TooManyKeys,
    /// More certificates than [`AUTHORITIES_MAX`].
    #[error("the bundle holds more than {AUTHORITIES_MAX} certificates")]
    TooManyAuthorities,
}

impl Bundle {
    /// Reads concatenated DER certificates as the Workload API sends them. Certificates without a key that can be used
    /// are skipped and counted.
    ///
    /// # Errors
    /// [`BundleError`]
    pub fn parse(der: &[u8], trust_domain: &str) -> Result<Self, BundleError> {
        let mut keys: BTreeMap<Fingerprint, BundleKey> = BTreeMap::new();
        let (mut skipped, mut at) = (0, 0);
        for count in 0.. {
            let Some(rest) = der.get(at..).filter(|rest| !rest.is_empty()) else { break };
            if count >= AUTHORITIES_MAX {
                return Err(BundleError::TooManyAuthorities);
            }
            let length = der_length(rest).ok_or(BundleError::NotDer { at })?;
            match rest.get(..length).and_then(|one| authority(one, trust_domain)) {
                Some(key) => add(&mut keys, key)?,
                None => skipped += 1,
            }
            at += length;
        }
        Ok(Self { keys: keys.into_values().collect(), skipped })
    }

    /// The distinct keys, by fingerprint.
    #[must_use]
    pub fn keys(&self) -> &[BundleKey] {
        &self.keys
    }

    /// Certificates that hold no key that can be used.
    #[must_use]
    pub fn skipped(&self) -> u32 {
        self.skipped
    }
}

fn add(keys: &mut BTreeMap<Fingerprint, BundleKey>, key: BundleKey) -> Result<(), BundleError> {
    let least = key.least_root_version;
    let entry = keys.entry(key.fingerprint).or_insert(key);
    entry.least_root_version = entry.least_root_version.max(least);
    if keys.len() > KEYS_MAX {
        return Err(BundleError::TooManyKeys);
    }
    Ok(())
}

/// Bytes of the first DER value: a SEQUENCE with a definite length.
fn der_length(der: &[u8]) -> Option<usize> {
    let (header, length) = match der {
        [0x30, short @ 0..=0x7f, ..] => (2, usize::from(*short)),
        [0x30, 0x81, a, ..] => (3, usize::from(*a)),
        [0x30, 0x82, a, b, ..] => (4, usize::from(u16::from_be_bytes([*a, *b]))),
        [0x30, 0x83, a, b, c, ..] => (5, u32::from_be_bytes([0, *a, *b, *c]) as usize),
        _ => return None,
    };
    (header + length <= der.len()).then_some(header + length)
}

fn authority(der: &[u8], trust_domain: &str) -> Option<BundleKey> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let key: PublicKey = key_of(certificate.public_key()).ok()?;
    Some(BundleKey {
        fingerprint: key.fingerprint(),
        algorithm: key.algorithm(),
        least_root_version: least_root_version(&certificate, trust_domain),
    })
}

fn least_root_version(certificate: &X509Certificate<'_>, trust_domain: &str) -> Option<Version> {
    let names = certificate.subject_alternative_name().ok()??;
    let prefix = format!("spiffe://{trust_domain}/tuf-root/");
    let versions = names.value.general_names.iter().filter_map(|name| {
        let GeneralName::URI(uri) = name else { return None };
        uri.strip_prefix(prefix.as_str())?.parse::<u64>().ok()?.try_into().ok()
    });
    versions.max()
}
