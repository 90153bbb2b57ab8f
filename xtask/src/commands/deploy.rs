//! `cargo xtask deploy`

use longrun_core::{
    approval::{Approved, Ask},
    journal::Journal,
    wait::Wait,
};
use longrun_kubernetes::{Doing, Lease, Progress, drive, prepare};

use crate::{
    deployment::{Deployment, holder},
    failure::{End, Failure},
    project::Project,
    show,
    terminal::{Answers, Terminal, interrupted},
};

/// Make a namespace what its environment says: plan, ask, apply, wait until the first test has verified.
///
/// Run it again at any time: it goes on from what it finds, and says 'nothing to do' when all is so.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    answers: Answers,
    /// Show the plan and its digest, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Take over the fields of this object that another manager owns.
    #[arg(long, value_name = "KIND/NAME")]
    take_over: Vec<String>,
}

/// Which environment, and where.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Which {
    /// The environment, which is the namespace.
    #[arg(short = 'n', long = "environment", value_name = "ENVIRONMENT")]
    pub(crate) environment: String,
    /// Another cluster than the environment's usual one.
    #[arg(long)]
    pub(crate) cluster: Option<String>,
}

pub(crate) async fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<End, Failure> {
    let deployment = Deployment::open(
        &args.which,
        &args.answers,
        &args.take_over,
        project,
        terminal,
    )
    .await?;
    let plan = deployment.plan().await?;
    if plan.is_empty() {
        terminal.say(show::plan(&plan).trim_end());
        return Ok(End::Done);
    }
    terminal.say(&show::plan(&plan));
    if args.dry_run {
        let digest = plan.digest().short().to_owned();
        terminal.data(&plan, || {
            format!("nothing was changed; to do exactly this: --approve {digest}")
        })?;
        return Ok(End::Done);
    }
    let approved = match Ask::new(plan).unneeded() {
        Ok(approved) => approved,
        Err(ask) => terminal.answer(ask, &args.answers)?,
    };
    carry_out(&deployment, approved, terminal).await?;
    let target = &deployment.target;
    super::status::show(
        &deployment.client,
        &target.cluster,
        &target.environment,
        terminal,
    )
    .await
}

/// Does what was approved, if it is still what would be planned.
async fn carry_out(
    deployment: &Deployment,
    approved: Approved,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let work = terminal.work(&format!("deploy {}", deployment.target));
    let progress = |doing: &Doing<'_>| work.report(&show::doing(doing));
    // Neither a Lease nor a dry run exists without the namespace: it is made first.
    let done = prepare(&deployment.client, &approved, &progress)
        .await
        .map_err(Failure::half_way)?;
    let lease = Lease::acquire(
        &deployment.client,
        &deployment.target.environment,
        &holder("deploy"),
        &progress,
    )
    .await
    .map_err(|error| Failure::refused(Failure::chain(&error)))?;
    let outcome = under_lease(deployment, approved, done, &lease, &progress).await;
    if let Err(error) = lease.release().await {
        terminal.say(&format!(
            "the lease was not given up and expires by itself in seconds: {error}"
        ));
    }
    let verified = outcome?
        .plan()
        .steps
        .iter()
        .any(|step| step.until == Wait::FirstSuccess);
    let target = &deployment.target;
    work.done(&if verified {
        format!("{target} runs, and a test has verified")
    } else {
        format!("{target} runs what is rendered")
    });
    Ok(())
}

async fn under_lease(
    deployment: &Deployment,
    approved: Approved,
    done: usize,
    lease: &Lease,
    progress: Progress<'_>,
) -> Result<Journal, Failure> {
    let fresh = deployment.plan().await?;
    let shown = show::plan(&fresh);
    let approved = approved.renew(fresh, done).map_err(|moved| {
        Failure::refused(format!("{moved}\nwhat would be done now:\n{shown}"))
            .hint("run the same command again, and answer for what it shows then")
    })?;
    drive(&deployment.client, approved, lease, progress, interrupted())
        .await
        .map_err(Failure::half_way)
}
