//! `cargo xtask snapshot`

use clap::Subcommand;
use longrun_core::{
    inputs::Period,
    operations::snapshot::{self, Adoption, Policy, Wish},
};

use crate::{
    database::Database,
    failure::{ExitStatus, Failure},
    operation::{Consent, Locking, Operation, ask},
    project::Project,
    terminal::Terminal,
    which::{Any, Which},
};

mod orphans;
mod stored;

/// Take a snapshot of the database, or manage the existing ones.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    take: Take,
}

/// Take a snapshot of the database.
#[derive(Debug, clap::Args)]
struct Take {
    /// The environment, which is also the namespace.
    #[arg(
        short = 'n',
        long = "environment",
        visible_alias = "namespace",
        value_name = "ENVIRONMENT",
        required = true
    )]
    environment: Option<String>,
    /// The cluster, in place of LONGRUN_CLUSTER or the environment's usual one.
    #[arg(long)]
    cluster: Option<String>,
    /// The snapshot's name [default: the claim's name and the time]
    #[arg(long)]
    name: Option<String>,
    /// Stop the node while the storage fixes the point in time, so that the snapshot has everything that was written.
    /// Without it, the snapshot is what a power failure would leave, which Restate is made to open.
    #[arg(long)]
    fence: bool,
    /// Do not wait until the snapshot can be restored, which may take hours for a large database.
    #[arg(long)]
    no_wait: bool,
    /// Never let `prune` delete it.
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    consent: Consent,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List snapshots, newest first, and stored ones whose VolumeSnapshot or namespace is gone (ORPHANED).
    List {
        #[command(flatten)]
        which: Any,
    },
    /// Make an ORPHANED snapshot usable again: a VolumeSnapshot in an environment, of the same stored data.
    Adopt {
        /// Its VolumeSnapshotContent; `snapshot list` shows it.
        content: String,
        /// The name of the new VolumeSnapshot; by default the old one.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        which: Any,
        #[command(flatten)]
        consent: Consent,
    },
    /// Delete a snapshot and the data it stores.
    Delete {
        /// A snapshot; `snapshot list` shows them.
        name: String,
        #[command(flatten)]
        which: Any,
        #[command(flatten)]
        consent: Consent,
    },
    /// Delete old snapshots of one environment, and keep the newest of each claim.
    ///
    /// Kept in any case: the copy of a database that a wipe or a restore deleted, snapshots of failures, those taken
    /// with --keep, in use or unfinished, and the last one of each claim that can be restored. -n may be omitted where
    /// only one environment has something to prune.
    Prune {
        /// Keep this many of the newest for each claim, by its UID.
        #[arg(long, value_name = "COUNT")]
        keep_last: usize,
        /// Delete only snapshots older than this, such as 36h or 14d.
        #[arg(long, value_name = "TIME")]
        older_than: Period,
        #[command(flatten)]
        which: Any,
        #[command(flatten)]
        consent: Consent,
    },
}

pub(crate) async fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    match &args.command {
        None => take(&args.take, project, terminal).await,
        Some(Command::List { which }) => stored::list(which, project, terminal).await,
        Some(Command::Adopt {
            content,
            name,
            which,
            consent,
        }) => {
            let wish = Adoption {
                content: content.clone(),
                name: name.clone(),
            };
            orphans::adopt(&wish, which, consent, project, terminal).await
        }
        Some(Command::Delete {
            name,
            which,
            consent,
        }) => stored::delete(name, which, consent, project, terminal).await,
        Some(Command::Prune {
            keep_last,
            older_than,
            which,
            consent,
        }) => {
            let policy = Policy {
                keep_last: *keep_last,
                older_than: older_than.duration(),
            };
            stored::prune(&policy, which, consent, project, terminal).await
        }
    }
}

async fn take(args: &Take, project: &Project, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let which = Which {
        // Required where no subcommand is given.
        environment: args.environment.clone().unwrap_or_default(),
        cluster: args.cluster.clone(),
    };
    let database = Database::open(&which, &args.consent.answers, project, terminal).await?;
    let wish = Wish {
        name: args.name.clone(),
        fence: args.fence,
        no_wait: args.no_wait,
        keep: args.keep,
    };
    let decide = |facts: &_| snapshot::take(database.target(), facts, database.options(), &wish);
    let planned = database.plan(decide).await?;
    let Some(approved) = ask(planned, &args.consent, terminal)? else {
        return Ok(ExitStatus::Done);
    };
    let locking = if args.fence {
        Locking::Journal
    } else {
        Locking::None
    };
    let target = database.target();
    let operation = Operation::begin("snapshot", database.client(), target, terminal)?;
    let again = database.plan(decide);
    let journal = operation.carry_out(approved, 0, locking, again).await?;
    let Some(name) = snapshot::taken(&journal) else {
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
    Ok(ExitStatus::Done)
}
