//! The project's own inputs, templates, schemas and manifests: what is committed is what is rendered.
//! `UPDATE=1 cargo test -p longrun-core --test specification` writes what differs.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use longrun_core::{
    inputs::{self, Images, Inputs},
    render::{self, Difference, Rendered, Templates},
};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file below a folder, by path relative to the project's root.
fn files(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(root().join(&folder)) else {
            continue;
        };
        for entry in entries {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(entry.path()).unwrap();
                found.insert(path.to_str().unwrap().to_owned(), text);
            }
        }
    }
    found
}

fn inputs() -> Inputs {
    let files = files(inputs::ENVIRONMENTS)
        .into_iter()
        .chain(files(inputs::CLUSTERS));
    Inputs::parse(files).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// Parsed once.
fn templates() -> &'static Templates {
    static TEMPLATES: LazyLock<Templates> = LazyLock::new(|| {
        Templates::new(files(render::TEMPLATES))
            .unwrap_or_else(|error| panic!("{error}\n{:?}", error.hint))
    });
    &TEMPLATES
}

pub(crate) fn rendered(environment: &str, cluster: &str) -> Vec<Rendered> {
    let inputs = inputs();
    let (environment, images) = (
        inputs.environment(environment).unwrap(),
        inputs.images(cluster),
    );
    render::render(
        templates(),
        environment,
        inputs.cluster(cluster).unwrap(),
        &images,
    )
    .unwrap_or_else(|error| panic!("{error}\n{:?}", error.hint))
}

/// The environment of this text, which is in no file.
pub(crate) fn rendered_from(text: &str, cluster: &str) -> Vec<Rendered> {
    let inputs = inputs();
    let environment =
        inputs::parse_environment("restate.yaml", text).unwrap_or_else(|error| panic!("{error}"));
    render::render(
        templates(),
        &environment,
        inputs.cluster(cluster).unwrap(),
        &inputs.images(cluster),
    )
    .unwrap_or_else(|error| panic!("{error}\n{:?}", error.hint))
}

pub(crate) fn rendered_shared(cluster: &str) -> Vec<Rendered> {
    render::render_shared(templates(), inputs().cluster(cluster).unwrap(), &[])
        .unwrap_or_else(|error| panic!("{error}\n{:?}", error.hint))
}

pub(crate) fn objects(files: &[Rendered]) -> impl Iterator<Item = &Value> {
    files.iter().flat_map(|file| &file.objects)
}

fn write(path: &str, text: &str) {
    let path = root().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn updating() -> bool {
    std::env::var_os("UPDATE").is_some()
}

#[test]
fn committed_manifests_are_what_is_rendered() {
    let inputs = inputs();
    let mut folders = BTreeMap::new();
    for environment in inputs.environments() {
        let cluster = inputs.cluster(environment.cluster.as_str()).unwrap();
        // Rendered at deploy.
        if cluster.access.is_embedded() {
            continue;
        }
        let (name, shared) = (environment.name.as_str(), cluster.name.as_str());
        folders.insert(render::folder(cluster, environment), rendered(name, shared));
        folders.insert(render::shared_folder(cluster), rendered_shared(shared));
    }
    let committed = files(render::MANIFESTS);
    let names: Vec<&str> = folders.keys().map(String::as_str).collect();
    let mut differences = render::strays(render::MANIFESTS, &names, &committed);
    let mut wanted = BTreeMap::new();
    for (folder, files) in &folders {
        differences.extend(render::check(folder, files, &committed));
        let texts = files
            .iter()
            .map(|file| (format!("{folder}/{}", file.path), &file.text));
        wanted.extend(texts);
    }
    if updating() {
        for difference in differences {
            match wanted.get(difference.path()) {
                Some(text) => write(difference.path(), text),
                None => fs::remove_file(root().join(difference.path())).unwrap(),
            }
        }
    } else {
        assert_eq!(differences, [], "UPDATE=1 writes them");
    }
}

#[test]
fn committed_schemas_are_what_the_types_say() {
    for schema in inputs::schemas() {
        if updating() {
            write(schema.path, &schema.text);
        } else {
            let committed = fs::read_to_string(root().join(schema.path)).unwrap_or_default();
            assert_eq!(
                committed, schema.text,
                "{}: UPDATE=1 writes it",
                schema.path
            );
        }
    }
}

/// The embedded cluster's manifests are not committed: this is what differs from those of `dev`.
#[test]
fn the_embedded_cluster_differs_in_little() {
    let mut text = String::new();
    for (name, dev, local) in [
        (
            "restate",
            rendered("restate", "dev"),
            rendered("restate", "local"),
        ),
        (
            "restate-chaos",
            rendered("restate-chaos", "dev"),
            rendered("restate-chaos", "local"),
        ),
        ("_shared", rendered_shared("dev"), rendered_shared("local")),
    ] {
        let dev = dev
            .into_iter()
            .map(|file| (format!("{name}/{}", file.path), file.text))
            .collect();
        for difference in render::check(name, &local, &dev) {
            text += &match difference {
                Difference::Changed { diff, .. } => diff,
                other => {
                    let path = other
                        .path()
                        .strip_prefix(name)
                        .unwrap()
                        .trim_start_matches('/');
                    let file = local.iter().find(|file| file.path == path);
                    format!("{other:?}\n{}", file.map_or("", |file| file.text.as_str()))
                }
            };
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn the_order_of_the_templates_does_not_matter() {
    let inputs = inputs();
    let (environment, cluster) = (
        inputs.environment("restate").unwrap(),
        inputs.cluster("dev").unwrap(),
    );
    let mut files: Vec<_> = files(render::TEMPLATES).into_iter().collect();
    let expected = render::render(templates(), environment, cluster, &Images::default()).unwrap();
    for turn in 0..files.len() {
        files.rotate_left(1);
        if turn % 2 == 0 {
            files.reverse();
        }
        let templates = Templates::new(files.clone()).unwrap();
        assert_eq!(
            render::render(&templates, environment, cluster, &Images::default()).unwrap(),
            expected
        );
    }
}

/// Recorded digests stand in for the names of the inputs.
#[test]
fn recorded_images_replace_the_names_of_the_inputs() {
    let inputs = inputs();
    let (environment, cluster) = (
        inputs.environment("restate").unwrap(),
        inputs.cluster("local").unwrap(),
    );
    let image = |images: &Images| {
        let files = render::render(templates(), environment, cluster, images).unwrap();
        let set = objects(&files)
            .find(|object| object["kind"] == "StatefulSet")
            .unwrap()
            .clone();
        set["spec"]["template"]["spec"]["containers"][0]["image"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        image(&Images::default()),
        format!("localhost/longrun/{}", environment.restate.image)
    );
    let recorded = "localhost/longrun/restate:1.7.12-0123abcd";
    let images =
        Images::from_iter([(environment.restate.image.clone(), recorded.parse().unwrap())]);
    assert_eq!(image(&images), recorded);
}
