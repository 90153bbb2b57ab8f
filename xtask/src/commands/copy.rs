//! `cargo xtask copy`

use std::{io::BufReader, path::PathBuf, time::Duration};

use jiff::SignedDuration;
use longrun_copy::{Copied, Destination, Error, Problem, Progress};
use longrun_core::{
    operations::{
        attach::{self, Wish},
        copy::{self, Source},
    },
    plan::{Plan, Target},
};
use longrun_kubernetes::{Client, Exec, Over, Stdin, to_carry_out, to_exec};
use serde::Serialize;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::io::SyncIoBridge;

use crate::{
    access,
    attachment::{Attachment, who},
    database::{self, Database},
    failure::{ExitStatus, Failure},
    interrupt::Interrupts,
    operation::Operation,
    project::Project,
    sender::{Sender, Stream},
    show,
    terminal::{Answers, Terminal},
    which::Which,
};

/// Copy a database to this machine: compressed, every hash checked, resumable.
///
/// Written as DEST.partial, renamed to DEST when complete, with a manifest beside it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Copy a snapshot; `snapshot list` shows them.
    #[arg(
        short = 's',
        long,
        value_name = "SNAPSHOT",
        required_unless_present = "live",
        conflicts_with = "live"
    )]
    snapshot: Option<String>,
    /// Copy the database that the node is writing to. Files that change meanwhile are listed, and the copy is then not
    /// consistent.
    #[arg(long)]
    live: bool,
    /// A directory that does not exist yet.
    #[arg(value_name = "DEST")]
    destination: PathBuf,
    /// Print what would be attached, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// A copy that takes longer is better made in two: what is here is not sent again.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// How long is waited for the sender's last words.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// What the stream is read in.
const PIECE: usize = 256 << 10;

/// A copy, as a document.
#[derive(Serialize)]
struct Made<'a> {
    source: &'a str,
    #[serde(flatten)]
    copied: &'a Copied,
}

pub(crate) async fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    // What a pod has mounted already needs nothing that is rendered, and no image.
    let inputs = project.inputs()?;
    let Which {
        environment,
        cluster,
    } = &args.which;
    let chosen = project.choose(&inputs, environment, cluster.as_deref())?;
    let client = access::client(&chosen).await?;
    let target = chosen.target(&client);
    let exec = to_exec(&target.environment);
    let source = match &args.snapshot {
        None => {
            let decide = |facts: &_| copy::live(&target, facts);
            database::permitted(&client, &target, decide, |_| exec.clone()).await?
        }
        Some(snapshot) => {
            let decide = |facts: &_| copy::attached(&target, facts, snapshot);
            let takes = |source: &Option<_>| source.iter().flat_map(|_| exec.clone()).collect();
            match database::permitted(&client, &target, decide, takes).await? {
                Some(source) => source,
                None => return attaching(snapshot, args, project, terminal).await,
            }
        }
    };
    let destination = destination(args, &source)?;
    if args.dry_run {
        return shown(&source, None, terminal);
    }
    let operation = Operation::begin("copy", &client, &target, terminal)?;
    let copied = stream(&client, &target, &source, destination, None, &operation).await;
    done(&copied, operation);
    told(&copied?, &source, terminal)
}

/// Of a snapshot that is attached for as long as the copy takes.
async fn attaching(
    snapshot: &str,
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let database = Database::open(&args.which, &Answers::default(), project, terminal).await?;
    let (client, target) = (database.client(), database.target());
    let wish = Wish {
        snapshot: snapshot.to_owned(),
        writable: false,
        longest: LONGEST,
        who: who(),
    };
    let decide = |facts: &_| attach::plan(target, facts, database.options(), &wish);
    let takes = |plan: &Plan| {
        let plan = to_carry_out(plan).into_iter();
        plan.chain(to_exec(&target.environment)).collect()
    };
    let plan = database::permitted(client, target, decide, takes).await?;
    let source = copy::of_snapshot(target, snapshot);
    let destination = destination(args, &source)?;
    if args.dry_run {
        return shown(&source, Some(&plan), terminal);
    }
    let operation = Operation::begin("copy", client, target, terminal)?;
    let attachment = Attachment::make(&database, &operation, plan, &wish, terminal).await?;
    let over = Some(&attachment);
    let copied = stream(client, target, &source, destination, over, &operation).await;
    let interrupts = done(&copied, operation);
    let ended = attachment.end(&interrupts, terminal).await;
    match copied {
        Ok(copied) => told(&copied, &source, terminal).and_then(|end| ended.map(|()| end)),
        Err(failure) => Err(match ended {
            Ok(()) => failure,
            Err(other) => failure.after(&other.message),
        }),
    }
}

fn destination(args: &Args, source: &Source) -> Result<Destination, Failure> {
    Destination::new(&args.destination, &source.name)
        .map_err(|refusal| Failure::refused(Failure::chain(&refusal)))
}

/// The stream is over, and what is attached may have to be taken away.
fn done(copied: &Result<Copied, Failure>, operation: Operation<'_>) -> Interrupts {
    match copied {
        Ok(copied) => operation.done(&format!(
            "{}: {} files, {} bytes, {} of them through the network",
            copied.directory.display(),
            copied.files,
            copied.bytes,
            copied.wire
        )),
        Err(_) => operation.end(),
    }
}

fn shown(
    source: &Source,
    attach: Option<&Plan>,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    terminal.data(&attach.map(show::document), || {
        format!(
            "{}nothing was changed; the copy would be sent by {} in {}/{}",
            attach.map_or_else(String::new, show::plan),
            source.command.join(" "),
            source.pod,
            source.container
        )
    })?;
    Ok(ExitStatus::Done)
}

fn told(copied: &Copied, source: &Source, terminal: &Terminal) -> Result<ExitStatus, Failure> {
    let name = &source.name;
    let made = Made {
        source: name,
        copied,
    };
    terminal.data(&made, || copied.directory.display().to_string())?;
    if copied.consistent {
        return Ok(ExitStatus::Done);
    }
    let changes: Vec<String> = copied
        .changes
        .iter()
        .map(|change| format!("  {change}"))
        .collect();
    let changes = format!(
        "consistent: false: {name} changed while it was copied:\n{}",
        changes.join("\n")
    );
    if source.still {
        return Err(Failure::half_way(format!(
            "{changes}\n{} is there, and it is not that snapshot",
            copied.directory.display()
        ))
        .hint("the attached volume is being written to: find the writer, and copy again to another destination"));
    }
    terminal.say(&changes);
    terminal.say("  → for a copy that is consistent: cargo xtask snapshot, then copy -s");
    Ok(ExitStatus::Done)
}

/// Runs the sender and receives what it sends.
async fn stream(
    client: &Client,
    target: &Target,
    source: &Source,
    destination: Destination,
    attachment: Option<&Attachment<'_>>,
    operation: &Operation<'_>,
) -> Result<Copied, Failure> {
    let Sender { to, from, links } = tokio::select! {
        sender = Sender::start(client, &target.environment, source, operation) => sender?,
        () = operation.interrupts.first() => return Err(Failure::refused("it was interrupted; nothing is here")),
    };
    let (say, mut heard) = watch::channel(None);
    let mut receiving = receive(destination, to, from, say);
    let over = async {
        match attachment {
            Some(attachment) => attachment.over().await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    let broken = loop {
        tokio::select! {
            received = &mut receiving => return match received {
                Ok(received) => ended(received, links.sender).await,
                Err(error) => Err(Failure::half_way(format!("the copy broke off: {error}"))),
            },
            Ok(()) = heard.changed() => {
                if let Some(Progress { done, total }) = *heard.borrow_and_update() {
                    operation.bytes(done, total);
                }
            }
            () = operation.interrupts.first() => break "it was interrupted".to_owned(),
            over = &mut over => break match over {
                Over::Time => "it took longer than an attachment may live".to_owned(),
                Over::Lost(cause) => format!("the attachment is over: {cause}"),
            },
        }
    };
    // Its streams break off, and the receiver says what is here.
    drop(links);
    match receiving.await {
        // It was done in that very moment.
        Ok(Ok(copied)) => Ok(copied),
        Ok(Err(Error::Interrupted(interrupted))) => Err(Failure::half_way(format!(
            "{broken}; {}",
            interrupted.state
        ))
        .hint("run the same command again: it fetches only what is missing")),
        Ok(Err(error)) => Err(Failure::refused(Failure::chain(&error))),
        Err(error) => Err(Failure::half_way(format!("the copy broke off: {error}"))),
    }
}

/// Receives on a thread that may block.
fn receive(
    destination: Destination,
    to: Stdin,
    from: Stream,
    say: watch::Sender<Option<Progress>>,
) -> JoinHandle<Result<Copied, Error>> {
    tokio::task::spawn_blocking(move || {
        let to = SyncIoBridge::new(to);
        let from = BufReader::with_capacity(PIECE, SyncIoBridge::new(from));
        destination.receive(to, from, |progress| {
            let _ = say.send_replace(Some(progress));
        })
    })
}

/// A copy is whole when its end frame came and every hash was right: the sender's status says why it is not.
async fn ended(received: Result<Copied, Error>, sender: Exec) -> Result<Copied, Failure> {
    let error = match received {
        Ok(copied) => return Ok(copied),
        Err(error @ Error::Refused(_)) => return Err(Failure::refused(Failure::chain(&error))),
        Err(Error::Interrupted(interrupted)) => interrupted,
    };
    let failure = Failure::half_way(&error);
    let is_the_senders = matches!(
        error.problem,
        Problem::Cut | Problem::Connection(_) | Problem::NotACopy(_)
    );
    match (is_the_senders, sender.end(LAST_WORDS).await) {
        (true, Err(why)) => Err(failure.hint(format!("of the sender: {why}"))),
        _ => Err(failure),
    }
}
