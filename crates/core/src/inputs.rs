//! What is asked for: environments (what runs in a namespace) and clusters (where). Every field has a
//! default or is required, every value has a type that parsed it, and every refusal has a place.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

mod chaos;
mod cluster;
mod count;
mod environment;
mod error;
mod image;
mod link;
mod name;
mod period;
mod quantity;
mod recorder;
mod schedule;
mod schema;
mod text;
mod yaml;

pub use chaos::{Chaos, FaultName};
pub use cluster::{Access, Cluster, Dns, Metrics, SnapshotClasses, Storage};
pub use count::Count;
pub use environment::{Attach, Environment, Observer, Restate, Test, Verification};
pub use error::InputError;
pub use image::{ImageName, ImageReference, Images, Registry};
pub use link::Link;
pub use name::{Driver, KubeSystemUid, Label, Name, Setting};
pub use period::Period;
pub use quantity::{Cpu, Size};
pub use recorder::{FailureSnapshots, OnFailure, Recorder};
pub use schedule::Schedule;
pub use schema::{Schema, schemas};

use crate::nearest;

/// The folder of the environments: one file each, `<name>.yaml`.
pub const ENVIRONMENTS: &str = "environments";

/// The folder of the clusters: `<name>.yaml`, and `<name>.images.yaml` for what was pushed.
pub const CLUSTERS: &str = "clusters";

const IMAGES_SUFFIX: &str = ".images";

/// Everything that is asked for, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    environments: BTreeMap<String, Environment>,
    clusters: BTreeMap<String, Cluster>,
    images: BTreeMap<String, Images>,
}

/// A name on the command line that no file answers to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{name}`")]
pub struct Unknown {
    /// `environment` or `cluster`
    pub what: &'static str,
    /// As it was written.
    pub name: String,
    /// What there is, and what was probably meant.
    pub hint: String,
}

impl Inputs {
    /// Reads all input files: their paths relative to the directory of the inputs, and their texts. The
    /// order of the files does not matter.
    ///
    /// # Errors
    /// Everything that is wrong in any of them, in the order of the paths.
    pub fn parse<P, T>(files: impl IntoIterator<Item = (P, T)>) -> Result<Self, Vec<InputError>>
    where
        P: AsRef<str>,
        T: AsRef<str>,
    {
        let files: BTreeMap<String, T> = files
            .into_iter()
            .map(|(path, text)| (path.as_ref().to_string(), text))
            .collect();
        let mut inputs = Self::default();
        let mut errors = Vec::new();
        for (path, text) in &files {
            if let Err(error) = inputs.add(path, text.as_ref()) {
                errors.push(error);
            }
        }
        for (name, environment) in &inputs.environments {
            let path = format!("{ENVIRONMENTS}/{name}.yaml");
            let cluster = environment.cluster.as_str();
            // A cluster whose own file is wrong is reported once, there.
            if !files.contains_key(&format!("{CLUSTERS}/{cluster}.yaml"))
                && let Some(text) = files.get(&path)
            {
                let (line, column) = yaml::locate(text.as_ref(), &["cluster"]);
                errors.push(InputError {
                    file: path,
                    line,
                    column,
                    message: format!("unknown cluster `{cluster}`"),
                    hint: Some(nearest::among(
                        cluster,
                        inputs.clusters.keys().map(String::as_str),
                    )),
                });
            }
        }
        if errors.is_empty() {
            Ok(inputs)
        } else {
            errors.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
            Err(errors)
        }
    }

    fn add(&mut self, path: &str, text: &str) -> Result<(), InputError> {
        let refused = || InputError {
            file: path.to_string(),
            line: 1,
            column: 1,
            message: "this is not the name of an input file".to_string(),
            hint: Some(format!(
                "inputs are {ENVIRONMENTS}/<name>.yaml, {CLUSTERS}/<name>.yaml and {CLUSTERS}/<name>{IMAGES_SUFFIX}.yaml"
            )),
        };
        let (folder, file) = path.rsplit_once('/').ok_or_else(refused)?;
        let stem = file.strip_suffix(".yaml").ok_or_else(refused)?;
        match (folder, stem.strip_suffix(IMAGES_SUFFIX)) {
            (ENVIRONMENTS, None) => {
                let environment = parse_environment(path, text)?;
                self.environments.insert(stem.to_string(), environment);
            }
            (CLUSTERS, None) => {
                let cluster = parse_cluster(path, text)?;
                self.clusters.insert(stem.to_string(), cluster);
            }
            (CLUSTERS, Some(cluster)) => {
                let images = parse_images(path, text)?;
                self.images.insert(cluster.to_string(), images);
            }
            _ => return Err(refused()),
        }
        Ok(())
    }

    /// An environment.
    ///
    /// # Errors
    /// When no file has this name.
    pub fn environment(&self, name: &str) -> Result<&Environment, Unknown> {
        find("environment", name, &self.environments)
    }

    /// A cluster.
    ///
    /// # Errors
    /// When no file has this name.
    pub fn cluster(&self, name: &str) -> Result<&Cluster, Unknown> {
        find("cluster", name, &self.clusters)
    }

    /// What was pushed for a cluster; empty when nothing was recorded yet.
    #[must_use]
    pub fn images(&self, cluster: &str) -> Images {
        self.images.get(cluster).cloned().unwrap_or_default()
    }

    /// All environments, by name.
    pub fn environments(&self) -> impl Iterator<Item = &Environment> {
        self.environments.values()
    }

    /// All clusters, by name.
    pub fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.values()
    }
}

fn find<'a, T>(
    what: &'static str,
    name: &str,
    all: &'a BTreeMap<String, T>,
) -> Result<&'a T, Unknown> {
    all.get(name).ok_or_else(|| Unknown {
        what,
        name: name.to_string(),
        hint: nearest::among(name, all.keys().map(String::as_str)),
    })
}

/// Reads an environment's file. `file` is its path, whose last part must be the environment's name.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn parse_environment(file: &str, text: &str) -> Result<Environment, InputError> {
    let environment: Environment = yaml::parse(file, text)?;
    yaml::named_like_file(file, text, &environment.name)?;
    let refuse = |path: &[&str], message: String, hint: String| {
        let (line, column) = yaml::locate(text, path);
        Err(InputError {
            file: file.to_string(),
            line,
            column,
            message,
            hint: Some(hint),
        })
    };
    let name = environment.name.as_str();
    if name == "default" || name.starts_with("kube-") {
        return refuse(
            &["name"],
            format!("the namespace `{name}` belongs to Kubernetes"),
            "an environment has a namespace to itself".to_string(),
        );
    }
    if let Err((message, hint)) = environment.restate.check_version() {
        return refuse(&["restate", "image"], message, hint);
    }
    for (component, memory, limit) in environment.memories() {
        if limit < memory {
            return refuse(
                &[component, "memoryLimit"],
                format!("{component}: the limit {limit} is below the {memory} that is reserved"),
                format!("raise `memoryLimit` to {memory} or more, or lower `memory`"),
            );
        }
    }
    // It would be killed for what it was told to use, and that would look like a fault of Restate's.
    let Restate {
        rocksdb_memory,
        query_memory,
        memory_limit,
        ..
    } = environment.restate;
    if rocksdb_memory.bytes() + query_memory.bytes() > memory_limit.bytes() {
        return refuse(
            &["restate", "rocksdbMemory"],
            format!(
                "restate: RocksDB's {rocksdb_memory} and the {query_memory} of queries are more than the limit {memory_limit}"
            ),
            "raise `memoryLimit` above `rocksdbMemory` and `queryMemory` together".to_string(),
        );
    }
    if let Err((key, message, hint)) = environment.chaos.check() {
        return refuse(&["chaos", key], message, hint);
    }
    Ok(environment)
}

/// Reads a cluster's file. `file` is its path, whose last part must be the cluster's name.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn parse_cluster(file: &str, text: &str) -> Result<Cluster, InputError> {
    let cluster: Cluster = yaml::parse(file, text)?;
    yaml::named_like_file(file, text, &cluster.name)?;
    Ok(cluster)
}

/// Reads the images that were pushed for a cluster.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn parse_images(file: &str, text: &str) -> Result<Images, InputError> {
    yaml::parse(file, text)
}
