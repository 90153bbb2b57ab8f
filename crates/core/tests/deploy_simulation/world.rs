//! A cluster small enough to be read: objects, owners, incarnations, and controllers that take their
//! time. It refuses what a real API server refuses and remembers what must never be lost.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use longrun_core::{
    object::{ObjectRef, Uid, intent, uid},
    operations::deploy::{
        Conflict, DryRun, FIELD_MANAGER, Facts, INVENTORY, Namespace, OPERATIONS_MANAGER, Observed,
        Refusal, listed,
    },
    plan::{Effect, Propagation},
    wait::{Counted, Sight},
};
use serde_json::{Value, json};

mod controllers;

pub(crate) const NAMESPACE: &str = "restate";

pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) objects: BTreeMap<ObjectRef, Value>,
    /// What we applied last, by incarnation: fields that are applied no more go.
    applied: BTreeMap<Uid, Value>,
    /// Objects of which somebody else owns a field that we apply.
    pub(crate) stolen: BTreeSet<Uid>,
    /// What may never be lost: claims, snapshots, tests' Jobs, other people's objects.
    pub(crate) precious: BTreeSet<Uid>,
    /// Writes of ours so far.
    pub(crate) writes: usize,
    /// Our own roll of the service has begun, and what runs is not wholly what is registered.
    mixing: bool,
    /// The image that was registered last.
    registered: String,
    /// A person has resumed the tests.
    pub(crate) overridden: bool,
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
        _ => "v1",
    };
    let mut object = ObjectRef::namespaced(version, kind, NAMESPACE, name);
    if kind == "Namespace" {
        object.namespace = None;
    }
    object
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn number(object: &Value, pointer: &str) -> u64 {
    object
        .pointer(pointer)
        .and_then(Value::as_u64)
        .unwrap_or_default()
}

fn image(object: &Value) -> &str {
    let template = text(object, "/spec/template/spec/containers/0/image");
    match text(object, "/kind") {
        "CronJob" => text(
            object,
            "/spec/jobTemplate/spec/template/spec/containers/0/image",
        ),
        _ => template,
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

impl World {
    pub(crate) fn new() -> Self {
        Self {
            now: "2026-01-05T00:00:00Z".parse().expect("a time"),
            objects: BTreeMap::new(),
            applied: BTreeMap::new(),
            stolen: BTreeSet::new(),
            precious: BTreeSet::new(),
            writes: 0,
            mixing: false,
            registered: String::new(),
            overridden: false,
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

    pub(crate) fn tell(&mut self, what: &str) {
        let time = self.now.strftime("%H:%M:%S");
        self.story.push(format!("{time} {what}"));
    }

    /// Stores an object as a new incarnation.
    pub(crate) fn create(&mut self, mut object: Value, manager: &str) -> Uid {
        self.uids += 1;
        let made = Uid(format!("uid-{}", self.uids));
        object["metadata"]["uid"] = json!(made);
        object["metadata"]["generation"] = json!(1);
        object["metadata"]["creationTimestamp"] = json!(self.now.to_string());
        object["metadata"]["managedFields"] = json!([{"manager": manager, "operation": "Apply"}]);
        if text(&object, "/kind") == "CronJob" && object.pointer("/spec/suspend").is_none() {
            object["spec"]["suspend"] = json!(false);
        }
        if text(&object, "/kind") == "Namespace" {
            object["status"] = json!({"phase": "Active"});
        }
        if let Some(place) = ObjectRef::of(&object) {
            self.objects.insert(place, object);
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
            "Job" if moved("/spec/template") => Err(Refusal::Invalid(
                "Job.batch is invalid: spec.template: Invalid value: …: field is immutable".into(),
            )),
            "StatefulSet" if moved("/spec/volumeClaimTemplates") => Err(Refusal::Invalid(
                "StatefulSet.apps is invalid: spec: Forbidden: updates to statefulset spec for fields other than …".into(),
            )),
            _ => Ok(merged),
        }
    }

    fn dry_run(&self, desired: &Value, live: Option<&Value>, force: bool) -> DryRun {
        let namespaced = desired.pointer("/metadata/namespace").is_some();
        if namespaced && !self.has_namespace() {
            return DryRun::Impossible;
        }
        match live {
            None => DryRun::Accepted(desired.clone()),
            Some(live) => self
                .merged(live, desired, force)
                .map_or_else(DryRun::Refused, DryRun::Accepted),
        }
    }

    pub(crate) fn has_namespace(&self) -> bool {
        self.objects
            .contains_key(&reference("Namespace", NAMESPACE))
    }

    /// The facts as a gatherer would find them.
    pub(crate) fn observe(&self, desired: &[Value], force: bool) -> Facts {
        let place = |object: &Value| ObjectRef::of(object).expect("a reference");
        let rendered: BTreeSet<ObjectRef> = desired.iter().map(place).collect();
        let inventory_object = self
            .objects
            .get(&reference("ConfigMap", INVENTORY))
            .cloned();
        let inventory = inventory_object.as_ref().map(listed).unwrap_or_default();
        let surplus = inventory.iter().filter(|object| !rendered.contains(object));
        let kind = |kind| move |object: &&Value| text(object, "/kind") == kind;
        Facts {
            namespace: match self.has_namespace() {
                true => Namespace::Active,
                false => Namespace::Absent,
            },
            objects: desired
                .iter()
                .map(|desired| {
                    let live = self.objects.get(&place(desired)).cloned();
                    Observed {
                        desired: desired.clone(),
                        dry_run: self.dry_run(desired, live.as_ref(), force),
                        sight: self.sight(&place(desired)),
                        live,
                    }
                })
                .collect(),
            surplus: surplus
                .filter_map(|object| self.objects.get(object).cloned())
                .collect(),
            claims: self
                .objects
                .values()
                .filter(kind("PersistentVolumeClaim"))
                .cloned()
                .collect(),
            inventory,
            inventory_object,
        }
    }

    fn owned_by(&self, owner: &Value) -> Vec<ObjectRef> {
        let owns = |object: &Value| {
            object.pointer("/metadata/ownerReferences/0/uid") == owner.pointer("/metadata/uid")
        };
        let owned = self.objects.iter().filter(|(_, object)| owns(object));
        owned.map(|(place, _)| place.clone()).collect()
    }

    pub(crate) fn sight(&self, object: &ObjectRef) -> Sight {
        let Some(live) = self.objects.get(object) else {
            return Sight::default();
        };
        let owned = match object.kind.as_str() {
            "CronJob" => self.owned_by(live),
            _ => Vec::new(),
        };
        let jobs: Vec<Value> = owned.iter().map(|job| self.objects[job].clone()).collect();
        let open = jobs
            .iter()
            .filter(|job| job.get("status").is_none())
            .count();
        let mut pods = Vec::new();
        if image(live).ends_with("bad") && object.kind != "CronJob" {
            pods.push(
                json!({"metadata": {"name": "pod"}, "status": {"containerStatuses": [
                {"name": "main", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}}),
            );
        }
        Sight {
            object: Some(live.clone()),
            pods,
            jobs,
            warnings: Vec::new(),
            open_invocations: Some(Counted {
                count: open as u64,
                at: self.now,
            }),
        }
    }

    /// Does an effect of ours, on what was seen just before.
    pub(crate) fn perform(
        &mut self,
        effect: &Effect,
        seen: Option<&Value>,
    ) -> Result<Option<Uid>, String> {
        let place = effect.object().ok_or("no reference")?;
        let live = self.objects.get(&place).cloned();
        // A write carries the resourceVersion of the look before it.
        if live.as_ref().map(intent) != seen.map(intent) {
            return Err("the object has been modified".into());
        }
        self.writes += 1;
        self.tell(&effect.to_string());
        match effect {
            Effect::Watch { .. } => Ok(None),
            Effect::Create { object } | Effect::Snapshot { object, .. } => {
                if live.is_some() {
                    return Err("AlreadyExists".into());
                }
                self.check_creation(&place);
                let made = self.create(object.clone(), FIELD_MANAGER);
                self.applied.insert(made.clone(), object.clone());
                if place.kind == "VolumeSnapshot" {
                    self.precious.insert(made.clone());
                }
                Ok(Some(made))
            }
            Effect::Update { object, force } => {
                let live = live.ok_or("NotFound")?;
                let merged = self
                    .merged(&live, object, *force)
                    .map_err(|refusal| format!("{refusal:?}"))?;
                if place.kind == "Deployment" && image(&merged) != image(&live) {
                    self.mixing = true;
                }
                let id = uid(&live);
                if let Some(id) = &id {
                    self.applied.insert(id.clone(), object.clone());
                    self.stolen.remove(id);
                }
                self.objects.insert(place, merged);
                Ok(id)
            }
            Effect::Suspend { suspend, .. } => {
                live.ok_or("NotFound")?;
                self.suspend(*suspend, OPERATIONS_MANAGER);
                Ok(None)
            }
            Effect::Delete {
                uid: planned,
                propagation,
                ..
            } => {
                let live = live.ok_or("NotFound")?;
                if uid(&live).as_ref() != Some(planned) {
                    return Err("Conflict: the UID in the precondition does not match".into());
                }
                self.delete(&place, *propagation);
                Ok(None)
            }
        }
    }

    fn check_creation(&mut self, place: &ObjectRef) {
        if *place == reference("CronJob", "test") && self.registered.is_empty() {
            self.violate("the tests exist before the service is registered".into());
        }
    }

    pub(crate) fn suspend(&mut self, suspend: bool, manager: &str) {
        if let Some(test) = self.objects.get_mut(&reference("CronJob", "test")) {
            test["spec"]["suspend"] = json!(suspend);
            test["metadata"]["managedFields"] = json!([
                {"manager": FIELD_MANAGER, "operation": "Apply"},
                {"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": {"f:suspend": {}}}},
            ]);
        }
    }

    /// Deletes, and lets the garbage collector do its work at once.
    pub(crate) fn delete(&mut self, place: &ObjectRef, propagation: Propagation) {
        let Some(object) = self.objects.remove(place) else {
            return;
        };
        if uid(&object).is_some_and(|uid| self.precious.contains(&uid)) {
            self.violate(format!("{place} was deleted and may never be"));
        }
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
