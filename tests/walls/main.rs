//! The walls of ARCHITECTURE.md: which crate may depend on what, and what the tree may not hold.
//! The compiler keeps the others (`no_std`, private fields), clippy.toml the rest.

#![expect(
    clippy::expect_used,
    reason = "an expectation that does not hold is a failed test"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

mod layers;
mod writes;

/// Crate → the crates of this workspace that it may use.
const ARROWS: [(&str, &[&str]); 12] = [
    ("launcher", &[]),
    ("longrun-copy", &[]),
    ("longrun-core", &["longrun-program"]),
    ("longrun-embedded", &[]),
    ("longrun-features", &[]),
    ("longrun-kubernetes", &["longrun-core"]),
    ("longrun-program", &[]),
    (
        "longrun-recorder",
        &[
            "longrun-core",
            "longrun-features",
            "longrun-kubernetes",
            "longrun-restate",
        ],
    ),
    ("longrun-restate", &[]),
    ("longrun-tests", &[]),
    (
        "longrun-verification",
        &[
            "longrun-copy",
            "longrun-features",
            "longrun-program",
            "longrun-restate",
        ],
    ),
    (
        "xtask",
        &[
            "longrun-copy",
            "longrun-core",
            "longrun-embedded",
            "longrun-features",
            "longrun-kubernetes",
            "longrun-program",
            "longrun-restate",
        ],
    ),
];

/// Crate from elsewhere → the only crates of this workspace that may use it.
const KEEPERS: [(&str, &[&str]); 11] = [
    ("axum", &["longrun-recorder", "longrun-verification"]),
    ("kube", &["longrun-kubernetes"]),
    (
        "prometheus-client",
        &["longrun-recorder", "longrun-verification"],
    ),
    ("restate-sdk", &["longrun-verification"]),
    ("rcgen", &["longrun-embedded"]),
    ("handlebars", &["longrun-core"]),
    ("serde-saphyr", &["longrun-core", "longrun-embedded"]),
    ("indicatif", &["xtask"]),
    ("anstream", &["xtask"]),
    (
        "clap",
        &[
            "xtask",
            "longrun-features",
            "longrun-recorder",
            "longrun-verification",
        ],
    ),
    ("zstd", &["longrun-copy"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Package → the packages that it uses outside its own tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .map(|package| {
            let used = package["dependencies"]
                .as_array()
                .expect("dependencies")
                .iter();
            let used = used
                .filter(|dependency| dependency["kind"] != "dev")
                .map(name)
                .collect();
            (name(package), used)
        })
        .collect()
}

/// Crate from elsewhere → the sets of features with which a build with these arguments compiles it.
fn features(arguments: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--prefix", "none"])
        .args(["--format", "{p}|{f}|", "--edges"])
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let tree = String::from_utf8(output.stdout).expect("cargo tree is text");
    let mut features: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in tree.lines() {
        let mut parts = line.split('|');
        let (Some(package), Some(set)) = (parts.next(), parts.next()) else {
            continue;
        };
        let package = package.trim_end_matches(" (proc-macro)").to_owned();
        features.entry(package).or_default().insert(set.to_owned());
    }
    assert!(features.len() > 100, "cargo tree prints packages: {tree}");
    features
}

/// Otherwise kube, tokio and hyper are compiled twice by the first deployment, and a third time by the first
/// `cargo xtask test`.
#[test]
fn the_command_line_the_images_and_the_tests_share_what_is_compiled() {
    let command_line = features(&["normal,build", "--package=xtask"]);
    let images = features(&[
        "normal,build",
        "--package=longrun-kubernetes",
        "--package=longrun-recorder",
        "--package=longrun-verification",
    ]);
    let tests = features(&["normal,build,dev", "--workspace"]);
    let apart: Vec<String> = [&images, &tests]
        .into_iter()
        .flat_map(|others| command_line.iter().map(move |one| (one, others)))
        .filter_map(|((package, sets), others)| Some((package, sets, others.get(package)?)))
        .filter(|(_, sets, others)| sets.is_disjoint(others))
        .map(|(package, sets, others)| format!("{package}: {sets:?} and {others:?}"))
        .collect();
    assert!(
        apart.is_empty(),
        "crates/features/Cargo.toml names the features of all:\n{}",
        apart.join("\n")
    );
}

#[test]
fn every_crate_uses_only_what_its_arrows_allow() {
    let dependencies = dependencies();
    let members: BTreeSet<&str> = dependencies.keys().map(String::as_str).collect();
    let drawn: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        members, drawn,
        "every crate has its arrows in this table, and in ARCHITECTURE.md"
    );
    for (name, allowed) in ARROWS {
        for used in dependencies[name]
            .iter()
            .filter(|used| members.contains(used.as_str()))
        {
            assert!(
                allowed.contains(&used.as_str()),
                "{name} may not use {used}"
            );
        }
    }
}

#[test]
fn every_outside_world_has_one_door() {
    let dependencies = dependencies();
    for (dependency, keepers) in KEEPERS {
        for (name, used) in &dependencies {
            assert!(
                !used.contains(dependency) || keepers.contains(&name.as_str()),
                "{name} may not use {dependency}: that is for {keepers:?}"
            );
        }
    }
}

/// `cargo xtask` is silent until it is compiled.
#[test]
fn the_launcher_needs_nothing() {
    let dependencies = dependencies();
    assert_eq!(dependencies["launcher"], BTreeSet::new());
}

#[test]
fn deciding_crates_are_no_std() {
    for name in ["core", "program"] {
        let lib = root().join("crates").join(name).join("src/lib.rs");
        let text = std::fs::read_to_string(&lib).expect("lib.rs");
        assert!(
            text.lines().any(|line| line == "#![no_std]"),
            "{} is no_std",
            lib.display()
        );
    }
}

#[test]
fn every_link_of_the_manual_leads_somewhere() {
    let files = tracked();
    let pages = files.iter().filter(|file| file.ends_with(".md"));
    for page in pages {
        let text = std::fs::read_to_string(root().join(page)).expect("a page");
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            let folder = Path::new(page).parent().unwrap_or(Path::new(""));
            let target = root().join(folder).join(path);
            assert!(target.exists(), "{page} links to {link}");
        }
    }
}

#[test]
fn there_is_one_clippy_toml() {
    // A crate's own one would replace the root's, bans and all.
    let files = tracked();
    let found: Vec<&String> = files
        .iter()
        .filter(|file| file.ends_with("clippy.toml"))
        .collect();
    assert_eq!(found, ["clippy.toml"]);
}

#[test]
fn names_say_what_things_are() {
    for file in tracked() {
        let stem = Path::new(&file)
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        for vague in [
            "utils", "util", "helpers", "helper", "common", "manager", "handler", "misc",
        ] {
            assert_ne!(stem, vague, "{file} has a name that says nothing");
        }
    }
}

#[test]
fn no_file_is_several_ideas() {
    for file in tracked()
        .iter()
        .filter(|file| file.ends_with(".rs") || file.ends_with(".go"))
    {
        let Ok(text) = std::fs::read_to_string(root().join(file)) else {
            continue;
        };
        let lines = text.lines().count();
        assert!(
            lines <= 450,
            "{file} has {lines} lines: which two ideas is it?"
        );
    }
}

fn tracked() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files"])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .expect("file names are UTF-8")
        .lines()
        .map(str::to_owned)
        .collect()
}
