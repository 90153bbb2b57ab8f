//! The recorder: what Kubernetes forgets is remembered, whatever happens to the recorder itself.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::house::House;

/// What a test writes that found a counter wrong.
const WRONG: &str = r#"{"command": "verify", "result": {"code": "internal", "message": "Incorrect value for target 3: expected 2, got 1", "mismatches": [{"target": 3, "expected": 2, "actual": 1}]}}"#;

/// An environment with a recorder and without a node.
fn recorded(test: &str, lines: &str) -> House {
    let house = House::small(test);
    house.copy_templates("recorder");
    house.environment(lines);
    house.deploy(&["--yes"]).exits(0);
    house
}

impl House {
    /// Runs what a test's container would run, as the test Job of a minute of the last hour. It is given up after
    /// its second attempt.
    fn test_job(&self, minutes_ago: u64, shell: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let minute = now.expect("it is after 1970").as_secs() / 60 - minutes_ago;
        let name = format!("test-{minute}");
        let image = self.field(
            "deployment/recorder",
            "/spec/template/spec/containers/0/image",
        );
        let confined =
            json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
            "spec": {"backoffLimit": 1, "template": {"spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": false,
                "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{
                    "name": "test", "image": image, "imagePullPolicy": "IfNotPresent",
                    "command": ["/bin/sh", "-c", shell], "args": [],
                    "resources": {"requests": {"memory": "8Mi"}, "limits": {"memory": "32Mi"}},
                    "securityContext": confined,
                }],
            }}},
        });
        self.apply(&job.to_string(), &[]);
        name
    }

    fn failing_job(&self, minutes_ago: u64) -> String {
        self.test_job(minutes_ago, &format!("echo '{WRONG}'; exit 1"))
    }

    fn ask_recorder(&self, question: &str) -> Result<String, String> {
        let name = &self.name;
        self.try_kubectl(&[
            "get",
            "--raw",
            &format!("/api/v1/namespaces/{name}/services/recorder:9092/proxy/{question}"),
        ])
    }

    /// The result of a Job, as soon as there is one.
    fn result(&self, job: &str) -> Value {
        let mut result = Value::Null;
        self.until(&format!("the result of {job} is written down"), || {
            let lines = self.ask_recorder(&format!("results?job={job}"));
            let lines = lines.unwrap_or_default();
            let Some(line) = lines.lines().last() else {
                return false;
            };
            result = serde_json::from_str(line).expect("a line of JSON");
            true
        });
        result
    }

    fn recorder_pod(&self) -> Option<Value> {
        let pods = self.list("pods");
        pods.into_iter()
            .find(|pod| pod["metadata"]["labels"]["app.kubernetes.io/component"] == "recorder")
    }

    fn delete_job(&self, job: &str) {
        self.kubectl(&["delete", "job", job, "--cascade=foreground"]);
        self.until("its pods are gone", || {
            let selector = format!("batch.kubernetes.io/job-name={job}");
            let pods = self.kubectl(&["get", "pods", "--selector", &selector, "--output", "name"]);
            pods.trim().is_empty()
        });
    }
}

#[test]
fn what_kubernetes_has_let_go_is_remembered() {
    let house = recorded("recorder", "");
    let right = house.test_job(9, "echo fine");
    let wrong = house.failing_job(8);
    let result = house.result(&right);
    assert_eq!(
        (&result["outcome"], &result["attempts"]),
        (&json!("succeeded"), &json!(1)),
        "{result}"
    );
    let result = house.result(&wrong);
    assert_eq!(result["outcome"], "failed", "{result}");
    assert_eq!(result["attempts"], 2, "{result}");
    house.delete_job(&right);
    house.delete_job(&wrong);

    // The recorder is killed: what it wrote is on its claim.
    let killed = house.recorder_pod().expect("the recorder runs");
    let pod = killed["metadata"]["name"].as_str().expect("a name");
    house.kubectl(&["delete", "pod", pod, "--grace-period=0", "--force"]);
    house.until("another recorder is ready", || {
        let uid = |pod: &Value| pod["metadata"]["uid"].clone();
        let other = house.recorder_pod();
        other.is_some_and(|pod| uid(&pod) != uid(&killed)) && house.ask_recorder("ready").is_ok()
    });
    assert_eq!(house.result(&right)["outcome"], "succeeded");
    let lines = house.ask_recorder("results").expect("it answers");
    assert_eq!(lines.lines().count(), 2, "nothing appears twice: {lines}");

    // It still sees what happens.
    let later = house.failing_job(7);
    assert_eq!(house.result(&later)["outcome"], "failed");
    house.delete_job(&later);

    triage_tells_what_is_remembered(&house, &wrong, &right, &later);
    status_draws_it(&house);
    counts_are_metrics(&house);
    of_lost_evidence_the_result_is_left(&house, &wrong, &later);
}

fn triage_tells_what_is_remembered(house: &House, wrong: &str, right: &str, later: &str) {
    let name = &house.name;
    house.run(&["triage", "-n", name, wrong]).exits(0).prints(&[
        "FAILED",
        "2 left",
        "target 3",
        "Incorrect value for target #",
        "from the recorder",
        later,
    ]);
    house.run(&["triage", "-n", name]).exits(0).prints(&[
        "2 failed Jobs",
        wrong,
        later,
        "the Job is gone, resolved or let go",
    ]);
    house.run(&["triage", "-n", name, right]).exits(2).says(&[
        "has no Job",
        "the recorder",
        "succeeded",
    ]);
    house
        .run(&["triage", "-n", name, wrong, "--resolve", "--yes"])
        .exits(2)
        .says(&["is gone already", "nothing was changed"]);
}

fn of_lost_evidence_the_result_is_left(house: &House, lost: &str, kept: &str) {
    let pod = house.recorder_pod().expect("the recorder runs");
    let pod = pod["metadata"]["name"].as_str().expect("a name");
    house.kubectl(&[
        "exec",
        pod,
        "--",
        "rm",
        &format!("/records/evidence/{lost}.json"),
    ]);
    let place = house.path("saved");
    let place = place.to_str().expect("UTF-8");
    house
        .run(&["triage", "-n", &house.name, "--save", place])
        .exits(0)
        .prints(&[
            "2 failed Jobs",
            "1 signature",
            "Incorrect value for target #",
            lost,
            kept,
        ])
        .says(&[&format!("nothing of {lost} is saved:")]);
}

fn status_draws_it(house: &House) {
    let ran = house.run(&["status", "-n", &house.name]).exits(0);
    ran.prints(&["a minute each", "X 2 FAILED", ". 1 verified", "57 unknown"]);
}

fn counts_are_metrics(house: &House) {
    let page = house.ask_recorder("metrics").expect("it answers");
    for sample in [
        "longrun_recorder_results{outcome=\"failed\"} 2",
        "longrun_recorder_results{outcome=\"succeeded\"} 1",
        "longrun_recorder_evidence_jobs 2",
        "longrun_recorder_last_success_timestamp_seconds ",
        "longrun_recorder_claim_free_bytes ",
    ] {
        assert!(page.contains(&format!("\n{sample}")), "{sample} in {page}");
    }
}

#[test]
fn a_full_claim_costs_evidence_and_no_result() {
    let house = recorded("full", "recorder: {storage: 16Mi}\n");
    let first = house.failing_job(9);
    house.result(&first);
    let pod = house.recorder_pod().expect("the recorder runs");
    let pod = pod["metadata"]["name"].as_str().expect("a name");
    // Until nothing more fits, to the last byte.
    let fill = "cat /dev/zero > /records/ballast; for i in 1 2 3; do sync; cat /dev/zero >> /records/ballast; done; true";
    house.kubectl(&["exec", pod, "--", "/bin/sh", "-c", fill]);

    let second = house.failing_job(8);
    house.until("the second has failed", || {
        house.field(&format!("job/{second}"), "/status/failed") == 2
    });
    house.until("evidence was let go, or a write has failed", || {
        let page = house.ask_recorder("metrics").unwrap_or_default();
        !page.contains("\nlongrun_recorder_failed_writes_total 0\n")
    });
    house.kubectl(&["exec", pod, "--", "rm", "/records/ballast"]);
    assert_eq!(house.result(&second)["outcome"], "failed");
    assert_eq!(house.result(&first)["outcome"], "failed");
    house.until("it is ready again", || house.ask_recorder("ready").is_ok());
    let now = house.recorder_pod().expect("the recorder runs");
    assert_eq!(now["metadata"]["name"], pod);
    assert_eq!(now["status"]["containerStatuses"][0]["restartCount"], 0);
}

#[test]
fn a_failure_sets_off_what_the_environment_says_and_no_more() {
    let house = recorded(
        "onfailure",
        "recorder: {onFailure: {snapshot: {perDay: 1}, pauseChaos: 2h}}\n",
    );
    a_database(&house);
    let first = house.failing_job(9);
    let result = house.result(&first);
    let snapshot = format!("failure-{first}");
    assert_eq!(result["snapshot"], snapshot.as_str(), "{result}");
    let object = format!("volumesnapshot/{snapshot}");
    assert_eq!(
        house.field(&object, "/metadata/labels/longrun~1purpose"),
        "failure"
    );
    let pause = || {
        let text = house.field("configmap/longrun-pause", "/data/pause");
        let text = text.as_str().expect("chaos is paused").to_owned();
        serde_json::from_str::<Value>(&text).expect("JSON")
    };
    let paused = pause();
    assert_eq!(paused["by"], "recorder");
    assert!(
        paused["reason"]
            .as_str()
            .is_some_and(|why| why.contains(&first)),
        "{paused}"
    );
    house.until("the snapshot is ready", || {
        house.field(&object, "/status/readyToUse") == true
    });

    // The day has had its snapshot; the pause is longer.
    let second = house.failing_job(8);
    let result = house.result(&second);
    assert_eq!(result["snapshot"], Value::Null, "{result}");
    assert_eq!(house.list("volumesnapshots").len(), 1);
    assert!(
        pause()["until"].as_str() > paused["until"].as_str(),
        "{paused}"
    );
    // Nothing more is allowed to it.
    let account = format!("system:serviceaccount:{}:recorder", house.name);
    // It exits with 1 when it says no.
    let may = |verb: &str, what: &str| {
        let asked = ["auth", "can-i", verb, what, "--as", &account];
        house.try_kubectl(&asked).is_ok()
    };
    assert!(may("list", "jobs") && may("create", "volumesnapshots"));
    for (verb, what) in [
        ("delete", "volumesnapshots"),
        ("delete", "jobs"),
        ("delete", "pods"),
        ("update", "configmaps"),
        ("get", "secrets"),
        ("create", "pods/exec"),
        ("get", "pods/proxy"),
    ] {
        assert!(!may(verb, what), "{verb} {what}");
    }
    snapshots_of_failures_are_kept(&house, &snapshot);
}

/// They keep what is stored: somebody has to let them go.
fn snapshots_of_failures_are_kept(house: &House, snapshot: &str) {
    let content = house.field(
        &format!("volumesnapshot/{snapshot}"),
        "/status/boundVolumeSnapshotContentName",
    );
    let content = content.as_str().expect("it is bound");
    let policy = house.field(
        &format!("volumesnapshotcontent/{content}"),
        "/spec/deletionPolicy",
    );
    assert_eq!(policy, "Retain");
    house.kubectl(&[
        "patch",
        "volumesnapshotcontent",
        content,
        "--type=merge",
        "--patch",
        r#"{"spec": {"deletionPolicy": "Delete"}}"#,
    ]);
}

/// A bound claim under the name of the node's.
fn a_database(house: &House) {
    let image = house.field(
        "deployment/recorder",
        "/spec/template/spec/containers/0/image",
    );
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "storage-restate-0"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "16Mi"}}},
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "database"},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "only", "image": image, "imagePullPolicy": "IfNotPresent",
                "command": ["/bin/sh", "-c", "exec sleep infinity"],
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                "volumeMounts": [{"name": "storage", "mountPath": "/target"}],
            }],
            "volumes": [{"name": "storage", "persistentVolumeClaim": {"claimName": "storage-restate-0"}}],
        },
    });
    house.apply(&claim.to_string(), &[]);
    house.apply(&pod.to_string(), &[]);
    house.until("the claim is bound", || {
        house.field("pvc/storage-restate-0", "/status/phase") == "Bound"
    });
}
