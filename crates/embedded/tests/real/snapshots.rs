//! Faults of snapshots, as the real controllers bring them to whoever waits for
//! a VolumeSnapshot.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use longrun_embedded::{Cluster, Up};
use serde_json::Value;

use crate::place::{self, Place, eventually, running, silent};

/// Class → parameters.
const CLASSES: [(&str, &str); 8] = [
    ("plain", "{}"),
    ("slow", "{readyAfter: 8s}"),
    ("never", "{ready: never}"),
    ("empty", "{content: empty}"),
    ("failing", "{fail: unavailable}"),
    ("final", "{fail: internal}"),
    ("sometimes", "{fail: unavailable, failTimes: '2'}"),
    (
        "kept",
        "{csi.storage.k8s.io/snapshotter-secret-name: refusal, csi.storage.k8s.io/snapshotter-secret-namespace: default}",
    ),
];

/// A cluster with a volume that holds one file, and a snapshot of each class.
struct Setting {
    place: Place,
    cluster: Cluster,
    up: Up,
}

impl Setting {
    fn new() -> Self {
        let place = Place::new("snapshots");
        let cluster = place.cluster("one");
        let up = cluster.up(&silent).unwrap();
        let setting = Self { place, cluster, up };
        for definition in setting.cluster.snapshot_crds().unwrap() {
            setting.place.apply(&setting.up, &definition);
        }
        setting.apply(place::DISK);
        setting.pod("source", "");
        setting.apply(
            "{apiVersion: v1, kind: Secret, metadata: {name: refusal}, stringData: {refuseDeletion: 'true'}}",
        );
        eventually("the snapshotter runs", || {
            let all = running(&setting.cluster).components;
            all.iter().all(|component| component.state == "running")
        });
        setting
    }

    fn apply(&self, manifest: &str) {
        self.place.apply(&self.up, manifest);
    }

    /// A pod with a volume of its name, once it runs.
    fn pod(&self, name: &str, source: &str) {
        self.apply(&place::pod_with_volume(name, source));
        self.place.await_pod(&self.up, name);
    }

    fn object(&self, name: &str) -> Option<Value> {
        let arguments = ["get", name, "--ignore-not-found", "--output=json"];
        let printed = self.place.kubectl(&self.up, &arguments);
        serde_json::from_str(&printed).ok()
    }

    fn status(&self, snapshot: &str) -> Value {
        self.object(&format!("volumesnapshot/{snapshot}"))
            .expect("the snapshot is there")["status"]
            .take()
    }

    fn is_ready(&self, snapshot: &str) -> bool {
        self.status(snapshot)["readyToUse"] == true
    }

    fn until_ready(&self, snapshot: &str) {
        eventually(snapshot, || self.is_ready(snapshot));
    }

    /// Takes the fault out of a class.
    fn lift(&self, class: &str, parameter: &str) {
        let patch = format!(r#"[{{"op": "remove", "path": "/parameters/{parameter}"}}]"#);
        let class = format!("volumesnapshotclass/{class}");
        self.place.kubectl(
            &self.up,
            &["patch", &class, "--type=json", "--patch", &patch],
        );
    }

    /// Where a claim's data is, seen from this machine.
    fn data(&self, claim: &str) -> PathBuf {
        let claim = self.object(&format!("persistentvolumeclaim/{claim}"));
        let volume = claim.expect("the claim is there")["spec"]["volumeName"].take();
        let components = running(&self.cluster).components;
        let driver = components
            .iter()
            .find(|component| component.name == "csi-driver");
        let pid = driver.and_then(|driver| driver.pid).unwrap();
        PathBuf::from(format!("/proc/{pid}/root/run/longrun/volumes/volumes"))
            .join(volume.as_str().unwrap())
    }

    fn driver_log(&self) -> String {
        fs::read_to_string(self.place.state("one").join("logs/csi-driver.log")).unwrap()
    }
}

#[test]
fn each_fault_is_what_a_waiting_person_sees() {
    let setting = Setting::new();
    fs::write(setting.data("source").join("file"), "then").unwrap();
    let asked = Instant::now();
    for (name, parameters) in CLASSES {
        setting.apply(&format!(
            r"
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotClass
metadata: {{name: {name}}}
driver: csi.longrun.dev
deletionPolicy: Delete
parameters: {parameters}
---
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {{name: {name}}}
spec: {{volumeSnapshotClassName: {name}, source: {{persistentVolumeClaimName: source}}}}
"
        ));
    }
    setting.until_ready("plain");
    fs::write(setting.data("source").join("file"), "now").unwrap();

    // Slow: it is bound and not ready, and then it is.
    eventually("bound", || !setting.status("slow")["restoreSize"].is_null());
    let is_early = asked.elapsed() < Duration::from_secs(8);
    assert!(!is_early || !setting.is_ready("slow"));
    setting.until_ready("slow");

    // Failing some times: it is taken in the end, and only then.
    setting.until_ready("sometimes");
    assert!(setting.driver_log().contains("the 2. of this snapshot"));

    // Never, whatever the time; failing, with the reason in the status.
    let never = setting.status("never");
    assert_eq!(never["readyToUse"], false);
    assert_eq!(never["restoreSize"], "64Mi");
    for name in ["failing", "final"] {
        let asks = "asks for this failure";
        eventually(name, || {
            let message = &setting.status(name)["error"]["message"];
            message.as_str().is_some_and(|text| text.contains(asks))
        });
        assert!(!setting.is_ready(name));
    }
    setting.lift("never", "ready");
    setting.lift("failing", "fail");
    setting.lift("final", "fail");
    for name in ["never", "failing", "final"] {
        setting.until_ready(name);
    }

    // Empty: ready like any other, and nothing comes back.
    setting.until_ready("empty");
    for name in ["plain", "empty"] {
        let source = format!(
            "dataSource: {{apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: {name}}}"
        );
        setting.pod(&format!("from-{name}"), &source);
    }
    let restored = fs::read_to_string(setting.data("from-plain").join("file"));
    assert_eq!(restored.unwrap(), "then");
    let nothing = fs::read_dir(setting.data("from-empty")).unwrap();
    assert_eq!(nothing.count(), 0);

    // Refusing deletion: it stays, Terminating, until the refusal is lifted.
    setting.until_ready("kept");
    let delete = ["delete", "volumesnapshot/kept", "--wait=false"];
    setting.place.kubectl(&setting.up, &delete);
    eventually("refused", || {
        setting
            .driver_log()
            .contains("asks that deletion be refused")
    });
    let kept = setting.object("volumesnapshot/kept").expect("it stays");
    assert!(kept["metadata"]["deletionTimestamp"].is_string());
    setting.apply(
        "{apiVersion: v1, kind: Secret, metadata: {name: refusal}, stringData: {refuseDeletion: 'false'}}",
    );
    eventually("deleted", || {
        setting.object("volumesnapshot/kept").is_none()
    });
}
