//! `cargo xtask images`: to a registry on this machine.

use std::{
    collections::BTreeMap,
    io::Write as _,
    os::unix::fs::symlink,
    path::PathBuf,
    process::{Command, Stdio},
    time::SystemTime,
};

use crate::{
    house::House,
    registry::Registry,
    run::{Ran, Running},
};

/// A house whose only environment is on a cluster with this registry, with a cache of its own: the
/// user's keeps just the last few archives.
fn house(test: &str, registry: &Registry) -> House {
    let house = House::offline(test);
    house.write(
        "clusters/shared.yaml",
        &format!(
            "name: shared\naccess: {{kubeconfig: {{context: shared}}}}\nregistry: {}/longrun\nstorage: {{driver: csi.longrun.dev}}\n",
            registry.address
        ),
    );
    house.environment_on("shared", "");
    // The server under test comes from npm, which takes long.
    let released = cache().join("longrun/restate");
    std::fs::create_dir_all(&released).expect("the user's cache");
    std::fs::create_dir_all(house.path("cache/longrun")).expect("a folder");
    symlink(released, house.path("cache/longrun/restate")).expect("a link");
    house
}

fn cache() -> PathBuf {
    match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) => cache.into(),
        None => PathBuf::from(std::env::var_os("HOME").expect("a home")).join(".cache"),
    }
}

fn push(house: &House) -> Ran {
    let mut command = house.command(&["images", "--cluster", "shared", "--push"]);
    command.env("XDG_CACHE_HOME", house.path("cache"));
    Running::start(command).end()
}

/// What is built → when it was.
fn archives(house: &House) -> BTreeMap<PathBuf, SystemTime> {
    std::fs::read_dir(house.path("cache/longrun/images"))
        .expect("a folder")
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().contains("longrun_"))
        .map(|entry| {
            let written = entry.metadata().and_then(|found| found.modified());
            (entry.path(), written.expect("a time"))
        })
        .collect()
}

fn digest(bytes: &[u8]) -> String {
    let mut child = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sha256sum runs");
    let mut input = child.stdin.take().expect("stdin is piped");
    input.write_all(bytes).expect("sha256sum reads");
    drop(input);
    let output = child.wait_with_output().expect("sha256sum ends");
    let text = String::from_utf8(output.stdout).expect("text");
    text.split(' ').next().expect("a digest").to_owned()
}

#[test]
fn what_is_pushed_is_recorded_by_digest_and_built_once() {
    let registry = Registry::open();
    let house = house("push", &registry);
    push(&house)
        .exits(0)
        .says(&["pushed", "clusters/shared.images.yaml", "commit"]);
    let built = archives(&house);
    let pushed = registry.manifests();
    let name = |reference: &str| {
        let name = reference.rsplit('/').next().unwrap_or(reference);
        name.split(':').next().unwrap_or(name).to_owned()
    };
    let names: Vec<String> = pushed.keys().map(|reference| name(reference)).collect();
    assert_eq!(names, ["busybox", "recorder", "restate", "verification"]);
    assert_eq!(built.len(), names.len(), "{built:?}");

    let recorded = || std::fs::read_to_string(house.path("clusters/shared.images.yaml"));
    let first = recorded().expect("the record");
    for (name, manifest) in &pushed {
        let reference = format!("{}/{name}@sha256:{}", registry.address, digest(manifest));
        assert!(first.contains(&reference), "{reference} in {first}");
    }

    push(&house).exits(0);
    assert_eq!(archives(&house), built, "nothing is built again");
    assert_eq!(recorded().expect("the record"), first);
}

#[test]
fn a_registry_that_knows_nobody_says_how_to_log_in() {
    let registry = Registry::closed();
    let house = house("login", &registry);
    push(&house).exits(3).says(&[
        "requires a login to push",
        "log in: ",
        &format!(" login {}", registry.address),
    ]);
    assert!(!house.path("clusters/shared.images.yaml").exists());
}

#[test]
fn the_embedded_cluster_has_no_registry() {
    let house = House::offline("embedded");
    let cluster = &crate::setting::setting().cluster;
    house
        .run(&["images", "--cluster", cluster, "--push"])
        .exits(2)
        .says(&["is embedded and has no registry", "cargo xtask deploy"]);
}
