//! `cargo xtask wipe`

use longrun_core::journal::{Checklist, State, Stored};
use longrun_core::operations::wipe::{Copy, plan};

use crate::{
    access,
    commands::{deploy::Which, exchange},
    database::{Company, Consent, Database, last},
    failure::{End, Failure},
    operation::Operation,
    project::{self, Project},
    show,
    terminal::Terminal,
};

/// Replace the database by an empty one. The present one is kept as a snapshot that was read and compared.
///
/// Tests are suspended, the node is stopped, the snapshot is taken and verified, the claim is deleted, and all
/// that ran before runs again. Each step is written into the namespace before it is done: kill it at any time,
/// and go on with --resume, or take it back with --abort. The same flags are for a restore and for a
/// `snapshot --fence` that are not finished.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    last: LastOperation,
    /// Keep NOTHING of the database: for when snapshots are broken and the data must go.
    #[arg(long)]
    destroy_without_snapshot: bool,
}

/// What becomes of the last operation on the database.
#[derive(Debug, clap::Args)]
#[group(multiple = false, conflicts_with_all = ["destroy_without_snapshot", "dry_run", "yes", "approve"])]
struct LastOperation {
    /// Go on with what is not finished. It needs no new answer.
    #[arg(long)]
    resume: bool,
    /// Take back what is not finished, as long as the claim is not deleted.
    #[arg(long)]
    abort: bool,
    /// Show the steps of the last operation, with times.
    #[arg(long)]
    status: bool,
}

pub(crate) async fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<End, Failure> {
    if args.last.status || args.last.resume || args.last.abort {
        return go_on(args, project, terminal).await;
    }
    let database = Database::open(&args.which, &args.consent.answers, project, terminal).await?;
    let copy = if args.destroy_without_snapshot {
        Copy::None
    } else {
        Copy::Verified
    };
    let decide = |facts: &_| plan(database.target(), facts, database.options(), copy);
    let planned = database.plan(decide).await?;
    let Some(approved) = Database::ask(planned, &args.consent, terminal)? else {
        return Ok(End::Done);
    };
    let operation = Operation::begin("wipe", database.client(), database.target(), terminal)?;
    let journal = database
        .carry_out(&operation, approved, Company::None, decide)
        .await?;
    exchange::report(&journal, operation, terminal)
}

/// Shows the last operation, goes on with it, or takes it back.
async fn go_on(args: &Args, project: &Project, terminal: &Terminal) -> Result<End, Failure> {
    let inputs = project.inputs()?;
    let Which {
        environment,
        cluster,
    } = &args.which;
    let chosen = project::choose(&inputs, environment, cluster.as_deref())?;
    let client = access::client(chosen.cluster).await?;
    let target = chosen.target(&client);
    if args.last.status {
        let stored = found(last(&client, environment).await?, environment)?;
        return checklist(&stored, terminal);
    }
    let verb = if args.last.resume { "resume" } else { "abort" };
    let operation = Operation::begin(verb, &client, &target, terminal)?;
    let driven = operation
        .alone(async |lease| {
            let stored = found(last(&client, environment).await?, environment)?;
            let stored = if args.last.resume {
                stored.resume(&target, client.now())?
            } else {
                stored.abort(&target, "somebody asked for it")?
            };
            operation.drive(stored, Some(lease)).await
        })
        .await?;
    match driven {
        Ok(journal) => exchange::report(&journal, operation, terminal),
        Err(stopped) if args.last.abort && stopped.journal.state() == State::TakenBack => {
            operation.done(&format!(
                "{target}: everything is taken back; a node that was stopped starts again: cargo xtask status -n {environment}"
            ));
            exchange::print(&stopped.journal, terminal)
        }
        Err(stopped) => Err(Failure::half_way(stopped)),
    }
}

fn found(stored: Option<Stored>, environment: &str) -> Result<Stored, Failure> {
    stored.ok_or_else(|| {
        Failure::refused(format!(
            "no wipe, restore or fenced snapshot has been begun in {environment}"
        ))
    })
}

fn checklist(stored: &Stored, terminal: &Terminal) -> Result<End, Failure> {
    let checklist: Checklist = stored.journal.checklist();
    terminal.data(&checklist, || show::checklist(&checklist))?;
    Ok(End::Done)
}
