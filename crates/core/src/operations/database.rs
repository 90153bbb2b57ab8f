//! What an operation on the database stands on: the claim, its volume and the node, and all that speaks
//! against touching them.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use serde_json::Value;

use super::{
    data::{Facts, Options},
    refusal::Refusal,
    volume_replacement::is_temporary,
};
use crate::{
    cluster::Pod,
    gate::{is_going, is_ready, name, text},
    journal::{Admission, admit, admit_beside},
    names::{CLAIM, NODE},
    object::{ObjectRef, Uid, uid},
    plan::{Policy, Target},
};

/// A database on a bound claim, and the node that writes to it.
pub(super) struct DatabaseVolume {
    pub(super) claim: ObjectRef,
    pub(super) claim_uid: Uid,
    pub(super) volume: ObjectRef,
    pub(super) volume_uid: Uid,
    /// What the storage calls the volume.
    pub(super) handle: String,
    /// What becomes of the volume when its claim goes.
    pub(super) policy: Policy,
}

/// The node's StatefulSet.
pub(super) struct Node {
    pub(super) set: ObjectRef,
    pub(super) uid: Uid,
}

pub(super) fn claim_ref(target: &Target) -> ObjectRef {
    ObjectRef::namespaced("v1", "PersistentVolumeClaim", &target.environment, CLAIM)
}

/// The database, or why nothing can be done with it.
pub(super) fn database(target: &Target, facts: &Facts) -> Result<DatabaseVolume, Vec<Refusal>> {
    let claim = CLAIM.to_string();
    let live = facts.claim.as_ref();
    let Some((live, claim_uid)) = live.and_then(|live| Some((live, uid(live)?))) else {
        return Err([Refusal::NoDatabase { claim }].into());
    };
    if is_going(live) {
        let finalizers = strings(live, "/metadata/finalizers");
        return Err([Refusal::Terminating { claim, finalizers }].into());
    }
    let phase = text(live, "/status/phase");
    let volume = facts.volume.as_ref().filter(|_| phase == "Bound");
    let Some((volume, volume_uid)) = volume.and_then(|volume| Some((volume, uid(volume)?))) else {
        let phase = phase.to_string();
        return Err([Refusal::NeverBound { claim, phase }].into());
    };
    Ok(DatabaseVolume {
        claim: claim_ref(target),
        claim_uid,
        volume: ObjectRef::whole("v1", "PersistentVolume", name(volume)),
        volume_uid,
        handle: text(volume, "/spec/csi/volumeHandle").to_string(),
        policy: match text(volume, "/spec/persistentVolumeReclaimPolicy") {
            "Retain" => Policy::Retain,
            _ => Policy::Delete,
        },
    })
}

/// The node, which is to be stopped and started.
pub(super) fn node(target: &Target, facts: &Facts) -> Result<Node, Refusal> {
    let set = ObjectRef::namespaced("apps/v1", "StatefulSet", &target.environment, NODE);
    match facts.set.as_ref().and_then(uid) {
        Some(uid) => Ok(Node { set, uid }),
        None => Err(Refusal::NoNode {
            target: target.clone(),
        }),
    }
}

/// Pods that mount the claim, and are neither the node's nor what an operation left: stopping the node does
/// not end them.
pub(super) fn strangers(facts: &Facts) -> Option<Refusal> {
    let set = facts.set.as_ref().and_then(uid);
    let temporary = facts.jobs.iter().filter(|job| is_temporary(job));
    let ours: Vec<Uid> = set.into_iter().chain(temporary.filter_map(uid)).collect();
    let is_ours = |pod: &&Pod| ours.iter().any(|owner| pod.metadata.is_owned_by(owner));
    let pods: Vec<String> = facts
        .mounts
        .iter()
        .filter(|pod| !is_ours(pod))
        .map(|pod| pod.metadata.name.clone())
        .collect();
    let claim = CLAIM.to_string();
    (!pods.is_empty()).then_some(Refusal::Mounted { claim, pods })
}

/// A snapshot of the claim that is not ready: its finalizer would hold the deletion of the claim, and the
/// storage may be busy with it for hours.
pub(super) fn hanging(facts: &Facts) -> Option<Refusal> {
    let of_claim =
        |snapshot: &&Value| text(snapshot, "/spec/source/persistentVolumeClaimName") == CLAIM;
    let mut snapshots = facts.snapshots.iter().flatten().filter(of_claim);
    let snapshot = snapshots.find(|snapshot| !is_ready(snapshot))?;
    Some(Refusal::Hanging {
        name: name(snapshot).to_string(),
        cause: match text(snapshot, "/status/error/message") {
            "" => "the storage has not finished the snapshot".to_string(),
            error => error.to_string(),
        },
    })
}

/// What speaks against keeping the database as a snapshot, and reading that before anything is deleted.
pub(super) fn not_to_be_kept(facts: &Facts, options: &Options) -> Vec<Refusal> {
    let policies = [Policy::Delete, Policy::Retain];
    let classes = policies.map(|policy| class(facts, options, policy));
    served(facts)
        .into_iter()
        .chain(classes.into_iter().flatten())
        .chain(driver(facts, options))
        .collect()
}

/// A volume of another driver has no snapshots of these classes.
pub(super) fn driver(facts: &Facts, options: &Options) -> Option<Refusal> {
    let volume = facts.volume.as_ref()?;
    let driver = text(volume, "/spec/csi/driver");
    (driver != options.driver).then(|| Refusal::Driver {
        volume: name(volume).to_string(),
        found: match driver {
            "" => "no CSI driver".to_string(),
            driver => driver.to_string(),
        },
        expected: options.driver.clone(),
    })
}

/// What a class that is used has to be like.
pub(super) fn class(facts: &Facts, options: &Options, policy: Policy) -> Option<Refusal> {
    let wanted = match policy {
        Policy::Retain => &options.retain_class,
        Policy::Delete => &options.delete_class,
    };
    facts.snapshots.as_ref()?;
    let Some(class) = facts.classes.iter().find(|class| name(class) == wanted) else {
        let mut known: Vec<String> = facts
            .classes
            .iter()
            .map(|class| name(class).to_string())
            .collect();
        known.sort();
        let name = wanted.clone();
        return Some(Refusal::NoClass { name, known });
    };
    let expected = [
        ("driver", options.driver.as_str()),
        ("deletionPolicy", policy.word()),
    ];
    expected.into_iter().find_map(|(field, expected)| {
        let found = class.get(field).and_then(Value::as_str).unwrap_or_default();
        (found != expected).then(|| Refusal::Class {
            name: wanted.clone(),
            field,
            found: found.to_string(),
            expected: expected.to_string(),
        })
    })
}

/// Whether the cluster knows snapshots, and the user may do what is needed.
pub(super) fn possible(facts: &Facts) -> Vec<Refusal> {
    served(facts).into_iter().chain(denied(facts)).collect()
}

fn served(facts: &Facts) -> Option<Refusal> {
    facts.snapshots.is_none().then_some(Refusal::NotServed)
}

/// What the user may not do and would have to.
pub(super) fn denied(facts: &Facts) -> impl Iterator<Item = Refusal> {
    facts.denied.iter().cloned().map(Refusal::Denied)
}

/// Whether an earlier operation leaves room for this one.
pub(super) fn admission(operation: &str, facts: &Facts) -> Result<Admission, Refusal> {
    admit(operation, facts.stored.as_ref(), facts.kept()).map_err(Refusal::Unfinished)
}

/// Whether something may begin without the Lease.
pub(super) fn beside(wanted: &str, target: &Target, facts: &Facts) -> Option<Refusal> {
    let admitted = admit_beside(
        wanted,
        target,
        facts.stored.as_ref(),
        facts.kept(),
        facts.at_work.as_ref(),
    );
    admitted.err().map(Refusal::InTheWay)
}

/// The strings of a list.
pub(super) fn strings(object: &Value, pointer: &str) -> Vec<String> {
    let list = object.pointer(pointer).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(ToString::to_string)
        .collect()
}
