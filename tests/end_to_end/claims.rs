//! The claim of a StatefulSet grows without the pod noticing and without losing a byte.

use crate::{house::House, templates::stateful_set};

const SET: &str = "templates/store/statefulset.yaml.hbs";

fn with_data(test: &str) -> House {
    let house = House::small(test);
    house.write(SET, &stateful_set("store", "64Mi", "store"));
    house.deploy(&["--yes"]).exits(0);
    house.kubectl(&[
        "exec",
        "store-0",
        "--",
        "/bin/sh",
        "-c",
        "echo kept > /data/file && sync",
    ]);
    house
}

#[test]
fn a_claim_grows_under_the_pod_that_uses_it() {
    let house = with_data("grow");
    let uid = |object: &str| house.field(object, "/metadata/uid");
    let (pod, claim, set) = (
        uid("pod/store-0"),
        uid("persistentvolumeclaim/data-store-0"),
        uid("statefulset/store"),
    );

    house.write(SET, &stateful_set("store", "128Mi", "store"));
    house.deploy(&["--yes"]).exits(0).says(&[
        "grow PersistentVolumeClaim data-store-0",
        "delete (orphaning dependents) StatefulSet store",
        "create StatefulSet store",
    ]);

    assert_eq!(uid("pod/store-0"), pod, "the pod has survived");
    assert_eq!(
        uid("persistentvolumeclaim/data-store-0"),
        claim,
        "the claim has survived"
    );
    assert_ne!(uid("statefulset/store"), set, "the set is a new one");
    assert_eq!(
        house.field("pod/store-0", "/metadata/ownerReferences/0/uid"),
        uid("statefulset/store")
    );
    house.until("the volume has grown", || {
        house.field(
            "persistentvolumeclaim/data-store-0",
            "/status/capacity/storage",
        ) == "128Mi"
    });
    assert_eq!(
        house
            .kubectl(&["exec", "store-0", "--", "cat", "/data/file"])
            .trim(),
        "kept"
    );
    house.deploy(&["--yes"]).exits(0).says(&["nothing to do"]);
}

#[test]
fn a_claim_whose_class_does_not_let_it_grow_is_refused_before_anything_is_touched() {
    let house = House::small("fixed");
    let class = format!("{}-fixed", house.name);
    house.apply(
        &format!(
            r#"{{"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {{"name": "{class}"}},
            "provisioner": "csi.longrun.dev", "volumeBindingMode": "WaitForFirstConsumer"}}"#
        ),
        &[],
    );
    let with = |size: &str| {
        let set = stateful_set("store", size, "store");
        house.write(SET, &set.replace("{{quote cluster.storage.class}}", &class));
    };
    with("64Mi");
    house.deploy(&["--yes"]).exits(0);
    let set = house.field("statefulset/store", "/metadata/uid");
    with("128Mi");
    house.deploy(&["--yes"]).exits(2).says(&[
        "PersistentVolumeClaim data-store-0 cannot grow",
        "allowVolumeExpansion: true",
        "nothing was changed",
    ]);
    assert_eq!(house.field("statefulset/store", "/metadata/uid"), set);
    house.kubectl(&["delete", "storageclass", &class]);
}

#[test]
fn a_claim_does_not_shrink() {
    let house = with_data("shrink");
    house.write(SET, &stateful_set("store", "32Mi", "store"));
    house.deploy(&["--yes"]).exits(2).says(&[
        "StatefulSet store has an immutable field",
        "nothing was changed",
    ]);
    assert_eq!(
        house.field(
            "persistentvolumeclaim/data-store-0",
            "/spec/resources/requests/storage"
        ),
        "64Mi"
    );
}

#[test]
fn what_else_is_immutable_in_a_set_does_not_hide_behind_a_growing_claim() {
    let house = with_data("hide");
    let set = house.field("statefulset/store", "/metadata/uid");
    house.write(SET, &stateful_set("store", "128Mi", "another"));
    house
        .deploy(&["--yes"])
        .exits(2)
        .says(&["StatefulSet store has an immutable field"]);
    assert_eq!(house.field("statefulset/store", "/metadata/uid"), set);
    assert_eq!(
        house.field(
            "persistentvolumeclaim/data-store-0",
            "/spec/resources/requests/storage"
        ),
        "64Mi"
    );
}
