//! The controllers of the model cluster: each may do something in ten seconds, or be late.

use jiff::SignedDuration;
use longrun_core::object::{ObjectRef, uid};
use serde_json::{Value, json};

use super::{NAMESPACE, World, image, number, reference, text};
use crate::random::Random;

/// How many looks of ten seconds a minute has.
const TICKS_A_MINUTE: u64 = 6;

impl World {
    /// Ten seconds: each controller may do something, or be late.
    pub(crate) fn tick(&mut self, random: &mut Random) {
        self.ticks += 1;
        self.now += SignedDuration::from_secs(10);
        let minute = self.ticks.is_multiple_of(TICKS_A_MINUTE);
        let works = |place: &&ObjectRef| {
            !["ConfigMap", "Namespace", "PersistentVolumeClaim"].contains(&place.kind.as_str())
        };
        let places: Vec<ObjectRef> = self.objects.keys().filter(works).cloned().collect();
        for place in places {
            if !self.objects.contains_key(&place) {
                continue;
            }
            match place.kind.as_str() {
                "Deployment" | "StatefulSet" if random.one_in(2) => self.roll(&place),
                "Job" if random.one_in(2) => self.run(&place, random),
                "VolumeSnapshot" if random.one_in(2) => {
                    self.update(&place, "status", json!({"readyToUse": true}));
                }
                "CronJob" if minute => self.fire(&place),
                _ => {}
            }
        }
    }

    fn update(&mut self, place: &ObjectRef, field: &str, value: Value) {
        if let Some(object) = self.objects.get_mut(place) {
            object[field] = value;
        }
    }

    fn roll(&mut self, place: &ObjectRef) {
        let live = &self.objects[place];
        let generation = number(live, "/metadata/generation");
        let replicas = number(live, "/spec/replicas");
        let seen = number(live, "/status/observedGeneration") == generation;
        if seen && number(live, "/status/readyReplicas") == replicas {
            return;
        }
        let live = live.clone();
        let ready = if seen && !image(&live).ends_with("bad") {
            replicas
        } else {
            0
        };
        self.update(
            place,
            "status",
            json!({"observedGeneration": generation, "replicas": replicas, "updatedReplicas": ready,
                "readyReplicas": ready, "availableReplicas": ready}),
        );
        let claim = reference("PersistentVolumeClaim", "target-restate-0");
        if place.kind == "StatefulSet" && !self.objects.contains_key(&claim) {
            let size = text(
                &live,
                "/spec/volumeClaimTemplates/0/spec/resources/requests/storage",
            );
            let claim = self.create(
                json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                    "metadata": {"name": claim.name, "namespace": NAMESPACE},
                    "spec": {"resources": {"requests": {"storage": size}}}, "status": {"phase": "Bound"}}),
                "kube-controller-manager",
            );
            self.precious.insert(claim);
        }
    }

    fn serves(&self) -> bool {
        let service = self.objects.get(&reference("Deployment", "verification"));
        service.is_some_and(|service| {
            number(service, "/status/availableReplicas") > 0
                && service.pointer("/status/observedGeneration")
                    == service.pointer("/metadata/generation")
        })
    }

    /// It is over when all that runs is registered, or when nothing runs.
    fn look_for_a_mixture(&mut self) {
        let service = self.objects.get(&reference("Deployment", "verification"));
        let registered = service.map(image) == Some(&self.registered);
        if service.is_none() || (registered && self.serves()) {
            self.mixing = false;
        }
    }

    fn run(&mut self, place: &ObjectRef, random: &mut Random) {
        if self.objects[place].get("status").is_some() {
            return;
        }
        let job = self.objects[place].clone();
        let good = self.serves() && !image(&job).ends_with("bad");
        if !good && !random.one_in(6) {
            return;
        }
        let result = if good { "Complete" } else { "Failed" };
        let status = json!({"conditions": [{"type": result, "status": "True"}]});
        self.update(place, "status", status);
        if good && place.name == "discover" {
            self.registered = image(&job).to_owned();
            self.look_for_a_mixture();
        }
        let owner = job.pointer("/metadata/ownerReferences").is_some();
        if good && owner && place.name.starts_with("test-") {
            let status = json!({"lastSuccessfulTime": self.now.to_string()});
            self.update(&reference("CronJob", "test"), "status", status);
        }
    }

    fn fire(&mut self, place: &ObjectRef) {
        let cron = self.objects[place].clone();
        if cron.pointer("/spec/suspend") == Some(&json!(true)) {
            return;
        }
        self.look_for_a_mixture();
        if place.name == "test" && self.mixing && !self.overridden {
            self.violate("a test began while two versions of the service could meet".into());
        }
        self.forget_old(&cron);
        let job = self.create(
            json!({"apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"name": format!("{}-{}", place.name, self.ticks), "namespace": NAMESPACE,
                    "ownerReferences": [{"uid": cron["metadata"]["uid"]}]},
                "spec": cron["spec"]["jobTemplate"]["spec"]}),
            "kube-controller-manager",
        );
        self.precious.insert(job);
    }

    /// A CronJob keeps its latest successful Jobs only.
    fn forget_old(&mut self, cron: &Value) {
        for place in self.owned_by(cron) {
            let job = &self.objects[&place];
            if text(job, "/status/conditions/0/type") == "Complete" {
                if let Some(uid) = uid(job) {
                    self.precious.remove(&uid);
                }
                self.objects.remove(&place);
            }
        }
    }
}
