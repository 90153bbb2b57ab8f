//! `cargo xtask operation`: the last wipe, restore or fenced snapshot of an environment.

use longrun_core::{
    inputs::Inputs,
    journal::{Checklist, State, Stored},
};
use longrun_kubernetes::{Client, kept_by};

use crate::{
    access::{self, Reached},
    commands::volume_replacement,
    database::last,
    deployment::holder,
    failure::{ExitStatus, Failure},
    operation::Operation,
    project::{Chosen, Project},
    show,
    terminal::Terminal,
    which::Any,
};

/// Show, continue or take back the last wipe, restore or fenced snapshot.
///
/// Each of them records a step in the namespace before it takes the step, so that it can be killed at any time and
/// continued from any machine. -n may be omitted where only one environment has an unfinished operation.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show each step with its times, and how to continue.
    Status(Any),
    /// Continue an unfinished operation. Its plan is approved already.
    Resume(Change),
    /// Take back an unfinished operation. Once the database's claim is deleted it can only be continued or closed.
    Abort(Change),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Change {
    #[command(flatten)]
    which: Any,
    /// Show the steps and whether this is possible, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// What becomes of an unfinished operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Resume,
    Abort,
}

pub(crate) async fn run(
    command: &Command,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    match command {
        Command::Status(which) => status(which, project, terminal).await,
        Command::Resume(args) => change(args, Turn::Resume, project, terminal).await,
        Command::Abort(args) => change(args, Turn::Abort, project, terminal).await,
    }
}

async fn status(
    which: &Any,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let inputs = project.inputs()?;
    let (chosen, client) = meant(which, &inputs, project).await?;
    let environment = chosen.environment.name.as_str();
    let stored = found(last(&client, environment).await?, environment)?;
    checklist(&client, &stored, terminal).await
}

async fn change(
    args: &Change,
    turn: Turn,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let inputs = project.inputs()?;
    let (chosen, client) = meant(&args.which, &inputs, project).await?;
    let environment = chosen.environment.name.as_str();
    let target = chosen.target(&client);
    let begin = |stored: Stored| match turn {
        Turn::Resume => stored.resume(&target, client.now()),
        Turn::Abort => stored.abort(&target, &format!("aborted by {}", holder("abort").who)),
    };
    if args.dry_run {
        let stored = found(last(&client, environment).await?, environment)?;
        begin(stored.clone())?;
        return checklist(&client, &stored, terminal).await;
    }
    let verb = match turn {
        Turn::Resume => "resume",
        Turn::Abort => "abort",
    };
    let operation = Operation::begin(verb, &client, &target, terminal)?;
    let driven = operation
        .alone(async |lease| {
            let stored = found(last(&client, environment).await?, environment)?;
            operation.drive(begin(stored)?, Some(lease)).await
        })
        .await?;
    match driven {
        Ok(journal) => volume_replacement::report(&client, &journal, operation, terminal).await,
        Err(stopped)
            if turn == Turn::Abort
                && stopped.journal.state() == State::TakenBack
                && stopped.journal.traces().not_taken_back.is_empty() =>
        {
            operation.done(&format!(
                "{target}: everything is taken back; a node that was stopped starts again: cargo xtask status {}",
                target.flags()
            ));
            volume_replacement::print(&client, &stopped.journal, terminal).await
        }
        Err(stopped) => Err(Failure::half_way(stopped)),
    }
}

/// The environment that is named, or the only one with an unfinished operation.
async fn meant<'a>(
    which: &Any,
    inputs: &'a Inputs,
    project: &Project,
) -> Result<(Chosen<'a>, Client), Failure> {
    let cluster = which.cluster.as_deref();
    match &which.environment {
        Some(environment) => {
            let chosen = project.choose(inputs, environment, cluster)?;
            let client = access::client(&chosen).await?;
            Ok((chosen, client))
        }
        None => unfinished(which, inputs, project).await,
    }
}

/// The only environment with an unfinished operation.
async fn unfinished<'a>(
    which: &Any,
    inputs: &'a Inputs,
    project: &Project,
) -> Result<(Chosen<'a>, Client), Failure> {
    let mut unfinished = Vec::new();
    let (mut finished, mut unknown) = (Vec::new(), Vec::new());
    for Reached { chosen, client } in access::each(which, inputs, project).await? {
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
    let failure = Failure::refused(match &names[..] {
        [_] if unknown.is_empty() => return Ok(unfinished.remove(0)),
        [] => format!("no operation is unfinished in {}", listed(&finished)),
        names => format!("an operation is unfinished in {}", listed(names)),
    });
    let failure = unknown.into_iter().fold(failure, Failure::hint);
    Err(failure.hint("name the environment: -n ENVIRONMENT"))
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "any environment that answered".to_owned(),
        names => names.join(", "),
    }
}

fn found(stored: Option<Stored>, environment: &str) -> Result<Stored, Failure> {
    stored.ok_or_else(|| {
        Failure::refused(format!(
            "{environment} has had no wipe, restore or fenced snapshot"
        ))
    })
}

async fn checklist(
    client: &Client,
    stored: &Stored,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let checklist = Checklist {
        kept: kept_by(client, &stored.journal).await,
        ..stored.journal.checklist()
    };
    terminal.data(&checklist, || show::checklist(&checklist))?;
    Ok(ExitStatus::Done)
}
