//! The model cluster as the program sees it: facts for planners, observations for journals.

use std::{collections::BTreeSet, sync::OnceLock};

use longrun_core::{
    cluster::{Pod, View},
    execution::RequestError,
    journal::Stored,
    names::{CLAIM, INVENTORY, JOURNAL, NODE, TEMPORARY_LABEL},
    object::ObjectRef,
    operations::{
        data,
        deploy::{DryRun, Facts, Growth, Namespace, Observed, listed, smaller},
    },
    plan::{Guard, Step},
    wait::{Counted, Observation, Wait},
};
use serde_json::{Value, json};

use super::{
    CLASSES, NAMESPACE, World, conflict, reference,
    storage::{DRIVER, claims},
    text,
};

impl World {
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

    fn get(&self, kind: &str, name: &str) -> Option<Value> {
        self.objects.get(&reference(kind, name)).cloned()
    }

    fn all(&self, kind: &str) -> Vec<Value> {
        self.of_kind(kind, |_| true)
    }

    fn of_kind(&self, kind: &str, wanted: fn(&Value) -> bool) -> Vec<Value> {
        self.objects
            .iter()
            .filter(|(place, object)| place.kind == kind && wanted(object))
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// The facts of a deployment as a gatherer would find them.
    pub(crate) fn observe(&self, desired: &[Value], force: bool) -> Facts {
        let place = |object: &Value| ObjectRef::of(object).expect("a reference");
        let rendered: BTreeSet<ObjectRef> = desired.iter().map(place).collect();
        let inventory_object = self.get("ConfigMap", INVENTORY);
        let inventory = inventory_object.as_ref().map(listed).unwrap_or_default();
        let surplus = inventory.iter().filter(|object| !rendered.contains(object));
        let claims = self.of_kind("PersistentVolumeClaim", |claim| {
            text(claim, "/metadata/name") == CLAIM
        });
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
                        observation: self.observation(&place(desired)),
                        live,
                    }
                })
                .collect(),
            surplus: surplus
                .filter_map(|object| self.objects.get(object).cloned())
                .collect(),
            growths: self.growths(desired, &claims),
            claims,
            snapshots: self.all("VolumeSnapshot"),
            temporary: ["Job", "PersistentVolumeClaim"]
                .iter()
                .flat_map(|kind| self.of_kind(kind, is_temporary))
                .collect(),
            inventory,
            inventory_object,
            journal: self.journal(),
            kept: self.data_facts().kept(),
            fault: None,
        }
    }

    fn growths(&self, desired: &[Value], claims: &[Value]) -> Vec<Growth> {
        smaller(desired, claims)
            .into_iter()
            .map(|(claim, storage)| {
                let mut merged = claim.clone();
                merged["spec"]["resources"]["requests"]["storage"] = json!(storage);
                Growth {
                    claim: claim.clone(),
                    storage: storage.to_owned(),
                    dry_run: DryRun::Accepted(merged),
                }
            })
            .collect()
    }

    /// The facts of an operation on data as a gatherer would find them.
    pub(crate) fn data_facts(&self) -> data::Facts {
        let claim = self.get("PersistentVolumeClaim", CLAIM);
        let volume = claim
            .as_ref()
            .map(|claim| text(claim, "/spec/volumeName"))
            .and_then(|name| self.get("PersistentVolume", name));
        let classes = CLASSES.map(|(name, policy)| {
            json!({"metadata": {"name": name}, "driver": DRIVER, "deletionPolicy": policy})
        });
        data::Facts {
            claim,
            volume,
            set: self.get("StatefulSet", NODE),
            mounts: views(self.mounts(CLAIM)),
            claims: self.all("PersistentVolumeClaim"),
            snapshots: Some(self.all("VolumeSnapshot")),
            contents: self.all("VolumeSnapshotContent"),
            classes: classes.into(),
            cron_jobs: self.all("CronJob"),
            jobs: self.all("Job"),
            stored: self.stored().cloned(),
            ..data::Facts::default()
        }
    }

    /// What the namespace holds of the last operation on data, if nobody has deleted it.
    pub(crate) fn stored(&self) -> Option<&Stored> {
        self.objects.get(&reference("ConfigMap", JOURNAL))?;
        self.journal.as_ref()
    }

    /// The same as it is written.
    pub(crate) fn journal(&self) -> Option<Value> {
        let mut config_map = self.get("ConfigMap", JOURNAL)?;
        if let Some(stored) = &self.journal {
            let data = || stored.manifest()["data"].take();
            config_map["data"] = self.written_out.get_or_init(data).clone();
        }
        Some(config_map)
    }

    /// The journal's ConfigMap as a driver reads it. Most only want to know which driver wrote it.
    pub(crate) fn read_journal(&self, is_whole: bool) -> Option<Value> {
        if is_whole {
            return self.journal();
        }
        self.get("ConfigMap", JOURNAL)
    }

    /// Writes it over exactly the version that was read.
    pub(crate) fn write_journal(
        &mut self,
        stored: &Stored,
        over: Option<&Value>,
    ) -> Result<(), RequestError> {
        let place = reference("ConfigMap", JOURNAL);
        let version = |object: &Value| {
            let of = |field: &str| text(object, field).to_owned();
            (of("/metadata/uid"), of("/metadata/resourceVersion"))
        };
        let present = self.objects.get(&place);
        if present.map(version) != over.map(version) {
            return Err(conflict("the journal has been modified"));
        }
        if present.is_none() {
            let manifest = json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": JOURNAL, "namespace": NAMESPACE}});
            self.create(manifest, "longrun");
        }
        if let Some(live) = self.objects.get_mut(&place) {
            live["data"] = json!({"epoch": stored.epoch.to_string()});
        }
        self.keep(Some(stored.written()));
        Ok(())
    }

    /// What the journal's ConfigMap says from now on.
    pub(super) fn keep(&mut self, journal: Option<Stored>) {
        self.journal = journal;
        self.written_out = OnceLock::new();
        self.versions += 1;
        let version = json!(self.versions.to_string());
        if let Some(live) = self.objects.get_mut(&reference("ConfigMap", JOURNAL)) {
            live["metadata"]["resourceVersion"] = version;
        }
    }

    /// What a step needs to see.
    pub(crate) fn look(&self, step: &Step) -> Observation {
        let Some(place) = step.act.object() else {
            return Observation::default();
        };
        let mut observation = self.observation(&place);
        observation.pods_version = Some(self.pods.len().to_string());
        let claim = match &step.until {
            Wait::Stopped { claim } => Some(claim.name.as_str()),
            _ if matches!(step.guard, Guard::Gate(_)) => Some(place.name.as_str()),
            _ => None,
        };
        if let Some(claim) = claim {
            observation.mounts = views(self.mounts(claim));
        }
        if let Guard::Node { database, .. } = &step.guard {
            observation.claim = self.objects.get(&database.claim).cloned();
        }
        if let (Guard::Bound { .. }, Some(volume)) = (&step.guard, &observation.object) {
            observation.claim =
                self.get("PersistentVolumeClaim", text(volume, "/spec/claimRef/name"));
        }
        if let Guard::Gate(gate) = &step.guard {
            let claim = observation.object.as_ref();
            let volume = claim.map(|claim| text(claim, "/spec/volumeName"));
            observation.volume = volume.and_then(|name| self.get("PersistentVolume", name));
            observation.set = self.objects.get(&gate.set).cloned();
            let since = gate.since.as_ref().and_then(|since| since.parse().ok());
            observation.visitors = since.and_then(|since| self.visitors(&place.name, since));
        }
        let snapshots = matches!(step.guard, Guard::Gate(_) | Guard::Release(_));
        if snapshots {
            observation.snapshots = self.all("VolumeSnapshot");
        }
        if snapshots || place.kind == "VolumeSnapshot" {
            observation.contents = self.all("VolumeSnapshotContent");
        }
        observation
    }

    /// The pods of a claim since there were so many, as far as the API server remembers.
    fn visitors(&self, claim: &str, since: usize) -> Option<Vec<Pod>> {
        let pods = (since >= self.forgotten).then(|| self.pods.get(since..))??;
        let named = |pod: &&Value| claims(pod).any(|name| name == claim);
        Some(views(pods.iter().filter(named)))
    }

    /// An object and what belongs to it.
    pub(crate) fn observation(&self, object: &ObjectRef) -> Observation {
        let Some(live) = self.objects.get(object) else {
            return Observation::default();
        };
        let owned = match object.kind.as_str() {
            "CronJob" | "StatefulSet" | "Job" => self.owned_by(live),
            _ => Vec::new(),
        };
        let of_kind = |kind: &str| -> Vec<Value> {
            let places = owned.iter().filter(|place| place.kind == kind);
            places.map(|place| self.objects[place].clone()).collect()
        };
        let (jobs, mut pods) = (of_kind("Job"), of_kind("Pod"));
        let open = jobs
            .iter()
            .filter(|job| job.get("status").is_none())
            .count();
        if super::image(live).ends_with("bad")
            && ["Deployment", "Job"].contains(&object.kind.as_str())
        {
            pods.push(
                json!({"metadata": {"name": "pod", "uid": "pod", "creationTimestamp": self.now},
                "spec": {"containers": []}, "status": {"containerStatuses": [{"name": "main",
                    "ready": false, "restartCount": 0,
                    "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}}),
            );
        }
        Observation {
            object: Some(live.clone()),
            pods: views(&pods),
            jobs: views(&jobs),
            warnings: Vec::new(),
            open_invocations: Some(Counted {
                count: open as u64,
                at: self.now,
            }),
            ..Observation::default()
        }
    }
}

fn views<'a, T: View>(objects: impl IntoIterator<Item = &'a Value>) -> Vec<T> {
    let objects = objects.into_iter();
    let read = |object| T::read(object).unwrap_or_else(|why| panic!("{why}: {object}"));
    objects.map(read).collect()
}

fn is_temporary(object: &Value) -> bool {
    let labels = object.pointer("/metadata/labels");
    labels.is_some_and(|labels| labels.get(TEMPORARY_LABEL).is_some())
}
