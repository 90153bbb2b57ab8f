//! One environment at a glance: what runs, how the tests of the last hour went, what is in progress. Absence
//! of data is unknown, never zero and never green.

use jiff::Timestamp;
use longrun_core::{
    cluster::{self, CronJob, Namespace, Pod},
    faults::RotationStatus,
    journal::Checklist,
    known::Known,
    names::{NODE, NODE_POD, SERVICE, TEST},
    object::ObjectRef,
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    client::Client, data::last_operation, failure::Failure, faults::rotation_status, lease,
    observation::invocations, resource::Collection, volumes::kept_by,
};

#[cfg(test)]
mod agreement;
mod hour;
#[cfg(test)]
mod tests;
mod tests_of;

pub use hour::{Fault, Hour};
pub use tests_of::{Attempted, TestJob};

/// One environment as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The namespace.
    pub environment: String,
    /// The moment of the look, which those of several environments share: the cells of the hour end with the last
    /// full minute before it.
    pub at: Timestamp,
    /// `None` when the namespace does not exist.
    pub running: Option<Running>,
}

/// What runs in a namespace that exists.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// It is being deleted.
    pub terminating: bool,
    /// The Restate node; `None` when its StatefulSet does not exist.
    pub node: Option<Node>,
    /// The verification service; `None` when its Deployment does not exist.
    pub service: Option<Workload>,
    /// What the node's SQL says, through the observer.
    pub invocations: Known<Numbers>,
    /// When tests begin, as cron writes it; `None` when there is no CronJob.
    pub schedule: Option<String>,
    /// Whether the schedule of the tests is suspended; `None` when there is no schedule.
    pub suspended: Option<bool>,
    /// The test Jobs that Kubernetes still keeps, newest first.
    pub tests: Vec<TestJob>,
    /// The tests and the faults of the last hour.
    pub hour: Hour,
    /// The operation in progress, if there is one.
    pub holder: Known<Option<Holding>>,
    /// The last operation on the database, if it is not finished; perhaps nobody is at work on it.
    pub unfinished: Known<Option<Checklist>>,
    /// What of its faults happens by itself; nothing where nobody asks for any.
    pub chaos: Known<Option<RotationStatus>>,
    /// How many VolumeSnapshots the namespace has.
    pub snapshots: Known<usize>,
}

/// The Restate node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Pods that are ready, of those that are wanted.
    pub pods: Workload,
    /// `Running`, `Pending`, …; `None` without a pod.
    pub phase: Option<String>,
    /// Containers that are ready.
    pub ready_containers: usize,
    /// Containers that there are.
    pub containers: usize,
    /// Restarts of its containers since the pod was made.
    pub restarts: u64,
    /// Image of the node's container.
    pub image: Option<String>,
    /// When the pod was made.
    pub since: Option<Timestamp>,
}

/// Ready pods of those wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Ready.
    pub ready: u64,
    /// Wanted.
    pub wanted: u64,
}

/// What the observer says of the node's invocations, by its own names.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Numbers(pub Value);

/// The operation that holds the lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Holding {
    /// Who.
    pub who: String,
    /// What they do.
    pub operation: String,
    /// Since when, by their clock.
    pub since: String,
    /// Seconds since they were last heard of, as far as the clocks agree. A lease is renewed every few
    /// seconds; one that is silent is taken over by the next operation.
    pub silent_seconds: Option<i64>,
}

/// Reads one environment, as of a moment that is now.
///
/// # Errors
/// When the API server does not say what is there. What only adds to the picture is unknown instead.
pub async fn status(client: &Client, environment: &str, at: Timestamp) -> Result<Status, Failure> {
    let namespace = ObjectRef::whole("v1", "Namespace", environment);
    let running = match client.view(&namespace).await? {
        None => None,
        Some(object) => Some(running(client, environment, &object, at).await?),
    };
    Ok(Status {
        environment: environment.to_owned(),
        at,
        running,
    })
}

async fn running(
    client: &Client,
    environment: &str,
    namespace: &Namespace,
    at: Timestamp,
) -> Result<Running, Failure> {
    let named = |version: &str, kind: &str, name: &str| {
        ObjectRef::namespaced(version, kind, environment, name)
    };
    let (set, pod, deployment) = (
        named("apps/v1", "StatefulSet", NODE),
        named("v1", "Pod", NODE_POD),
        named("apps/v1", "Deployment", SERVICE),
    );
    let (set, pod, deployment, cron_jobs, jobs) = tokio::try_join!(
        client.view::<cluster::Workload>(&set),
        client.view::<Pod>(&pod),
        client.view::<cluster::Workload>(&deployment),
        client.views::<CronJob>(environment, ""),
        client.views(environment, ""),
    )?;
    let cron_job = cron_jobs.iter().find(|live| live.metadata.name == TEST);
    let mut tests = tests_of::recent(cron_job, &jobs, client.now());
    let (invocations, holder, unfinished, chaos, snapshots, hour, signatures) = tokio::join!(
        invocations(client, environment),
        lease::holder(client, environment),
        unfinished(client, environment),
        rotation_status(client, environment, namespace, &cron_jobs),
        snapshots(client, environment),
        hour::hour(client, environment, &tests, at),
        tests_of::signatures(client, environment, &tests),
    );
    for test in tests.iter_mut().filter(|test| test.has_failed()) {
        test.signature = signatures.get(&test.name).cloned();
    }
    Ok(Running {
        terminating: namespace.is_terminating(),
        node: set.as_ref().map(|set| node(set, pod.as_ref())),
        service: deployment.as_ref().map(Workload::of),
        invocations: reading(invocations.map(Numbers)),
        schedule: cron_job.map(|cron_job| cron_job.spec.schedule.clone()),
        suspended: cron_job.map(|cron_job| cron_job.spec.suspend),
        tests,
        hour,
        holder: reading(holder.map(|record| {
            record.map(|record| Holding {
                who: record.who,
                operation: record.operation,
                since: record.acquired,
                silent_seconds: record
                    .renewed
                    .map(|renewed| client.now().duration_since(renewed).as_secs()),
            })
        })),
        unfinished,
        chaos: reading(chaos),
        snapshots,
    })
}

async fn unfinished(client: &Client, environment: &str) -> Known<Option<Checklist>> {
    match last_operation(client, environment).await {
        Ok(Some(stored)) if stored.journal.state().is_unfinished() => {
            let kept = kept_by(client, &stored.journal).await;
            Known::Value(Some(Checklist {
                kept,
                ..stored.journal.checklist()
            }))
        }
        Ok(_) => Known::Value(None),
        Err(error) => Known::Unknown(error.to_string()),
    }
}

async fn snapshots(client: &Client, environment: &str) -> Known<usize> {
    let collection =
        Collection::in_namespace("snapshot.storage.k8s.io/v1", "VolumeSnapshot", environment);
    match client.list_served(&collection, "").await {
        Ok(Some(snapshots)) => Known::Value(snapshots.len()),
        Ok(None) => Known::Unknown("the cluster serves no VolumeSnapshots".to_owned()),
        Err(failure) => Known::Unknown(failure.words()),
    }
}

fn reading<T>(answer: Result<T, Failure>) -> Known<T> {
    match answer {
        Ok(value) => Known::Value(value),
        Err(failure) => Known::Unknown(failure.words()),
    }
}

fn node(set: &cluster::Workload, pod: Option<&Pod>) -> Node {
    let statuses = pod.map_or(&[][..], Pod::statuses);
    let container = pod.and_then(|pod| pod.spec.container(NODE));
    Node {
        pods: Workload::of(set),
        phase: pod.and_then(Pod::phase).map(str::to_owned),
        ready_containers: statuses.iter().filter(|status| status.ready).count(),
        containers: pod.map_or(0, |pod| pod.spec.containers.len()),
        restarts: pod.map_or(0, Pod::restarts),
        image: container.and_then(|container| container.image.clone()),
        since: pod.map(|pod| pod.metadata.created),
    }
}

impl Workload {
    fn of(live: &cluster::Workload) -> Self {
        Self {
            ready: live.status.ready,
            wanted: live.spec.replicas,
        }
    }
}
