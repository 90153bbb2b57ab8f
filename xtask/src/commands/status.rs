//! `cargo xtask status`

use std::time::{Duration, Instant};

use jiff::Timestamp;
use longrun_core::inputs::Inputs;
use longrun_kubernetes::{Client, Status, status};
use serde::Serialize;

use crate::{
    access::{self, Reached},
    deployment::Deployment,
    drift::{self, Drift},
    failure::{ExitStatus, Failure},
    interrupt::Interrupts,
    project::Project,
    show,
    terminal::Terminal,
    which::Any,
};

/// Show the node, the service, drift, running operations, snapshots, and the tests and faults of the last hour.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Any,
    /// Refresh every five seconds until Ctrl-C. In a pipe, one look follows the other.
    #[arg(long)]
    watch: bool,
}

/// One environment, as a document.
#[derive(Serialize)]
struct Shown {
    cluster: String,
    #[serde(flatten)]
    seen: Seen,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Seen {
    Known {
        #[serde(flatten)]
        status: Box<Status>,
        #[serde(skip_serializing_if = "Option::is_none")]
        drift: Option<Drift>,
    },
    Unknown {
        environment: String,
        #[serde(rename = "unknown", serialize_with = "message")]
        why: Failure,
    },
}

fn message<S: serde::Serializer>(failure: &Failure, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&failure.message)
}

const PAUSE: Duration = Duration::from_secs(5);

/// Comparing everything with what is rendered asks much of the API server: not more often than this.
const COMPARED_EVERY: Duration = Duration::from_secs(60);

pub(crate) async fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let inputs = project.inputs()?;
    let mut observation = Look::new(args, &inputs, project).await?;
    if !args.watch {
        let shown = observation.look().await;
        return all_seen(print(&shown, terminal).map(|_| shown)?);
    }
    let interrupts = Interrupts::listen()?;
    loop {
        let shown = tokio::select! {
            shown = observation.look() => shown,
            () = interrupts.first() => return Ok(ExitStatus::Done),
        };
        terminal.redraw()?;
        if !print(&shown, terminal)? {
            return Ok(ExitStatus::Done);
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = interrupts.first() => return Ok(ExitStatus::Done),
        }
    }
}

/// What is looked at, once or again and again.
struct Look<'a> {
    args: &'a Args,
    inputs: &'a Inputs,
    project: &'a Project,
    each: Vec<Reached<'a>>,
    /// Of each of them, and when it was compared.
    drifts: Vec<Option<(Instant, Drift)>>,
}

impl<'a> Look<'a> {
    async fn new(
        args: &'a Args,
        inputs: &'a Inputs,
        project: &'a Project,
    ) -> Result<Self, Failure> {
        let each = access::each(&args.which, inputs, project).await?;
        Ok(Self {
            args,
            inputs,
            project,
            drifts: each.iter().map(|_| None).collect(),
            each,
        })
    }

    async fn look(&mut self) -> Vec<Shown> {
        // A cluster that was not there may have come.
        if self.each.iter().any(|reached| reached.client.is_err())
            && let Ok(each) = access::each(&self.args.which, self.inputs, self.project).await
        {
            self.each = each;
        }
        // One moment for all of them, so that their minutes can be compared.
        let mut at = None;
        let mut shown = Vec::new();
        for (reached, drift) in self.each.iter().zip(&mut self.drifts) {
            let seen = match &reached.client {
                Ok(client) => {
                    let at = *at.get_or_insert_with(|| client.now());
                    self::seen(reached, client, at, drift, self.project).await
                }
                Err(failure) => Err(failure.clone()),
            };
            let seen = seen.unwrap_or_else(|why| Seen::Unknown {
                environment: reached.chosen.environment.name.to_string(),
                why,
            });
            shown.push(Shown {
                cluster: reached.chosen.cluster.name.to_string(),
                seen,
            });
        }
        shown
    }
}

async fn seen(
    reached: &Reached<'_>,
    client: &Client,
    at: Timestamp,
    last: &mut Option<(Instant, Drift)>,
    project: &Project,
) -> Result<Seen, Failure> {
    let status = self::status_of(client, reached.chosen.environment.name.as_str(), at).await?;
    let is_old = |(at, _): &(Instant, Drift)| at.elapsed() >= COMPARED_EVERY;
    if status.running.is_none() {
        *last = None;
    } else if last.as_ref().is_none_or(is_old) {
        let drift = match Deployment::of_what_is_built(&reached.chosen, client, project).await {
            Ok(deployment) => drift::of(&deployment).await,
            Err(failure) => Drift::Unknown(failure.message),
        };
        *last = Some((Instant::now(), drift));
    }
    Ok(Seen::Known {
        status: Box::new(status),
        drift: last.as_ref().map(|(_, drift)| drift.clone()),
    })
}

async fn status_of(client: &Client, environment: &str, at: Timestamp) -> Result<Status, Failure> {
    status(client, environment, at)
        .await
        .map_err(|error| Failure::refused(Failure::chain(&error)))
}

/// The closing screen of a deployment, after which there is no drift.
pub(crate) async fn show(
    client: &Client,
    cluster: &str,
    environment: &str,
    terminal: &Terminal,
) -> Result<ExitStatus, Failure> {
    let status = Box::new(status_of(client, environment, client.now()).await?);
    let shown = Shown {
        cluster: cluster.to_owned(),
        seen: Seen::Known {
            status,
            drift: None,
        },
    };
    print(&[shown], terminal)?;
    Ok(ExitStatus::Done)
}

/// Whether anybody reads it still.
fn print(shown: &[Shown], terminal: &Terminal) -> Result<bool, Failure> {
    let screens = || {
        let known = shown
            .iter()
            .filter_map(|Shown { cluster, seen }| match seen {
                Seen::Known { status, .. } => Some((cluster.as_str(), &**status)),
                Seen::Unknown { .. } => None,
            });
        let hours = show::together(&known.collect::<Vec<_>>());
        let mut screens: Vec<String> = Vec::new();
        // A cluster that is out of reach is so for all its environments, for one reason.
        let mut unseen: Vec<(&str, Vec<String>)> = Vec::new();
        for Shown { cluster, seen } in shown {
            match seen {
                Seen::Known { status, drift } => {
                    screens.push(show::status(
                        cluster,
                        status,
                        drift.as_ref(),
                        hours.is_none(),
                    ));
                }
                Seen::Unknown { environment, why } => {
                    let name = format!("{cluster}/{environment}");
                    match unseen.iter_mut().find(|(other, _)| *other == why.message) {
                        Some((_, names)) => names.push(name),
                        None => unseen.push((&why.message, vec![name])),
                    }
                }
            }
        }
        let unseen = unseen.iter().map(|(why, names)| show::unseen(names, why));
        screens.extend(unseen.chain(hours.clone()));
        screens.join("\n\n")
    };
    terminal.data_to_reader(&shown, screens)
}

/// One that could not be looked at makes a command fail that shows the others.
fn all_seen(shown: Vec<Shown>) -> Result<ExitStatus, Failure> {
    let all = shown.len();
    let unseen = shown.into_iter().filter_map(|shown| match shown.seen {
        Seen::Unknown { why, .. } => Some(why),
        Seen::Known { .. } => None,
    });
    let unseen: Vec<Failure> = unseen.collect();
    let Some(first) = unseen.first() else {
        return Ok(ExitStatus::Done);
    };
    let mut failure = Failure::refused(match all {
        1 => first.message.clone(),
        _ => format!(
            "{} of {all} environments could not be read: {}",
            unseen.len(),
            first.message
        ),
    });
    for hint in unseen.iter().flat_map(|failure| &failure.hints) {
        if !failure.hints.contains(hint) {
            failure = failure.hint(hint);
        }
    }
    Err(failure)
}
