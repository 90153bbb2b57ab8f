//! The controllers of claims and volumes.

use longrun_core::object::ObjectRef;
use serde_json::{Value, json};

use super::{
    World, is_going, is_true, reference,
    storage::{DRIVER, Data},
    text,
};

impl World {
    pub(super) fn tend_claim(&mut self, place: &ObjectRef) {
        let claim = &self.objects[place];
        if !is_going(claim) && text(claim, "/status/phase") != "Pending" {
            return self.grow(place);
        }
        let claim = claim.clone();
        if is_going(&claim) {
            let name = &place.name;
            let unready = self.objects.iter().any(|(place, snapshot)| {
                place.kind == "VolumeSnapshot"
                    && text(snapshot, "/spec/source/persistentVolumeClaimName") == name
                    && !is_true(snapshot, "/status/readyToUse")
            });
            // A pod that has not started yet never will, and holds nothing.
            let mut mounts = self.mounts(name).into_iter();
            if mounts.all(|pod| pod.get("status").is_none()) && !unready {
                self.objects.remove(place);
                self.give_up(text(&claim, "/spec/volumeName"));
            }
        } else {
            let consumers = self.mounts(&place.name);
            if consumers.iter().any(|pod| !is_going(pod)) {
                self.provide(place, &claim);
            }
        }
    }

    /// A bound claim gets the size that it asks for.
    fn grow(&mut self, place: &ObjectRef) {
        let claim = self.objects.get_mut(place).expect("it is there");
        if claim["status"]["capacity"] != claim["spec"]["resources"]["requests"] {
            claim["status"]["capacity"] = claim["spec"]["resources"]["requests"].clone();
        }
    }

    /// A volume for a claim, as soon as a pod waits for it.
    fn provide(&mut self, place: &ObjectRef, claim: &Value) {
        let data = match text(claim, "/spec/dataSource/name") {
            "" => Data::default(),
            source => {
                let Some(data) = self.stored_of(source) else {
                    return;
                };
                data.clone()
            }
        };
        let number = self.storage.count();
        let (name, handle) = (format!("pvc-{number}"), format!("vol-{number}"));
        self.storage.volumes.insert(handle.clone(), data);
        self.create(
            json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
                "spec": {
                    "csi": {"driver": DRIVER, "volumeHandle": handle},
                    "persistentVolumeReclaimPolicy": "Delete",
                    "claimRef": {"name": place.name, "uid": claim["metadata"]["uid"]},
                },
                "status": {"phase": "Bound"}}),
            "provisioner",
        );
        let claim = self.objects.get_mut(place).expect("it is there");
        claim["spec"]["volumeName"] = json!(name);
        claim["status"] = json!({"phase": "Bound",
            "capacity": claim["spec"]["resources"]["requests"]});
    }

    /// The claim of a volume is gone.
    fn give_up(&mut self, volume: &str) {
        let place = reference("PersistentVolume", volume);
        if let Some(volume) = self.objects.get_mut(&place) {
            volume["status"]["phase"] = json!("Released");
        }
    }

    pub(super) fn tend_volume(&mut self, place: &ObjectRef) {
        let volume = &self.objects[place];
        if text(volume, "/status/phase") == "Released"
            && text(volume, "/spec/persistentVolumeReclaimPolicy") == "Delete"
        {
            let handle = text(volume, "/spec/csi/volumeHandle").to_owned();
            self.objects.remove(place);
            self.storage.volumes.remove(&handle);
        }
    }
}
