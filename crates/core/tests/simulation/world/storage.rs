//! What is really stored, whatever the objects say, and the controllers of claims, volumes and snapshots.

use std::collections::{BTreeMap, BTreeSet};

use longrun_core::{
    execution::RequestError,
    names::CLAIM,
    object::{ObjectRef, Uid, uid},
    plan::Policy,
};
use serde_json::{Value, json};

use super::{NAMESPACE, World, at, conflict, is_going, is_true, reference, refused, text};
use crate::random::Random;

/// The driver of the model.
pub(crate) const DRIVER: &str = "csi.model";

/// The snapshot classes of the model, with their deletion policies.
pub(crate) const CLASSES: [(&str, &str); 2] = [("delete", "Delete"), ("retain", "Retain")];

/// What one volume holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Data {
    /// Counts what was written, over the whole cluster: equal numbers are equal content. 0 is empty.
    pub(crate) written: u64,
    /// The databases that it was: a wipe begins another one, a restore goes back to one.
    pub(crate) origin: u64,
    /// The image of the service that it knows.
    pub(crate) knows: String,
}

/// What becomes of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Luck {
    Good,
    /// It takes its time.
    Slow,
    /// An error, then ready.
    Stumbles,
    /// An error for good.
    Fails,
    /// No error, and never ready.
    Hangs,
    /// Ready, and empty.
    Empty,
}

#[derive(Clone, Default)]
pub(crate) struct Storage {
    /// By the storage's handle.
    pub(crate) volumes: BTreeMap<String, Data>,
    /// By the storage's handle.
    pub(crate) stored: BTreeMap<String, Data>,
    luck: BTreeMap<Uid, Luck>,
    /// Nothing goes wrong.
    pub(crate) calm: bool,
    /// Handles of snapshots that a reader compared with their original, and what that was.
    pub(super) verified: BTreeSet<(String, u64)>,
    /// Handles of volumes of which somebody consented to lose the only copy.
    pub(super) forsaken: BTreeSet<String>,
    counter: u64,
}

impl Storage {
    pub(super) fn count(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}

impl World {
    /// The volume of a claim: its handle.
    pub(super) fn handle(&self, claim: &str) -> Option<String> {
        let claim = self
            .objects
            .get(&reference("PersistentVolumeClaim", claim))?;
        let volume = text(claim, "/spec/volumeName");
        let volume = self.objects.get(&reference("PersistentVolume", volume))?;
        Some(text(volume, "/spec/csi/volumeHandle").to_owned())
    }

    /// What a claim holds.
    pub(crate) fn data(&self, claim: &str) -> Option<&Data> {
        self.storage.volumes.get(&self.handle(claim)?)
    }

    /// What the database of the node holds.
    pub(crate) fn database(&mut self) -> Option<&mut Data> {
        let handle = self.handle(CLAIM)?;
        self.storage.volumes.get_mut(&handle)
    }

    /// A running node writes all the time; on an empty volume it begins another database.
    pub(crate) fn write(&mut self, claim: &str) {
        let Some(handle) = self.handle(claim) else {
            return;
        };
        let written = self.storage.count();
        if let Some(data) = self.storage.volumes.get_mut(&handle) {
            if data.written == 0 {
                data.origin = written;
            }
            data.written = written;
        }
    }

    /// Pods that name a claim.
    pub(crate) fn mounts(&self, claim: &str) -> Vec<&Value> {
        self.objects
            .iter()
            .filter(|(place, _)| place.kind == "Pod")
            .map(|(_, pod)| pod)
            .filter(|pod| claims(pod).any(|name| name == claim))
            .collect()
    }

    /// What a ready snapshot holds.
    pub(crate) fn stored_of(&self, snapshot: &str) -> Option<&Data> {
        let snapshot = self.objects.get(&reference("VolumeSnapshot", snapshot))?;
        if !is_true(snapshot, "/status/readyToUse") {
            return None;
        }
        self.storage.stored.get(&self.stored_handle(snapshot)?)
    }

    pub(super) fn stored_handle(&self, snapshot: &Value) -> Option<String> {
        let content = text(snapshot, "/status/boundVolumeSnapshotContentName");
        let content = self
            .objects
            .get(&reference("VolumeSnapshotContent", content))?;
        Some(text(content, "/status/snapshotHandle").to_owned())
    }

    pub(super) fn tend_snapshot(&mut self, place: &ObjectRef, random: &mut Random) {
        if is_true(&self.objects[place], "/status/readyToUse") {
            return;
        }
        let snapshot = self.objects[place].clone();
        let id = uid(&snapshot).expect("a live object has a UID");
        if snapshot
            .pointer("/status/boundVolumeSnapshotContentName")
            .is_none()
        {
            let luck = match random.below(24) {
                0 => Luck::Fails,
                1 => Luck::Hangs,
                2 => Luck::Empty,
                3 | 4 => Luck::Stumbles,
                5 | 6 => Luck::Slow,
                _ => Luck::Good,
            };
            let luck = if self.storage.calm { Luck::Good } else { luck };
            self.storage.luck.insert(id, luck);
            self.take_up(place, &snapshot);
            return;
        }
        let luck = match self.storage.luck.get(&id) {
            Some(luck) if !self.storage.calm => *luck,
            _ => Luck::Good,
        };
        self.advance(place, &snapshot, luck, random);
    }

    fn take_up(&mut self, place: &ObjectRef, snapshot: &Value) {
        let class = text(snapshot, "/spec/volumeSnapshotClassName");
        let policy = CLASSES.iter().find(|(name, _)| *name == class);
        let claim = text(snapshot, "/spec/source/persistentVolumeClaimName");
        let (Some((_, policy)), Some(volume)) = (policy, self.handle(claim)) else {
            let status = &mut self.objects.get_mut(place).expect("it is there")["status"];
            *status = json!({"error": {"message": "the claim has no volume"}});
            return;
        };
        let name = format!("snapcontent-{}", self.storage.count());
        self.create(
            json!({"apiVersion": place.api_version, "kind": "VolumeSnapshotContent",
            "metadata": {"name": name},
            "spec": {
                "source": {"volumeHandle": volume},
                "deletionPolicy": policy,
                "volumeSnapshotRef": {"name": place.name, "namespace": NAMESPACE,
                    "uid": snapshot["metadata"]["uid"]},
            }}),
            "snapshot-controller",
        );
        let snapshot = self.objects.get_mut(place).expect("it is there");
        snapshot["status"] = json!({"boundVolumeSnapshotContentName": name, "readyToUse": false});
    }

    fn advance(&mut self, place: &ObjectRef, snapshot: &Value, luck: Luck, random: &mut Random) {
        let content = text(snapshot, "/status/boundVolumeSnapshotContentName");
        let content = reference("VolumeSnapshotContent", content);
        let Some(live) = self.objects.get(&content) else {
            return;
        };
        let volume = text(live, "/spec/source/volumeHandle").to_owned();
        let mut status = snapshot["status"].clone();
        if status.get("creationTime").is_none() {
            let Some(data) = self.storage.volumes.get(&volume).cloned() else {
                return;
            };
            let handle = format!("snap-{}", self.storage.count());
            let data = match luck {
                Luck::Empty => Data::default(),
                _ => data,
            };
            self.storage.stored.insert(handle.clone(), data);
            status["creationTime"] = json!(self.now.to_string());
            let content = self.objects.get_mut(&content).expect("it is there");
            content["status"] = json!({"snapshotHandle": handle, "readyToUse": false});
        } else {
            let ready = match luck {
                Luck::Good | Luck::Empty => true,
                Luck::Slow => random.one_in(40),
                Luck::Stumbles => random.one_in(6),
                Luck::Fails | Luck::Hangs => false,
            };
            if ready {
                status["readyToUse"] = json!(true);
                status["restoreSize"] = json!("10Gi");
                let content = self.objects.get_mut(&content).expect("it is there");
                content["status"]["readyToUse"] = json!(true);
            }
            let fails = !ready && matches!(luck, Luck::Stumbles | Luck::Fails);
            // As the controller does it: an error stays until the snapshot is ready.
            if ready {
                status.as_object_mut().expect("a map").remove("error");
            } else if fails && random.one_in(2) {
                status["error"] = json!({"message": "the storage is busy"});
            }
        }
        self.objects.get_mut(place).expect("it is there")["status"] = status;
    }

    /// What goes with a deleted object.
    pub(super) fn storage_of_deleted(&mut self, object: &Value) {
        if text(object, "/kind") != "VolumeSnapshot" {
            return;
        }
        let content = text(object, "/status/boundVolumeSnapshotContentName");
        let content = reference("VolumeSnapshotContent", content);
        let Some(live) = self.objects.get(&content) else {
            return;
        };
        if text(live, "/spec/deletionPolicy") == "Delete" {
            let handle = text(live, "/status/snapshotHandle").to_owned();
            self.storage.stored.remove(&handle);
            self.objects.remove(&content);
        }
    }

    /// A reader has seen both volumes: whether they are the same.
    pub(super) fn compare(&mut self, original: Option<&str>, copy: &str) -> bool {
        let Some(copied) = self.data(copy).cloned() else {
            return false;
        };
        let Some(original) = original else {
            return copied.written > 0;
        };
        let same = self.data(original) == Some(&copied);
        let claim = self.objects.get(&reference("PersistentVolumeClaim", copy));
        let source = claim.map(|claim| text(claim, "/spec/dataSource/name").to_owned());
        let source = source.and_then(|source| {
            let snapshot = self.objects.get(&reference("VolumeSnapshot", &source))?;
            self.stored_handle(snapshot)
        });
        if same && let Some(handle) = source {
            self.storage.verified.insert((handle, copied.written));
        }
        same
    }

    /// Somebody consents to the loss of the database.
    pub(crate) fn forsake(&mut self) {
        self.storage.forsaken.extend(self.handle(CLAIM));
    }

    /// Judged without the guard: a volume that no claim holds may only be given to the storage when what is
    /// on it is kept.
    pub(super) fn reclaim(
        &mut self,
        place: &ObjectRef,
        planned: &Uid,
        policy: Policy,
    ) -> Result<Option<Uid>, RequestError> {
        let live = self
            .objects
            .get_mut(place)
            .ok_or(refused("it does not exist"))?;
        if uid(live).as_ref() != Some(planned) {
            return Err(conflict("the UID in the precondition does not match"));
        }
        if place.kind == "VolumeSnapshotContent" {
            live["spec"]["deletionPolicy"] = json!(policy.word());
            return Ok(Some(planned.clone()));
        }
        live["spec"]["persistentVolumeReclaimPolicy"] = json!(policy.word());
        let released = text(live, "/status/phase") == "Released";
        let claim = reference("PersistentVolumeClaim", text(live, "/spec/claimRef/name"));
        let handle = text(live, "/spec/csi/volumeHandle").to_owned();
        let going = self.objects.get(&claim).is_some_and(is_going);
        if (released || going) && policy == Policy::Delete {
            let data = self.storage.volumes.get(&handle).cloned();
            let lost = data.filter(|data| data.written > 0 && !self.is_kept(data));
            if let Some(data) = lost.filter(|_| !self.storage.forsaken.contains(&handle)) {
                self.violate(format!(
                    "a volume is released, and nothing else holds {data:?}"
                ));
            }
        }
        Ok(Some(planned.clone()))
    }

    /// Volumes that no claim holds and nobody will ever delete.
    pub(crate) fn abandoned(&self) -> Vec<&str> {
        self.objects
            .iter()
            .filter(|(place, volume)| {
                place.kind == "PersistentVolume" && text(volume, "/status/phase") == "Released"
            })
            .map(|(place, _)| place.name.as_str())
            .collect()
    }
}

/// The claims that a pod names.
pub(super) fn claims(pod: &Value) -> impl Iterator<Item = &str> {
    let volumes = at(pod, "/spec/volumes").and_then(Value::as_array);
    let volumes = volumes.into_iter().flatten();
    let names = volumes.map(|volume| text(volume, "/persistentVolumeClaim/claimName"));
    names.filter(|name| !name.is_empty())
}
