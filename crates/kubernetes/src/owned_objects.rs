//! What a namespace's lists say of one workload: the pods and Jobs that it owns, and the warnings about them.
//! The lists are read once, however many workloads are looked at.

use std::collections::BTreeSet;

use longrun_core::{
    cluster::{Event, Job, Metadata, Pod, ReplicaSet, Unreadable, View as _},
    object::Uid,
    wait::{Observation, Warning},
};
use serde_json::Value;

use crate::{client::Client, failure::Failure};

/// The lists of one namespace from which [`Observation`]s are made.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnedObjects {
    pub(crate) pods: Vec<Pod>,
    /// The version of the list of pods.
    pub(crate) pods_version: Option<String>,
    pub(crate) replica_sets: Vec<ReplicaSet>,
    pub(crate) jobs: Vec<Job>,
    /// Events of type Warning.
    pub(crate) events: Vec<Event>,
}

/// The kinds that own pods, directly or not.
pub(crate) const WORKLOADS: [&str; 4] = ["Deployment", "StatefulSet", "Job", "CronJob"];

/// The annotation by which a Deployment tells which of its ReplicaSets has the present template.
const REVISION: &str = "deployment.kubernetes.io/revision";

impl OwnedObjects {
    /// Reads the lists, side by side.
    pub(crate) async fn read(client: &Client, namespace: &str) -> Result<Self, Failure> {
        let (pods, replica_sets, jobs, events) = tokio::try_join!(
            client.pods(namespace),
            client.views(namespace, ""),
            client.views(namespace, ""),
            client.views(namespace, "fieldSelector=type%3DWarning"),
        )?;
        Ok(Self {
            pods: pods.pods,
            pods_version: pods.version,
            replica_sets,
            jobs,
            events,
        })
    }

    /// What belongs to an object.
    pub(crate) fn observation(&self, object: Option<Value>) -> Result<Observation, Unreadable> {
        let Some(object) = object else {
            return Ok(Observation::default());
        };
        let own = Metadata::of(&object)?;
        let kind = object.get("kind").and_then(Value::as_str).unwrap_or("");
        let jobs: Vec<&Job> = match kind {
            "CronJob" => owned(&self.jobs, |job| &job.metadata, &[&own.uid]),
            _ => Vec::new(),
        };
        let owners: Vec<&Uid> = match kind {
            "Deployment" => self.current_replica_set(&own).into_iter().collect(),
            "CronJob" => jobs.iter().map(|job| &job.metadata.uid).collect(),
            _ => vec![&own.uid],
        };
        let pods = owned(&self.pods, |pod| &pod.metadata, &owners);
        let itself = match kind {
            "Pod" => Some(Pod::read(&object)?),
            _ => None,
        };
        let mounted = pods.iter().copied().chain(&itself);
        let claims: BTreeSet<&str> = mounted.flat_map(|pod| pod.spec.claims()).collect();
        let of_pods = pods.iter().map(|pod| &pod.metadata.uid);
        let about: BTreeSet<&Uid> = owners
            .into_iter()
            .chain([&own.uid])
            .chain(of_pods)
            .collect();
        let warnings = self.warnings(&about, &claims);
        Ok(Observation {
            pods: pods.into_iter().cloned().collect(),
            jobs: jobs.into_iter().cloned().collect(),
            warnings,
            object: Some(object),
            ..Observation::default()
        })
    }

    /// The ReplicaSet of the present template; pods of older ones are on their way out and say nothing.
    fn current_replica_set(&self, deployment: &Metadata) -> Option<&Uid> {
        let revision = deployment.annotations.get(REVISION)?;
        let sets = owned(&self.replica_sets, |set| &set.metadata, &[&deployment.uid]);
        let mut sets = sets.into_iter().map(|set| &set.metadata);
        let current = sets.find(|set| set.annotations.get(REVISION) == Some(revision));
        current.map(|set| &set.uid)
    }

    /// Newest first.
    fn warnings(&self, about: &BTreeSet<&Uid>, claims: &BTreeSet<&str>) -> Vec<Warning> {
        let concerns = |event: &&Event| {
            let of_claim = event.about.kind == "PersistentVolumeClaim";
            let uid = event.about.uid.as_ref();
            uid.is_some_and(|uid| about.contains(uid))
                || of_claim && claims.contains(event.about.name.as_str())
        };
        let events = self.events.iter().filter(concerns);
        let mut warnings: Vec<Warning> = events.map(Warning::from).collect();
        warnings.sort_by_key(|warning| std::cmp::Reverse(warning.last));
        warnings
    }
}

fn owned<'a, T>(all: &'a [T], metadata: fn(&T) -> &Metadata, owners: &[&Uid]) -> Vec<&'a T> {
    let is_owned = |object: &Metadata| owners.iter().any(|owner| object.is_owned_by(owner));
    all.iter().filter(|one| is_owned(metadata(one))).collect()
}

/// The pods that name the claim as a volume, finished ones too: they hold it as well.
pub(crate) fn mounting(pods: &[Pod], claim: &str) -> Vec<Pod> {
    let mounts = |pod: &&Pod| pod.spec.claims().any(|name| name == claim);
    pods.iter().filter(mounts).cloned().collect()
}

#[cfg(test)]
mod tests {
    use longrun_core::cluster::View;
    use serde_json::json;

    use super::*;

    fn object(kind: &str, name: &str, owner: Option<&str>) -> Value {
        let owners: Vec<Value> = owner.iter().map(|uid| json!({"uid": uid})).collect();
        json!({
            "kind": kind,
            "metadata": {"name": name, "uid": name, "ownerReferences": owners,
                "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"containers": [], "template": {"spec": {"containers": []}}},
        })
    }

    fn revision(mut object: Value, revision: &str) -> Value {
        object["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": revision});
        object
    }

    fn event(kind: &str, name: &str, time: &str) -> Value {
        json!({
            "metadata": {"creationTimestamp": time},
            "involvedObject": {"kind": kind, "name": name, "uid": name},
            "lastTimestamp": time,
            "reason": "FailedX",
            "message": "no",
        })
    }

    fn all<T: View>(objects: impl IntoIterator<Item = Value>) -> Vec<T> {
        let objects = objects.into_iter();
        objects.map(|object| T::read(&object).unwrap()).collect()
    }

    fn pods(observation: &Observation) -> Vec<&str> {
        let pods = observation.pods.iter();
        pods.map(|pod| pod.metadata.name.as_str()).collect()
    }

    #[test]
    fn a_deployment_has_the_pods_of_its_present_template() {
        let lists = OwnedObjects {
            replica_sets: all([
                revision(object("ReplicaSet", "old", Some("web")), "1"),
                revision(object("ReplicaSet", "new", Some("web")), "2"),
            ]),
            pods: all([
                object("Pod", "old-a", Some("old")),
                object("Pod", "new-a", Some("new")),
            ]),
            events: all([
                event("Pod", "old-a", "2026-01-01T00:00:00Z"),
                event("ReplicaSet", "new", "2026-01-01T00:00:01Z"),
                event("Pod", "new-a", "2026-01-01T00:00:02Z"),
            ]),
            ..OwnedObjects::default()
        };
        let observation = lists
            .observation(Some(revision(object("Deployment", "web", None), "2")))
            .unwrap();
        assert_eq!(pods(&observation), ["new-a"]);
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
            jobs: all([
                object("Job", "test-1", Some("test")),
                object("Job", "discover", None),
            ]),
            pods: all([
                object("Pod", "test-1-x", Some("test-1")),
                object("Pod", "discover-x", Some("discover")),
            ]),
            ..OwnedObjects::default()
        };
        let observation = lists
            .observation(Some(object("CronJob", "test", None)))
            .unwrap();
        assert_eq!(observation.jobs.len(), 1);
        assert_eq!(observation.jobs[0].metadata.name, "test-1");
        assert_eq!(pods(&observation), ["test-1-x"]);
    }

    #[test]
    fn trouble_with_a_claim_is_trouble_of_the_set_that_mounts_it() {
        let mut pod = object("Pod", "restate-0", Some("restate"));
        pod["spec"]["volumes"] =
            json!([{"persistentVolumeClaim": {"claimName": "target-restate-0"}}]);
        let lists = OwnedObjects {
            pods: all([pod]),
            events: all([
                event(
                    "PersistentVolumeClaim",
                    "target-restate-0",
                    "2026-01-01T00:00:00Z",
                ),
                event("PersistentVolumeClaim", "other", "2026-01-01T00:00:00Z"),
            ]),
            ..OwnedObjects::default()
        };
        let observation = lists
            .observation(Some(object("StatefulSet", "restate", None)))
            .unwrap();
        assert_eq!(observation.warnings.len(), 1);
    }
}
