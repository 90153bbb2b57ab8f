//! What the environment's file asks for, and how it changes between two deployments.

use std::collections::BTreeMap;

use longrun_core::names::{ENVIRONMENT_LABEL, RENDERED_LABEL};
use serde_json::{Value, json};

use crate::{
    random::Random,
    world::{NAMESPACE, reference},
};

/// What the environment's file asks for: it changes between two deployments.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) service: String,
    pub(crate) node: u64,
    pub(crate) storage: u64,
    pub(crate) config: BTreeMap<&'static str, u64>,
    chaos: bool,
}

impl Wish {
    pub(crate) fn new() -> Self {
        Self {
            service: "service:0".to_owned(),
            node: 5,
            storage: 10,
            config: BTreeMap::from([("a", 0), ("b", 0)]),
            chaos: false,
        }
    }

    /// What never changes, with every kind of CronJob.
    pub(crate) fn with_chaos() -> Self {
        Self {
            chaos: true,
            ..Self::new()
        }
    }

    pub(crate) fn change(&mut self, random: &mut Random) {
        match random.below(6) {
            0 => self.service = format!("service:{}", random.below(4)),
            1 if random.one_in(2) => self.service = "service:bad".to_owned(),
            1 => self.node += 1,
            2 => self.storage += 5,
            3 => self.chaos = !self.chaos,
            _ => {
                let name = ["a", "b", "c"][random.below(3) as usize];
                if random.one_in(2) {
                    self.config.remove(name);
                } else {
                    self.config.insert(name, random.below(3));
                }
            }
        }
    }

    pub(crate) fn objects(&self) -> Vec<Value> {
        let labels = json!({RENDERED_LABEL: "true", ENVIRONMENT_LABEL: NAMESPACE});
        let object = |kind, name: &str, spec: Value| {
            let place = reference(kind, name);
            let mut object = json!({"apiVersion": place.api_version, "kind": kind,
                "metadata": {"name": name, "labels": labels}});
            if let Some(namespace) = place.namespace {
                object["metadata"]["namespace"] = json!(namespace);
            }
            for (key, value) in spec.as_object().into_iter().flatten() {
                object[key] = value.clone();
            }
            object
        };
        let pod = |name: &str, image: &str| json!({"spec": {"containers": [{"name": name, "image": image}]}});
        let cron = |name: &str| {
            let job = json!({"spec": {"template": pod("test", &self.service)}});
            object(
                "CronJob",
                name,
                json!({"spec": {"schedule": "* * * * *", "jobTemplate": job}}),
            )
        };
        let node = pod(
            "restate",
            &format!("restate:1.{}.0-82a934cde840", self.node),
        );
        let claim = json!([{"metadata": {"name": "storage"},
            "spec": {"accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": format!("{}Gi", self.storage)}}}}]);
        let service = pod("service", &self.service);
        let mut objects = vec![
            cron("test"),
            object("Job", "discover", json!({"spec": {"template": service}})),
            object(
                "Deployment",
                "verification",
                json!({"spec": {"replicas": 3, "template": service}}),
            ),
            object(
                "StatefulSet",
                "restate",
                json!({"spec": {"template": node, "volumeClaimTemplates": claim}}),
            ),
            object("Namespace", NAMESPACE, json!({})),
        ];
        if self.chaos {
            objects.push(cron("chaos"));
        }
        for (name, value) in &self.config {
            let data = json!({"data": {"value": value.to_string()}});
            objects.push(object("ConfigMap", name, data));
        }
        objects
    }
}
