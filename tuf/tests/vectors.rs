//! What others compute: lines made once with Python, so that no reading of a format is ours alone.

use tufd_tuf::hash::Sha256;
use tufd_tuf::json::canonical;
use tufd_tuf::metadata::{Effort, Pattern};

/// JSON, and the SHA-256 of securesystemslib 1.6.0's `encode_canonical` of it.
#[test]
fn canonical_form_is_securesystemslibs() {
    let lines: Vec<&str> = include_str!("vectors/canonical.txt").lines().collect();
    assert!(lines.len() >= 100);
    for line in lines {
        let (json, hash) = line.rsplit_once('\t').unwrap();
        let ours = canonical(json.as_bytes()).unwrap();
        assert_eq!(Sha256::of(&ours).to_string(), hash, "{json}");
    }
}

/// Pattern, path, and whether Python's `fnmatchcase` matches all segments, as python-tuf asks it.
#[test]
fn patterns_are_python_tufs() {
    let lines: Vec<&str> = include_str!("vectors/patterns.txt").lines().collect();
    assert!(lines.len() >= 100);
    for line in lines {
        let [pattern, path, matches] = line.split('\t').collect::<Vec<_>>()[..] else { panic!() };
        assert_eq!(
            Pattern::new(pattern).matches(path, &mut Effort::SEARCH.clone()),
            matches == "yes",
            "{pattern} {path}"
        );
    }
}
