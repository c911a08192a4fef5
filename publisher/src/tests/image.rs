use tufd_tuf::image::Reference;

use crate::{Descriptor, Image, ImageError};

fn digest(digit: &str) -> String {
    format!("sha256:{}", digit.repeat(64))
}

fn descriptor(digit: &str, size: u64) -> Descriptor {
    Descriptor::new(&digest(digit), size).unwrap()
}

#[test]
fn image_is_a_target_by_tag_and_by_each_digest() {
    let parts = [descriptor("b", 2), descriptor("c", 3)];
    let image = Image::new("r.example:5000/a/b:1.0", descriptor("a", 1), parts).unwrap();
    let targets = image.targets();
    let by_digest = |digit: &str| format!("r.example:5000/a/b@{}", digest(digit));
    let expected = ["r.example:5000/a/b:1.0", &by_digest("a"), &by_digest("b"), &by_digest("c")];
    assert_eq!(targets.keys().collect::<Vec<_>>(), expected);
    assert_eq!(targets["r.example:5000/a/b:1.0"], targets[&by_digest("a")]);
    assert_eq!(targets[&by_digest("c")].length, 3);
    assert_eq!(targets[&by_digest("c")].hashes["sha256"], "c".repeat(64));
}

#[test]
fn image_is_signed_under_the_path_that_nodes_look_up() {
    let (pinned, tagged) =
        (format!("r.example/a@{}", digest("a")), format!("r.example/a:1@{}", digest("a")));
    for asked in ["nginx", "r.example/a:1", &pinned, &tagged] {
        let targets = Image::new(asked, descriptor("a", 1), []).unwrap().targets();
        let looked_up =
            asked.parse::<Reference>().unwrap().target_path(descriptor("a", 1).digest());
        assert!(targets.contains_key(&looked_up), "{asked}");
    }
}

#[test]
fn image_by_digest_alone_is_no_target_by_tag() {
    let by_digest = format!("r.example/a@{}", digest("a"));
    let image = Image::new(&by_digest, descriptor("a", 1), []).unwrap();
    assert_eq!(image.targets().into_keys().collect::<Vec<_>>(), [by_digest]);
}

#[test]
fn reference_that_pins_another_digest_is_refused() {
    let pinned = format!("r.example/a:1@{}", digest("b"));
    let refused = Image::new(&pinned, descriptor("a", 1), []).unwrap_err();
    assert!(matches!(refused, ImageError::OtherDigest { found, .. }
        if found == descriptor("a", 1).digest()));
}

#[test]
fn junk_is_no_image_and_no_digest() {
    let refused = Image::new("r.example/a:*", descriptor("a", 1), []).unwrap_err();
    assert!(matches!(refused, ImageError::Reference(_)));
    assert!(matches!(Descriptor::new("sha512:00", 1), Err(ImageError::Reference(_))));
}
