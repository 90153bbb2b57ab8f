//! Other people: they edit, delete, make and suspend while a deployment is under way.

use longrun_core::{
    names::{ENVIRONMENT_LABEL, FIELD_MANAGER, INVENTORY, RENDERED_LABEL, TEST},
    object::uid,
    plan::Propagation,
};
use serde_json::{Value, json};

use super::Schedule;
use crate::world::{NAMESPACE, PERSON, reference};

impl Schedule {
    /// Somebody does something, or nobody does.
    pub(super) fn people(&mut self) {
        let config = ["a", "b", "c"][self.random.below(3) as usize];
        let aimed = self.aimed.take();
        let aimed = aimed.filter(|place| place.kind == "ConfigMap" && place.name != INVENTORY);
        let config = aimed.unwrap_or_else(|| reference("ConfigMap", config));
        let choice = self.random.below(14);
        self.world.tell(&format!("somebody does {choice} {config}"));
        match choice {
            0 | 1 => {
                if let Some(live) = self.world.objects.get_mut(&config) {
                    live["data"]["value"] = json!("edited by hand");
                    self.world.stolen.extend(uid(live));
                }
            }
            2 => {
                if let Some(live) = self.world.objects.get_mut(&config) {
                    live["data"]["note"] = json!("added by hand");
                }
            }
            3 => self.foreign("ConfigMap", &config.name, &json!({})),
            4 => {
                let labels = json!({RENDERED_LABEL: "true", ENVIRONMENT_LABEL: NAMESPACE});
                self.foreign("ConfigMap", "copycat", &labels);
            }
            5 => self.world.delete(&config, Propagation::Background),
            6 => {
                let kind = [("Deployment", "verification"), ("Job", "discover")];
                let (kind, name) = kind[self.random.below(2) as usize];
                self.world
                    .delete(&reference(kind, name), Propagation::Background);
            }
            7 => {
                if let Some(mut object) = self.world.objects.get(&config).cloned() {
                    self.world.delete(&config, Propagation::Background);
                    object["data"]["again"] = json!("yes");
                    self.world.create(object, FIELD_MANAGER);
                }
            }
            8 => self
                .world
                .suspend(&reference("CronJob", TEST), true, PERSON),
            9 => {
                self.world.overridden = true;
                self.world
                    .suspend(&reference("CronJob", TEST), false, PERSON);
            }
            _ => {}
        }
    }

    /// An object that somebody else makes, if there is room for it.
    fn foreign(&mut self, kind: &str, name: &str, labels: &Value) {
        let place = reference(kind, name);
        if self.world.has_namespace() && !self.world.objects.contains_key(&place) {
            let made = self.world.create(
                json!({"apiVersion": "v1", "kind": kind,
                    "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels}}),
                "kubectl-create",
            );
            if name == "copycat" {
                self.world.precious.insert(made);
            }
        }
    }
}
