//! Gathers what is known of failed tests. Whatever cannot be had is part of it, with the reason: pods are
//! evicted, Events expire, and a node that does not answer is what a test may have failed of.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use http::{
    Request,
    header::{ACCEPT, CONTENT_TYPE},
};
use jiff::Timestamp;
use longrun_core::{
    cluster::{Event, Job, Namespace, Pod},
    known::Known,
    names::{LEDGER, NODE_POD, TEST, port},
    object::ObjectRef,
    plan::Target,
    records::Outcome,
    triage::{
        self, Attempt, Case, Evidence, FORMAT, Fault, Twin, faults, minute, watched_events,
        watched_pods,
    },
};
use serde_json::{Value, json};

use crate::{
    client::{Client, IN_FLIGHT},
    failure::Failure,
    resource::encode,
};

mod alone;

pub use alone::{evidence_alone, test_jobs, twin};

/// A node whose partitions have no leader answers only after a while, with an error.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
/// The last lines of an attempt's log. The results come last; what is before them are warnings of the client.
const LINES: usize = 400;
/// In bytes.
const LONGEST_LOG: usize = 256 << 10;
const LOG_PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
const JOB_LABEL: &str = "batch.kubernetes.io/job-name";

/// What there is of one Job.
#[derive(Clone, Debug)]
pub enum Found {
    /// It is there.
    Evidence(Box<Evidence>),
    /// It is not there (any more).
    Absent {
        /// When the namespace was made; nothing when it does not exist.
        made: Option<Timestamp>,
        /// The test Jobs that are there, the newest first.
        kept: Vec<String>,
        /// The ledger of faults, which remembers longer than Jobs are kept.
        faults: Known<Option<Vec<Fault>>>,
    },
}

/// The failed test Jobs that an environment keeps, with their attempts.
///
/// # Errors
/// When the API server does not say which Jobs there are.
pub async fn failed_tests(client: &Client, environment: &str) -> Result<Vec<Case>, Failure> {
    let (jobs, pods) = lists(client, environment).await;
    let jobs = jobs?;
    let failed = jobs.iter().filter(|job| is_failed_test(job));
    Ok(stream::iter(failed)
        .then(|job| case(client, job, &pods))
        .collect()
        .await)
}

/// All that is known of a test Job but what the node knows, and but what it is compared with elsewhere.
///
/// # Errors
/// When the API server does not say whether the Job is there.
pub async fn evidence(
    client: &Client,
    target: &Target,
    job: &str,
    twins: &[String],
    links: BTreeMap<String, String>,
) -> Result<Found, Failure> {
    let environment = target.environment.as_str();
    let (jobs, pods) = lists(client, environment).await;
    let jobs = jobs?;
    let named = |object: &&Job| object.metadata.name == job;
    let found = match jobs.iter().find(named) {
        Some(found) => case(client, found, &pods).await,
        None => return absent(client, environment, &jobs).await,
    };
    let others = jobs.iter().filter(|other| is_failed_test(other));
    let others = stream::iter(others.filter(|other| other.metadata.name != job))
        .then(|other| case(client, other, &pods));
    let twins = stream::iter(twins).then(|twin| twin_of(client, twin, job));
    let (others, events, twins, faults) = tokio::join!(
        others.collect::<Vec<Case>>(),
        client.views::<Event>(environment, ""),
        twins.collect::<Vec<Twin>>(),
        ledger(client, environment),
    );
    Ok(Found::Evidence(Box::new(Evidence {
        format: FORMAT,
        at: client.now(),
        target: target.clone(),
        others: Known::Value(others),
        twins,
        pods: match &pods {
            Known::Value(pods) => Known::Value(watched_pods(pods)),
            Known::Unknown(why) => Known::Unknown(why.clone()),
        },
        events: asked(events.map(|events| watched_events(&events, job))),
        faults,
        invocations: Known::Unknown("the node was not asked".to_owned()),
        counters: Known::Unknown("the node was not asked".to_owned()),
        links,
        case: found,
    })))
}

/// What the node's SQL answers, row by row. The query is sent to the admin interface through the API server.
///
/// # Errors
/// When either does not answer, or the node cannot plan the query.
pub async fn query(client: &Client, environment: &str, sql: &str) -> Result<Vec<Value>, Failure> {
    let asked = format!("ask the node of {environment}");
    let uri = format!(
        "/api/v1/namespaces/{}/pods/{NODE_POD}:{}/proxy/query",
        encode(environment),
        port::ADMIN
    );
    let request = Request::post(uri)
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "application/json");
    let body = json!({"query": sql}).to_string();
    let text = client.ask(&asked, request, body, PATIENCE).await?;
    let rows = serde_json::from_str::<Value>(&text)
        .map_err(|error| error.to_string())
        .and_then(|mut answer| match answer.get_mut("rows").map(Value::take) {
            Some(Value::Array(rows)) => Ok(rows),
            _ => Err("it has no rows".to_owned()),
        });
    rows.map_err(|cause| Failure::Unreadable { asked, cause })
}

/// Jobs and pods of a namespace. Without Jobs there is nothing to say; without pods there is less.
async fn lists(client: &Client, environment: &str) -> (Result<Vec<Job>, Failure>, Known<Vec<Pod>>) {
    let (jobs, pods) = tokio::join!(client.views(environment, ""), client.views(environment, ""));
    (jobs, asked(pods))
}

async fn absent(client: &Client, environment: &str, jobs: &[Job]) -> Result<Found, Failure> {
    let namespace = ObjectRef::whole("v1", "Namespace", environment);
    let made = client.view::<Namespace>(&namespace).await?;
    let tests = jobs.iter().map(|job| job.metadata.name.as_str());
    let mut kept: Vec<(Timestamp, &str)> = tests
        .filter_map(|name| Some((minute(name).ok()?, name)))
        .collect();
    kept.sort_by(|one, other| other.cmp(one));
    Ok(Found::Absent {
        made: made.map(|made| made.metadata.created),
        kept: kept.into_iter().map(|(_, name)| name.to_owned()).collect(),
        faults: ledger(client, environment).await,
    })
}

/// The faults of an environment; nothing where none was ever recorded.
async fn ledger(client: &Client, environment: &str) -> Known<Option<Vec<Fault>>> {
    let reference = ObjectRef::namespaced("v1", "ConfigMap", environment, LEDGER);
    match client.get(&reference).await {
        Err(failure) => Known::Unknown(failure.words()),
        Ok(None) => Known::Value(None),
        Ok(Some(ledger)) => match faults(&ledger) {
            Ok(faults) => Known::Value(Some(faults)),
            Err(why) => Known::Unknown(why),
        },
    }
}

async fn twin_of(client: &Client, environment: &str, job: &str) -> Twin {
    let reference = ObjectRef::namespaced("batch/v1", "Job", environment, job);
    let found = match client.view::<Job>(&reference).await {
        Err(failure) => Known::Unknown(failure.words()),
        Ok(None) => Known::Value(None),
        Ok(Some(found)) => {
            let selector = format!("labelSelector={}", encode(&format!("{JOB_LABEL}={job}")));
            let pods = asked(client.views(environment, &selector).await);
            Known::Value(Some(case(client, &found, &pods).await))
        }
    };
    Twin {
        environment: environment.to_owned(),
        case: found,
    }
}

/// A Job with its attempts.
async fn case(client: &Client, job: &Job, pods: &Known<Vec<Pod>>) -> Case {
    let attempts = match pods {
        Known::Unknown(why) => Known::Unknown(why.clone()),
        Known::Value(pods) => {
            let owned = pods
                .iter()
                .filter(|pod| pod.metadata.is_owned_by(&job.metadata.uid));
            let attempts: Vec<Attempt> = stream::iter(owned.map(Attempt::of))
                .map(|attempt| with_log(client, job, attempt))
                .buffer_unordered(IN_FLIGHT)
                .collect()
                .await;
            Known::Value(attempts)
        }
    };
    Case {
        job: triage::Job::from(job),
        attempts,
    }
}

async fn with_log(client: &Client, job: &Job, mut attempt: Attempt) -> Attempt {
    if attempt.started.is_none() {
        attempt.log = Known::Unknown("its container has not started".to_owned());
        return attempt;
    }
    let namespace = job.metadata.namespace.as_deref();
    let uri = format!(
        "/api/v1/namespaces/{}/pods/{}/log?container={TEST}&tailLines={LINES}",
        encode(namespace.unwrap_or_default()),
        encode(&attempt.pod)
    );
    let log = client.read("read the log", &uri, LOG_PATIENCE).await;
    attempt.log = log.map_or_else(
        |failure| Known::Unknown(failure.words()),
        |text| as_log(&text),
    );
    attempt
}

fn as_log(text: &str) -> Known<Vec<String>> {
    if text.starts_with(NO_LOG) {
        Known::Unknown(text.trim().to_owned())
    } else {
        Known::Value(last_lines(text))
    }
}

/// What the kubelet says in place of a log that is gone with its container, as if it were one (Kubernetes 1.36: with
/// code 200).
const NO_LOG: &str = "unable to retrieve container logs for ";

/// The end of a log: whoever writes long lines shall not fill a disk.
fn last_lines(log: &str) -> Vec<String> {
    let mut room = LONGEST_LOG;
    let mut lines: Vec<String> = log
        .lines()
        .rev()
        .take_while(|line| {
            let fits = line.len() <= room;
            room = room.saturating_sub(line.len());
            fits
        })
        .map(str::to_owned)
        .collect();
    lines.reverse();
    lines
}

fn is_failed_test(job: &Job) -> bool {
    minute(&job.metadata.name).is_ok()
        && Outcome::of(&triage::Job::from(job)) == Some(Outcome::Failed)
}

/// The id of the program that a test's Job ran; `None` when there is no such Job, or it names no program.
///
/// # Errors
/// When the API server does not say.
pub async fn stamped(
    client: &Client,
    environment: &str,
    job: &str,
) -> Result<Option<String>, Failure> {
    let job = ObjectRef::namespaced("batch/v1", "Job", environment, job);
    let found = client.view::<Job>(&job).await?;
    Ok(found.and_then(|job| job.program()))
}

fn asked<T>(answer: Result<T, Failure>) -> Known<T> {
    answer.map_err(|failure| failure.words()).into()
}

#[cfg(test)]
mod tests;
