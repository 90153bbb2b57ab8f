//! `cargo xtask render`

use longrun_core::{
    inputs::Inputs,
    render::{Difference, Rendered, check},
};
use serde::Serialize;

use crate::{
    deployment::render_all,
    failure::{End, Failure},
    project::{self, Project},
    terminal::Terminal,
};

/// Render environments into `manifests/`, for review. Nothing is sent anywhere.
///
/// The embedded cluster's are rendered at deploy and not committed: see them with
/// `--cluster local --stdout`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which environments; all when none is named.
    environments: Vec<String>,
    /// Write nothing; exit 1 and show how committed files differ, if they do.
    #[arg(long, conflicts_with = "stdout")]
    check: bool,
    /// Write to stdout instead of to files.
    #[arg(long)]
    stdout: bool,
    /// Another cluster than the environments' usual one.
    #[arg(long)]
    cluster: Option<String>,
}

/// What `render` did, as a document.
#[derive(Serialize)]
struct Report<'a> {
    files: usize,
    differences: &'a [Difference],
}

pub(crate) fn run(args: &Args, project: &Project, terminal: &Terminal) -> Result<End, Failure> {
    let inputs = project.inputs()?;
    let rendered = rendered(args, &inputs, project)?;
    let files: usize = rendered.iter().map(|(_, files)| files.len()).sum();
    if args.stdout {
        let texts: Vec<&Rendered> = rendered.iter().flat_map(|(_, files)| files).collect();
        terminal.data(&texts, || documents(&rendered))?;
        return Ok(End::Done);
    }
    let committed = project.manifests()?;
    let differences: Vec<Difference> = rendered
        .iter()
        .flat_map(|(folder, files)| check(folder, files, &committed))
        .collect();
    if !args.check {
        write(project, &rendered, &differences)?;
    }
    let report = Report {
        files,
        differences: &differences,
    };
    terminal.data(&report, || text(args.check, files, &differences))?;
    Ok(if args.check && !differences.is_empty() {
        End::Differences
    } else {
        End::Done
    })
}

fn rendered(
    args: &Args,
    inputs: &Inputs,
    project: &Project,
) -> Result<Vec<(String, Vec<Rendered>)>, Failure> {
    let templates = project.templates()?;
    let names: Vec<String> = if args.environments.is_empty() {
        inputs
            .environments()
            .map(|environment| environment.name.to_string())
            .collect()
    } else {
        args.environments.clone()
    };
    let mut all: Vec<(String, Vec<Rendered>)> = Vec::new();
    for name in &names {
        let chosen = project::choose(inputs, name, args.cluster.as_deref())?;
        for (folder, files) in render_all(&templates, &chosen, &[])? {
            // Environments of one cluster share its `_shared`.
            if all.iter().all(|(other, _)| *other != folder) {
                all.push((folder, files));
            }
        }
    }
    Ok(all)
}

fn write(
    project: &Project,
    rendered: &[(String, Vec<Rendered>)],
    differences: &[Difference],
) -> Result<(), Failure> {
    for difference in differences {
        if let Difference::Surplus { path } = difference {
            project.remove_manifest(path)?;
        }
    }
    for (folder, files) in rendered {
        for file in files {
            let path = format!("{folder}/{}", file.path);
            if differences
                .iter()
                .any(|difference| difference.path() == path)
            {
                project.write_manifest(&path, &file.text)?;
            }
        }
    }
    Ok(())
}

fn text(check: bool, files: usize, differences: &[Difference]) -> String {
    if differences.is_empty() {
        return format!("{files} files are as rendered");
    }
    let mut lines: Vec<String> = differences
        .iter()
        .map(|difference| match difference {
            Difference::Changed { diff, .. } if check => diff.trim_end().to_owned(),
            Difference::Changed { path, .. } => format!("changed  {path}"),
            Difference::Missing { path } if check => format!("missing  {path}"),
            Difference::Missing { path } => format!("new      {path}"),
            Difference::Surplus { path } if check => format!("surplus  {path}"),
            Difference::Surplus { path } => format!("removed  {path}"),
        })
        .collect();
    lines.push(if check {
        format!(
            "{} of {files} files differ; write them with `cargo xtask render`",
            differences.len()
        )
    } else {
        format!(
            "{} of {files} files written: review and commit them",
            differences.len()
        )
    });
    lines.join("\n")
}

fn documents(rendered: &[(String, Vec<Rendered>)]) -> String {
    let with_path = |(folder, files): &(String, Vec<Rendered>)| {
        files
            .iter()
            .map(|file| format!("---\n# {folder}/{}\n{}", file.path, file.text))
            .collect::<String>()
    };
    rendered.iter().map(with_path).collect()
}
