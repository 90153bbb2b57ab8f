//! What effects of ours do, and when the API server refuses them.

use std::sync::Arc;

use longrun_core::{
    execution::RequestError,
    journal::Stored,
    names::{FIELD_MANAGER, FOUND_LABEL, JOURNAL, OPENED_BY_ANNOTATION, OPERATIONS_MANAGER},
    object::{ObjectRef, Uid, intent, uid},
    plan::Effect,
    version::ImageVersion,
};
use serde_json::{Value, json};

use super::{World, conflict, image, number, reference, refused, text};

fn starts(object: &Value) -> bool {
    text(object, "/kind") == "StatefulSet" && number(object, "/spec/replicas") > 0
}

fn not_found() -> RequestError {
    refused("it does not exist")
}

/// A write carries the version of the look before it.
fn is_as_seen(live: Option<&Value>, seen: Option<&Value>) -> Result<(), RequestError> {
    if live.map(intent) == seen.map(intent) {
        Ok(())
    } else {
        Err(conflict("the object has been modified"))
    }
}

/// A write of a single field carries the incarnation of the look before it, if there was one.
fn is_incarnation(live: Option<&Value>, seen: Option<&Value>) -> Result<Option<Uid>, RequestError> {
    let live = uid(live.ok_or(not_found())?);
    match seen.and_then(uid) {
        Some(seen) if live.as_ref() != Some(&seen) => Err(conflict("it is another incarnation")),
        _ => Ok(live),
    }
}

impl World {
    /// Does an effect of ours, on what was seen just before.
    pub(crate) fn perform(
        &mut self,
        effect: &Effect,
        seen: Option<&Value>,
    ) -> Result<Option<Uid>, RequestError> {
        let place = effect.object().ok_or(not_found())?;
        let live = self.objects.get(&place).cloned();
        self.writes += 1;
        self.tell(&effect.to_string());
        match effect {
            Effect::Watch { .. } => Ok(None),
            Effect::Discard { .. } => Err(refused("nobody may do that")),
            Effect::Create { object } => {
                self.check_creation(&place);
                let made = self.add(object, live.as_ref())?;
                // A StatefulSet that is made anew starts its pod, whatever the one before it was scaled to.
                if self.objects.get(&place).is_some_and(starts) {
                    self.silent = false;
                }
                Ok(made)
            }
            Effect::Snapshot { object, claim } => {
                let source = text(object, "/spec/source/persistentVolumeClaimName");
                let source = self
                    .objects
                    .get(&reference("PersistentVolumeClaim", source));
                if source.and_then(uid).as_ref() != Some(claim) {
                    return Err(refused("the claim has been recreated in the meantime"));
                }
                let made = self.add(object, live.as_ref())?;
                // A rehearsal goes again; a person's own, and what guards an upgrade, may be pruned.
                let purpose = object["metadata"]["labels"]["longrun/purpose"].as_str();
                let purpose = purpose.unwrap_or_default();
                if !["temporary", "manual", "upgrade"].contains(&purpose) {
                    self.precious.extend(made.clone());
                }
                Ok(made)
            }
            Effect::Update { object, force } => {
                is_as_seen(live.as_ref(), seen)?;
                self.update_ours(place, live, object, *force)
            }
            Effect::Suspend { suspend, .. } => {
                let id = is_incarnation(live.as_ref(), seen)?;
                self.suspend(&place, *suspend, OPERATIONS_MANAGER);
                Ok(id)
            }
            Effect::Scale { replicas, .. } => {
                let id = is_incarnation(live.as_ref(), seen)?;
                // One that a person has stopped is theirs to start.
                let runs = live.as_ref().is_some_and(starts);
                self.silent = *replicas == 0 && (runs || self.silent);
                self.scale(&place, *replicas, OPERATIONS_MANAGER);
                Ok(id)
            }
            Effect::Inject { .. } => unreachable!("only faults strike"),
            Effect::Interrupt { operation, .. } => {
                live.ok_or(not_found())?;
                self.interrupt(&place, operation);
                Ok(None)
            }
            Effect::Grow { storage, .. } => {
                is_as_seen(live.as_ref(), seen)?;
                let mut claim = live.ok_or(not_found())?;
                let id = uid(&claim);
                claim["spec"]["resources"]["requests"]["storage"] = json!(storage);
                self.objects.insert(Arc::new(place), claim);
                Ok(id)
            }
            Effect::RecordFinding {
                uid: read, finding, ..
            } => {
                let live = live.ok_or(not_found())?;
                if read.is_none() || uid(&live) != *read {
                    return Err(refused("another one has replaced it since it was read"));
                }
                self.check_finding(&place, *finding);
                let live = self.objects.get_mut(&place).expect("it is there");
                live["metadata"]["labels"][FOUND_LABEL] = json!(finding.word());
                Ok(read.clone())
            }
            Effect::RecordNode { image, .. } => {
                let id = is_incarnation(live.as_ref(), seen)?;
                if let Some(claim) = self.objects.get_mut(&place) {
                    let node = json!(ImageVersion::of(image).to_string());
                    claim["metadata"]["annotations"][OPENED_BY_ANNOTATION] = node;
                }
                Ok(id)
            }
            Effect::Reclaim { uid, policy, .. } => {
                is_as_seen(live.as_ref(), seen)?;
                self.reclaim(&place, uid, *policy)
            }
            Effect::Delete {
                uid: planned,
                propagation,
                ..
            } => {
                let Some(live) = live else {
                    return Ok(Some(planned.clone()));
                };
                if uid(&live).as_ref() != Some(planned) {
                    return Err(conflict("the UID in the precondition does not match"));
                }
                if seen.is_some() {
                    is_as_seen(Some(&live), seen)?;
                }
                self.check_precious(&place, *propagation);
                self.check_claim(&live);
                self.delete(&place, *propagation);
                Ok(Some(planned.clone()))
            }
        }
    }

    fn add(&mut self, object: &Value, live: Option<&Value>) -> Result<Option<Uid>, RequestError> {
        if live.is_some() {
            return Err(conflict("it already exists"));
        }
        let made = self.create(object.clone(), FIELD_MANAGER);
        self.applied.insert(made.clone(), object.clone());
        Ok(Some(made))
    }

    fn update_ours(
        &mut self,
        place: ObjectRef,
        live: Option<Value>,
        object: &Value,
        force: bool,
    ) -> Result<Option<Uid>, RequestError> {
        let live = live.ok_or(not_found())?;
        let merged = self
            .merged(&live, object, force)
            .map_err(|refusal| refused(&format!("{refusal:?}")))?;
        if place.kind == "Deployment" && image(&merged) != image(&live) {
            self.mixing = true;
        }
        let id = uid(&live);
        if let Some(id) = &id {
            self.applied.insert(id.clone(), object.clone());
            self.stolen.remove(id);
        }
        let is_journal = place.name == JOURNAL;
        self.objects.insert(Arc::new(place), merged);
        if is_journal {
            self.keep(Stored::read(object).ok());
        }
        Ok(id)
    }

    fn check_creation(&mut self, place: &ObjectRef) {
        if *place == reference("CronJob", "test") && self.registered.is_empty() {
            self.violate("the tests exist before the service is registered".into());
        }
    }
}
