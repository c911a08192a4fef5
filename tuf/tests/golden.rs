//! Reasons are a contract: codes are added at the end and never change (docs/reasons.md).

use tufd_tuf::reason::Reason;

#[test]
fn reasons_are_only_added() {
    let codes: String = Reason::ALL.iter().map(|reason| format!("{reason}\n")).collect();
    assert_eq!(codes, include_str!("golden/reasons.txt"));
}

#[test]
fn reasons_are_distinct_and_in_capitals() {
    let codes: std::collections::BTreeSet<&str> = Reason::ALL.iter().map(|r| r.code()).collect();
    assert_eq!(codes.len(), Reason::ALL.len());
    assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')));
}
