//! The controllers of the model cluster: each may do something in ten seconds, or be late.

use std::sync::Arc;

use jiff::SignedDuration;
use longrun_core::{
    names::{CLAIM, TEST},
    object::{ObjectRef, uid},
    plan::Propagation,
};
use serde_json::{Value, json};

use super::{
    NAMESPACE, World, at, image, is_going, is_true, number, reference, storage::claims, text,
};
use crate::random::Random;

/// How many looks of ten seconds a minute has.
const TICKS_A_MINUTE: u64 = 6;

/// The node's pod.
pub(crate) const NODE_POD: &str = "restate-0";

impl World {
    /// Ten seconds: each controller may do something, or be late.
    pub(crate) fn tick(&mut self, random: &mut Random) {
        self.ticks += 1;
        self.now += SignedDuration::from_secs(10);
        let minute = self.ticks.is_multiple_of(TICKS_A_MINUTE);
        let idle = ["ConfigMap", "Namespace", "VolumeSnapshotContent"];
        let works = |place: &&Arc<ObjectRef>| !idle.contains(&place.kind.as_str());
        let places: Vec<Arc<ObjectRef>> = self.objects.keys().filter(works).cloned().collect();
        for place in places {
            if !self.objects.contains_key(&place) {
                continue;
            }
            match place.kind.as_str() {
                "CronJob" if minute => self.fire(&place),
                "CronJob" => {}
                "PersistentVolume" => self.tend_volume(&place),
                _ if random.one_in(3) => {}
                "Deployment" => self.roll(&place),
                "StatefulSet" => self.tend_set(&place),
                "Pod" => self.tend_pod(&place),
                "Job" => self.tend_job(&place, random),
                "PersistentVolumeClaim" => self.tend_claim(&place),
                "VolumeSnapshot" => self.tend_snapshot(&place, random),
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
        let ready = if seen && !image(live).ends_with("bad") {
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
    }

    /// The StatefulSet's controller: a pod of the present template, and its claim before it.
    fn tend_set(&mut self, place: &ObjectRef) {
        let set = &self.objects[place];
        let pod_place = reference("Pod", NODE_POD);
        let pod = self.objects.get(&pod_place);
        let wanted = number(set, "/spec/replicas");
        let generation = number(set, "/metadata/generation");
        let updated = pod.is_some_and(|pod| image(pod) == image(set));
        let ready = pod.is_some_and(is_ready);
        let there = pod.is_some();
        let waits = pod.is_some_and(|pod| pod.get("status").is_none());
        let ends = pod.is_some_and(|pod| (wanted == 0 || !updated) && !is_going(pod));
        let counts = [there, updated, updated && ready].map(u64::from);
        let seen = number(set, "/status/observedGeneration") == generation
            && ["replicas", "updatedReplicas", "readyReplicas"]
                .iter()
                .zip(counts)
                .all(|(field, count)| set["status"][field] == count);
        if !seen {
            self.update(
                place,
                "status",
                json!({"observedGeneration": generation, "replicas": counts[0],
                    "updatedReplicas": counts[1], "readyReplicas": counts[2]}),
            );
        }
        self.adopt(place, &pod_place);
        if ends {
            self.delete(&pod_place, Propagation::Background);
        } else if !there && wanted > 0 {
            let set = self.objects[place].clone();
            self.make_claim(&set);
            self.start(&set);
        } else if waits {
            let set = self.objects[place].clone();
            self.make_claim(&set);
        }
    }

    /// The set that was made anew around its pod owns it.
    fn adopt(&mut self, set: &ObjectRef, pod: &ObjectRef) {
        let owner = self.objects[set]["metadata"]["uid"].clone();
        if let Some(pod) = self.objects.get_mut(pod)
            && at(pod, "/metadata/ownerReferences").is_none()
        {
            pod["metadata"]["ownerReferences"] = json!([{"uid": owner}]);
        }
    }

    fn make_claim(&mut self, set: &Value) {
        let claim = reference("PersistentVolumeClaim", CLAIM);
        if !self.objects.contains_key(&claim) {
            let template = &set["spec"]["volumeClaimTemplates"][0];
            let made = self.create(
                json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                    "metadata": {"name": CLAIM, "namespace": NAMESPACE},
                    "spec": template["spec"]}),
                "kube-controller-manager",
            );
            self.tell(&format!("the StatefulSet makes its claim, {made}"));
        }
    }

    fn start(&mut self, set: &Value) {
        self.create(
            json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": NODE_POD, "namespace": NAMESPACE,
                    "ownerReferences": [{"uid": set["metadata"]["uid"]}]},
                "spec": {"containers": set["spec"]["template"]["spec"]["containers"],
                    "volumes": [{"persistentVolumeClaim": {"claimName": CLAIM}}]}}),
            "kube-controller-manager",
        );
    }

    /// The kubelet: a pod starts when its claims are bound, and ends when it is told to.
    fn tend_pod(&mut self, place: &ObjectRef) {
        let pod = &self.objects[place];
        if is_going(pod) {
            self.objects.remove(place);
            return;
        }
        match text(pod, "/status/phase") {
            "Running" if place.name == NODE_POD => {
                if !is_ready(pod) {
                    self.update(place, "status", ready());
                }
                self.write(CLAIM);
            }
            "" if image(pod).ends_with("bad") => {
                let waiting = json!({"reason": "ImagePullBackOff"});
                let container = json!({"name": "main", "ready": false, "restartCount": 0,
                    "state": {"waiting": waiting}});
                self.update(place, "status", json!({"containerStatuses": [container]}));
            }
            "" if self.can_start(pod) => {
                self.update(place, "status", json!({"phase": "Running"}));
            }
            _ => {}
        }
    }

    fn can_start(&self, pod: &Value) -> bool {
        claims(pod).all(|name| {
            let claim = self.objects.get(&reference("PersistentVolumeClaim", name));
            claim.is_some_and(|claim| text(claim, "/status/phase") == "Bound" && !is_going(claim))
        })
    }

    /// Whether the node serves.
    fn node_is_ready(&self) -> bool {
        let pod = self.objects.get(&reference("Pod", NODE_POD));
        pod.is_some_and(|pod| is_ready(pod) && !is_going(pod))
    }

    fn serves(&self) -> bool {
        let service = self.objects.get(&reference("Deployment", "verification"));
        service.is_some_and(|service| {
            number(service, "/status/availableReplicas") > 0
                && at(service, "/status/observedGeneration") == at(service, "/metadata/generation")
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

    fn tend_job(&mut self, place: &ObjectRef, random: &mut Random) {
        let job = &self.objects[place];
        if is_going(job) {
            if self.owned_by(job).is_empty() {
                self.objects.remove(place);
            }
            return;
        }
        if job.get("status").is_some() {
            return;
        }
        let job = job.clone();
        let template = &job["spec"]["template"]["spec"];
        if template.get("volumes").is_some() {
            self.read(place, &job, random);
        } else if place.name == "discover" {
            self.register(place, &job, random);
        } else {
            self.verify(place, &job, random);
        }
    }

    fn end(&mut self, place: &ObjectRef, good: bool) {
        let result = if good { "Complete" } else { "Failed" };
        let status = json!({"conditions": [{"type": result, "status": "True"}]});
        self.update(place, "status", status);
    }

    /// A Job that reads volumes: it says what is true of them.
    fn read(&mut self, place: &ObjectRef, job: &Value, random: &mut Random) {
        let pod_place = reference("Pod", &format!("{}-pod", place.name));
        let Some(pod) = self.objects.get(&pod_place).cloned() else {
            self.create(
                json!({"apiVersion": "v1", "kind": "Pod",
                    "metadata": {"name": pod_place.name, "namespace": NAMESPACE,
                        "ownerReferences": [{"uid": job["metadata"]["uid"]}]},
                    "spec": job["spec"]["template"]["spec"]}),
                "kube-controller-manager",
            );
            return;
        };
        if text(&pod, "/status/phase") != "Running" || random.one_in(2) {
            return;
        }
        let names: Vec<&str> = claims(&pod).collect();
        let good = match names[..] {
            [copy] => self.compare(None, copy),
            [original, copy] => self.compare(Some(original), copy),
            _ => false,
        };
        let copy = names.last().and_then(|copy| self.data(copy));
        let code = match copy {
            _ if good => 0,
            Some(copy) if copy.written == 0 => 3,
            _ => 1,
        };
        let phase = if good { "Succeeded" } else { "Failed" };
        let ended = json!({"phase": phase, "containerStatuses": [
            {"name": "compare", "ready": false, "restartCount": 0,
                "state": {"terminated": {"exitCode": code}}}]});
        self.update(&pod_place, "status", ended);
        self.end(place, good);
    }

    fn register(&mut self, place: &ObjectRef, job: &Value, random: &mut Random) {
        let image = image(job).to_owned();
        let good = self.serves() && self.node_is_ready() && !image.ends_with("bad");
        if !good {
            if image.ends_with("bad") && random.one_in(6) {
                self.end(place, false);
            }
            return;
        }
        if let Some(database) = self.database() {
            database.knows.clone_from(&image);
        }
        self.registered = image;
        self.end(place, true);
        self.look_for_a_mixture();
    }

    /// A test succeeds with a node that knows the service.
    fn verify(&mut self, place: &ObjectRef, job: &Value, random: &mut Random) {
        let knows = self.database().is_some_and(|data| !data.knows.is_empty());
        let good = knows && self.serves() && self.node_is_ready() && !image(job).ends_with("bad");
        if !good && !random.one_in(12) {
            return;
        }
        self.end(place, good);
        let owner = at(job, "/metadata/ownerReferences").is_some();
        if good && owner {
            let test = self.objects.get_mut(&reference("CronJob", TEST));
            if let Some(test) = test {
                test["status"] = json!({"lastSuccessfulTime": self.now.to_string()});
            }
        }
    }

    fn fire(&mut self, place: &ObjectRef) {
        if is_true(&self.objects[place], "/spec/suspend") {
            return;
        }
        let cron = self.objects[place].clone();
        self.look_for_a_mixture();
        if place.name == TEST && self.mixing && !self.overridden {
            self.violate("a test began while two versions of the service could meet".into());
        }
        if self.silent && !self.overridden {
            self.violate(format!(
                "{place} began something while the node was stopped"
            ));
        }
        self.forget_old(&cron);
        let minute = self.now.as_second() / 60;
        let name = format!("{}-{minute}", place.name);
        if self.objects.contains_key(&reference("Job", &name)) {
            return;
        }
        let job = self.create(
            json!({"apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"name": name, "namespace": NAMESPACE,
                    "labels": {},
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

fn ready() -> Value {
    json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})
}

fn is_ready(pod: &Value) -> bool {
    text(pod, "/status/conditions/0/status") == "True"
}
