//! The project's files: the only place that reads inputs and templates and writes manifests.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use longrun_core::{
    inputs::{CLUSTERS, Cluster, ENVIRONMENTS, Environment, Images, InputError, Inputs, Unknown},
    plan::Target,
    render::{MANIFESTS, RenderError, TEMPLATES, Templates},
};
use longrun_kubernetes::Client;

use crate::failure::Failure;

#[derive(Debug)]
pub(crate) struct Project {
    root: PathBuf,
    /// Where environments, clusters and manifests are: the root, or what `--inputs` says.
    inputs: PathBuf,
    /// The cluster that the user works on.
    cluster: Option<String>,
}

impl Project {
    /// The project that the command runs in: the working directory's, or that of a folder above it.
    pub(crate) fn find(inputs: Option<PathBuf>, cluster: Option<String>) -> Result<Self, Failure> {
        let here = std::env::current_dir()
            .map_err(|error| Failure::refused(format!("the working directory: {error}")))?;
        let root = root_above(&here).ok_or_else(|| {
            Failure::refused(format!(
                "{} is not in a clone of the project: neither it nor a folder above it has {ENVIRONMENTS}, {CLUSTERS} and {TEMPLATES}",
                here.display()
            ))
            .hint("change into the clone and run the command there")
        })?;
        let root = root.to_path_buf();
        let inputs = match inputs {
            Some(inputs) => std::path::absolute(&inputs).map_err(|error| {
                Failure::refused(format!("--inputs {}: {error}", inputs.display()))
            })?,
            None => root.clone(),
        };
        Ok(Self {
            root,
            inputs,
            cluster,
        })
    }

    /// The clone's top folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the inputs are, if that is not the clone.
    pub(crate) fn elsewhere(&self) -> Option<&Path> {
        (self.inputs != self.root).then_some(&*self.inputs)
    }

    /// Environments, clusters and recorded images.
    pub(crate) fn inputs(&self) -> Result<Inputs, Failure> {
        let mut files = BTreeMap::new();
        for folder in [ENVIRONMENTS, CLUSTERS] {
            // `.yml` too: to be told about it is better than to miss a file.
            for ending in [".yaml", ".yml"] {
                read_all(&self.inputs, &self.inputs.join(folder), ending, &mut files)?;
            }
        }
        Inputs::parse(&files).map_err(|errors| unreadable(&errors, &files))
    }

    /// All templates: those of the inputs' directory if it has any, or the project's.
    pub(crate) fn templates(&self) -> Result<Templates, Failure> {
        let base = if self.inputs.join(TEMPLATES).is_dir() {
            &self.inputs
        } else {
            &self.root
        };
        let mut files = BTreeMap::new();
        read_all(base, &base.join(TEMPLATES), ".hbs", &mut files)?;
        Templates::new(files).map_err(render_failure)
    }

    /// Finds an environment on the cluster that is worked on: the one that the command names, the user's, or the
    /// environment's usual one.
    pub(crate) fn choose<'a>(
        &self,
        inputs: &'a Inputs,
        environment: &str,
        cluster: Option<&str>,
    ) -> Result<Chosen<'a>, Failure> {
        choose(inputs, environment, cluster.or(self.cluster.as_deref()))
    }

    /// What is committed for all clusters: path → text.
    pub(crate) fn manifests(&self) -> Result<BTreeMap<String, String>, Failure> {
        let mut files = BTreeMap::new();
        read_all(
            &self.inputs,
            &self.inputs.join(MANIFESTS),
            ".yaml",
            &mut files,
        )?;
        Ok(files)
    }

    pub(crate) fn write_manifest(&self, path: &str, text: &str) -> Result<(), Failure> {
        write(&self.inputs.join(path), text)
    }

    pub(crate) fn remove_manifest(&self, path: &str) -> Result<(), Failure> {
        let path = self.inputs.join(path);
        std::fs::remove_file(&path).map_err(|error| unwritten(&path, &error))
    }

    /// The path of a cluster's file.
    pub(crate) fn cluster_file(&self, cluster: &str) -> PathBuf {
        self.inputs.join(CLUSTERS).join(format!("{cluster}.yaml"))
    }

    /// Records what was pushed for a cluster.
    pub(crate) fn write_images(&self, cluster: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self
            .inputs
            .join(CLUSTERS)
            .join(format!("{cluster}.images.yaml"));
        write(&path, text)?;
        Ok(path)
    }
}

fn root_above(here: &Path) -> Option<&Path> {
    let is_project = |folder: &&Path| {
        let mut folders = [ENVIRONMENTS, CLUSTERS, TEMPLATES].into_iter();
        folders.all(|name| folder.join(name).is_dir())
    };
    here.ancestors().find(is_project)
}

/// An environment on a cluster, as a command line names them.
#[derive(Clone)]
pub(crate) struct Chosen<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) cluster: &'a Cluster,
    pub(crate) images: Images,
}

impl Chosen<'_> {
    /// Whether this is the cluster that the environment's file names.
    pub(crate) fn is_usual(&self) -> bool {
        self.environment.cluster == self.cluster.name
    }

    /// The environment on the cluster that was recognised.
    pub(crate) fn target(&self, client: &Client) -> Target {
        Target {
            cluster: self.cluster.name.to_string(),
            kube_system: client.kube_system().clone(),
            environment: self.environment.name.to_string(),
        }
    }
}

/// Finds an environment, on its usual cluster or on one that is named.
pub(crate) fn choose<'a>(
    inputs: &'a Inputs,
    environment: &str,
    cluster: Option<&str>,
) -> Result<Chosen<'a>, Failure> {
    let environment = inputs.environment(environment).map_err(unknown)?;
    let cluster = inputs
        .cluster(cluster.unwrap_or(environment.cluster.as_str()))
        .map_err(unknown)?;
    Ok(Chosen {
        environment,
        cluster,
        images: inputs.images(cluster.name.as_str()),
    })
}

pub(crate) fn unknown(error: Unknown) -> Failure {
    Failure::refused(&error).hint(error.hint)
}

/// What is wrong with a template, and where.
pub(crate) fn render_failure(error: RenderError) -> Failure {
    let failure = Failure::refused(&error);
    match error.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Errors in input files, each with its line and a pointer to the place.
fn unreadable(errors: &[InputError], files: &BTreeMap<String, String>) -> Failure {
    let pictures: Vec<String> = errors
        .iter()
        .map(|error| {
            let line = files
                .get(&error.file)
                .and_then(|text| text.lines().nth(error.line.saturating_sub(1)));
            let mut picture = format!(
                "{}:{}:{}: {}",
                error.file, error.line, error.column, error.message
            );
            if let Some(line) = line {
                let number = error.line.to_string();
                let margin = " ".repeat(number.len());
                let before = " ".repeat(error.column.saturating_sub(1));
                picture.push_str(&format!(
                    "\n {margin} |\n {number} | {line}\n {margin} | {before}^"
                ));
            }
            if let Some(hint) = &error.hint {
                picture.push_str(&format!("\n  → {hint}"));
            }
            picture
        })
        .collect();
    Failure::refused(pictures.join("\n"))
}

/// Reads the files with an ending in and below a folder, by their path relative to `base`. A folder
/// that is not there holds nothing.
fn read_all(
    base: &Path,
    folder: &Path,
    ending: &str,
    files: &mut BTreeMap<String, String>,
) -> Result<(), Failure> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unusable(folder, &error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| unusable(folder, &error))?.path();
        if path.is_dir() {
            read_all(base, &path, ending, files)?;
        } else if path.to_string_lossy().ends_with(ending) {
            let text = std::fs::read_to_string(&path).map_err(|error| unusable(&path, &error))?;
            let name = path
                .strip_prefix(base)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            files.insert(name, text);
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(|error| unwritten(folder, &error))?;
    std::fs::write(path, text).map_err(|error| unwritten(path, &error))
}

/// Files are written one after the other.
fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::half_way(format!("{}: {error}", path.display()))
        .hint("files that were written before it stay; the same command writes the rest")
}

pub(crate) fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::refused(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_is_found_from_anywhere_in_it_and_nowhere_else() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let clone = package.parent();
        assert_eq!(root_above(package), clone);
        assert_eq!(root_above(&package.join("src/commands")), clone);
        assert_eq!(clone.and_then(root_above), clone);
        assert_eq!(root_above(Path::new("/tmp")), None);
    }
}
