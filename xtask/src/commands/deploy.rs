//! `cargo xtask deploy`

use longrun_core::{approval::Approved, journal::Reason, wait::Wait};

use crate::{
    deployment::Deployment,
    failure::{ExitStatus, Failure},
    operation::{Consent, Locking, Operation, ask},
    project::Project,
    terminal::Terminal,
    which::Which,
};

/// Deploy an environment: plan, ask, apply, and wait until a test has verified.
///
/// Run it again at any time. After an interruption it continues from what it finds, and it says `nothing to do` when
/// everything is as rendered and runs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    choices: Choices,
}

/// What is not done unless it is asked for.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Choices {
    /// Take over the fields of this object that another field manager owns.
    #[arg(long, value_name = "KIND/NAME")]
    pub(crate) take_over: Vec<String>,
    /// Roll a changed service without waiting for running tests and open invocations to finish.
    #[arg(long)]
    pub(crate) no_drain: bool,
}

pub(crate) async fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let (answers, choices) = (&args.consent.answers, &args.choices);
    let deployment = Deployment::open(&args.which, answers, choices, project, terminal).await?;
    let plan = deployment.plan().await?;
    let is_empty = plan.is_empty();
    let Some(approved) = ask(plan, &args.consent, terminal)? else {
        return Ok(ExitStatus::Done);
    };
    if !is_empty {
        carry_out(&deployment, approved, terminal).await?;
    } else if !terminal.owes_document() {
        // The screen is for what was just changed.
        return Ok(ExitStatus::Done);
    }
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
    let target = &deployment.target;
    let operation = Operation::begin("deploy", &deployment.client, target, terminal)?;
    // Neither a Lease nor a dry run exists without the namespace: it is made first.
    let done = make_namespace(&approved, &operation).await?;
    let again = deployment.plan();
    let outcome = operation
        .carry_out(approved, done, Locking::Lease, again)
        .await;
    let journal = outcome.map_err(|failure| match done {
        0 => failure,
        _ => failure.after(&format!(
            "Namespace {} was created before that and stays",
            target.environment
        )),
    })?;
    let steps = &journal.plan().steps;
    let verified = steps.iter().any(|step| step.until == Wait::FirstSuccess);
    let not_done = journal.notes();
    let but = if not_done.is_empty() { "" } else { ", but:" };
    let lines = not_done.into_iter();
    let lines: String = lines
        .map(|(effect, cause)| format!("\n  not done: {effect}: {cause}"))
        .collect();
    operation.done(&if verified {
        format!("{target} runs, and a test has verified{but}{lines}")
    } else {
        format!("{target} runs what is rendered{but}{lines}")
    });
    Ok(())
}

/// How many steps of the plan are done by it.
async fn make_namespace(approved: &Approved, operation: &Operation<'_>) -> Result<usize, Failure> {
    let Some(namespace) = approved.namespace() else {
        return Ok(0);
    };
    match operation.drive(namespace, None).await? {
        Ok(_) => Ok(1),
        Err(stopped) => Err(match stopped.reason {
            Reason::Moved { .. } => Failure::refused(stopped),
            _ => Failure::half_way(stopped),
        }),
    }
}
