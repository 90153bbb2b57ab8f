//! The order of semver 2.0, and tags as registries have them.

use alloc::{format, string::ToString};

use proptest::prelude::*;

use super::*;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

#[test]
fn the_order_is_that_of_semver() {
    // The example of its chapter 11.
    let rising = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.9",
        "1.0.10",
        "1.10.0",
        "2.0.0-rc.1",
    ];
    for pair in rising.windows(2) {
        assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
    }
    assert_eq!(version("1.7.12+one"), version("1.7.12+two"));
}

#[test]
fn a_version_is_whole() {
    for not in [
        "", "1", "1.7", "1.7.x", "1.7.12.1", "v1.7.12", "1.07.12", "1.7.12-", "main",
    ] {
        assert_eq!(not.parse::<Version>(), Err(NotAVersion), "{not}");
    }
}

#[test]
fn tags_of_images() {
    for (reference, expected) in [
        ("localhost/longrun/restate:1.7.12-82a934cde840", "1.7.12"),
        (
            "localhost/longrun/restate:1.8.0-rc.1-82a934cde840",
            "1.8.0-rc.1",
        ),
        ("registry.example:5000/restate:1.8.0-rc.1", "1.8.0-rc.1"),
        ("restate:1.7.12@sha256:0123", "1.7.12"),
        ("docker.io/restatedev/restate:v1.7.12", "1.7.12"),
        // Twelve digits are a key, more and fewer and capital ones are not.
        ("restate:1.8.0-123456789012", "1.8.0"),
        ("restate:1.8.0-12345678901a2", "1.8.0-12345678901a2"),
        ("restate:1.8.0-82A934CDE840", "1.8.0-82A934CDE840"),
    ] {
        let found = ImageVersion::of(reference);
        assert_eq!(found, ImageVersion::Known(version(expected)), "{reference}");
    }
    for (reference, expected) in [
        (
            "localhost/longrun/restate:main-82a934cde840",
            "main-82a934cde840",
        ),
        ("restate:main@sha256:0123", "main@sha256:0123"),
        ("restate:1.7", "1.7"),
        ("restate:latest", "latest"),
        (
            "registry.example:5000/longrun/restate@sha256:0123",
            "sha256:0123",
        ),
        ("registry.example:5000/restate", "restate"),
        ("", ""),
    ] {
        let found = ImageVersion::of(reference);
        assert_eq!(
            found,
            ImageVersion::Unknown(expected.to_string()),
            "{reference}"
        );
    }
}

#[test]
fn what_is_not_a_version_is_only_what_it_is_itself() {
    let [main, other, known] = [
        "restate:main-82a934cde840",
        "restate:main-0123456789ab",
        "restate:1.7.12",
    ]
    .map(ImageVersion::of);
    assert_eq!(main.partial_cmp(&main), Some(Ordering::Equal));
    for (one, other) in [(&main, &other), (&main, &known), (&known, &main)] {
        assert_eq!(one.partial_cmp(other), None, "{one} and {other}");
    }
}

#[test]
fn the_range_has_its_first_and_not_its_last() {
    assert_eq!(SUPPORTED.to_string(), ">=1.6.1, <1.8.0");
    for (text, expected) in [
        ("1.6.0", false),
        ("1.6.1-rc.1", false),
        ("1.6.1", true),
        ("1.7.12", true),
        ("1.8.0-rc.1", true),
        ("1.8.0", false),
        ("2.0.0", false),
    ] {
        assert_eq!(SUPPORTED.contains(&version(text)), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn a_key_and_a_digest_change_nothing(
        registry in "([a-z]{1,8}(:[0-9]{1,5})?/)?([a-z]{1,8}/)?",
        numbers in prop::array::uniform3(0..2000_u64),
        pre in prop::option::of("(alpha|beta|rc)(\\.(0|[1-9][0-9]{0,2}))?(-[g-z]{1,9})?"),
        key in prop::option::of("[0-9a-f]{12}"),
        digest in prop::option::of("[0-9a-f]{64}"),
    ) {
        let [major, minor, patch] = numbers;
        let pre = pre.map(|pre| format!("-{pre}")).unwrap_or_default();
        let expected = version(&format!("{major}.{minor}.{patch}{pre}"));
        let key = key.map(|key| format!("-{key}")).unwrap_or_default();
        let digest = digest.map(|digest| format!("@sha256:{digest}")).unwrap_or_default();
        let reference = format!("{registry}restate:{expected}{key}{digest}");
        prop_assert_eq!(ImageVersion::of(&reference), ImageVersion::Known(expected));
    }

    #[test]
    fn what_was_written_down_is_read_again(reference in "([a-z.:0-9]{0,9}/)?[a-z]{1,9}(:[A-Za-z0-9_.-]{0,20})?(@[a-z0-9:]{0,9})?") {
        let found = ImageVersion::of(&reference);
        let read: ImageVersion = found.to_string().parse().unwrap();
        prop_assert_eq!(read, found);
    }
}
