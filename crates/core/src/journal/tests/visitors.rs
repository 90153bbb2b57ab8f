//! Which pods had a claim between its comparison and its deletion.

use super::*;
use crate::{
    cluster::{
        Pod,
        tests::{all, live},
    },
    gate::{Gate, Release},
};

fn uid(uid: &str) -> Uid {
    Uid(uid.into())
}

fn set() -> ObjectRef {
    ObjectRef::namespaced("apps/v1", "StatefulSet", "restate", "restate")
}

fn snapshot() -> ObjectRef {
    ObjectRef::namespaced(
        "snapshot.storage.k8s.io/v1",
        "VolumeSnapshot",
        "restate",
        "kept",
    )
}

/// Compares, deletes the claim behind the gate, and releases the volume.
fn comparison() -> Journal {
    let job = json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "check", "namespace": "restate"}});
    let gate = Gate {
        claim: uid("c"),
        handle: "vol".into(),
        set: set(),
        generation: Some(1),
        since: None,
        reader: None,
        snapshot: Some(snapshot()),
        made: Some(uid("s")),
        source: None,
    };
    let claim = ObjectRef::namespaced("v1", "PersistentVolumeClaim", "restate", "claim");
    let delete = Effect::Delete {
        object: claim,
        uid: uid("c"),
        propagation: crate::plan::Propagation::Background,
    };
    let release = Release {
        volume: uid("v"),
        claim: uid("c"),
        handle: "vol".into(),
        snapshot: Some(snapshot()),
        made: Some(uid("s")),
        watched: false,
    };
    let reclaim = Effect::Reclaim {
        object: ObjectRef::whole("v1", "PersistentVolume", "pv"),
        uid: uid("v"),
        policy: Policy::Delete,
    };
    journal(vec![
        Step::new(
            Effect::Create { object: job },
            Guard::Absent,
            Wait::Verified,
        ),
        Step::new(delete, Guard::Gate(gate), Wait::None),
        Step::new(reclaim, Guard::Release(release), Wait::None).soft(),
    ])
}

/// What the gate and the release see: nothing that speaks against it.
fn seen(visitors: Option<Vec<Pod>>) -> Observation {
    Observation {
        object: Some(json!({"metadata": {"name": "claim", "uid": "c"}})),
        volume: Some(
            json!({"metadata": {"name": "pv"}, "spec": {"csi": {"volumeHandle": "vol"},
                "claimRef": {"uid": "c"}, "persistentVolumeReclaimPolicy": "Retain"}}),
        ),
        set: Some(json!({"metadata": {"generation": 1}, "spec": {"replicas": 0}})),
        snapshots: [
            json!({"metadata": {"name": "kept", "uid": "s"}, "status": {"readyToUse": true,
            "boundVolumeSnapshotContentName": "content"}}),
        ]
        .into(),
        contents: [
            json!({"metadata": {"name": "content"}, "status": {"readyToUse": true},
            "spec": {"source": {"volumeHandle": "vol"}, "deletionPolicy": "Retain",
                "volumeSnapshotRef": {"uid": "s"}}}),
        ]
        .into(),
        visitors,
        ..Observation::default()
    }
}

fn compared() -> Journal {
    let mut journal = comparison();
    let before = Observation {
        pods_version: Some("7".into()),
        ..Observation::default()
    };
    assert!(matches!(journal.next(&before, at(0)), Next::Do(_)));
    journal.acted(Some(uid("j")), at(0));
    // The list of pods goes on; what is asked for is what happened since the comparison was begun.
    let after = Observation {
        pods_version: Some("9".into()),
        ..observation(Some(live(json!({"metadata": {"uid": "j"},
            "status": {"conditions": [{"type": "Complete", "status": "True"}]}}))))
    };
    assert_eq!(journal.next(&after, at(1)), Next::Look);
    journal
}

fn gate_of(journal: &Journal) -> Gate {
    match journal.current().map(|step| step.guard) {
        Some(Guard::Gate(gate)) => gate,
        other => panic!("the claim is deleted behind a gate, not {other:?}"),
    }
}

fn visitor() -> Vec<Pod> {
    all([json!({"metadata": {"name": "debug"}})])
}

#[test]
fn the_gate_asks_for_what_happened_since_the_comparison_was_begun() {
    let written = serde_json::to_string(&compared()).unwrap();
    let journal: Journal = serde_json::from_str(&written).unwrap();
    let gate = gate_of(&journal);
    assert_eq!(gate.since.as_deref(), Some("7"));
    assert_eq!(gate.reader, Some(uid("j")));
}

#[test]
fn after_the_gate_has_looked_only_what_happened_since_is_asked() {
    let mut journal = compared();
    let look = |version: &str| Observation {
        pods_version: Some(version.into()),
        ..seen(Some(Vec::new()))
    };
    // The answer to the first attempt is lost: it looks again.
    for version in ["20", "30"] {
        assert!(matches!(journal.next(&look(version), at(2)), Next::Do(_)));
        let written = serde_json::to_string(&journal).unwrap();
        let journal: Journal = serde_json::from_str(&written).unwrap();
        assert_eq!(gate_of(&journal).since.as_deref(), Some(version));
    }
}

#[test]
fn a_claim_stays_that_another_pod_had_or_may_have_had() {
    let cause = |visitors: Option<Vec<Pod>>| match compared().next(&seen(visitors), at(2)) {
        Next::Stop(reason) => reason.cause().to_string(),
        _ => "deleted".to_string(),
    };
    assert_snapshot!([cause(Some(Vec::new())), cause(Some(visitor())), cause(None)].join("\n"), @r"
    deleted
    it was given to debug after the comparison had begun: what was written since is perhaps in no snapshot
    the API server does not say which pods had it since the comparison began: what was written since is perhaps in no snapshot
    ");
}

/// Between the look and the deletion another pod can still get the claim.
#[test]
fn a_volume_stays_whose_claim_another_pod_had_until_it_was_gone() {
    let released = |visitors: Option<Vec<Pod>>| {
        let mut journal = compared();
        assert!(matches!(
            journal.next(&seen(Some(Vec::new())), at(2)),
            Next::Do(_)
        ));
        journal.acted(None, at(2));
        let gone = Observation {
            visitors,
            ..Observation::default()
        };
        assert_eq!(journal.next(&gone, at(3)), Next::Look);
        let volume = json!({"metadata": {"name": "pv", "uid": "v"}, "spec": {"claimRef": {"uid": "c"}},
            "status": {"phase": "Released"}});
        let volume = Observation {
            object: Some(volume),
            ..seen(None)
        };
        match journal.next(&volume, at(4)) {
            Next::Do(effect) => effect.to_string(),
            _ => journal.notes()[0].1.to_string(),
        }
    };
    assert_snapshot!([released(Some(Vec::new())), released(Some(visitor())), released(None)].join("\n"), @"
    no longer keep the data of PersistentVolume pv
    nobody knows whether another pod wrote to it after the comparison: its data is kept
    nobody knows whether another pod wrote to it after the comparison: its data is kept
    ");
}
