//! `cargo xtask wipe`

use longrun_core::{
    inputs::Inputs,
    journal::{Checklist, State, Stored},
    operations::wipe::{Copy, plan},
};
use longrun_kubernetes::Client;

use crate::{
    access::{self, Reached},
    commands::{deploy::Which, volume_replacement},
    database::{Consent, Database, Locking, last},
    failure::{ExitStatus, Failure},
    operation::Operation,
    project::{self, Chosen, Project},
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
    /// The environment, which is the namespace. What becomes of the last operation is also decided without it,
    /// where one environment only has an operation that is not finished.
    #[arg(
        short = 'n',
        long = "environment",
        value_name = "ENVIRONMENT",
        required_unless_present_any = ["resume", "abort", "status"]
    )]
    environment: Option<String>,
    /// Another cluster than the environment's usual one.
    #[arg(long)]
    cluster: Option<String>,
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
#[group(multiple = false, conflicts_with_all = ["destroy_without_snapshot", "yes", "approve"])]
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
) -> Result<ExitStatus, Failure> {
    if args.last.status || args.last.resume || args.last.abort {
        return go_on(args, project, terminal).await;
    }
    let which = Which {
        environment: args.environment.clone().unwrap_or_default(),
        cluster: args.cluster.clone(),
    };
    let database = Database::open(&which, &args.consent.answers, project, terminal).await?;
    let copy = if args.destroy_without_snapshot {
        Copy::None
    } else {
        Copy::Verified
    };
    let decide = |facts: &_| plan(database.target(), facts, database.options(), copy);
    let planned = database.plan(decide).await?;
    let Some(approved) = Database::ask(planned, &args.consent, terminal)? else {
        return Ok(ExitStatus::Done);
    };
    let operation = Operation::begin("wipe", database.client(), database.target(), terminal)?;
    let journal = database
        .carry_out(&operation, approved, Locking::None, decide)
        .await?;
    volume_replacement::report(&journal, operation, terminal)
}

/// Shows the last operation, goes on with it, or takes it back.
async fn go_on(args: &Args, project: &Project, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let inputs = project.inputs()?;
    let cluster = args.cluster.as_deref();
    let (chosen, client) = match &args.environment {
        Some(environment) => {
            let chosen = project::choose(&inputs, environment, cluster)?;
            let client = access::client(chosen.cluster).await?;
            (chosen, client)
        }
        None => unfinished(&inputs, cluster).await?,
    };
    let environment = chosen.environment.name.as_str();
    let target = chosen.target(&client);
    if args.last.status {
        let stored = found(last(&client, environment).await?, environment)?;
        return checklist(&stored, terminal);
    }
    let begin = |stored: Stored| {
        if args.last.resume {
            stored.resume(&target, client.now())
        } else {
            stored.abort(&target, "somebody asked for it")
        }
    };
    if args.consent.dry_run {
        let stored = found(last(&client, environment).await?, environment)?;
        begin(stored.clone())?;
        return checklist(&stored, terminal);
    }
    let verb = if args.last.resume { "resume" } else { "abort" };
    let operation = Operation::begin(verb, &client, &target, terminal)?;
    let driven = operation
        .alone(async |lease| {
            let stored = found(last(&client, environment).await?, environment)?;
            operation.drive(begin(stored)?, Some(lease)).await
        })
        .await?;
    match driven {
        Ok(journal) => volume_replacement::report(&journal, operation, terminal),
        Err(stopped)
            if args.last.abort
                && stopped.journal.state() == State::TakenBack
                && stopped.journal.traces().not_taken_back.is_empty() =>
        {
            operation.done(&format!(
                "{target}: everything is taken back; a node that was stopped starts again: cargo xtask status {}",
                target.flags()
            ));
            volume_replacement::print(&stopped.journal, terminal)
        }
        Err(stopped) => Err(Failure::half_way(stopped)),
    }
}

/// The one environment with an operation that is not finished.
async fn unfinished<'a>(
    inputs: &'a Inputs,
    cluster: Option<&str>,
) -> Result<(Chosen<'a>, Client), Failure> {
    let mut unfinished = Vec::new();
    let (mut finished, mut unknown) = (Vec::new(), Vec::new());
    for Reached { chosen, client } in access::each(inputs, None, cluster).await? {
        let environment = chosen.environment.name.as_str();
        let known = match client {
            Ok(client) => last(&client, environment).await.map(|last| (client, last)),
            Err(failure) => Err(failure),
        };
        let is_open = |stored: &Stored| stored.journal.state().is_unfinished();
        match known {
            Ok((client, stored)) if stored.as_ref().is_some_and(is_open) => {
                unfinished.push((chosen, client));
            }
            Ok(_) => finished.push(chosen.environment.name.to_string()),
            Err(failure) => unknown.push(format!("{environment} is unknown: {}", failure.message)),
        }
    }
    let names: Vec<String> = unfinished
        .iter()
        .map(|(chosen, _)| chosen.environment.name.to_string())
        .collect();
    let why = match &names[..] {
        [_] if unknown.is_empty() => return Ok(unfinished.remove(0)),
        [] => format!("no operation is unfinished in {}", listed(&finished)),
        names => format!("an operation is unfinished in {}", listed(names)),
    };
    let failure = Failure::refused(format!("which environment is meant is not clear: {why}"));
    let failure = unknown.into_iter().fold(failure, Failure::hint);
    Err(failure.hint("name it: -n ENVIRONMENT"))
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "none of those that could be asked".to_owned(),
        names => names.join(", "),
    }
}

fn found(stored: Option<Stored>, environment: &str) -> Result<Stored, Failure> {
    stored.ok_or_else(|| {
        Failure::refused(format!(
            "no wipe, restore or fenced snapshot has been begun in {environment}"
        ))
    })
}

fn checklist(stored: &Stored, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let checklist: Checklist = stored.journal.checklist();
    terminal.data(&checklist, || show::checklist(&checklist))?;
    Ok(ExitStatus::Done)
}
