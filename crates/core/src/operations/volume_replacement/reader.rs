//! Jobs that read volumes: to know that a snapshot holds what it should, its metadata are not enough. One
//! can be ready and empty.

use alloc::{string::String, vec::Vec};

use serde_json::{Map, Value, json};

use super::VolumeReplacement;
use crate::names::{
    COMPARE, COMPONENT_LABEL, ENVIRONMENT_LABEL, FIELD_MANAGER, MANAGED_BY_LABEL, NAME_LABEL,
    TEMPORARY_LABEL, VERIFICATION_PROGRAM,
};

/// Where the volumes are mounted, read-only.
const COPY: &str = "/copy";
const ORIGINAL: &str = "/original";

/// Fields of the node's pod that are about the node alone.
const NODE_ONLY: [&str; 6] = [
    "containers",
    "initContainers",
    "volumes",
    "shareProcessNamespace",
    "terminationGracePeriodSeconds",
    "serviceAccountName",
];

impl VolumeReplacement<'_> {
    /// A Job that compares a copy with its original, or judges the copy alone.
    pub(super) fn reader(&self, name: &str, copy: &str, original: Option<&str>) -> Value {
        let original = original.map(|claim| (claim, ORIGINAL));
        let volumes: Vec<(&str, &str)> = original.into_iter().chain([(copy, COPY)]).collect();
        let labels = json!({
            NAME_LABEL: COMPARE,
            COMPONENT_LABEL: COMPARE,
            MANAGED_BY_LABEL: FIELD_MANAGER,
            ENVIRONMENT_LABEL: self.target.environment,
            TEMPORARY_LABEL: self.operation,
        });
        let mut pod = self.pod();
        pod.insert("restartPolicy".into(), json!("Never"));
        pod.insert(
            "volumes".into(),
            volumes
                .iter()
                .map(|(claim, path)| {
                    json!({
                        "name": path.trim_start_matches('/'),
                        "persistentVolumeClaim": {"claimName": claim},
                    })
                })
                .collect(),
        );
        pod.insert("containers".into(), json!([self.container(&volumes)]));
        json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": name,
                "namespace": self.target.environment,
                "labels": labels,
            },
            "spec": {
                "backoffLimit": 2,
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        })
    }

    fn container(&self, volumes: &[(&str, &str)]) -> Value {
        let verb = if volumes.len() > 1 {
            "compare"
        } else {
            "examine"
        };
        let paths: Vec<&str> = volumes.iter().map(|(_, path)| *path).collect();
        let mounts: Vec<Value> = volumes
            .iter()
            .map(|(_, path)| {
                let name = path.trim_start_matches('/');
                json!({"name": name, "mountPath": path, "readOnly": true})
            })
            .collect();
        let node = self
            .options
            .set
            .pointer("/spec/template/spec/containers/0/securityContext");
        json!({
            "name": "compare",
            "image": self.options.verification_image,
            "imagePullPolicy": "IfNotPresent",
            "command": [VERIFICATION_PROGRAM, verb],
            "args": paths,
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": node,
            "resources": {
                "requests": {"cpu": "25m", "memory": "32Mi"},
                "limits": {"memory": "256Mi"},
            },
            "volumeMounts": mounts,
        })
    }

    /// What the node's pod is apart from the node: as whom it runs, and where.
    fn pod(&self) -> Map<String, Value> {
        let pod = self.options.set.pointer("/spec/template/spec");
        let mut pod = pod.and_then(Value::as_object).cloned().unwrap_or_default();
        for field in NODE_ONLY {
            pod.shift_remove(field);
        }
        pod.insert("automountServiceAccountToken".into(), json!(false));
        pod
    }
}
