//! `cargo xtask render`

use longrun_core::{
    inputs::Inputs,
    render::{Difference, MANIFESTS, Rendered, check, strays},
};
use serde::Serialize;

use crate::{
    deployment::render_all,
    failure::{ExitStatus, Failure},
    project::{self, Chosen, Project},
    terminal::Terminal,
};

/// Render environments into `manifests/`, for review. No cluster is involved.
///
/// Manifests of the embedded cluster are not committed: `deploy` renders them. See them with `--cluster local --stdout`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The environments to render [default: all]
    environments: Vec<String>,
    /// Write nothing; show how the committed files differ, and exit 1 if they do.
    #[arg(long, conflicts_with = "stdout")]
    check: bool,
    /// Print the manifests instead of writing files.
    #[arg(long)]
    stdout: bool,
    /// Render for this cluster, in place of each environment's usual one. LONGRUN_CLUSTER has no effect here.
    #[arg(id = "rendered-for", long = "cluster", value_name = "CLUSTER")]
    cluster: Option<String>,
}

/// What `render` did, as a document.
#[derive(Serialize)]
struct Report<'a> {
    files: usize,
    differences: &'a [Difference],
}

/// What is rendered: folder → files.
type Folders = Vec<(String, Vec<Rendered>)>;

pub(crate) fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let inputs = project.inputs()?;
    let chosen = chosen(args, &inputs)?;
    let rendered = rendered(args, &chosen, project)?;
    if args.stdout {
        let texts: Vec<&Rendered> = rendered.iter().flat_map(|(_, files)| files).collect();
        terminal.data(&texts, || documents(&rendered))?;
        return Ok(ExitStatus::Done);
    }
    let differences = differences(args, &rendered, project)?;
    if !args.check {
        write(project, &rendered, &differences)?;
    }
    let files = rendered.iter().map(|(_, files)| files.len()).sum();
    let report = Report {
        files,
        differences: &differences,
    };
    terminal.data(&report, || text(args.check, files, &differences))?;
    Ok(if args.check && !differences.is_empty() {
        ExitStatus::Differences
    } else {
        ExitStatus::Done
    })
}

/// The environments that are named, or all. Those of an embedded cluster have no files: to ask for them
/// is a mistake that should be told.
fn chosen<'a>(args: &Args, inputs: &'a Inputs) -> Result<Vec<Chosen<'a>>, Failure> {
    let named = args.environments.iter().map(String::as_str);
    let every = inputs
        .environments()
        .map(|environment| environment.name.as_str());
    let names: Vec<&str> = if args.environments.is_empty() {
        every.collect()
    } else {
        named.collect()
    };
    let asked_for = !args.environments.is_empty() || args.cluster.is_some();
    names
        .into_iter()
        .map(|name| {
            let chosen = project::choose(inputs, name, args.cluster.as_deref())?;
            let cluster = &chosen.cluster.name;
            if asked_for && !args.stdout && chosen.cluster.access.is_embedded() {
                return Err(Failure::refused(format!(
                    "the manifests of `{name}` on `{cluster}` are not committed: an embedded cluster gets them rendered at deploy"
                ))
                .hint(format!(
                    "see them: cargo xtask render {name} --cluster {cluster} --stdout"
                )));
            }
            Ok(chosen)
        })
        .collect()
}

/// Renders all that is chosen, so that no mistake goes unseen, and answers with what is asked for.
fn rendered(args: &Args, chosen: &[Chosen<'_>], project: &Project) -> Result<Folders, Failure> {
    let templates = project.templates()?;
    let mut all = Folders::new();
    for chosen in chosen {
        for (folder, files) in render_all(&templates, chosen, &[])? {
            let wanted = args.stdout || !chosen.cluster.access.is_embedded();
            // Environments of one cluster share its `_shared`.
            if wanted && all.iter().all(|(other, _)| *other != folder) {
                all.push((folder, files));
            }
        }
    }
    Ok(all)
}

/// How what is committed differs. Who asks for all environments asks for what belongs to none as well.
fn differences(
    args: &Args,
    rendered: &Folders,
    project: &Project,
) -> Result<Vec<Difference>, Failure> {
    let committed = project.manifests()?;
    let mut differences: Vec<Difference> = rendered
        .iter()
        .flat_map(|(folder, files)| check(folder, files, &committed))
        .collect();
    if args.environments.is_empty() {
        let below = match &args.cluster {
            Some(cluster) => format!("{MANIFESTS}/{cluster}"),
            None => MANIFESTS.to_owned(),
        };
        let folders: Vec<&str> = rendered.iter().map(|(folder, _)| folder.as_str()).collect();
        differences.extend(strays(&below, &folders, &committed));
    }
    Ok(differences)
}

fn write(project: &Project, rendered: &Folders, differences: &[Difference]) -> Result<(), Failure> {
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
            "{} differ, of {files} files that are rendered; write them with `cargo xtask render`",
            differences.len()
        )
    } else {
        format!(
            "{} changed, of {files} files that are rendered: review and commit them",
            differences.len()
        )
    });
    lines.join("\n")
}

fn documents(rendered: &Folders) -> String {
    let with_path = |(folder, files): &(String, Vec<Rendered>)| {
        files
            .iter()
            .map(|file| format!("---\n# {folder}/{}\n{}", file.path, file.text))
            .collect::<String>()
    };
    rendered.iter().map(with_path).collect()
}
