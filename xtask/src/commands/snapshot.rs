//! `cargo xtask snapshot`

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use longrun_core::{
    inputs::Period,
    operations::{
        data::Facts,
        snapshot::{self, Choice, Outcome, Policy, Wish},
    },
    plan::{Plan, Target},
};
use longrun_kubernetes::Client;
use serde::Serialize;

use crate::{
    access,
    commands::deploy::Which,
    database::{Company, Consent, Database, facts},
    deployment::now,
    failure::{End, Failure},
    operation::{AGAIN, Operation},
    project::{self, Project},
    show,
    terminal::Terminal,
};

/// Take a snapshot of the database, or list, delete and prune them.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    take: Option<Take>,
}

/// Take a snapshot of the database.
#[derive(Debug, clap::Args)]
struct Take {
    #[command(flatten)]
    which: Which,
    /// Its name; otherwise the claim's and the time.
    #[arg(long)]
    name: Option<String>,
    /// Stop the node for it: nothing that was written is missing then. Otherwise it is what a power failure
    /// would leave, which Restate is made to open.
    #[arg(long)]
    fence: bool,
    /// Do not wait until it can be restored; large ones may take hours.
    #[arg(long)]
    no_wait: bool,
    /// Keep it, whatever `prune` is told.
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    consent: Consent,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The snapshots of an environment, newest first.
    List {
        #[command(flatten)]
        which: Which,
    },
    /// Delete a snapshot and what is stored for it.
    Delete {
        /// The snapshot.
        name: String,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        consent: Consent,
    },
    /// Delete snapshots that are old enough, and leave the newest of each claim.
    ///
    /// Never those that guard a wipe, a restore or a failure, that are to be kept, that are in use or not
    /// finished, and never the last one of a claim that can be restored.
    Prune {
        /// How many of the newest stay, for each incarnation of the claim.
        #[arg(long, value_name = "COUNT")]
        keep_last: usize,
        /// None younger than this goes: 36h, 14d.
        #[arg(long, value_name = "TIME", value_parser = age)]
        older_than: SignedDuration,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        consent: Consent,
    },
}

fn age(text: &str) -> Result<SignedDuration, String> {
    let (text, times) = match text.strip_suffix('d') {
        Some(days) => (format!("{days}h"), 24),
        None => (text.to_owned(), 1),
    };
    let period = Period::try_from(text).map_err(|error| format!("{error}, or 14d"))?;
    let seconds = i64::try_from(period.seconds()).unwrap_or(i64::MAX);
    Ok(SignedDuration::from_secs(seconds.saturating_mul(times)))
}

pub(crate) async fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<End, Failure> {
    match (&args.command, &args.take) {
        (Some(Command::List { which }), _) => list(which, project, terminal).await,
        (
            Some(Command::Delete {
                name,
                which,
                consent,
            }),
            _,
        ) => delete(name, which, consent, project, terminal).await,
        (
            Some(Command::Prune {
                keep_last,
                older_than,
                which,
                consent,
            }),
            _,
        ) => {
            let policy = Policy {
                keep_last: *keep_last,
                older_than: *older_than,
            };
            prune(&policy, which, consent, project, terminal).await
        }
        (None, Some(take)) => self::take(take, project, terminal).await,
        (None, None) => Err(Failure::refused("which environment? -n ENVIRONMENT")),
    }
}

async fn take(args: &Take, project: &Project, terminal: &Terminal) -> Result<End, Failure> {
    let database = Database::open(&args.which, &args.consent.answers, project, terminal).await?;
    let wish = Wish {
        name: args.name.clone(),
        fence: args.fence,
        no_wait: args.no_wait,
        keep: args.keep,
    };
    let decide = |facts: &_| snapshot::take(database.target(), facts, database.options(), &wish);
    let planned = database.plan(decide).await?;
    let Some(approved) = Database::ask(planned, &args.consent, terminal)? else {
        return Ok(End::Done);
    };
    let company = if args.fence {
        Company::None
    } else {
        Company::Anybody
    };
    let target = database.target();
    let operation = Operation::begin("snapshot", database.client(), target, terminal)?;
    let journal = database
        .carry_out(&operation, approved, company, decide)
        .await?;
    let Some(name) = snapshot::kept(&journal) else {
        return Err(Failure::half_way("no snapshot was taken"));
    };
    operation.done(&if args.no_wait {
        format!(
            "{target}: VolumeSnapshot {name} is asked for; `snapshot list` says when it is ready"
        )
    } else {
        format!("{target}: VolumeSnapshot {name} is ready")
    });
    let facts = database.facts().await?;
    let listed = snapshot::list(&facts);
    let listed = listed.iter().find(|listed| listed.name == name);
    terminal.data(&listed, || name.to_owned())?;
    Ok(End::Done)
}

/// A recognised cluster and what it says of an environment's database. Nothing is started or built for it.
struct Seen {
    client: Client,
    target: Target,
    facts: Facts,
}

impl Seen {
    async fn look(which: &Which, project: &Project) -> Result<Self, Failure> {
        let inputs = project.inputs()?;
        let chosen = project::choose(&inputs, &which.environment, which.cluster.as_deref())?;
        let client = access::client(chosen.cluster).await?;
        let target = chosen.target(&client);
        let facts = facts(&client, &target.environment).await?;
        Ok(Self {
            client,
            target,
            facts,
        })
    }
}

async fn list(which: &Which, project: &Project, terminal: &Terminal) -> Result<End, Failure> {
    let seen = Seen::look(which, project).await?;
    let listed = snapshot::list(&seen.facts);
    terminal.data(&listed, || show::snapshots(&listed, &seen.target, now()))?;
    Ok(End::Done)
}

async fn delete(
    name: &str,
    which: &Which,
    consent: &Consent,
    project: &Project,
    terminal: &Terminal,
) -> Result<End, Failure> {
    let Seen {
        client,
        target,
        facts,
    } = Seen::look(which, project).await?;
    let plan = snapshot::delete(&target, &facts, name)?;
    let Some(journal) = carry_out(plan, consent, &client, &target, terminal, async || {
        let facts = self::facts(&client, &target.environment).await?;
        Ok(snapshot::delete(&target, &facts, name)?)
    })
    .await?
    else {
        return Ok(End::Done);
    };
    terminal.data(&journal.checklist(), || {
        format!("{target}: the snapshot {name} and what was stored for it are gone")
    })?;
    Ok(End::Done)
}

/// What a policy said, and what it came to.
#[derive(Serialize)]
struct Pruned {
    choice: Choice,
    outcome: Outcome,
}

async fn prune(
    policy: &Policy,
    which: &Which,
    consent: &Consent,
    project: &Project,
    terminal: &Terminal,
) -> Result<End, Failure> {
    let Seen {
        client,
        target,
        facts,
    } = Seen::look(which, project).await?;
    let began: Timestamp = now();
    let (choice, plan) = snapshot::prune(&target, &facts, policy, began)?;
    terminal.say(&show::choice(&choice));
    if plan.is_empty() {
        let outcome = Outcome::default();
        let pruned = Pruned { choice, outcome };
        terminal.data(&pruned, || format!("{target}: nothing to prune"))?;
        return Ok(End::Done);
    }
    let Some(journal) = carry_out(plan, consent, &client, &target, terminal, async || {
        let facts = self::facts(&client, &target.environment).await?;
        Ok(snapshot::prune(&target, &facts, policy, began)?.1)
    })
    .await?
    else {
        return Ok(End::Done);
    };
    let outcome = snapshot::outcome(&choice, &journal);
    let end = if outcome.failed.is_empty() {
        End::Done
    } else {
        End::HalfWay
    };
    let pruned = Pruned { choice, outcome };
    terminal.data(&pruned, || show::pruned(&pruned.outcome))?;
    Ok(end)
}

/// Shows, asks and does; nothing when it was only to be shown.
async fn carry_out(
    plan: Plan,
    consent: &Consent,
    client: &Client,
    target: &Target,
    terminal: &Terminal,
    again: impl AsyncFnOnce() -> Result<Plan, Failure>,
) -> Result<Option<longrun_core::journal::Journal>, Failure> {
    let verb = plan.operation.clone();
    let Some(approved) = Database::ask(plan, consent, terminal)? else {
        return Ok(None);
    };
    let operation = Operation::begin(&verb, client, target, terminal)?;
    let approved = operation.renew(approved, 0, again()).await?;
    let driven = operation.drive(approved, None).await;
    let journal = driven
        .map_err(|failure| failure.hint(AGAIN))?
        .map_err(Failure::half_way)?;
    operation.done(&format!("{verb} of {target}: done"));
    Ok(Some(journal))
}
