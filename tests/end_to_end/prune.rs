//! What is no longer rendered is deleted, and nothing else: neither evidence nor data nor what is others'.

use crate::{
    house::House,
    templates::{config_map, stateful_set},
};

/// What operations and people keep in a namespace, carrying every label that rendered objects carry.
fn belongings(environment: &str) -> String {
    let labels = format!(
        "labels: {{app.kubernetes.io/managed-by: longrun, longrun/environment: {environment}, longrun/rendered: \"true\"}}"
    );
    format!(
        "apiVersion: batch/v1
kind: Job
metadata: {{name: test-29000000, {labels}}}
spec:
  suspend: true
  template:
    spec:
      restartPolicy: Never
      containers: [{{name: test, image: none.example/none:1}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: foreign, {labels}}}
data: {{whose: somebody's}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: kept, {labels}}}
spec:
  accessModes: [ReadWriteOnce]
  resources: {{requests: {{storage: 64Mi}}}}
---
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {{name: evidence, {labels}}}
spec:
  volumeSnapshotClassName: longrun-delete
  source: {{persistentVolumeClaimName: kept}}
"
    )
}

#[test]
fn only_what_was_ours_and_is_rendered_no_more_is_deleted() {
    let house = House::small("prune");
    house.write(
        "templates/note/configmap.yaml.hbs",
        &config_map("note", "one"),
    );
    house.write(
        "templates/extra/configmap.yaml.hbs",
        &config_map("extra", "one"),
    );
    house.deploy(&["--yes"]).exits(0);
    house.apply(
        &belongings(&house.name),
        &["--server-side", "--field-manager", "longrun"],
    );
    let kept = [
        "job/test-29000000",
        "configmap/foreign",
        "persistentvolumeclaim/kept",
        "volumesnapshot/evidence",
        "configmap/note",
    ];
    let uids = || kept.map(|object| house.field(object, "/metadata/uid"));
    let before = uids();

    house.remove("templates/extra/configmap.yaml.hbs");
    house
        .diff()
        .exits(1)
        .prints(&["1 to delete", "delete ConfigMap extra"]);
    house.deploy(&["--yes"]).exits(0);

    assert_eq!(house.get("configmap/extra"), None);
    assert_eq!(uids(), before, "{kept:?} are untouched");
    assert!(
        before.iter().all(serde_json::Value::is_string),
        "{kept:?} were there"
    );
    house.deploy(&["--yes"]).exits(0).says(&["nothing to do"]);
}

#[test]
fn what_others_have_taken_is_listed_and_left() {
    let house = House::small("taken");
    house.write(
        "templates/extra/configmap.yaml.hbs",
        &config_map("extra", "one"),
    );
    house.deploy(&["--yes"]).exits(0);
    house.kubectl(&["label", "configmap", "extra", "longrun/rendered-"]);
    house.remove("templates/extra/configmap.yaml.hbs");
    house
        .deploy(&["--yes"])
        .says(&["no longer rendered and left alone", "longrun/rendered"]);
    assert_eq!(house.field("configmap/extra", "/data/text"), "one");
}

#[test]
fn a_set_that_is_rendered_no_more_leaves_its_claims() {
    let house = House::small("data");
    let set = "templates/store/statefulset.yaml.hbs";
    house.write(set, &stateful_set("store", "64Mi", "store"));
    house.deploy(&["--yes"]).exits(0);
    let claim = house.field("persistentvolumeclaim/data-store-0", "/metadata/uid");
    assert!(claim.is_string());
    house.remove(set);
    house
        .deploy(&["--yes"])
        .exits(0)
        .says(&["delete StatefulSet store"]);
    assert_eq!(house.get("statefulset/store"), None);
    assert_eq!(
        house.field("persistentvolumeclaim/data-store-0", "/metadata/uid"),
        claim
    );
}
