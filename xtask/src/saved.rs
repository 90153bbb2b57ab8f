//! Evidence of failed tests, as files: `<cluster>/<environment>/<job>/<time>.json` in a directory. None is ever
//! overwritten, since what is gathered later may know less.

use std::path::{Path, PathBuf};

use longrun_core::triage::{Evidence, read, write};

use crate::{access, failure::Failure, project::unusable};

/// A directory with evidence.
#[derive(Debug)]
pub(crate) struct Saved(PathBuf);

impl Saved {
    /// Where evidence is kept when nobody says where.
    pub(crate) fn of_user() -> Result<Self, Failure> {
        Ok(Self(access::places()?.state.join("evidence")))
    }

    pub(crate) fn at(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.0
    }

    /// Keeps evidence, and says where.
    pub(crate) fn keep(&self, evidence: &Evidence) -> Result<PathBuf, Failure> {
        let target = &evidence.target;
        let folder = self
            .0
            .join(&target.cluster)
            .join(&target.environment)
            .join(&evidence.case.job.name);
        let name = evidence.at.strftime("%Y%m%dT%H%M%S%3fZ");
        let path = folder.join(format!("{name}.json"));
        let text = write(evidence).map_err(Failure::refused)?;
        let partial = path.with_extension("partial");
        // A reader never meets half a file.
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&partial, text))
            .and_then(|()| std::fs::rename(&partial, &path))
            .map_err(|error| {
                Failure::refused(format!(
                    "the evidence was not kept, and nothing was changed: {}: {error}",
                    path.display()
                ))
            })?;
        Ok(path)
    }

    /// The evidence in the directory, the best one of each incarnation of a Job, with its file. None where
    /// there is no directory.
    pub(crate) fn best(
        &self,
        environment: Option<&str>,
        job: Option<&str>,
    ) -> Result<Vec<(PathBuf, Evidence)>, Failure> {
        let mut files = Vec::new();
        if self.0.is_file() {
            // One that `--save` named.
            files.push(self.0.clone());
        } else {
            collect(&self.0, &mut files)?;
        }
        files.sort();
        let mut best: Vec<(PathBuf, Evidence)> = Vec::new();
        for path in files {
            let text = std::fs::read_to_string(&path).map_err(|error| unusable(&path, &error))?;
            let evidence = read(&text).map_err(|error| {
                Failure::refused(format!("{} is not evidence: {error}", path.display()))
                    .hint("take the file away, or name the directory that `--save` was given")
            })?;
            let wanted = environment.is_none_or(|name| name == evidence.target.environment)
                && job.is_none_or(|name| name == evidence.case.job.name);
            if !wanted {
                continue;
            }
            let same =
                |(_, other): &&mut (PathBuf, Evidence)| other.case.job.uid == evidence.case.job.uid;
            match best.iter_mut().find(same) {
                Some(other) if evidence.worth() >= other.1.worth() => *other = (path, evidence),
                Some(_) => {}
                None => best.push((path, evidence)),
            }
        }
        Ok(best)
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unusable(folder, &error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| unusable(folder, &error))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "json") {
            files.push(path);
        }
    }
    Ok(())
}
