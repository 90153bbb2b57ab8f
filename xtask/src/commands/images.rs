//! `cargo xtask images`

use longrun_core::inputs::{Environment, ImageName, Images};
use serde::Serialize;

use crate::{
    access,
    failure::{ExitStatus, Failure},
    images::ImageBuilder,
    project::{self, Project},
    terminal::Terminal,
};

/// Build the images that environments run, from `images/`. Images that exist already are skipped.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The cluster whose file names the registry.
    #[arg(
        id = "built-for",
        long = "cluster",
        value_name = "CLUSTER",
        default_value = "dev"
    )]
    cluster: String,
    /// Push the images to the cluster's registry, and record their digests beside the cluster's file.
    #[arg(long)]
    push: bool,
}

/// One image, as a document.
#[derive(Serialize)]
struct Built {
    name: String,
    reference: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    archive: Option<String>,
}

pub(crate) async fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let inputs = project.inputs()?;
    let cluster = inputs.cluster(&args.cluster).map_err(project::unknown)?;
    if args.push && cluster.access.is_embedded() {
        return Err(
            Failure::refused(format!("{} is embedded and has no registry", cluster.name))
                .hint("`cargo xtask deploy` imports what it needs"),
        );
    }
    let mut names: Vec<&ImageName> = inputs
        .environments()
        .flat_map(Environment::images)
        .collect();
    names.sort_unstable();
    names.dedup();

    let work = terminal.work("images");
    let report = |news: &str| work.output(news);
    let builder = ImageBuilder::new(project.root(), access::places()?.cache);
    let images = builder
        .references(names, &cluster.registry, Some(&report))
        .await?;
    let mut recorded = Images::default();
    let mut built = Vec::new();
    for image in &images {
        let (reference, archive) = if args.push {
            (builder.push(image, &report).await?, None)
        } else {
            let archive = builder.archive(image, &report).await?;
            (image.reference.clone(), Some(archive.display().to_string()))
        };
        recorded.insert(image.name.clone(), reference.clone());
        built.push(Built {
            name: image.name.to_string(),
            reference: reference.to_string(),
            archive,
        });
    }
    work.done(if args.push {
        "the images are pushed"
    } else {
        "the images are built"
    });
    if args.push {
        let text = recorded.to_yaml();
        let path = project.write_images(cluster.name.as_str(), &text)?;
        terminal.say(&format!(
            "recorded in {}: render, review and commit",
            path.display()
        ));
    }
    terminal.data(&built, || {
        let lines: Vec<String> = built
            .iter()
            .map(|image| match &image.archive {
                Some(archive) => format!("{}\n  {archive}", image.reference),
                None => image.reference.clone(),
            })
            .collect();
        lines.join("\n")
    })?;
    Ok(ExitStatus::Done)
}
