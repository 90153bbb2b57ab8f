//! A step as it is done: with the incarnations that only came into being while the plan was carried out.

use alloc::{string::String, vec::Vec};

use serde_json::{Value, json};

use super::{Entry, Journal};
use crate::{
    gate::Incarnation,
    object::{ObjectRef, Uid},
    plan::{Checked, Effect, Guard, Step},
    wait::Wait,
};

impl Journal {
    /// A step of the plan, with what earlier steps made.
    pub(super) fn resolved(&self, index: usize) -> Option<Step> {
        let mut step = self.plan.steps.get(index)?.clone();
        match &mut step.act {
            Effect::Discard {
                object,
                propagation,
            } => {
                let (object, propagation) = (object.clone(), *propagation);
                return Some(match self.made(&object) {
                    Some(uid) => Step {
                        act: Effect::Delete {
                            object,
                            uid: uid.clone(),
                            propagation,
                        },
                        until: Wait::Gone { uid },
                        ..step
                    },
                    None => Step {
                        act: Effect::Watch { object },
                        until: Wait::None,
                        ..step
                    },
                });
            }
            Effect::Create { object } => self.name_owners(object),
            Effect::RecordFinding { object, uid, .. } => {
                *uid = uid.take().or_else(|| self.made(object));
            }
            _ => {}
        }
        let made = |snapshot: &Option<ObjectRef>| self.made(snapshot.as_ref()?);
        match &mut step.guard {
            Guard::Gate(gate) => {
                gate.made = gate.made.take().or_else(|| made(&gate.snapshot));
                gate.generation = gate.generation.or_else(|| self.generation(&gate.set));
                if let Some(reader) = self.reader() {
                    // What the gate has seen once need not be remembered for longer.
                    let own = self.entries.last().filter(|entry| entry.step == index);
                    gate.since.clone_from(&own.unwrap_or(reader).pods_version);
                    gate.reader.clone_from(&reader.uid);
                }
            }
            // One that is taken over from another journal knows it already.
            Guard::Release(release) => {
                release.made = release.made.take().or_else(|| made(&release.snapshot));
                release.watched |= self.has_watched(&release.claim);
            }
            Guard::Node { database, .. } if database.incarnation == Incarnation::Made => {
                if let Some(made) = self.made(&database.claim) {
                    database.incarnation = Incarnation::Is(made);
                }
            }
            _ => {}
        }
        Some(step)
    }

    /// The steps that have not ended, as they would be done.
    #[must_use]
    pub fn remaining(&self) -> Vec<Step> {
        (self.position()..self.plan.steps.len())
            .filter_map(|index| self.resolved(index))
            .collect()
    }

    /// What takes a step back, as a step.
    pub(super) fn undo_step(&self, index: usize) -> Option<Step> {
        let undo = self.undo_of(index)?;
        let step = self.plan.steps.get(self.entries.get(index)?.step)?;
        let (act, guard) = match undo {
            Effect::Discard {
                object,
                propagation,
            } => {
                let uid = self.entries.get(index)?.uid.clone()?;
                let act = Effect::Delete {
                    object,
                    uid,
                    propagation,
                };
                (act, Guard::None)
            }
            Effect::RecordFinding {
                object,
                uid,
                finding,
            } => {
                let act = Effect::RecordFinding {
                    uid: uid.or_else(|| self.made(&object)),
                    object,
                    finding,
                };
                (act, Guard::None)
            }
            // A volume that its claim has given up would go.
            Effect::Reclaim { .. } => (undo, step.guard.clone()),
            // A node whose claim is gone would make an empty one. A journal of an older version does not know it.
            Effect::Scale { .. } => match &step.guard {
                guard @ Guard::Node { .. } => (undo, guard.clone()),
                _ => (undo, Guard::None),
            },
            other => (other, Guard::None),
        };
        Some(Step {
            act,
            guard,
            until: Wait::None,
            undo: None,
            changes: Vec::new(),
            checked: Checked::Nothing,
            soft: false,
            why: String::new(),
        })
    }

    /// The incarnation that a step of the plan made of an object.
    pub(super) fn made(&self, object: &ObjectRef) -> Option<Uid> {
        let makes = |effect: &Effect| effect.makes() && effect.object().as_ref() == Some(object);
        let entry = self.entries.iter().rev().find(|entry| {
            let step = self.plan.steps.get(entry.step);
            step.is_some_and(|step| makes(&step.act))
        })?;
        entry.uid.clone()
    }

    /// What compared the database with its snapshot: the last one that read volumes.
    fn reader(&self) -> Option<&Entry> {
        self.entries
            .iter()
            .rev()
            .find(|entry| self.is_reader(entry))
    }

    pub(super) fn is_reader(&self, entry: &Entry) -> bool {
        let step = self.plan.steps.get(entry.step);
        step.is_some_and(|step| step.until == Wait::Verified)
    }

    /// Whether it is known that no other pod had the claim that was deleted until it was gone.
    fn has_watched(&self, claim: &Uid) -> bool {
        let mut watched = self.entries.iter().filter(|entry| entry.watched);
        watched.any(|entry| {
            let step = self.plan.steps.get(entry.step);
            step.is_some_and(
                |step| matches!(&step.guard, Guard::Gate(gate) if gate.claim == *claim),
            )
        })
    }

    /// The generation of a StatefulSet when the plan had stopped it.
    fn generation(&self, set: &ObjectRef) -> Option<u64> {
        let entry = self.entries.iter().rev().find(|entry| {
            let step = self.plan.steps.get(entry.step);
            step.is_some_and(
                |step| matches!(&step.act, Effect::Scale { object, replicas: 0 } if object == set),
            )
        })?;
        entry.generation
    }

    /// An owner that the plan itself makes has no UID in the plan.
    fn name_owners(&self, object: &mut Value) {
        let owners = object
            .pointer_mut("/metadata/ownerReferences")
            .and_then(Value::as_array_mut);
        for owner in owners.into_iter().flatten() {
            if owner.get("uid").is_some() {
                continue;
            }
            let made = self.entries.iter().rev().find_map(|entry| {
                let made = self.plan.steps.get(entry.step)?.act.object()?;
                let text = |field| owner.get(field).and_then(Value::as_str);
                let is_owner = text("kind") == Some(&made.kind)
                    && text("name") == Some(&made.name)
                    && text("apiVersion") == Some(&made.api_version);
                is_owner.then_some(entry.uid.clone())?
            });
            if let Some(uid) = made {
                owner["uid"] = json!(uid);
            }
        }
    }
}
