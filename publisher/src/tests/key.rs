use std::os::unix::fs::PermissionsExt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};

use super::three_kinds;
use crate::{KeyError, KeyKind, Signer, SigningKey};

/// RFC 8410, 10.3.
const RFC_8410: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
const RFC_8410_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

#[test]
fn signature_of_each_kind_verifies_and_no_other_message_does() {
    let algorithms: [&'static dyn VerificationAlgorithm; 3] =
        [&ED25519, &ECDSA_P256_SHA256_ASN1, &RSA_PSS_2048_8192_SHA256];
    for (key, algorithm) in three_kinds().iter().zip(algorithms) {
        let signature = key.sign(b"metadata").unwrap();
        let public = UnparsedPublicKey::new(algorithm, key.public_key().spki_der());
        public.verify(b"metadata", &signature).unwrap();
        public.verify(b"metadatb", &signature).unwrap_err();
        assert!(key.public_key().verifies(b"metadata", &signature));
        assert!(!key.public_key().verifies(b"metadatb", &signature));
    }
}

#[test]
fn pem_round_trip_keeps_the_key() {
    for key in three_kinds() {
        let again = SigningKey::from_pem(key.to_pem().unwrap().as_bytes()).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        let signature = again.sign(b"x").unwrap();
        assert!(key.public_key().verifies(b"x", &signature));
    }
}

#[test]
fn pem_of_the_rfc_is_read_and_written_alike() {
    let key = SigningKey::from_pem(RFC_8410.as_bytes()).unwrap();
    assert_eq!(key.public_key().spki_pem().unwrap(), RFC_8410_PUBLIC);
    assert_eq!(key.to_pem().unwrap().as_str(), RFC_8410);
}

#[test]
fn pem_of_a_public_key_is_no_private_key() {
    let refused = SigningKey::from_pem(RFC_8410_PUBLIC.as_bytes()).unwrap_err();
    assert!(matches!(refused, KeyError::Label { found, .. } if found == "PUBLIC KEY"));
}

#[test]
fn pem_of_junk_is_refused() {
    let junk = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTu\n-----END PRIVATE KEY-----\n";
    let refused = SigningKey::from_pem(junk.as_bytes()).unwrap_err();
    assert!(matches!(refused, KeyError::UnsupportedPrivate));
}

#[test]
fn saved_key_is_for_its_owner_only_and_loads() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root-1.pem");
    let [key, ..] = three_kinds() else { panic!("no key") };
    key.save(&path).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(SigningKey::load(&path).unwrap().public_key(), key.public_key());
}

#[test]
fn save_over_an_existing_key_is_refused_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root-1.pem");
    three_kinds()[0].save(&path).unwrap();
    let refused = three_kinds()[1].save(&path).unwrap_err();
    assert!(matches!(refused, KeyError::File { source, .. }
        if source.kind() == std::io::ErrorKind::AlreadyExists));
    assert_eq!(SigningKey::load(&path).unwrap().public_key(), three_kinds()[0].public_key());
    assert_eq!(directory.path().read_dir().unwrap().count(), 1);
}

#[test]
fn load_of_an_endless_file_is_refused() {
    let refused = SigningKey::load("/dev/zero".as_ref()).unwrap_err();
    assert!(matches!(refused, KeyError::FileTooLong { .. }));
}

#[test]
fn debug_shows_no_private_byte() {
    let key = SigningKey::from_pem(RFC_8410.as_bytes()).unwrap();
    let shown = format!("{key:?}");
    assert!(shown.contains("public"), "{shown}");
    assert!(!shown.contains("d4ee72dbf913") && !shown.contains("212, 238, 114"), "{shown}");
}

#[test]
fn generated_keys_differ() {
    let make = || SigningKey::generate(KeyKind::Ed25519).unwrap();
    assert_ne!(make().public_key(), make().public_key());
}
