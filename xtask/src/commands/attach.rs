//! `cargo xtask attach`

use longrun_core::{
    inputs::Period,
    operations::attach::{Wish, plan},
};
use longrun_kubernetes::Over;
use serde::Serialize;

use crate::{
    attachment::{Attachment, who},
    database::Database,
    failure::{ExitStatus, Failure},
    operation::Operation,
    project::Project,
    show,
    terminal::{Answers, Terminal},
    which::Which,
};

/// Mount a copy of a snapshot at /target in a busybox pod, for as long as this command runs.
///
/// The pod has the snapshot's name. Ctrl-C or closing the terminal removes it with its volume; if this command is
/// killed, both are removed within about a minute.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// A snapshot; `snapshot list` shows them.
    #[arg(short = 's', long, value_name = "SNAPSHOT")]
    snapshot: String,
    /// Mount the copy writable. The snapshot is never changed.
    #[arg(long)]
    writable: bool,
    /// Remove it after this time, such as 30m or 4h.
    #[arg(long, value_name = "TIME", default_value = "4h")]
    ttl: Period,
    /// Print the plan, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// What is attached, as a document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attached<'a> {
    cluster: &'a str,
    namespace: &'a str,
    pod: &'a str,
    path: &'a str,
    writable: bool,
    command: String,
}

pub(crate) async fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let database = Database::open(&args.which, &Answers::default(), project, terminal).await?;
    let wish = Wish {
        snapshot: args.snapshot.clone(),
        writable: args.writable,
        longest: args.ttl.duration(),
        who: who(),
    };
    let target = database.target();
    let planned = database
        .plan(|facts| plan(target, facts, database.options(), &wish))
        .await?;
    if args.dry_run {
        show::dry_run(&planned, "nothing was changed", terminal)?;
        return Ok(ExitStatus::Done);
    }
    let operation = Operation::begin("attach", database.client(), target, terminal)?;
    let attachment = Attachment::make(&database, &operation, planned, &wish, terminal).await?;
    let mode = if args.writable {
        "writable"
    } else {
        "read-only"
    };
    let interrupts = operation.done(&format!(
        "{target}: a copy of {} is at /target, {mode}, until Ctrl-C",
        args.snapshot
    ));
    let attached = Attached {
        cluster: &target.cluster,
        namespace: &target.environment,
        pod: &args.snapshot,
        path: "/target",
        writable: args.writable,
        command: format!(
            "kubectl -n {} exec -it {} -- sh",
            target.environment, args.snapshot
        ),
    };
    // Whoever reads this may be gone: it ends in order all the same.
    let told = terminal.data(&attached, || attached.command.clone());
    let over = match &told {
        Err(_) => None,
        Ok(()) => tokio::select! {
            over = attachment.over() => Some(over),
            () = interrupts.first() => None,
        },
    };
    let ended = attachment.end(&interrupts, terminal).await;
    told?;
    match over {
        Some(Over::Lost(cause)) => {
            let failure = Failure::half_way(format!("the attachment is over: {cause}"));
            Err(match ended {
                Ok(()) => failure.hint("attach again: the snapshot stays"),
                Err(other) => failure.after(&other.message),
            })
        }
        Some(Over::Time) => {
            terminal.say("its time is over (--ttl)");
            ended.map(|()| ExitStatus::Done)
        }
        None => ended.map(|()| ExitStatus::Done),
    }
}
