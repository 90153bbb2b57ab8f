//! Each doubt by itself keeps a claim and a volume.

use alloc::string::String;

use insta::assert_snapshot;
use serde_json::json;

use super::*;
use crate::cluster::{Pod, tests::all};

fn snapshot() -> Value {
    json!({"metadata": {"name": "kept", "uid": "s"},
        "spec": {"source": {"persistentVolumeClaimName": "claim"}},
        "status": {"readyToUse": true, "boundVolumeSnapshotContentName": "content"}})
}

fn content() -> Value {
    json!({"metadata": {"name": "content"},
        "spec": {"deletionPolicy": "Retain", "source": {"volumeHandle": "vol"},
            "volumeSnapshotRef": {"uid": "s"}},
        "status": {"readyToUse": true}})
}

fn volume(phase: &str) -> Value {
    json!({"metadata": {"name": "pv", "uid": "v"}, "status": {"phase": phase},
        "spec": {"csi": {"volumeHandle": "vol"}, "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"uid": "c"}}})
}

fn observation() -> Observation {
    Observation {
        object: Some(json!({"metadata": {"name": "claim", "uid": "c"}})),
        volume: Some(volume("Bound")),
        set: Some(json!({"metadata": {"generation": 3}, "spec": {"replicas": 0}})),
        snapshots: [snapshot()].into(),
        contents: [content()].into(),
        visitors: Some(Vec::new()),
        ..Observation::default()
    }
}

fn kept() -> ObjectRef {
    ObjectRef::namespaced(
        "snapshot.storage.k8s.io/v1",
        "VolumeSnapshot",
        "restate",
        "kept",
    )
}

fn gate() -> Gate {
    Gate {
        claim: Uid("c".into()),
        handle: "vol".into(),
        set: ObjectRef::namespaced("apps/v1", "StatefulSet", "restate", "restate"),
        generation: Some(3),
        since: Some("7".into()),
        reader: Some(Uid("job".into())),
        snapshot: Some(kept()),
        made: Some(Uid("s".into())),
        source: None,
    }
}

/// The one doubt that a twist raises.
fn doubt(twist: impl FnOnce(&mut Gate, &mut Observation)) -> String {
    let (mut gate, mut observation) = (gate(), observation());
    twist(&mut gate, &mut observation);
    gate.doubt(&observation).unwrap_or_else(|| "none".into())
}

#[test]
fn a_claim_goes_when_there_is_no_doubt_at_all() {
    let doubts = [
        doubt(|_, _| {}),
        doubt(|_, observation| observation.object = None),
        doubt(|gate, _| gate.claim = Uid("other".into())),
        doubt(|_, observation| observation.volume = None),
        doubt(|_, observation| {
            observation.volume.as_mut().unwrap()["spec"]["claimRef"]["uid"] = json!("d");
        }),
        doubt(|_, observation| {
            observation.volume.as_mut().unwrap()["spec"]["csi"]["volumeHandle"] = json!("vol-2");
        }),
        doubt(|_, observation| {
            observation.volume.as_mut().unwrap()["spec"]["persistentVolumeReclaimPolicy"] =
                json!("Delete");
        }),
        doubt(|_, observation| observation.set = None),
        doubt(|_, observation| observation.set.as_mut().unwrap()["spec"]["replicas"] = json!(1)),
        doubt(|_, observation| {
            observation.set.as_mut().unwrap()["metadata"]["generation"] = json!(5);
        }),
        doubt(|gate, _| gate.generation = None),
        doubt(|_, observation| {
            observation
                .mounts
                .extend(all([json!({"metadata": {"name": "debug"}})]));
        }),
        doubt(|_, observation| observation.snapshots.clear()),
        doubt(|gate, _| gate.made = None),
        doubt(|_, observation| observation.snapshots[0]["metadata"]["uid"] = json!("other")),
        doubt(|_, observation| {
            observation.snapshots[0]["metadata"]["deletionTimestamp"] = json!("now");
        }),
        doubt(|_, observation| observation.snapshots[0]["status"]["readyToUse"] = json!(false)),
        doubt(|_, observation| observation.contents.clear()),
        doubt(|_, observation| {
            observation.contents[0]["spec"]["volumeSnapshotRef"]["uid"] = json!("o");
        }),
        doubt(|_, observation| {
            observation.contents[0]["spec"]["source"]["volumeHandle"] = json!("o");
        }),
        doubt(|_, observation| observation.contents[0]["spec"]["deletionPolicy"] = json!("Delete")),
        doubt(|_, observation| observation.contents[0]["status"]["readyToUse"] = json!(false)),
        doubt(|_, observation| {
            let mut other = snapshot();
            other["metadata"]["name"] = json!("unready");
            other["status"]["readyToUse"] = json!(false);
            observation.snapshots.push(other);
        }),
        doubt(|gate, _| {
            let (name, uid) = ("source".into(), Uid("x".into()));
            gate.source = Some(Source { name, uid });
        }),
    ];
    assert_snapshot!(doubts.join("\n"), @"
    none
    another client deleted the claim in the meantime
    the claim has been recreated in the meantime: the plan is for UID other
    its volume does not exist
    its volume pv belongs to another claim
    its volume pv is not the snapshotted one, vol
    its volume pv would be deleted with it
    StatefulSet restate is gone, since an unknown time
    StatefulSet restate was changed or started after it had been stopped: no snapshot has what was written since
    StatefulSet restate was changed or started after it had been stopped: no snapshot has what was written since
    StatefulSet restate was changed or started after it had been stopped: no snapshot has what was written since
    it is mounted by debug
    the snapshot kept is gone
    the snapshot kept was not made by this plan
    the snapshot kept was replaced by another snapshot of the same name
    the snapshot kept is being deleted
    the snapshot kept is no longer ready
    the snapshot kept is not bound to any content
    the snapshot kept is not bound to any content
    the snapshot kept is of another volume
    the snapshot kept would be deleted with its namespace: its deletion policy is not Retain
    the snapshot kept has content that is not ready
    its snapshot unready is not ready and would block the deletion
    the snapshot source, which is to be restored, is gone
    ");
}

#[test]
fn a_pod_that_is_gone_again_may_have_written() {
    let pod = |name: &str, owner: &str| {
        let owners = json!([{"uid": owner}]);
        all([json!({"metadata": {"name": name, "ownerReferences": owners}})]).remove(0)
    };
    let seen = |pods: Option<Vec<Pod>>| doubt(|_, observation| observation.visitors = pods);
    // The comparison may need several.
    let readers = [pod("check-1", "job"), pod("check-2", "job")];
    assert_eq!(seen(Some(readers.to_vec())), "none");
    let mut strangers = readers.to_vec();
    strangers.extend([
        pod("debug", "x"),
        pod("debug", "x"),
        pod("restate-0", "set"),
    ]);
    assert_eq!(
        seen(Some(strangers)),
        "it was given to debug, restate-0 after the comparison had begun: what was written since is perhaps in no snapshot"
    );
    let unknown = "the API server does not say which pods had it since the comparison began: what was written since is perhaps in no snapshot";
    assert_eq!(seen(None), unknown);
    // Nor is it known of a comparison that nobody knows.
    assert_eq!(doubt(|gate, _| gate.reader = None), unknown);
    // Of what nobody wants to keep, nobody asks it.
    let forsaken = |pods: Option<Vec<Pod>>| {
        doubt(|gate, observation| {
            gate.snapshot = None;
            observation.visitors = pods;
        })
    };
    assert_eq!(forsaken(None), "none");
    assert_eq!(forsaken(Some([pod("debug", "x")].into())), "none");
}

#[test]
fn without_a_snapshot_the_rest_of_the_gate_stands() {
    let forsaken = |gate: &mut Gate, observation: &mut Observation| {
        gate.snapshot = None;
        observation.snapshots.clear();
    };
    assert_eq!(doubt(forsaken), "none");
    let mounted = doubt(|gate, observation| {
        forsaken(gate, observation);
        observation
            .mounts
            .extend(all([json!({"metadata": {"name": "debug"}})]));
    });
    assert_eq!(mounted, "it is mounted by debug");
}

#[test]
fn a_volume_goes_when_its_claim_is_gone_and_its_copy_is_not() {
    let release = Release {
        volume: Uid("v".into()),
        claim: Uid("c".into()),
        handle: "vol".into(),
        snapshot: Some(kept()),
        made: Some(Uid("s".into())),
        watched: true,
    };
    let seen = |twist: fn(&mut Observation)| {
        let mut observation = Observation {
            object: Some(volume("Released")),
            snapshots: [snapshot()].into(),
            contents: [content()].into(),
            ..Observation::default()
        };
        twist(&mut observation);
        release.doubt(&observation).unwrap_or_else(|| "none".into())
    };
    let unwatched = Release {
        watched: false,
        ..release.clone()
    };
    let released = Observation {
        object: Some(volume("Released")),
        snapshots: [snapshot()].into(),
        contents: [content()].into(),
        ..Observation::default()
    };
    assert_eq!(
        unwatched.doubt(&released).unwrap(),
        "nobody knows whether another pod wrote to it after the comparison: its data is kept"
    );
    let doubts = [
        seen(|_| {}),
        seen(|observation| observation.object = Some(volume("Bound"))),
        seen(|observation| observation.object.as_mut().unwrap()["metadata"]["uid"] = json!("w")),
        seen(|observation| {
            observation.object.as_mut().unwrap()["spec"]["claimRef"]["uid"] = json!("d");
        }),
        seen(|observation| observation.snapshots.clear()),
        seen(|observation| observation.snapshots[0]["metadata"]["uid"] = json!("other")),
        seen(|observation| observation.contents[0]["spec"]["source"]["volumeHandle"] = json!("o")),
        seen(|observation| observation.contents[0]["status"]["readyToUse"] = json!(false)),
        seen(|observation| observation.object = None),
    ];
    assert_snapshot!(doubts.join("\n"), @"
    none
    its phase is Bound: its claim has not released it
    it belongs to another claim
    it belongs to another claim
    the snapshot kept is gone: its data is kept
    the snapshot kept was replaced by another snapshot of the same name: its data is kept
    the snapshot kept is of another volume: its data is kept
    the snapshot kept has content that is not ready: its data is kept
    it has been deleted in the meantime
    ");
}
