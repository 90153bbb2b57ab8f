//! `cargo xtask wipe`

use longrun_core::operations::wipe::{Copy, plan};

use crate::{
    commands::volume_replacement,
    database::Database,
    failure::{ExitStatus, Failure},
    operation::{Consent, Locking, Operation, ask},
    project::Project,
    terminal::Terminal,
    which::Which,
};

/// Replace the database by an empty one, and keep the present one as a snapshot that was read and compared.
///
/// The tests are suspended, the node stops, the snapshot is taken and verified, the claim is deleted, and everything
/// that ran before runs again. Each step is recorded in the namespace before it is taken: after a kill, continue with
/// `operation resume`, or take it back with `operation abort`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The environment, which is also the namespace.
    #[arg(
        short = 'n',
        long = "environment",
        visible_alias = "namespace",
        value_name = "ENVIRONMENT",
        required_unless_present_any = ["resume", "abort", "status"]
    )]
    environment: Option<String>,
    /// The cluster, in place of LONGRUN_CLUSTER or the environment's usual one.
    #[arg(long)]
    cluster: Option<String>,
    #[command(flatten)]
    consent: Consent,
    /// Keep NO copy of the database, for when snapshots are broken and the data must go.
    #[arg(long)]
    destroy_without_snapshot: bool,
    #[command(flatten)]
    moved: Moved,
}

/// Flags that are commands now.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Moved {
    #[arg(long, hide = true)]
    resume: bool,
    #[arg(long, hide = true)]
    abort: bool,
    #[arg(long, hide = true)]
    status: bool,
}

pub(crate) async fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    if let Some(verb) = args.moved.verb() {
        return Err(moved(verb, args, project, terminal));
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
    let Some(approved) = ask(planned, &args.consent, terminal)? else {
        return Ok(ExitStatus::Done);
    };
    let operation = Operation::begin("wipe", database.client(), database.target(), terminal)?;
    let again = database.plan(decide);
    let journal = operation
        .carry_out(approved, 0, Locking::Journal, again)
        .await?;
    volume_replacement::report(database.client(), &journal, operation, terminal).await
}

impl Moved {
    fn verb(&self) -> Option<&'static str> {
        match (self.resume, self.abort, self.status) {
            (true, ..) => Some("resume"),
            (_, true, _) => Some("abort"),
            (.., true) => Some("status"),
            (false, false, false) => None,
        }
    }
}

/// Where a flag went, as the command line that was meant.
fn moved(verb: &str, args: &Args, project: &Project, terminal: &Terminal) -> Failure {
    let mut command = format!("cargo xtask operation {verb}");
    let mut flag = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            command.push_str(&format!(" {name} {value}"));
        }
    };
    flag("-n", args.environment.clone());
    flag("--cluster", args.cluster.clone());
    let elsewhere = project.elsewhere();
    flag("--inputs", elsewhere.map(|dir| dir.display().to_string()));
    flag(
        "--output",
        terminal.owes_document().then(|| "json".to_owned()),
    );
    if args.consent.dry_run && verb != "status" {
        command.push_str(" --dry-run");
    }
    Failure::refused(format!(
        "`wipe --{verb}` is now `operation {verb}`, which is also for a restore and a fenced snapshot; nothing was changed"
    ))
    .hint(command)
}
