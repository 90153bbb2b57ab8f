//! What the recorder may do, and what it is told.

use serde_json::json;

use crate::{
    pods::says,
    project::{objects, rendered_from},
};

/// It reads what tests leave. What it writes is what the environment wants of it after a failure.
#[test]
fn the_recorder_may_do_nothing_that_it_need_not() {
    let verbs = |lines: &str| {
        let text = format!("name: restate\ncluster: dev\n{lines}");
        let mut found = Vec::new();
        for object in objects(&rendered_from(&text, "dev")) {
            if object["kind"] != "Role" {
                continue;
            }
            for rule in object["rules"].as_array().unwrap() {
                let list = |field: &str| {
                    let list = rule[field].as_array().into_iter().flatten();
                    list.map(|one| one.as_str().unwrap())
                        .collect::<Vec<_>>()
                        .join(",")
                };
                found.push(format!(
                    "{} {}({})",
                    list("verbs"),
                    list("resources"),
                    list("resourceNames")
                ));
            }
        }
        found
    };
    let reads = [
        "list jobs()",
        "list pods,events()",
        "get pods/log()",
        "get configmaps(longrun-faults)",
    ];
    assert_eq!(verbs(""), reads);
    let pauses = [
        "get,update configmaps(longrun-pause)",
        "create configmaps()",
    ];
    assert_eq!(
        verbs("recorder: {onFailure: {pauseChaos: 2h}}\n"),
        [&reads[..], &pauses].concat()
    );
    let snapshots = [
        "get persistentvolumeclaims(storage-restate-0)",
        "get configmaps(longrun-journal)",
        "get leases(longrun)",
        "get,list,create,patch volumesnapshots()",
    ];
    assert_eq!(
        verbs("recorder: {onFailure: {snapshot: {}}}\n"),
        [&reads[..], &snapshots].concat()
    );
}

/// What it is told follows from the environment and from the cluster, which can hold its claim down.
#[test]
fn the_recorder() {
    says(
        "Deployment",
        "recorder",
        &[
            // Two of them would write the same files.
            ("/spec/strategy", json!({"type": "Recreate"})),
            ("/spec/replicas", json!(1)),
            (
                "/spec/template/spec/containers/0/args",
                json!([
                    "--cluster=dev",
                    "--environment=restate",
                    "--folder=/records",
                    "--listen=0.0.0.0:9092",
                    "--node=http://restate:9070",
                    "--keep-days=14",
                    "--evidence-bytes=805306368",
                ]),
            ),
        ],
    );
    says(
        "PersistentVolumeClaim",
        "recorder",
        &[("/spec/resources/requests/storage", json!("1Gi"))],
    );
    let text = "name: restate\ncluster: local\nrecorder: {storage: 8Gi, keepDays: 30, onFailure: {pauseChaos: 2h, snapshot: {kept: 9}}}\n";
    let files = rendered_from(text, "local");
    let find = |kind: &str| {
        let mut objects = objects(&files);
        objects
            .find(|object| object["kind"] == kind && object["metadata"]["name"] == "recorder")
            .unwrap()
            .clone()
    };
    assert_eq!(
        find("PersistentVolumeClaim")["spec"]["resources"]["requests"]["storage"],
        "4Gi"
    );
    let deployment = find("Deployment");
    let args = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        .as_array()
        .unwrap();
    assert_eq!(
        args[5..],
        [
            json!("--keep-days=30"),
            json!("--evidence-bytes=3221225472"),
            json!("--snapshot-class=longrun-retain"),
            json!("--snapshots-per-day=1"),
            json!("--snapshots-kept=9"),
            json!("--pause-chaos=2h"),
        ]
    );
}
