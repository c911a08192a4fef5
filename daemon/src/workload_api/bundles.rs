//! Picks the watched trust domains out of a message.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use spiffe::TrustDomain;

/// A watched trust domain stands in the message under a name that is not its own (`spiffe://domain`).
///
/// Taking it for the domain could hide one of two bundles, and taking it for a stranger could pass for a withdrawal.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message names trust domain {domain} as {name:?}")]
pub(super) struct AmbiguousName {
    domain: TrustDomain,
    name: String,
}

/// The bundles of `watched`, untouched. Other domains' bundles are never looked into.
pub(super) fn watched_bundles(
    message: HashMap<String, Vec<u8>>,
    watched: &BTreeSet<TrustDomain>,
) -> Result<BTreeMap<TrustDomain, Vec<u8>>, AmbiguousName> {
    let mut bundles = BTreeMap::new();
    let mut unparsable: u32 = 0;
    for (name, der) in message {
        let Ok(domain) = TrustDomain::new(&name) else {
            unparsable = unparsable.saturating_add(1);
            continue;
        };
        if !watched.contains(&domain) {
            continue;
        }
        if name != domain.id_string() {
            return Err(AmbiguousName { domain, name });
        }
        bundles.insert(domain, der);
    }
    if unparsable > 0 {
        tracing::warn!(
            count = unparsable,
            "the Workload API names trust domains that are none; ignored"
        );
    }
    Ok(bundles)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched() -> BTreeSet<TrustDomain> {
        ["ours.example", "other.example"].map(|name| TrustDomain::new(name).unwrap()).into()
    }

    fn message(entries: &[(&str, &[u8])]) -> HashMap<String, Vec<u8>> {
        entries.iter().map(|(name, der)| ((*name).to_owned(), der.to_vec())).collect()
    }

    #[test]
    fn bundles_absent_and_empty_differ() {
        let found =
            watched_bundles(message(&[("spiffe://ours.example", b"")]), &watched()).unwrap();
        assert_eq!(
            found,
            BTreeMap::from([(TrustDomain::new("ours.example").unwrap(), Vec::new())])
        );
        assert!(watched_bundles(HashMap::new(), &watched()).unwrap().is_empty());
    }

    #[test]
    fn bundles_foreign_junk_is_no_matter() {
        let junk = message(&[
            ("spiffe://ours.example", b"der"),
            ("", b"x"),
            ("https://ours.example", b"x"),
            ("spiffe://UNWATCHED.example/path", b"not DER"),
        ]);
        let found = watched_bundles(junk, &watched()).unwrap();
        assert_eq!(
            found,
            BTreeMap::from([(TrustDomain::new("ours.example").unwrap(), b"der".to_vec())])
        );
    }

    #[test]
    fn bundles_second_name_of_ours_refused() {
        for name in [
            "spiffe://OURS.example",
            "spiffe://ours.example/",
            "spiffe://ours.example/x",
            "ours.example",
        ] {
            let twice = message(&[("spiffe://ours.example", b"der"), (name, b"other")]);
            let refused = watched_bundles(twice, &watched()).unwrap_err();
            assert_eq!(refused.name, name);
            assert!(
                watched_bundles(message(&[(name, b"other")]), &watched()).is_err(),
                "{name} alone"
            );
        }
    }
}
