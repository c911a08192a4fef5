use aws_lc_rs::digest::{SHA256, digest};

use crate::{KeyError, PublicKey};

/// Made by OpenSSL 3.
const P256: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAErIocTCp8QppKoO7KcTwzEuUUuAiH
4kAm536ot1Nt9cQsUgNwBf1rels+gvacaNftYP+ktBVcSi+pJ/JQTRwijw==
-----END PUBLIC KEY-----
";
const P384: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEVDCg1YJijyK2QxGg2x+LKD2AnfRANRbx
bh2P3Tf1mkOV84NWKN9PHcq0XBWb7MDO0uWhHyHckjXDR4PIwX6OJls6W88Ux00Y
EKwVneKWjW7KfYouji+GyGalQYjiKb4S
-----END PUBLIC KEY-----
";
const RSA: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA3MCWR1TzFiN+EWP0H9EZ
c6MlSdqkW7iMUlf1P2LPte55+Y+UlA6HA52O0gJlIvwA5kSOuhL4ZKVJsPSn7W0L
th0R3U3Qa3M4RaDK3vibLNje6+eprryYJklCfobwDubZwNuF2NsCX4lB6u/eJdM3
MBcp88EXSa05Vrk7jUTp9e5pDJzp8ocUE6WT84ubX0/R2fwFqQEEOocy6mr1hosB
hu2hB/cELG/6PAh9xgzn4kp792PkXY8qHoVT9wFtV4EIaQX/wR3F+SfncHXZXoMf
7zoFPX5uifWdhYlOA/yXgHZS9j3fUKG7MvqI72H6IrpHGH8XDmTnZoG2TwewtpO8
LwIDAQAB
-----END PUBLIC KEY-----
";
const ED25519: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";
const ED25519_HEX: &str = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";

/// The canonical form as securesystemslib hashes it, written out by hand: members in order, no
/// blanks, the newlines of PEM raw.
fn id_by_hand(keytype: &str, scheme: &str, public: &str) -> String {
    let canonical = format!(
        r#"{{"keytype":"{keytype}","keyval":{{"public":"{public}"}},"scheme":"{scheme}"}}"#
    );
    hex::encode(digest(&SHA256, canonical.as_bytes()))
}

#[test]
fn id_is_the_hash_of_the_canonical_key() {
    for (pem, keytype, scheme, public) in [
        (ED25519, "ed25519", "ed25519", ED25519_HEX),
        (P256, "ecdsa", "ecdsa-sha2-nistp256", P256),
        (P384, "ecdsa", "ecdsa-sha2-nistp384", P384),
        (RSA, "rsa", "rsassa-pss-sha256", RSA),
    ] {
        let key = PublicKey::from_spki_pem(pem).unwrap();
        assert_eq!(key.id().as_str(), id_by_hand(keytype, scheme, public), "{scheme}");
        let json = serde_json::to_value(key.tuf_key()).unwrap();
        assert_eq!(json["keytype"], keytype);
        assert_eq!(json["scheme"], scheme);
        assert_eq!(json["keyval"]["public"], public);
    }
}

#[test]
fn key_with_trailing_bytes_is_refused() {
    let mut spki = PublicKey::from_spki_pem(P256).unwrap().spki_der().to_vec();
    spki.push(0);
    assert!(matches!(PublicKey::from_spki_der(&spki), Err(KeyError::Public(_))));
}
