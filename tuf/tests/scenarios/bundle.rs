//! Authorities of a bundle: only keys count, each once.

use rcgen::{CertificateParams, Issuer, KeyPair, SubjectPublicKeyInfo};
use testkit::{Clock, Org};
use tufd_tuf::anchor::{Bundle, BundleError, BundleKey};
use tufpub::{AnchorBundle, KeyKind, SigningKey};

use super::node::{DOMAIN, v};
use super::world::{key_of, new_key};

fn org() -> Org {
    let keys: Vec<SigningKey> = vec![new_key(), key_of(KeyKind::EcdsaP256)];
    Org::with_root_keys(&Clock::default(), &keys, 2)
}

fn keys(der: &[u8]) -> Vec<BundleKey> {
    Bundle::parse(der, DOMAIN).unwrap().keys().to_vec()
}

/// A certificate over a DER SubjectPublicKeyInfo, with dates and names of no sense.
fn certificate(spki: &[u8]) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2090, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let issuer = Issuer::new(CertificateParams::default(), KeyPair::generate().unwrap());
    let key = SubjectPublicKeyInfo::from_der(spki).unwrap();
    params.signed_by(&key, &issuer).unwrap().der().to_vec()
}

#[test]
fn bundle_key_in_three_certificates_counts_once() {
    let key = new_key();
    let spki = tufpub::Signer::public_key(&key).spki_der().to_vec();
    let der = [certificate(&spki), certificate(&spki), certificate(&spki)].concat();
    assert_eq!(keys(&der).len(), 1);
}

/// A8: certificates that are expired or not yet valid carry keys as others do.
#[test]
fn bundle_dates_are_ignored() {
    let org = org();
    let spki = tufpub::Signer::public_key(&org.root_keys()[0]).spki_der();
    let (odd, plain) =
        (keys(&certificate(spki)), keys(&org.anchor_of(&org.root_keys()[..1], None).to_der()));
    assert_eq!(odd, plain);
}

#[test]
fn bundle_of_65_keys_is_refused() {
    let org = org();
    let many: Vec<SigningKey> = (0..65).map(|_| new_key()).collect();
    assert_eq!(keys(&org.anchor_of(&many[..64], None).to_der()).len(), 64);
    let error = Bundle::parse(&org.anchor_of(&many, None).to_der(), DOMAIN).unwrap_err();
    assert_eq!(error, BundleError::TooManyKeys);
}

#[test]
fn bundle_of_too_many_certificates_is_refused() {
    let one = org().anchor_of(&[new_key()], None).to_der();
    assert_eq!(keys(&one.repeat(1_024)).len(), 1);
    let error = Bundle::parse(&one.repeat(1_025), DOMAIN).unwrap_err();
    assert_eq!(error, BundleError::TooManyAuthorities);
}

/// RSA of 1024 bits, a curve nobody uses here, and DER of something else are skipped and counted.
#[test]
fn bundle_unusable_keys_are_skipped_and_counted() {
    let rsa_1024 = hex::decode(RSA_1024_SPKI).unwrap();
    let p521 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    let p521 = CertificateParams::default().self_signed(&p521).unwrap().der().to_vec();
    let good = org().anchor_of(&[new_key()], None).to_der();
    let der = [certificate(&rsa_1024), good, p521, vec![0x30, 0x02, 0x05, 0x00]].concat();
    let bundle = Bundle::parse(&der, DOMAIN).unwrap();
    assert_eq!((bundle.keys().len(), bundle.skipped()), (1, 3));
}

#[test]
fn bundle_truncated_or_junk_confirms_nothing() {
    let good = org().anchor().to_der();
    for cut in [1, 2, 10, good.len() / 2, good.len() - 1] {
        let error = Bundle::parse(&good[..cut], DOMAIN).unwrap_err();
        assert!(matches!(error, BundleError::NotDer { .. }), "{cut}");
    }
    let trailing = [good.as_slice(), b"x"].concat();
    assert_eq!(Bundle::parse(&trailing, DOMAIN), Err(BundleError::NotDer { at: good.len() }));
    for junk in [
        &b"-----BEGIN CERTIFICATE-----"[..],
        &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        &[0x30, 0x80, 0, 0],
        &[0],
    ] {
        assert!(Bundle::parse(junk, DOMAIN).is_err());
    }
}

/// Whatever one flipped bit makes of a bundle: no panic, and never a key beside the real one.
#[test]
fn bundle_with_any_bit_flipped() {
    let good = org().anchor_of(&[new_key()], None).to_der();
    let real = keys(&good)[0].fingerprint;
    let mut others = 0;
    for at in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[at / 8] ^= 1 << (at % 8);
        if let Ok(bundle) = Bundle::parse(&bad, DOMAIN) {
            assert!(bundle.keys().len() <= 1);
            others += bundle.keys().iter().filter(|key| key.fingerprint != real).count();
        }
    }
    // Bits of the key itself make another key, and nothing else does.
    assert!(others <= 32 * 8, "{others}");
}

#[test]
fn bundle_least_root_of_its_own_domain_only() {
    let org = org();
    let with = |domain: &str| {
        let key = tufpub::Signer::public_key(&org.root_keys()[0]).clone();
        let wrapped = AnchorBundle::new(&domain.parse().unwrap(), &[key], Some(v(7))).unwrap();
        keys(&wrapped.to_der())[0].least_root_version
    };
    assert_eq!(with(DOMAIN), Some(v(7)));
    assert_eq!(with("other.example"), None);
    assert_eq!(with("tuf-root.acme.example.evil"), None);
}

/// SubjectPublicKeyInfo of an RSA key of 1024 bits, made with OpenSSL and thrown away.
const RSA_1024_SPKI: &str = "30819f300d06092a864886f70d010101050003818d0030818902818100efeb99d67a5f30cd85083d458f276c1c35fb8eefd16b3d7949196e354562bbe42913d668ed10d719d1f646344a78bf4d1030c2015d88edea4830910c884d04505bff533fb6932a87f55ee8a9da8e7acc4fee58aab9356308364ded8024f938821e03c2d1187d21f1eb6d4f64fd3e153ebcb9c04ec15a7bd4a9faf13d1c5bbd770203010001";
