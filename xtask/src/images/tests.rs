use super::*;

fn file<'a>(name: &'a str, identity: &str) -> Ingredient<'a> {
    Ingredient {
        name,
        identity: identity.into(),
    }
}

#[test]
fn a_key_depends_on_every_input() {
    let key = |recipe: &str, base, files: &[_]| content_key(recipe.as_bytes(), base, files);
    let original = key("FROM x", "x:1", &[file("a", "1"), file("b", "2")]);
    assert_eq!(original.len(), 12);
    assert!(
        original
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
        "{original}"
    );
    for (changed, other) in [
        (
            "recipe",
            key("FROM y", "x:1", &[file("a", "1"), file("b", "2")]),
        ),
        (
            "base",
            key("FROM x", "x:2", &[file("a", "1"), file("b", "2")]),
        ),
        (
            "content",
            key("FROM x", "x:1", &[file("a", "1"), file("b", "3")]),
        ),
        (
            "file's name",
            key("FROM x", "x:1", &[file("a", "1"), file("c", "2")]),
        ),
        ("number of files", key("FROM x", "x:1", &[file("a", "1")])),
        (
            "contents swapped",
            key("FROM x", "x:1", &[file("a", "2"), file("b", "1")]),
        ),
        (
            "where a field ends",
            key("FROM xx", ":1", &[file("a", "1"), file("b", "2")]),
        ),
        (
            "where a name ends",
            key("FROM x", "x:1", &[file("a1", ""), file("b", "2")]),
        ),
    ] {
        assert_ne!(original, other, "{changed}");
    }
}

#[test]
fn a_key_depends_on_nothing_else() {
    let one = content_key(b"FROM x", "x:1", &[file("a", "1"), file("b", "2")]);
    let other = content_key(b"FROM x", "x:1", &[file("b", "2"), file("a", "1")]);
    assert_eq!(one, other, "the order in which files are found");
}

/// A project with the Containerfile of `restate`.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let root =
            std::env::temp_dir().join(format!("longrun-images-{}-{name}", std::process::id()));
        std::fs::create_dir_all(root.join("images")).expect("a directory");
        std::fs::write(root.join("images/restate.Containerfile"), "FROM x").expect("a file");
        Self(root)
    }

    async fn reference(&self, name: &str, registry: &str) -> Result<String, Error> {
        let name = name.parse().expect("a name");
        let registry = registry.parse().expect("a registry");
        let builder = ImageBuilder::new(&self.0, self.0.join("cache"));
        let images = builder
            .references([&name], &registry, Some(&|_| ()))
            .await?;
        Ok(images[0].reference.to_string())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn references_say_registry_name_tag_and_key() {
    let scratch = Scratch::new("references");
    let one = scratch
        .reference("restate:1.7.12", "registry.example:5000/longrun")
        .await
        .expect("a reference");
    let (start, key) = one.rsplit_once('-').expect("a key");
    assert_eq!(start, "registry.example:5000/longrun/restate:1.7.12");
    assert_eq!(key.len(), 12);
    // The registry is no part of the content, the version is.
    let elsewhere = scratch
        .reference("restate:1.7.12", "localhost")
        .await
        .expect("a reference");
    assert_eq!(elsewhere, format!("localhost/restate:1.7.12-{key}"));
    let newer = scratch
        .reference("restate:1.7.13", "localhost")
        .await
        .expect("a reference");
    assert!(!newer.ends_with(key), "{newer}");
}

#[tokio::test]
async fn an_image_of_a_package_is_named_by_its_version() {
    let scratch = Scratch::new("package");
    std::fs::write(scratch.0.join("images/busybox.Containerfile"), "FROM x").expect("a file");
    let key = async |tag: &str| {
        let name = format!("busybox:{tag}");
        let reference = scratch.reference(&name, "localhost").await;
        let reference = reference.expect("a reference");
        let start = format!("localhost/busybox:{tag}-");
        reference
            .strip_prefix(&start)
            .expect("its tag, and a key")
            .to_owned()
    };
    assert_ne!(key("1.35.0").await, key("1.36.1").await);
    let context = scratch.0.join("context");
    std::fs::create_dir_all(&context).expect("a directory");
    let version = "1.35.0".to_owned();
    let program = Program::Packaged { version };
    let staged = program.stage(&scratch.0, &context, &|_| ()).await;
    staged.expect("the version");
    let text = std::fs::read_to_string(context.join("version")).expect("a file");
    assert_eq!(text, "1.35.0");
}

#[tokio::test]
async fn what_has_no_containerfile_is_refused() {
    let scratch = Scratch::new("unknown");
    let error = scratch
        .reference("restated:1", "localhost")
        .await
        .expect_err("refused");
    assert!(matches!(&error, Error::UnknownImage { .. }), "{error}");
    assert!(
        error.to_string().contains("images/restated.Containerfile"),
        "{error}"
    );
}

#[tokio::test]
async fn a_tag_without_room_for_the_key_is_refused() {
    let scratch = Scratch::new("long");
    let error = scratch
        .reference(&format!("restate:1.7.12-{}", "1".repeat(113)), "localhost")
        .await
        .expect_err("refused");
    assert!(matches!(&error, Error::Reference(_)), "{error}");
}

#[test]
fn only_the_newest_archives_of_an_image_stay() {
    let scratch = Scratch::new("prune");
    let folder = scratch.0.join("images");
    for (age, name) in [
        "restate.6.tar",
        "restate.5.tar",
        "restate.4.tar",
        "restate.3.tar",
    ]
    .iter()
    .enumerate()
    {
        let file = std::fs::File::create(folder.join(name)).expect("a file");
        let written =
            std::time::SystemTime::now() - std::time::Duration::from_secs(60 * age as u64);
        file.set_modified(written).expect("a time");
    }
    std::fs::write(folder.join("verification.1.tar"), "").expect("a file");
    store::prune(&folder, "restate");
    let left = |name: &str| folder.join(name).exists();
    assert!(!left("restate.3.tar"), "the oldest");
    for name in [
        "restate.4.tar",
        "restate.6.tar",
        "verification.1.tar",
        "restate.Containerfile",
    ] {
        assert!(left(name), "{name}");
    }
}

#[tokio::test]
async fn one_builds_at_a_time_and_the_next_sees_no_leftovers() {
    let scratch = Scratch::new("lock");
    let folder = scratch.0.join("cache");
    let first = store::lock(&folder, &|_| ()).await.expect("locked");
    std::fs::write(folder.join(store::PARTIAL), "half").expect("a file");
    let waited = std::cell::Cell::new(false);
    let report = |_: &str| waited.set(true);
    let second = store::lock(&folder, &report);
    let release = async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        drop(first);
    };
    let (second, ()) = tokio::join!(second, release);
    second.expect("locked");
    assert!(waited.get(), "the second says that it waits");
    assert!(!folder.join(store::PARTIAL).exists());
}
