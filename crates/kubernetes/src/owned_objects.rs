//! What a namespace's lists say of one workload: the pods and Jobs that it owns, and the warnings about them.
//! The lists are read once, however many workloads are looked at.

use std::collections::BTreeSet;

use jiff::Timestamp;
use longrun_core::wait::{Observation, Warning};
use serde_json::Value;

use crate::{client::Client, failure::Failure, resource::Collection};

/// The lists of one namespace from which [`Observation`]s are made.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnedObjects {
    pub(crate) pods: Vec<Value>,
    pub(crate) replica_sets: Vec<Value>,
    pub(crate) jobs: Vec<Value>,
    /// Events of type Warning.
    pub(crate) events: Vec<Value>,
}

/// The kinds that own pods, directly or not.
pub(crate) const WORKLOADS: [&str; 4] = ["Deployment", "StatefulSet", "Job", "CronJob"];

/// The annotation by which a Deployment tells which of its ReplicaSets has the present template.
const REVISION: &str = "/metadata/annotations/deployment.kubernetes.io~1revision";

impl OwnedObjects {
    /// Reads the lists, side by side.
    pub(crate) async fn read(client: &Client, namespace: &str) -> Result<Self, Failure> {
        let collection =
            |version: &str, kind: &str| Collection::in_namespace(version, kind, namespace);
        let (pods, replica_sets, jobs, events) = (
            collection("v1", "Pod"),
            collection("apps/v1", "ReplicaSet"),
            collection("batch/v1", "Job"),
            collection("v1", "Event"),
        );
        let (pods, replica_sets, jobs, events) = tokio::try_join!(
            client.list(&pods, ""),
            client.list(&replica_sets, ""),
            client.list(&jobs, ""),
            client.list(&events, "fieldSelector=type%3DWarning"),
        )?;
        Ok(Self {
            pods,
            replica_sets,
            jobs,
            events,
        })
    }

    /// What belongs to an object.
    pub(crate) fn observation(&self, object: Option<Value>) -> Observation {
        let Some(object) = object else {
            return Observation::default();
        };
        let kind = object.get("kind").and_then(Value::as_str).unwrap_or("");
        let mut about: BTreeSet<&str> = uid(&object).into_iter().collect();
        let mut jobs = Vec::new();
        let owners: BTreeSet<&str> = match kind {
            "Deployment" => self.current_replica_set(&object).into_iter().collect(),
            "CronJob" => {
                jobs = self
                    .jobs
                    .iter()
                    .filter(|job| is_owned(job, &about))
                    .collect();
                jobs.iter().filter_map(|job| uid(job)).collect()
            }
            _ => about.clone(),
        };
        about.extend(&owners);
        let pods: Vec<&Value> = self
            .pods
            .iter()
            .filter(|pod| is_owned(pod, &owners))
            .collect();
        about.extend(pods.iter().filter_map(|pod| uid(pod)));
        let mounted = pods.iter().copied().chain([&object]);
        let claims: BTreeSet<&str> = mounted.flat_map(claims).collect();
        let warnings = self.warnings(&about, &claims);
        Observation {
            pods: pods.into_iter().cloned().collect(),
            jobs: jobs.into_iter().cloned().collect(),
            warnings,
            open_invocations: None,
            object: Some(object),
            ..Observation::default()
        }
    }

    /// The ReplicaSet of the present template; pods of older ones are on their way out and say nothing.
    fn current_replica_set(&self, deployment: &Value) -> Option<&str> {
        let owner: BTreeSet<&str> = uid(deployment).into_iter().collect();
        let revision = deployment.pointer(REVISION)?;
        self.replica_sets
            .iter()
            .find(|set| is_owned(set, &owner) && set.pointer(REVISION) == Some(revision))
            .and_then(uid)
    }

    /// Newest first.
    fn warnings(&self, about: &BTreeSet<&str>, claims: &BTreeSet<&str>) -> Vec<Warning> {
        let mut warnings: Vec<Warning> = self
            .events
            .iter()
            .filter(|event| {
                let text =
                    |field: &str| event.pointer(&format!("/involvedObject/{field}"))?.as_str();
                text("uid").is_some_and(|uid| about.contains(uid))
                    || (text("kind") == Some("PersistentVolumeClaim")
                        && text("name").is_some_and(|name| claims.contains(name)))
            })
            .filter_map(warning)
            .collect();
        warnings.sort_by_key(|warning| std::cmp::Reverse(warning.last));
        warnings
    }
}

/// An Event as the waits read it. Controllers fill one of four times, depending on which API they use.
fn warning(event: &Value) -> Option<Warning> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    let last: Timestamp = [
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/eventTime",
        "/metadata/creationTimestamp",
    ]
    .into_iter()
    .find_map(text)?
    .parse()
    .ok()?;
    Some(Warning {
        last,
        about: format!(
            "{} {}",
            text("/involvedObject/kind")?,
            text("/involvedObject/name")?
        ),
        reason: text("/reason").unwrap_or_default().to_owned(),
        message: text("/message").unwrap_or_default().trim().to_owned(),
    })
}

fn uid(object: &Value) -> Option<&str> {
    object.pointer("/metadata/uid")?.as_str()
}

fn is_owned(object: &Value, owners: &BTreeSet<&str>) -> bool {
    object
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|owner| owner.get("uid")?.as_str())
        .any(|uid| owners.contains(uid))
}

/// The names of the claims that a pod mounts.
fn claims(pod: &Value) -> impl Iterator<Item = &str> {
    pod.pointer("/spec/volumes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName")?.as_str())
}

/// The pods that name the claim as a volume, finished ones too: they hold it as well.
pub(crate) fn mounting(pods: &[Value], claim: &str) -> Vec<Value> {
    let mounts = |pod: &&Value| claims(pod).any(|name| name == claim);
    pods.iter().filter(mounts).cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, name: &str, owner: Option<&str>) -> Value {
        let owners: Vec<Value> = owner.iter().map(|uid| json!({"uid": uid})).collect();
        json!({
            "kind": kind,
            "metadata": {"name": name, "uid": name, "ownerReferences": owners},
        })
    }

    fn revision(mut object: Value, revision: &str) -> Value {
        object["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": revision});
        object
    }

    fn event(kind: &str, name: &str, time: &str) -> Value {
        json!({
            "involvedObject": {"kind": kind, "name": name, "uid": name},
            "lastTimestamp": time,
            "reason": "FailedX",
            "message": "no",
        })
    }

    fn names(objects: &[Value]) -> Vec<&str> {
        objects
            .iter()
            .filter_map(|object| object.pointer("/metadata/name")?.as_str())
            .collect()
    }

    #[test]
    fn a_deployment_has_the_pods_of_its_present_template() {
        let lists = OwnedObjects {
            replica_sets: vec![
                revision(object("ReplicaSet", "old", Some("web")), "1"),
                revision(object("ReplicaSet", "new", Some("web")), "2"),
            ],
            pods: vec![
                object("Pod", "old-a", Some("old")),
                object("Pod", "new-a", Some("new")),
            ],
            events: vec![
                event("Pod", "old-a", "2026-01-01T00:00:00Z"),
                event("ReplicaSet", "new", "2026-01-01T00:00:01Z"),
                event("Pod", "new-a", "2026-01-01T00:00:02Z"),
            ],
            ..OwnedObjects::default()
        };
        let observation = lists.observation(Some(revision(object("Deployment", "web", None), "2")));
        assert_eq!(names(&observation.pods), ["new-a"]);
        let about: Vec<&str> = observation
            .warnings
            .iter()
            .map(|warning| &*warning.about)
            .collect();
        assert_eq!(about, ["Pod new-a", "ReplicaSet new"]);
    }

    #[test]
    fn a_cron_job_has_its_jobs_and_their_pods() {
        let lists = OwnedObjects {
            jobs: vec![
                object("Job", "test-1", Some("test")),
                object("Job", "discover", None),
            ],
            pods: vec![
                object("Pod", "test-1-x", Some("test-1")),
                object("Pod", "discover-x", Some("discover")),
            ],
            ..OwnedObjects::default()
        };
        let observation = lists.observation(Some(object("CronJob", "test", None)));
        assert_eq!(names(&observation.jobs), ["test-1"]);
        assert_eq!(names(&observation.pods), ["test-1-x"]);
    }

    #[test]
    fn trouble_with_a_claim_is_trouble_of_the_set_that_mounts_it() {
        let mut pod = object("Pod", "restate-0", Some("restate"));
        pod["spec"] =
            json!({"volumes": [{"persistentVolumeClaim": {"claimName": "target-restate-0"}}]});
        let lists = OwnedObjects {
            pods: vec![pod],
            events: vec![
                event(
                    "PersistentVolumeClaim",
                    "target-restate-0",
                    "2026-01-01T00:00:00Z",
                ),
                event("PersistentVolumeClaim", "other", "2026-01-01T00:00:00Z"),
            ],
            ..OwnedObjects::default()
        };
        let observation = lists.observation(Some(object("StatefulSet", "restate", None)));
        assert_eq!(observation.warnings.len(), 1);
    }

    #[test]
    fn an_event_of_the_newer_api_has_its_time_too() {
        let mut event = event("Pod", "a", "2026-01-01T00:00:00Z");
        event["lastTimestamp"] = Value::Null;
        event["eventTime"] = json!("2026-01-01T00:00:03.000001Z");
        assert!(warning(&event).is_some());
    }
}
