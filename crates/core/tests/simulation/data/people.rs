//! Other people: they suspend, start, delete and break things while an operation on data is under way.

use jiff::SignedDuration;
use longrun_core::{
    names::{CLAIM, JOURNAL, NODE, TEST},
    object::{ObjectRef, uid},
    plan::Propagation,
};
use serde_json::{Value, json};

use super::program::Program;
use crate::driver::Stage as _;
use crate::world::{NAMESPACE, PERSON, is_going, is_true, number, reference, text};

/// The pod of somebody who looks at the database.
const STRANGER: &str = "debug";

impl Program {
    /// Somebody does something, or nobody does.
    pub(super) fn people(&mut self) {
        let choice = self.random.below(40);
        let set = reference("StatefulSet", NODE);
        self.fence_broken |= matches!(choice, 5 | 6 | 13 | 21) && self.is_unfinished();
        match choice {
            0 => self.suspend(true),
            1 => {
                self.world.overridden = true;
                self.suspend(false);
            }
            2 => self.remove(&reference("PersistentVolumeClaim", CLAIM)),
            3 | 4 => {
                if let Some(name) = self.some_snapshot() {
                    self.remove(&reference("VolumeSnapshot", &name));
                }
            }
            5 | 6 => {
                let replicas = self.random.below(2);
                self.say(&format!("scales the node to {replicas}"));
                self.world.silent = false;
                self.world.scale(&set, replicas, PERSON);
            }
            7 => self.remove(&reference("Pod", "restate-0")),
            8 => self.remove(&reference("ConfigMap", JOURNAL)),
            9 => self.remove(&reference("Job", "discover")),
            10 => self.stranger(),
            11 | 12 => self.remove_some("Job"),
            13 => self.break_node(&set),
            14 => self.snapshot_by_hand(),
            15 => self.remove_some("PersistentVolumeClaim"),
            16 => self.replace_snapshot(),
            17 => self.every("PersistentVolume", "persistentVolumeReclaimPolicy"),
            18 => self.every("VolumeSnapshotContent", "deletionPolicy"),
            19 | 20 => self.set_clock(),
            21 => self.bounce(&set),
            22..25 => drop(self.prune()),
            25 | 26 => self.visit(),
            _ => {}
        }
    }

    fn say(&mut self, what: &str) {
        self.world.tell(&format!("somebody {what}"));
    }

    fn suspend(&mut self, suspend: bool) {
        self.say(if suspend {
            "suspends the tests"
        } else {
            "resumes the tests"
        });
        self.world
            .suspend(&reference("CronJob", TEST), suspend, PERSON);
    }

    pub(crate) fn remove(&mut self, place: &ObjectRef) {
        if let Some(object) = self.world.objects.get(place) {
            self.world.taken_away.extend(uid(object));
            self.say(&format!("deletes {place}"));
            self.meddled = true;
            self.world.delete(place, Propagation::Background);
        }
    }

    fn remove_some(&mut self, kind: &str) {
        let objects = self.world.objects.keys();
        let places: Vec<_> = objects
            .filter(|place| place.kind == kind)
            .cloned()
            .collect();
        let index = self.random.below(places.len().max(1) as u64) as usize;
        if let Some(place) = places.get(index) {
            self.remove(place);
        }
    }

    fn stranger(&mut self) {
        let place = reference("Pod", STRANGER);
        if !self.world.objects.contains_key(&place) {
            self.say("looks at the database with a pod");
            self.world.create(
                json!({"apiVersion": "v1", "kind": "Pod",
                    "metadata": {"name": STRANGER, "namespace": NAMESPACE},
                    "spec": {"containers": [], "volumes": [{"persistentVolumeClaim": {"claimName": CLAIM}}]}}),
                PERSON,
            );
        }
    }

    /// Mounts the database, writes to it, and is gone before anybody looks.
    pub(super) fn visit(&mut self) {
        let claim = reference("PersistentVolumeClaim", CLAIM);
        let is_usable = |claim: &Value| text(claim, "/status/phase") == "Bound" && !is_going(claim);
        if self.world.objects.get(&claim).is_some_and(is_usable) {
            self.say("writes to the database with a pod that is gone again");
            let place = reference("Pod", "visitor");
            let volumes = json!([{"persistentVolumeClaim": {"claimName": CLAIM}}]);
            self.world.create(
                json!({"apiVersion": "v1", "kind": "Pod",
                    "metadata": {"name": place.name, "namespace": NAMESPACE},
                    "spec": {"containers": [], "volumes": volumes}}),
                PERSON,
            );
            self.world.write(CLAIM);
            self.world.objects.remove(&place);
            self.world.raced = true;
            if self.random.one_in(3) {
                self.forget_pods();
            }
        }
    }

    /// So much happens that the API server remembers nothing of what happened to pods before.
    fn forget_pods(&mut self) {
        self.say("is so busy that the API server forgets what happened to pods");
        self.world.forgotten = self.world.pods.len();
        // A volume of which nobody knows whether it was written to is left.
        self.meddled = true;
    }

    /// People finish what they began: a claim that they delete goes, a node that they stopped starts. A snapshot
    /// that they took of nothing never gets ready, and holds its claim until they delete it.
    pub(super) fn end_strangers(&mut self) {
        self.world.objects.remove(&reference("Pod", STRANGER));
        let objects = self.world.objects.iter();
        let hanging: Vec<_> = objects
            .filter(|(place, object)| {
                let theirs = text(object, "/metadata/managedFields/0/manager") == PERSON;
                place.kind == "VolumeSnapshot" && theirs && !is_true(object, "/status/readyToUse")
            })
            .map(|(place, _)| place.clone())
            .collect();
        for place in hanging {
            self.world.delete(&place, Propagation::Background);
        }
        let claim = reference("PersistentVolumeClaim", CLAIM);
        let pod = reference("Pod", "restate-0");
        for _ in 0..100 {
            if self
                .world
                .objects
                .get(&claim)
                .is_none_or(|claim| !is_going(claim))
            {
                break;
            }
            if self.world.objects.contains_key(&pod) {
                self.world.delete(&pod, Propagation::Background);
            }
            self.tick();
        }
        let set = reference("StatefulSet", NODE);
        let stopped = self.world.objects.get(&set).is_some_and(|set| {
            number(set, "/spec/replicas") == 0
                && text(set, "/metadata/managedFields/1/manager") == PERSON
        });
        if stopped {
            self.world.scale(&set, 1, PERSON);
        }
    }

    /// An image that does not start: seen when the pod is made anew.
    fn break_node(&mut self, set: &ObjectRef) {
        self.say("gives the node an image that does not start");
        if let Some(set) = self.world.objects.get_mut(set) {
            set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("restate:bad");
            let generation = set["metadata"]["generation"].as_u64().unwrap_or(0);
            set["metadata"]["generation"] = json!(generation + 1);
        }
    }

    fn snapshot_by_hand(&mut self) {
        let name = format!("by-hand-{}", self.random.below(1000));
        let place = reference("VolumeSnapshot", &name);
        if !self.world.objects.contains_key(&place) {
            self.say("takes a snapshot by hand");
            self.world.create(by_hand(&place, "delete"), PERSON);
        }
    }

    /// Another snapshot takes the name of one, with the same labels.
    fn replace_snapshot(&mut self) {
        let Some(name) = self.some_snapshot() else {
            return;
        };
        let place = reference("VolumeSnapshot", &name);
        let mut again = self.world.objects[&place].clone();
        again.as_object_mut().expect("a map").remove("status");
        self.remove(&place);
        self.say("makes another one of that name");
        self.world.create(again, PERSON);
    }

    fn every(&mut self, kind: &str, field: &str) {
        self.say(&format!("sets every {kind} to Delete"));
        self.meddled = true;
        for (place, object) in &mut self.world.objects {
            if place.kind == kind {
                object["spec"][field] = json!("Delete");
            }
        }
    }

    fn set_clock(&mut self) {
        let minutes = self.random.below(240) as i64 - 120;
        self.say(&format!("sets the clock to {minutes} minutes ahead"));
        self.skew = SignedDuration::from_mins(minutes);
    }

    /// Starts the node and stops it again: what it wrote is in no snapshot.
    fn bounce(&mut self, set: &ObjectRef) {
        let replicas = self
            .world
            .objects
            .get(set)
            .and_then(|set| set.pointer("/spec/replicas")?.as_u64());
        if replicas != Some(0) {
            return;
        }
        self.say("starts the node for a while");
        self.world.silent = false;
        self.world.scale(set, 1, PERSON);
        for _ in 0..20 {
            self.tick();
        }
        self.world.scale(set, 0, PERSON);
        for _ in 0..20 {
            self.tick();
        }
    }
}

fn by_hand(place: &ObjectRef, class: &str) -> Value {
    json!({"apiVersion": place.api_version, "kind": place.kind,
        "metadata": {"name": place.name, "namespace": NAMESPACE},
        "spec": {"volumeSnapshotClassName": class, "source": {"persistentVolumeClaimName": CLAIM}}})
}
