use crate::{Descriptor, Image, ImageError};

fn descriptor(digit: &str, size: u64) -> Descriptor {
    Descriptor::new(&format!("sha256:{}", digit.repeat(64)), size).unwrap()
}

#[test]
fn image_is_a_target_by_tag_and_by_each_digest() {
    let parts = [descriptor("b", 2), descriptor("c", 3)];
    let image = Image::tagged("r.example:5000/a/b", "1.0", descriptor("a", 1), parts).unwrap();
    let targets = image.targets();
    let by_digest = |digit: &str| format!("r.example:5000/a/b@sha256:{}", digit.repeat(64));
    let expected = ["r.example:5000/a/b:1.0", &by_digest("a"), &by_digest("b"), &by_digest("c")];
    assert_eq!(targets.keys().collect::<Vec<_>>(), expected);
    assert_eq!(targets["r.example:5000/a/b:1.0"], targets[&by_digest("a")]);
    assert_eq!(targets[&by_digest("c")].length, 3);
    assert_eq!(targets[&by_digest("c")].hashes["sha256"], "c".repeat(64));
}

#[test]
fn untagged_image_is_no_target_by_tag() {
    let image = Image::untagged("r.example/a", descriptor("a", 1), []).unwrap();
    let paths: Vec<_> = image.targets().into_keys().collect();
    assert_eq!(paths, [format!("r.example/a@sha256:{}", "a".repeat(64))]);
}

#[test]
fn name_that_no_runtime_asks_for_is_refused() {
    for name in [
        "nginx",
        "library/nginx",
        "r.example/",
        "r.example/A",
        "r.example/a:1",
        "r.example/a@sha256:0",
        "r.example/../a",
        "r.example/a//b",
        "r.example/a*",
    ] {
        let refused = Image::tagged(name, "1", descriptor("a", 1), []).unwrap_err();
        assert!(matches!(refused, ImageError::Name { .. }), "{name}");
    }
}

#[test]
fn tag_that_no_runtime_asks_for_is_refused() {
    for tag in ["", ".a", "a/b", "a:b", "a*", &"a".repeat(129)] {
        let refused = Image::tagged("r.example/a", tag, descriptor("a", 1), []).unwrap_err();
        assert!(matches!(refused, ImageError::Tag { .. }), "{tag}");
    }
}

#[test]
fn digest_in_another_spelling_is_refused() {
    let (upper, short) = (format!("sha256:{}", "A".repeat(64)), "sha256:aa");
    let other = format!("sha512:{}", "a".repeat(64));
    for digest in [upper.as_str(), short, &other, &"a".repeat(64)] {
        assert!(matches!(Descriptor::new(digest, 1), Err(ImageError::Digest { .. })), "{digest}");
    }
}
