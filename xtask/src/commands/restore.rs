//! `cargo xtask restore`

use longrun_core::operations::restore::plan;

use crate::{
    commands::volume_replacement,
    database::Database,
    failure::{ExitStatus, Failure},
    operation::{Consent, Locking, Operation, ask},
    project::Project,
    terminal::Terminal,
    which::Which,
};

/// Replace the database by a copy of a snapshot, and keep the present one as a snapshot too.
///
/// Each step is recorded in the namespace before it is taken: after a kill, continue with `operation resume`, or take
/// it back with `operation abort`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// A snapshot; `snapshot list` shows them.
    #[arg(short = 's', long, value_name = "SNAPSHOT")]
    snapshot: String,
    #[command(flatten)]
    consent: Consent,
}

pub(crate) async fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let database = Database::open(&args.which, &args.consent.answers, project, terminal).await?;
    let decide = |facts: &_| plan(database.target(), facts, database.options(), &args.snapshot);
    let planned = database.plan(decide).await?;
    let Some(approved) = ask(planned, &args.consent, terminal)? else {
        return Ok(ExitStatus::Done);
    };
    let operation = Operation::begin("restore", database.client(), database.target(), terminal)?;
    let again = database.plan(decide);
    let journal = operation
        .carry_out(approved, 0, Locking::Journal, again)
        .await?;
    volume_replacement::report(database.client(), &journal, operation, terminal).await
}
