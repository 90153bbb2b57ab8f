//! The plan for a thousand objects: first deployment, nothing to do, everything changed.

use std::collections::BTreeSet;

use divan::{Bencher, black_box};
use longrun_core::{
    object::{ObjectRef, Uid},
    operations::deploy::{DryRun, Facts, Namespace, Observed, Options, plan},
    plan::Target,
    wait::Observation,
};
use serde_json::{Value, json};

fn main() {
    divan::main();
}

const OBJECTS: [usize; 3] = [10, 100, 1000];

fn object(index: usize, image: &str) -> Value {
    let labels = json!({"app.kubernetes.io/name": "verification", "longrun/environment": "restate",
        "longrun/rendered": "true"});
    let containers: Vec<Value> = ["service", "observer"]
        .iter()
        .map(|name| {
            json!({"name": name, "image": image, "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
                "securityContext": {"runAsNonRoot": true, "readOnlyRootFilesystem": true}})
        })
        .collect();
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": format!("service-{index}"), "namespace": "restate", "labels": labels},
        "spec": {"replicas": 3, "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}}}})
}

fn live(index: usize) -> Value {
    let mut live = object(index, "service:1");
    live["metadata"]["uid"] = json!(format!("uid-{index}"));
    live["status"] = json!({"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3});
    live
}

fn facts(objects: usize, exist: bool, image: &str) -> Facts {
    let observed = |index| {
        let desired = object(index, image);
        let live = exist.then(|| live(index));
        let mut merged = live.clone().unwrap_or_else(|| desired.clone());
        merged["spec"] = desired["spec"].clone();
        let object = live.clone();
        Observed {
            desired,
            live,
            dry_run: DryRun::Accepted(merged),
            observation: Observation {
                object,
                ..Observation::default()
            },
        }
    };
    let objects: Vec<Observed> = (0..objects).map(observed).collect();
    let listed = objects.iter().filter(|_| exist);
    Facts {
        namespace: Namespace::Active,
        inventory: listed
            .filter_map(|observed| ObjectRef::of(&observed.desired))
            .collect(),
        objects,
        inventory_object: None,
        journal: None,
        fault: None,
        surplus: Vec::new(),
        claims: Vec::new(),
        growths: Vec::new(),
        snapshots: Vec::new(),
        kept: None,
        temporary: Vec::new(),
    }
}

fn measure(bencher: Bencher<'_, '_>, facts: &Facts) {
    let target = Target {
        cluster: "dev".to_owned(),
        kube_system: Uid("k".to_owned()),
        environment: "restate".to_owned(),
    };
    let options = Options {
        take_over: BTreeSet::new(),
        drain: true,
        retain_class: "retain".to_owned(),
        now: jiff::Timestamp::UNIX_EPOCH,
    };
    bencher
        .bench_local(|| plan(target.clone(), black_box(facts), &options).map(|plan| plan.digest()));
}

#[divan::bench(args = OBJECTS)]
fn first(bencher: Bencher<'_, '_>, objects: usize) {
    measure(bencher, &facts(objects, false, "service:1"));
}

#[divan::bench(args = OBJECTS)]
fn unchanged(bencher: Bencher<'_, '_>, objects: usize) {
    measure(bencher, &facts(objects, true, "service:1"));
}

#[divan::bench(args = OBJECTS)]
fn all_changed(bencher: Bencher<'_, '_>, objects: usize) {
    measure(bencher, &facts(objects, true, "service:2"));
}
