use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{publics, three_kinds};
use crate::{AnchorBundle, PublicKey, TrustDomain, Version, WrapError};

/// Made by OpenSSL 3: no private half is at hand.
const P384: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEVDCg1YJijyK2QxGg2x+LKD2AnfRANRbx
bh2P3Tf1mkOV84NWKN9PHcq0XBWb7MDO0uWhHyHckjXDR4PIwX6OJls6W88Ux00Y
EKwVneKWjW7KfYouji+GyGalQYjiKb4S
-----END PUBLIC KEY-----
";

fn domain() -> TrustDomain {
    "tuf-root.acme.example".parse().unwrap()
}

fn keys() -> Vec<PublicKey> {
    let mut keys = publics(three_kinds());
    keys.push(PublicKey::from_spki_pem(P384).unwrap());
    keys
}

fn uris(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    let uri = |name: &GeneralName<'_>| {
        let GeneralName::URI(uri) = name else { panic!("not a URI: {name}") };
        (*uri).to_owned()
    };
    names.value.general_names.iter().map(uri).collect()
}

#[test]
fn wrapper_carries_the_key_and_the_trust_domain_and_is_no_authority() {
    let bundle = AnchorBundle::new(&domain(), &keys(), None).unwrap();
    assert_eq!(bundle.certificates().len(), 4);
    for (der, key) in bundle.certificates().iter().zip(keys()) {
        let (rest, certificate) = X509Certificate::from_der(der).unwrap();
        assert!(rest.is_empty());
        assert_eq!(certificate.public_key().raw, key.spki_der());
        assert!(!certificate.is_ca());
        assert!(certificate.key_usage().unwrap().is_none());
        assert_eq!(uris(&certificate), ["spiffe://tuf-root.acme.example"]);
        assert_eq!(certificate.validity().not_after.to_datetime().year(), 9999);
    }
}

#[test]
fn wrapper_carries_the_least_root_version() {
    let bundle = AnchorBundle::new(&domain(), &keys(), Version::try_from(7).ok()).unwrap();
    for der in bundle.certificates() {
        let (_, certificate) = X509Certificate::from_der(der).unwrap();
        let expected =
            ["spiffe://tuf-root.acme.example", "spiffe://tuf-root.acme.example/tuf-root/7"];
        assert_eq!(uris(&certificate), expected);
    }
}

#[test]
fn bundle_is_the_same_in_pem_and_in_der() {
    let bundle = AnchorBundle::new(&domain(), &keys(), None).unwrap();
    let pem = bundle.to_pem().unwrap();
    let from_pem: Vec<u8> = x509_parser::pem::Pem::iter_from_buffer(pem.as_bytes())
        .flat_map(|block| block.unwrap().contents)
        .collect();
    assert_eq!(from_pem, bundle.to_der());
}

#[test]
fn bundle_without_keys_is_refused() {
    assert!(matches!(AnchorBundle::new(&domain(), &[], None), Err(WrapError::NoKeys)));
}

#[test]
fn trust_domain_with_a_path_or_capitals_is_refused() {
    for name in ["", "acme.example/root", "Acme.example", "spiffe://acme", "a b", &"a".repeat(256)]
    {
        assert!(
            matches!(name.parse::<TrustDomain>(), Err(WrapError::TrustDomain { .. })),
            "{name}"
        );
    }
}
