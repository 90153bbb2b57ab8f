//! `cargo xtask status`

use longrun_core::journal::Checklist;
use longrun_kubernetes::{Attempted, Client, Reading, Running, Status, TestJob, Workload, status};
use serde::Serialize;
use serde_json::Value;

use crate::{
    access,
    failure::{End, Failure},
    project::Project,
    terminal::Terminal,
};

/// What runs where: the node, the service, the tests of late, and who is at work.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One environment only.
    #[arg(short = 'n', long = "environment", value_name = "ENVIRONMENT")]
    environment: Option<String>,
    /// Another cluster than the environments' usual one.
    #[arg(long)]
    cluster: Option<String>,
}

/// One environment, as a document.
#[derive(Serialize)]
struct Shown {
    cluster: String,
    #[serde(flatten)]
    status: Status,
}

/// How many tests are listed before those that failed.
const LATEST: usize = 5;

/// After so many seconds the holder of a lease is not at work any more, unless clocks differ.
const SILENT: i64 = 30;

/// The usual schedule of the tests.
const EVERY_MINUTE: &str = "* * * * *";

pub(crate) async fn run(
    args: &Args,
    project: &Project,
    terminal: &Terminal,
) -> Result<End, Failure> {
    let inputs = project.inputs()?;
    let (environment, cluster) = (args.environment.as_deref(), args.cluster.as_deref());
    let mut shown: Vec<Shown> = Vec::new();
    for (chosen, client) in access::each(&inputs, environment, cluster).await? {
        let environment = chosen.environment.name.as_str();
        shown.push(look(&client, chosen.cluster.name.as_str(), environment).await?);
    }
    print(&shown, terminal)
}

/// The closing screen of a deployment.
pub(crate) async fn show(
    client: &Client,
    cluster: &str,
    environment: &str,
    terminal: &Terminal,
) -> Result<End, Failure> {
    print(&[look(client, cluster, environment).await?], terminal)
}

async fn look(client: &Client, cluster: &str, environment: &str) -> Result<Shown, Failure> {
    let status = status(client, environment)
        .await
        .map_err(|error| Failure::refused(Failure::chain(&error)))?;
    Ok(Shown {
        cluster: cluster.to_owned(),
        status,
    })
}

fn print(shown: &[Shown], terminal: &Terminal) -> Result<End, Failure> {
    terminal.data(&shown, || {
        shown.iter().map(screen).collect::<Vec<_>>().join("\n\n")
    })?;
    Ok(End::Done)
}

fn screen(shown: &Shown) -> String {
    let title = format!("{}/{}", shown.cluster, shown.status.environment);
    let Some(running) = &shown.status.running else {
        return format!(
            "{title}  is not deployed: cargo xtask deploy -n {}",
            shown.status.environment
        );
    };
    let mut lines = vec![if running.terminating {
        format!("{title}  IS BEING DELETED")
    } else {
        title
    }];
    lines.push(format!("  restate        {}", node(running)));
    lines.push(format!(
        "  verification   {}",
        running
            .service
            .as_ref()
            .map_or("not deployed".to_owned(), ready)
    ));
    lines.push(format!("  invocations    {}", invocations(running)));
    lines.push(format!("  operation      {}", operation(running)));
    let unfinished = reading(&running.unfinished, |list| {
        list.as_ref().map_or_else(String::new, unfinished)
    });
    if !unfinished.is_empty() {
        lines.push(format!("  NOT FINISHED   {unfinished}"));
    }
    lines.push(format!(
        "  snapshots      {}",
        reading(&running.snapshots, ToString::to_string)
    ));
    lines.push(format!("  tests          {}", schedule(running)));
    lines.extend(tests(&running.tests).map(|test| format!("    {}", line(test))));
    lines.join("\n")
}

fn node(running: &Running) -> String {
    let Some(node) = &running.node else {
        return "not deployed".to_owned();
    };
    let phase = node.phase.as_deref().unwrap_or("no pod");
    let image = node.image.as_deref().unwrap_or("unknown image");
    let containers = format!(
        "{}/{} containers ready",
        node.ready_containers, node.containers
    );
    format!(
        "{}, {phase}, {containers}, {} restarts, {image}",
        ready(&node.pods),
        node.restarts
    )
}

fn ready(workload: &Workload) -> String {
    format!("{}/{} ready", workload.ready, workload.wanted)
}

/// The observer's own counts of what is not completed, without those that are nothing.
fn invocations(running: &Running) -> String {
    reading(&running.invocations, |numbers| {
        let field = |name: &str| numbers.0.get(name);
        if field("known").and_then(Value::as_bool) != Some(true) {
            let why = field("error").and_then(Value::as_str);
            return format!("unknown: {}", why.unwrap_or("the observer does not say"));
        }
        let parts: Vec<String> = field("by_status")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter(|(_, count)| count.as_u64() != Some(0))
            .map(|(status, count)| format!("{count} {status}"))
            .collect();
        if parts.is_empty() {
            "none open".to_owned()
        } else {
            parts.join(", ")
        }
    })
}

fn operation(running: &Running) -> String {
    reading(&running.holder, |holder| match holder {
        None => "none".to_owned(),
        Some(holding) => {
            let silent = match holding.silent_seconds {
                Some(seconds) if seconds > SILENT => {
                    format!(", SILENT for {seconds} s: the next operation takes over")
                }
                _ => String::new(),
            };
            format!(
                "{} by {} since {}{silent}",
                holding.operation, holding.who, holding.since
            )
        }
    })
}

/// `a wipe: 7 of 19 steps; next is …`
fn unfinished(list: &Checklist) -> String {
    let ended = list.items.iter().filter(|item| item.ended.is_some());
    format!(
        "a {} {}; {} of {} steps; next: {}; see it, go on or take it back: cargo xtask wipe -n {} --status",
        list.operation,
        list.state,
        ended.count(),
        list.items.len(),
        list.next.as_deref().unwrap_or("nothing"),
        list.target.environment
    )
}

fn schedule(running: &Running) -> String {
    let count = |result: fn(&Attempted) -> bool| {
        running
            .tests
            .iter()
            .filter(|test| result(&test.result))
            .count()
    };
    let state = match running.suspended {
        None => "not deployed",
        Some(true) => "SUSPENDED",
        Some(false) if running.schedule.as_deref() == Some(EVERY_MINUTE) => "every minute",
        Some(false) => running.schedule.as_deref().unwrap_or("no schedule"),
    };
    format!(
        "{state}; kept: {} succeeded, {} running, {} failed",
        count(|result| *result == Attempted::Succeeded),
        count(|result| *result == Attempted::Running),
        count(|result| matches!(result, Attempted::Failed(_)))
    )
}

/// The latest ones, and every one that failed.
fn tests(tests: &[TestJob]) -> impl Iterator<Item = &TestJob> {
    tests
        .iter()
        .enumerate()
        .filter(|(index, test)| *index < LATEST || matches!(test.result, Attempted::Failed(_)))
        .map(|(_, test)| test)
}

fn line(test: &TestJob) -> String {
    let result = match &test.result {
        Attempted::Running => "running".to_owned(),
        Attempted::Succeeded => "verified".to_owned(),
        Attempted::Failed(why) => format!("FAILED: {why}"),
        Attempted::Interrupted(operation) => format!("interrupted by a {operation}, no failure"),
    };
    let attempts = match test.attempts {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    };
    let took = test
        .seconds
        .map_or_else(String::new, |seconds| format!(", {seconds} s"));
    format!("{}  {result}, {attempts}{took}", test.name)
}

/// What is not known is said so, with the reason.
fn reading<T>(reading: &Reading<T>, known: impl Fn(&T) -> String) -> String {
    match reading {
        Reading::Known(value) => known(value),
        Reading::Unknown(why) => format!("unknown: {why}"),
    }
}
