//! Facts about a small environment: absent, up to date, or one change away from it.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use serde_json::{Value, json};

use super::super::{DryRun, Facts, Growth, Namespace, Observed, Refusal, smaller};
use crate::{
    names::{ENVIRONMENT_LABEL, FIELD_MANAGER, INVENTORY, OPENED_BY_ANNOTATION, RENDERED_LABEL},
    object::ObjectRef,
    plan::grown,
    wait::Observation,
};

pub(super) struct Cluster {
    pub(super) facts: Facts,
}

pub(super) fn image(container: &str, image: &str) -> Value {
    json!({"spec": {"containers": [{"name": container, "image": image}]}})
}

pub(super) fn label<'a>(object: &'a mut Value, label: &str) -> &'a mut Value {
    &mut object["metadata"]["labels"][label]
}

fn object(api_version: &str, kind: &str, name: &str, spec: Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {
        "name": name, "namespace": "restate",
        "labels": {RENDERED_LABEL: "true", ENVIRONMENT_LABEL: "restate"}}});
    if kind == "ConfigMap" {
        object["data"] = spec;
    } else if kind != "Namespace" {
        object["spec"] = spec;
    }
    object
}

fn rendered(service: &str) -> Vec<Value> {
    let pod = image("service", service);
    let mut namespace = object("v1", "Namespace", "restate", json!({}));
    let metadata = namespace["metadata"].as_object_mut().unwrap();
    metadata.shift_remove("namespace");
    vec![
        object(
            "batch/v1",
            "CronJob",
            "test",
            json!({"jobTemplate": {"spec": {"template": pod}}}),
        ),
        object("batch/v1", "Job", "discover", json!({"template": pod})),
        object(
            "apps/v1",
            "StatefulSet",
            "restate",
            json!({
            "replicas": 1, "template": image("restate", "restate:1.6.2-aaaaaaaaaaaa"),
            "volumeClaimTemplates": [{"metadata": {"name": "target"},
                "spec": {"resources": {"requests": {"storage": "10Gi"}}}}]}),
        ),
        object(
            "apps/v1",
            "Deployment",
            "verification",
            json!({"replicas": 3, "template": pod}),
        ),
        object("v1", "ConfigMap", "settings", json!({"value": "1"})),
        namespace,
    ]
}

/// As the API server and the controllers would have it.
fn settled(desired: &Value) -> Value {
    let mut live = desired.clone();
    let kind = desired["kind"].as_str().unwrap().to_string();
    live["metadata"]["uid"] = json!(format!("{kind}-1"));
    live["metadata"]["generation"] = json!(1);
    live["metadata"]["creationTimestamp"] = json!("2026-01-05T10:00:00Z");
    live["metadata"]["managedFields"] = json!([{"manager": FIELD_MANAGER, "operation": "Apply"}]);
    live["status"] = match kind.as_str() {
        "Namespace" => json!({"phase": "Active"}),
        "Job" => json!({"conditions": [{"type": "Complete", "status": "True"}]}),
        "CronJob" => json!({"lastSuccessfulTime": "2026-01-05T10:00:00Z"}),
        "Deployment" | "StatefulSet" => {
            let replicas = &desired["spec"]["replicas"];
            json!({"observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas,
                "readyReplicas": replicas, "availableReplicas": replicas})
        }
        _ => Value::Null,
    };
    if kind == "CronJob" {
        live["spec"]["suspend"] = json!(false);
    }
    live
}

impl Cluster {
    pub(super) fn absent() -> Self {
        let unseen = |desired| Observed {
            desired,
            live: None,
            dry_run: DryRun::Impossible,
            observation: Observation::default(),
        };
        Self {
            facts: Facts {
                namespace: Namespace::Absent,
                objects: rendered("service:1").into_iter().map(unseen).collect(),
                inventory: Vec::new(),
                inventory_object: None,
                journal: None,
                fault: None,
                surplus: Vec::new(),
                claims: Vec::new(),
                growths: Vec::new(),
                snapshots: Vec::new(),
                kept: None,
                temporary: Vec::new(),
            },
        }
    }

    pub(super) fn with_namespace_only() -> Self {
        let mut cluster = Self::absent();
        cluster.facts.namespace = Namespace::Active;
        let namespace = cluster.of("Namespace");
        namespace.live = Some(settled(&namespace.desired));
        cluster.dry_run();
        cluster
    }

    pub(super) fn up_to_date() -> Self {
        let mut cluster = Self::with_namespace_only();
        for observed in &mut cluster.facts.objects {
            observed.live = Some(settled(&observed.desired));
            observed.observation.object.clone_from(&observed.live);
        }
        let listed = cluster
            .facts
            .objects
            .iter()
            .map(|observed| &observed.desired);
        let listed = listed.filter_map(ObjectRef::of);
        cluster.facts.inventory = listed.filter(|object| object.namespace.is_some()).collect();
        let list = json!(cluster.facts.inventory).to_string();
        cluster.facts.inventory_object = Some(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": INVENTORY, "namespace": "restate", "uid": "inventory-1"},
            "data": {"objects": list}}));
        cluster.facts.claims = vec![
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": {"name": "target-restate-0", "namespace": "restate", "uid": "claim-1",
                    "annotations": {OPENED_BY_ANNOTATION: "1.6.2"}},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
                "status": {"phase": "Bound", "capacity": {"storage": "10Gi"}}}),
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": {"name": "evidence-recorder-0", "namespace": "restate", "uid": "claim-2"},
                "spec": {"resources": {"requests": {"storage": "1Gi"}}},
                "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}),
        ];
        cluster.dry_run();
        cluster
    }

    pub(super) fn with_new_service() -> Self {
        let mut cluster = Self::up_to_date();
        for (observed, desired) in cluster.facts.objects.iter_mut().zip(rendered("service:2")) {
            observed.desired = desired;
        }
        cluster.dry_run();
        let immutable = "Job.batch \"discover\" is invalid: spec.template: Invalid value: …: field is immutable";
        cluster.of("Job").dry_run = DryRun::Refused(Refusal::Invalid(immutable.into()));
        cluster
    }

    pub(super) fn of(&mut self, kind: &str) -> &mut Observed {
        let mut objects = self.facts.objects.iter_mut();
        objects.find(|observed| observed.kind() == kind).unwrap()
    }

    pub(super) fn live(&mut self, kind: &str) -> &mut Value {
        self.of(kind).live.as_mut().unwrap()
    }

    pub(super) fn suspend(&mut self, manager: &str) {
        let live = self.live("CronJob");
        live["spec"]["suspend"] = json!(true);
        live["metadata"]["managedFields"] = json!([{"manager": manager, "operation": "Apply",
            "fieldsV1": {"f:spec": {"f:suspend": {}}}}]);
        let mut accepted = live.clone();
        let cron_job = self.of("CronJob");
        overlay(&mut accepted, &cron_job.desired);
        cron_job.dry_run = DryRun::Accepted(accepted);
    }

    pub(super) fn resize(&mut self, size: &str) {
        let set = self.of("StatefulSet");
        set.desired["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] =
            json!(size);
        let forbidden = "StatefulSet.apps \"restate\" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas', … are forbidden";
        set.dry_run = DryRun::Refused(Refusal::Invalid(String::from(forbidden)));
        self.try_growths();
    }

    /// What the API server would say to the growths.
    pub(super) fn try_growths(&mut self) {
        let Facts {
            objects, claims, ..
        } = &self.facts;
        let rendered = objects.iter().map(|observed| &observed.desired);
        let growths = smaller(rendered, claims).into_iter().map(|(claim, size)| {
            let mut merged = claim.clone();
            overlay(&mut merged, &grown(&ObjectRef::of(claim).unwrap(), size));
            Growth {
                claim: claim.clone(),
                storage: size.to_string(),
                dry_run: DryRun::Accepted(merged),
            }
        });
        self.facts.growths = growths.collect();
    }

    /// What the API server would say: the desired fields over the live ones.
    pub(super) fn dry_run(&mut self) {
        for observed in &mut self.facts.objects {
            let mut merged = observed.live.clone().unwrap_or(Value::Null);
            overlay(&mut merged, &observed.desired);
            observed.dry_run = DryRun::Accepted(merged);
        }
    }
}

fn overlay(onto: &mut Value, desired: &Value) {
    match (onto, desired) {
        (Value::Object(onto), Value::Object(desired)) => {
            for (key, value) in desired {
                overlay(onto.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (onto, desired) => *onto = desired.clone(),
    }
}
