//! Whether a claim may be deleted: only when what it holds is known to be safe elsewhere. Any doubt is a
//! no.

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    cluster::Finding,
    names::FOUND_LABEL,
    object::{ObjectRef, Uid, uid},
    wait::Observation,
};

/// What must be true of a claim and its surroundings before it is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// The claim's incarnation.
    pub claim: Uid,
    /// What the storage calls its volume.
    pub handle: String,
    /// The StatefulSet that writes to it, which must have stood still since the fence.
    pub set: ObjectRef,
    /// The set's generation when the fence held. The journal fills it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The version of the list of pods from before the comparison began: no other pod may have had the claim since.
    /// The journal fills it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The Job that compared. The journal fills it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader: Option<Uid>,
    /// The verified snapshot; `None` only when somebody consented to lose the only copy.
    pub snapshot: Option<ObjectRef>,
    /// The incarnation of the snapshot that the plan itself made. The journal fills it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Uid>,
    /// The snapshot that takes the claim's place: without it there would be nothing to go on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// What must be true of a volume that no claim holds any more before its data go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// The volume's incarnation.
    pub volume: Uid,
    /// The incarnation of the claim that had it.
    pub claim: Uid,
    /// What the storage calls it.
    pub handle: String,
    /// The snapshot that holds what is on it; `None` only when somebody consented to lose the only copy.
    pub snapshot: Option<ObjectRef>,
    /// The incarnation of the snapshot that the plan itself made. The journal fills it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Uid>,
    /// It is known that no other pod had the claim from the comparison on until it was gone. The journal fills it in.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub watched: bool,
}

impl Release {
    /// The first doubt, if there is one. Reads the volume as the object, and [`Observation::snapshots`] and
    /// [`Observation::contents`].
    #[must_use]
    pub fn doubt(&self, observation: &Observation) -> Option<String> {
        let Some(volume) = &observation.object else {
            return Some("it has been deleted in the meantime".to_string());
        };
        if uid(volume).as_ref() != Some(&self.volume)
            || text(volume, "/spec/claimRef/uid") != self.claim.0
        {
            return Some("it belongs to another claim".to_string());
        }
        let phase = text(volume, "/status/phase");
        if phase != "Released" {
            return Some(format!(
                "its phase is {phase}: its claim has not released it"
            ));
        }
        let doubt = copy_doubt(
            self.snapshot.as_ref()?,
            self.made.as_ref(),
            &self.handle,
            observation,
        );
        let unwatched = || {
            let what = "nobody knows whether another pod wrote to it after the comparison";
            (!self.watched).then(|| what.to_string())
        };
        let doubt = doubt.or_else(unwatched)?;
        Some(format!("{doubt}: its data is kept"))
    }
}

/// The database that a node has: what must be true of its claim before the node is stopped or started. A node
/// whose claim is gone would make an empty one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    /// The node's claim.
    pub claim: ObjectRef,
    /// Which of them.
    pub incarnation: Incarnation,
    /// Its `PersistentVolume`, where that stays whatever becomes of the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
}

/// Which claim a node is to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Incarnation {
    /// This one.
    Is(Uid),
    /// The one that the plan itself makes. The journal knows which that is.
    Made,
    /// None yet.
    Absent,
}

impl Database {
    /// Why it is not there, if it is not. Reads [`Observation::claim`].
    #[must_use]
    pub fn doubt(&self, observation: &Observation) -> Option<String> {
        let claim = &self.claim;
        let planned = match (&self.incarnation, &observation.claim) {
            (Incarnation::Is(planned), _) => planned,
            (Incarnation::Made, _) => return Some(format!("{claim} was not made by this plan")),
            (Incarnation::Absent, Some(_)) => return Some(format!("{claim} appeared meanwhile")),
            (Incarnation::Absent, None) => return None,
        };
        let Some(live) = &observation.claim else {
            return Some(format!("{claim} was deleted meanwhile"));
        };
        if uid(live).as_ref() != Some(planned) {
            return Some(format!(
                "{claim} was deleted and recreated meanwhile: the plan was for UID {planned}"
            ));
        }
        is_going(live).then(|| format!("{claim} is being deleted"))
    }
}

/// A snapshot that is to be restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its incarnation.
    pub uid: Uid,
}

impl Gate {
    /// The first doubt, if there is one. Reads the claim as the object, and [`Observation::volume`],
    /// [`Observation::set`], [`Observation::mounts`], [`Observation::visitors`], [`Observation::snapshots`] and
    /// [`Observation::contents`].
    #[must_use]
    pub fn doubt(&self, observation: &Observation) -> Option<String> {
        let Some(claim) = &observation.object else {
            return Some("another client deleted the claim in the meantime".to_string());
        };
        if uid(claim).as_ref() != Some(&self.claim) {
            return Some(format!(
                "the claim has been recreated in the meantime: the plan is for UID {}",
                self.claim
            ));
        }
        self.volume_doubt(observation)
            .or_else(|| self.fence_doubt(observation))
            .or_else(|| self.visitors_doubt(observation))
            .or_else(|| self.snapshot_doubt(observation))
            .or_else(|| self.hanging(claim, observation))
            .or_else(|| self.source_doubt(observation))
    }

    fn volume_doubt(&self, observation: &Observation) -> Option<String> {
        let Some(volume) = &observation.volume else {
            return Some("its volume does not exist".to_string());
        };
        let name = name(volume);
        if text(volume, "/spec/csi/volumeHandle") != self.handle {
            return Some(format!(
                "its volume {name} is not the snapshotted one, {}",
                self.handle
            ));
        }
        if text(volume, "/spec/claimRef/uid") != self.claim.0 {
            return Some(format!("its volume {name} belongs to another claim"));
        }
        (text(volume, "/spec/persistentVolumeReclaimPolicy") != "Retain")
            .then(|| format!("its volume {name} would be deleted with it"))
    }

    /// Whether something may have been written since the snapshot.
    pub(crate) fn fence_doubt(&self, observation: &Observation) -> Option<String> {
        let Some(set) = &observation.set else {
            return Some(format!("{} is gone, since an unknown time", self.set));
        };
        let replicas = set.pointer("/spec/replicas").and_then(Value::as_u64);
        let generation = set.pointer("/metadata/generation").and_then(Value::as_u64);
        if replicas != Some(0) || generation.is_none() || generation != self.generation {
            return Some(format!(
                "{} was changed or started after it had been stopped: no snapshot has what was written since",
                self.set
            ));
        }
        let mounts = observation.mounts.iter();
        let mounts: Vec<&str> = mounts.map(|pod| pod.metadata.name.as_str()).collect();
        (!mounts.is_empty()).then(|| format!("it is mounted by {}", mounts.join(", ")))
    }

    /// A pod that mounted the claim and is gone again leaves no object, and what it wrote is in no snapshot.
    pub(crate) fn visitors_doubt(&self, observation: &Observation) -> Option<String> {
        self.snapshot.as_ref()?;
        let (Some(visitors), Some(reader)) = (&observation.visitors, &self.reader) else {
            return Some(
                "the API server does not say which pods had it since the comparison began: what was written since is perhaps in no snapshot".to_string(),
            );
        };
        let visitors = visitors.iter().map(|pod| &pod.metadata);
        let strangers: BTreeSet<&str> = visitors
            .filter(|pod| !pod.is_owned_by(reader))
            .map(|pod| pod.name.as_str())
            .collect();
        let strangers: Vec<&str> = strangers.into_iter().collect();
        (!strangers.is_empty()).then(|| {
            format!(
                "it was given to {} after the comparison had begun: what was written since is perhaps in no snapshot",
                strangers.join(", ")
            )
        })
    }

    fn snapshot_doubt(&self, observation: &Observation) -> Option<String> {
        let planned = self.snapshot.as_ref()?;
        copy_doubt(planned, self.made.as_ref(), &self.handle, observation)
    }

    fn source_doubt(&self, observation: &Observation) -> Option<String> {
        let Source { name, uid } = self.source.as_ref()?;
        let what = stored(name, uid, observation).err()?;
        Some(format!(
            "the snapshot {name}, which is to be restored, {what}"
        ))
    }

    /// A snapshot that is not ready holds the claim for ever: its finalizer goes when it gets ready.
    fn hanging(&self, claim: &Value, observation: &Observation) -> Option<String> {
        let of_claim = |snapshot: &&Value| {
            text(snapshot, "/spec/source/persistentVolumeClaimName") == name(claim)
        };
        observation
            .snapshots
            .iter()
            .filter(of_claim)
            .find(|snapshot| !is_ready(snapshot))
            .map(|snapshot| {
                format!(
                    "its snapshot {} is not ready and would block the deletion",
                    name(snapshot)
                )
            })
    }
}

/// Whether a snapshot is not the kept copy of a volume that a plan made.
fn copy_doubt(
    planned: &ObjectRef,
    made: Option<&Uid>,
    handle: &str,
    observation: &Observation,
) -> Option<String> {
    let doubt = |what: &str| Some(format!("the snapshot {} {what}", planned.name));
    let Some(made) = made else {
        return doubt("was not made by this plan");
    };
    let content = match stored(&planned.name, made, observation) {
        Ok(content) => content,
        Err(what) => return doubt(what),
    };
    if text(content, "/spec/source/volumeHandle") != handle {
        return doubt("is of another volume");
    }
    if text(content, "/spec/deletionPolicy") != "Retain" {
        return doubt("would be deleted with its namespace: its deletion policy is not Retain");
    }
    None
}

/// The content of a snapshot that can be restored, or why it cannot.
fn stored<'a>(
    called: &str,
    made: &Uid,
    observation: &'a Observation,
) -> Result<&'a Value, &'static str> {
    let mut snapshots = observation.snapshots.iter();
    let Some(snapshot) = snapshots.find(|snapshot| name(snapshot) == called) else {
        return Err("is gone");
    };
    if uid(snapshot).as_ref() != Some(made) {
        return Err("was replaced by another snapshot of the same name");
    }
    if is_going(snapshot) {
        return Err("is being deleted");
    }
    if !is_ready(snapshot) {
        return Err("is no longer ready");
    }
    let Some(content) = content_of(snapshot, &observation.contents) else {
        return Err("is not bound to any content");
    };
    if is_going(content) || !is_ready(content) {
        return Err("has content that is not ready");
    }
    Ok(content)
}

/// What a `VolumeSnapshot` is bound to: a content that is bound to it as well.
#[must_use]
pub fn content_of<'a>(snapshot: &Value, contents: &'a [Value]) -> Option<&'a Value> {
    let bound = snapshot.pointer("/status/boundVolumeSnapshotContentName")?;
    contents.iter().find(|content| {
        content.pointer("/metadata/name") == Some(bound)
            && content.pointer("/spec/volumeSnapshotRef/uid") == snapshot.pointer("/metadata/uid")
    })
}

/// Whether a snapshot or its content is ready to be restored.
#[must_use]
pub fn is_ready(snapshot: &Value) -> bool {
    let ready = snapshot.pointer("/status/readyToUse");
    ready.and_then(Value::as_bool) == Some(true)
}

/// What was found in a snapshot when it was read, as far as it is written on it.
pub(crate) fn found(snapshot: &Value) -> Option<Finding> {
    let labels = snapshot.pointer("/metadata/labels")?;
    Finding::of(labels.get(FOUND_LABEL)?.as_str()?)
}

/// Whether it is being deleted.
pub(crate) fn is_going(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(crate) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

#[cfg(test)]
mod tests;
