//! Whoever mounts the database while it is wiped: what they write is not lost.

use serde_json::json;

use crate::{database::deployed, house::House, unfinished::killed_when};

const CLAIM: &str = "pvc/storage-restate-0";

/// A pod of somebody else that has the node's claim, and what runs in it.
fn visit(house: &House, image: &serde_json::Value, node: &serde_json::Value, command: &str) {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "visitor"},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "restartPolicy": "Never",
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "fsGroup": 65532,
                "fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "only", "image": image, "imagePullPolicy": "IfNotPresent",
                "command": ["/bin/sh", "-c", command],
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                "volumeMounts": [{"name": "storage", "mountPath": "/target"}],
            }],
            "volumes": [{"name": "storage", "persistentVolumeClaim": {"claimName": "storage-restate-0"}}],
        },
    });
    pod["spec"]["nodeSelector"] = node.clone();
    house.apply(&pod.to_string(), &[]);
}

fn image(house: &House) -> serde_json::Value {
    house.field(
        "deployment/recorder",
        "/spec/template/spec/containers/0/image",
    )
}

#[test]
fn what_is_written_after_the_comparison_keeps_the_claim() {
    let house = deployed("written");
    house.increment();
    let (claim, fingerprint) = (house.claim(), house.fingerprint());
    let jobs = ["get", "jobs", "--output", "name"];
    let check = || {
        let jobs = house.kubectl(&jobs);
        let mut jobs = jobs.lines().map(str::to_owned);
        jobs.find(|job| job.ends_with("-check"))
    };
    killed_when(&house, "the copy is compared", || check().is_some());
    let check = check().expect("it compares");
    house.until("the copy has been compared", || {
        house.field(&check, "/status/succeeded") == 1
    });

    visit(
        &house,
        &image(&house),
        &json!({}),
        "echo mine > /target/mine",
    );
    house.until("the visitor has ended", || {
        let phase = house.field("pod/visitor", "/status/phase");
        phase == "Succeeded" || phase == "Failed"
    });
    assert_eq!(house.field("pod/visitor", "/status/phase"), "Succeeded");
    house.kubectl(&["delete", "pod", "visitor"]);

    house.operation("resume", &[]).exits(3).says(&[
        "it was given to visitor after the comparison had begun",
        "its changes are taken back",
    ]);
    assert_eq!(house.claim(), claim);
    assert_eq!(house.fingerprint(), fingerprint);
    let read = [
        "exec",
        "restate-0",
        "-c",
        "restate",
        "--",
        "cat",
        "/target/mine",
    ];
    assert_eq!(house.kubectl(&read), "mine\n");
    house.is_tidy();

    // Undisturbed it is wiped, with what was written.
    house.wipe().exits(0);
    assert_ne!(house.claim(), claim);
}

/// Between the last look and the deletion nobody can keep others out.
#[test]
fn a_volume_is_kept_that_another_pod_may_have_had_at_the_last_moment() {
    let house = deployed("late");
    house.increment();
    let volume = house.field(CLAIM, "/spec/volumeName");
    let volume = volume.as_str().expect("it is bound");
    let image = image(&house);
    let finalizers = |list: &str| {
        let patch = format!(r#"{{"metadata": {{"finalizers": {list}}}}}"#);
        house.kubectl(&["patch", CLAIM, "--type=merge", "--patch", &patch]);
    };
    finalizers(r#"["kubernetes.io/pvc-protection", "example.com/slow"]"#);

    let digest = house.digest("wipe", &[]);
    let wipe = house.begin_data("wipe", &["--approve", &digest]);
    house.until("the claim is deleted", || {
        !house.field(CLAIM, "/metadata/deletionTimestamp").is_null() || wipe.has_ended()
    });
    visit(&house, &image, &json!({"nowhere": "true"}), "true");
    house.kubectl(&["delete", "pod", "visitor"]);
    finalizers("[]");
    wipe.end()
        .exits(0)
        .prints(&["nobody knows whether another pod wrote to it after the comparison"]);

    let kept = format!("pv/{volume}");
    assert_eq!(house.field(&kept, "/status/phase"), "Released");
    let policy = "/spec/persistentVolumeReclaimPolicy";
    assert_eq!(house.field(&kept, policy), "Retain");
    let delete = r#"{"spec": {"persistentVolumeReclaimPolicy": "Delete"}}"#;
    house.kubectl(&["patch", &kept, "--type=merge", "--patch", delete]);
}
