//! Orders that must not compile: proofs cannot be made by hand, and no stage can be skipped or taken twice.

#[test]
fn what_must_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
