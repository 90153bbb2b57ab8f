//! A cluster small enough to be read: objects, owners, incarnations, finalizers, and controllers that take
//! their time. It refuses what a real API server refuses and remembers what must never be lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

use jiff::Timestamp;
use longrun_core::{
    execution::RequestError,
    journal::Stored,
    names::{FIELD_MANAGER, INTERRUPTED_LABEL},
    object::{ObjectRef, Uid, intent, uid},
    operations::deploy::{Conflict, Refusal},
    plan::Propagation,
};
use serde_json::{Value, json};

mod claims;
mod controllers;
mod effects;
mod facts;
mod judge;
mod storage;

pub(crate) use storage::{CLASSES, Storage};

pub(crate) const NAMESPACE: &str = "restate";

/// The field manager of people.
pub(crate) const PERSON: &str = "kubectl-patch";

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) objects: BTreeMap<Arc<ObjectRef>, Value>,
    pub(crate) storage: Storage,
    /// Every pod that was made or deleted, in that order: what the API server remembers of them.
    pub(crate) pods: Vec<Value>,
    /// How many of them it has forgotten.
    pub(crate) forgotten: usize,
    /// Somebody wrote to the database since the last look.
    pub(crate) raced: bool,
    /// What we applied last, by incarnation: fields that are applied no more go.
    applied: BTreeMap<Uid, Value>,
    /// Objects of which somebody else owns a field that we apply.
    pub(crate) stolen: BTreeSet<Uid>,
    /// What we may never delete: claims, snapshots, tests' Jobs, other people's objects.
    pub(crate) precious: BTreeSet<Uid>,
    /// What people deleted, also when it is on its way only.
    pub(crate) taken_away: BTreeSet<Uid>,
    /// Writes of ours so far.
    pub(crate) writes: usize,
    /// What the ConfigMap of the journal holds: it is only written out when somebody reads it.
    journal: Option<Stored>,
    written_out: OnceLock<Value>,
    /// How often it was written: its version.
    versions: u64,
    /// Who took the lease last.
    pub(crate) holder: u64,
    /// Our own roll of the service has begun, and what runs is not wholly what is registered.
    mixing: bool,
    /// The image that was registered last, with whatever database.
    registered: String,
    /// A person has resumed the tests, or changed what they run on.
    pub(crate) overridden: bool,
    /// An operation of ours has suspended the tests, and has not resumed them.
    pub(crate) silent: bool,
    pub(crate) violation: Option<String>,
    /// What happened, for the reader of a failure.
    pub(crate) story: Vec<String>,
    uids: u64,
    ticks: u64,
}

pub(crate) fn reference(kind: &str, name: &str) -> ObjectRef {
    let version = match kind {
        "Deployment" | "StatefulSet" => "apps/v1",
        "Job" | "CronJob" => "batch/v1",
        "VolumeSnapshot" | "VolumeSnapshotContent" => "snapshot.storage.k8s.io/v1",
        _ => "v1",
    };
    let mut object = ObjectRef::namespaced(version, kind, NAMESPACE, name);
    if ["Namespace", "PersistentVolume", "VolumeSnapshotContent"].contains(&kind) {
        object.namespace = None;
    }
    object
}

/// Like [`Value::pointer`], without escapes and without allocations: most of the time is spent here.
pub(crate) fn at<'a>(object: &'a Value, pointer: &str) -> Option<&'a Value> {
    let mut keys = pointer.split('/').skip(1);
    keys.try_fold(object, |object, key| match object {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        object => object.get(key),
    })
}

pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    at(object, pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(crate) fn number(object: &Value, pointer: &str) -> u64 {
    at(object, pointer)
        .and_then(Value::as_u64)
        .unwrap_or_default()
}

pub(crate) fn is_true(object: &Value, pointer: &str) -> bool {
    at(object, pointer).and_then(Value::as_bool) == Some(true)
}

pub(crate) fn is_going(object: &Value) -> bool {
    at(object, "/metadata/deletionTimestamp").is_some()
}

fn image(object: &Value) -> &str {
    match text(object, "/kind") {
        "CronJob" => text(
            object,
            "/spec/jobTemplate/spec/template/spec/containers/0/image",
        ),
        "Pod" => text(object, "/spec/containers/0/image"),
        _ => text(object, "/spec/template/spec/containers/0/image"),
    }
}

/// The fields of `new` over those of `old`, without those that only `dropped` has.
fn merge(old: &Value, new: &Value, dropped: &Value) -> Value {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let mut merged = old.clone();
            merged.retain(|key, _| new.contains_key(key) || dropped.get(key).is_none());
            for (key, value) in new {
                let before = old.get(key).unwrap_or(&Value::Null);
                let dropped = dropped.get(key).unwrap_or(&Value::Null);
                merged.insert(key.clone(), merge(before, value, dropped));
            }
            Value::Object(merged)
        }
        _ => new.clone(),
    }
}

pub(crate) fn refused(cause: &str) -> RequestError {
    RequestError::Refused(cause.to_owned())
}

pub(crate) fn conflict(cause: &str) -> RequestError {
    RequestError::Conflict(cause.to_owned())
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            now: "2026-01-05T00:00:00Z".parse().expect("a time"),
            objects: BTreeMap::new(),
            storage: Storage::default(),
            pods: Vec::new(),
            forgotten: 0,
            raced: false,
            applied: BTreeMap::new(),
            stolen: BTreeSet::new(),
            precious: BTreeSet::new(),
            taken_away: BTreeSet::new(),
            writes: 0,
            journal: None,
            written_out: OnceLock::new(),
            versions: 0,
            holder: 0,
            mixing: false,
            registered: String::new(),
            overridden: false,
            silent: false,
            violation: None,
            story: Vec::new(),
            uids: 0,
            ticks: 0,
        }
    }

    pub(crate) fn violate(&mut self, what: String) {
        self.tell(&format!("VIOLATION: {what}"));
        self.violation.get_or_insert(what);
    }

    pub(crate) fn ticks(&self) -> u64 {
        self.ticks
    }

    /// Whoever held the lease before has let go of it, or was not heard of for long enough.
    pub(crate) fn take_lease(&mut self) -> u64 {
        self.holder += 1;
        self.holder
    }

    pub(crate) fn tell(&mut self, what: &str) {
        let time = self.now.strftime("%H:%M:%S");
        self.story.push(format!("{time} {what}"));
    }

    /// Stores an object as a new incarnation, with the defaults of the API server.
    pub(crate) fn create(&mut self, mut object: Value, manager: &str) -> Uid {
        self.uids += 1;
        let made = Uid(format!("uid-{}", self.uids));
        if let Some(metadata) = object["metadata"].as_object_mut() {
            // Of null nothing is kept.
            metadata.retain(|_, value| !value.is_null());
        }
        object["metadata"]["uid"] = json!(made);
        object["metadata"]["generation"] = json!(1);
        object["metadata"]["creationTimestamp"] = json!(self.now.to_string());
        object["metadata"]["managedFields"] = json!([{"manager": manager, "operation": "Apply"}]);
        match text(&object, "/kind") {
            "CronJob" if object.pointer("/spec/suspend").is_none() => {
                object["spec"]["suspend"] = json!(false);
            }
            "StatefulSet" if object.pointer("/spec/replicas").is_none() => {
                object["spec"]["replicas"] = json!(1);
            }
            "Namespace" => object["status"] = json!({"phase": "Active"}),
            "PersistentVolumeClaim" => {
                object["metadata"]["finalizers"] = json!(["kubernetes.io/pvc-protection"]);
                object["status"] = json!({"phase": "Pending"});
            }
            _ => {}
        }
        if text(&object, "/kind") == "Pod" {
            self.pods.push(object.clone());
        }
        if let Some(place) = ObjectRef::of(&object) {
            self.objects.insert(Arc::new(place), object);
        }
        made
    }

    /// What a server-side apply makes of the live object.
    fn merged(&self, live: &Value, desired: &Value, force: bool) -> Result<Value, Refusal> {
        let id = uid(live).expect("a live object has a UID");
        let dropped = self.applied.get(&id).cloned().unwrap_or_default();
        let mut merged = merge(live, desired, &dropped);
        if merged.get("spec") != live.get("spec") {
            merged["metadata"]["generation"] = json!(number(live, "/metadata/generation") + 1);
        }
        let changed = intent(&merged) != intent(live);
        if changed && !force && self.stolen.contains(&id) {
            let (manager, field) = ("kubectl-edit".to_owned(), ".data".to_owned());
            return Err(Refusal::Conflict(vec![Conflict { manager, field }]));
        }
        let moved = |pointer| merged.pointer(pointer) != live.pointer(pointer);
        match text(live, "/kind") {
            "PersistentVolumeClaim" if moved("/spec/accessModes") => Err(Refusal::Invalid(
                "PersistentVolumeClaim is invalid: spec.accessModes: Required value: …".into(),
            )),
            "Job" if moved("/spec/template") => Err(Refusal::Invalid(
                "Job.batch is invalid: spec.template: Invalid value: …: field is immutable".into(),
            )),
            "StatefulSet" if moved("/spec/volumeClaimTemplates") => Err(Refusal::Invalid(
                "StatefulSet.apps is invalid: spec: Forbidden: updates to statefulset spec for fields other than …".into(),
            )),
            _ => Ok(merged),
        }
    }

    pub(crate) fn has_namespace(&self) -> bool {
        self.objects
            .contains_key(&reference("Namespace", NAMESPACE))
    }

    fn owned_by(&self, owner: &Value) -> Vec<Arc<ObjectRef>> {
        let owns = |object: &Value| {
            let owned = at(object, "/metadata/ownerReferences/0/uid");
            owned.is_some() && owned == at(owner, "/metadata/uid")
        };
        let owned = self.objects.iter().filter(|(_, object)| owns(object));
        owned.map(|(place, _)| Arc::clone(place)).collect()
    }

    pub(crate) fn suspend(&mut self, place: &ObjectRef, suspend: bool, manager: &str) {
        if let Some(cron_job) = self.objects.get_mut(place) {
            cron_job["spec"]["suspend"] = json!(suspend);
            cron_job["metadata"]["managedFields"] = json!([
                {"manager": FIELD_MANAGER, "operation": "Apply"},
                {"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": {"f:suspend": {}}}},
            ]);
        }
    }

    pub(crate) fn scale(&mut self, place: &ObjectRef, replicas: u64, manager: &str) {
        if let Some(set) = self.objects.get_mut(place) {
            if number(set, "/spec/replicas") != replicas {
                set["metadata"]["generation"] = json!(number(set, "/metadata/generation") + 1);
            }
            set["spec"]["replicas"] = json!(replicas);
            set["metadata"]["managedFields"] = json!([
                {"manager": FIELD_MANAGER, "operation": "Apply"},
                {"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            ]);
        }
    }

    fn interrupt(&mut self, cron_job: &ObjectRef, operation: &str) {
        for job in self.observation(cron_job).running() {
            if let Some(job) = self.objects.get_mut(&job) {
                job["metadata"]["labels"][INTERRUPTED_LABEL] = json!(operation);
            }
        }
    }

    /// Deletes: what has a finalizer or pods goes later, and the garbage collector does its work at once.
    pub(crate) fn delete(&mut self, place: &ObjectRef, propagation: Propagation) {
        let held = match place.kind.as_str() {
            "PersistentVolumeClaim" | "Pod" => true,
            "Job" => {
                propagation == Propagation::Foreground
                    && !self.owned_by(&self.objects[place]).is_empty()
            }
            _ => false,
        };
        if place.kind == "Pod" {
            self.pods.extend(self.objects.get(place).cloned());
        }
        if held && let Some(object) = self.objects.get_mut(place) {
            let now = self.now.to_string();
            let metadata = object["metadata"].as_object_mut().expect("metadata");
            metadata
                .entry("deletionTimestamp")
                .or_insert_with(|| json!(now));
        }
        let object = match held {
            true => self.objects.get(place).cloned(),
            false => self.objects.remove(place),
        };
        let Some(object) = object else { return };
        self.storage_of_deleted(&object);
        for owned in self.owned_by(&object) {
            if propagation == Propagation::Orphan {
                let orphan = self
                    .objects
                    .get_mut(&owned)
                    .and_then(|object| object.pointer_mut("/metadata")?.as_object_mut());
                orphan.map(|metadata| metadata.remove("ownerReferences"));
            } else {
                self.delete(&owned, propagation);
            }
        }
    }
}
