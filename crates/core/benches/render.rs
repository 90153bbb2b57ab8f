//! Rendering 1, 100 and 1,000 environments, with every object checked against its type; and what comes
//! before it once a process: reading inputs and parsing templates.
#![expect(
    clippy::expect_used,
    reason = "a bench: without its files it must stop"
)]

use std::{fs, path::Path};

use divan::{Bencher, counter::ItemsCount};
use longrun_core::{
    inputs::{Cluster, Environment, Images, Inputs},
    render::{self, Templates},
};

fn main() {
    divan::main();
}

fn files(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).expect("the project's folder") {
            let entry = entry.expect("a readable folder");
            let path = format!("{folder}/{}", entry.file_name().display());
            if entry.path().is_dir() {
                folders.push(path);
            } else {
                found.push((path, fs::read_to_string(entry.path()).expect("a text")));
            }
        }
    }
    found
}

fn inputs() -> Inputs {
    Inputs::parse(files("environments").into_iter().chain(files("clusters"))).expect("valid inputs")
}

fn environments(count: usize) -> (Vec<Environment>, Cluster) {
    let inputs = inputs();
    let environment = inputs.environment("restate").expect("it is there").clone();
    let named = |number| Environment {
        name: format!("restate-{number}").parse().expect("a name"),
        ..environment.clone()
    };
    (
        (0..count).map(named).collect(),
        inputs.cluster("dev").expect("it is there").clone(),
    )
}

#[divan::bench]
fn read_inputs(bencher: Bencher<'_, '_>) {
    let files: Vec<_> = files("environments")
        .into_iter()
        .chain(files("clusters"))
        .collect();
    bencher.bench(|| Inputs::parse(files.clone()));
}

#[divan::bench]
fn parse_templates(bencher: Bencher<'_, '_>) {
    let files = files("templates");
    bencher.bench(|| Templates::new(files.clone()));
}

#[divan::bench(args = [1, 100, 1000], sample_size = 1, sample_count = 10)]
fn render(bencher: Bencher<'_, '_>, count: usize) {
    let templates = Templates::new(files("templates")).expect("valid templates");
    let (environments, cluster) = environments(count);
    bencher.counter(ItemsCount::new(count)).bench(|| {
        for environment in &environments {
            divan::black_box(render::render(
                &templates,
                environment,
                &cluster,
                &Images::default(),
            ))
            .expect("valid");
        }
    });
}
