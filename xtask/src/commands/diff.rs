//! `cargo xtask diff`

use longrun_core::plan::Step;

use crate::{
    commands::deploy::Choices,
    deployment::Deployment,
    failure::{ExitStatus, Failure},
    project::Project,
    show,
    terminal::{Answers, Terminal},
    which::Which,
};

/// Show what `deploy` would change. Exits 1 when there are differences.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
}

pub(crate) async fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let deployment = Deployment::open(
        &args.which,
        &Answers::default(),
        &Choices::default(),
        project,
        terminal,
    )
    .await?;
    let plan = deployment.plan().await?;
    let end = if plan.steps.iter().any(Step::differs) {
        ExitStatus::Differences
    } else {
        ExitStatus::Done
    };
    terminal.data(&show::document(&plan), || show::plan(&plan))?;
    Ok(end)
}
