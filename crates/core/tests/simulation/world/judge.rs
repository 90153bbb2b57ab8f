//! What must never be, judged without the code that is tested: neither by its gate nor by its guards.

use longrun_core::{
    names::CLAIM,
    object::{ObjectRef, Uid, uid},
    plan::{Finding, Propagation},
};
use serde_json::Value;

use super::{World, is_going, is_true, reference, storage::Data, text};

impl World {
    /// Nothing precious is deleted by us, nor with what we delete.
    pub(super) fn check_precious(&mut self, place: &ObjectRef, propagation: Propagation) {
        let Some(object) = self.objects.get(place).cloned() else {
            return;
        };
        let is_precious = uid(&object).is_some_and(|uid| self.precious.contains(&uid));
        if is_precious && !self.lives_on(&object) {
            self.violate(format!("{place} was deleted and may never be"));
        }
        if propagation != Propagation::Orphan {
            for owned in self.owned_by(&object) {
                self.check_precious(&owned, propagation);
            }
        }
    }

    /// Whether the database that a snapshot guards was not deleted by us: then it guards nothing.
    fn lives_on(&self, snapshot: &Value) -> bool {
        let source = snapshot.pointer("/metadata/labels/longrun~1source-claim-uid");
        let source = source.and_then(Value::as_str).unwrap_or_default();
        let claim = self.objects.get(&reference("PersistentVolumeClaim", CLAIM));
        claim.is_some_and(|claim| text(claim, "/metadata/uid") == source)
            || self.taken_away.contains(&Uid(source.to_owned()))
    }

    /// Judged without the journal: what is said of a snapshot is what a reader found in it.
    pub(super) fn check_finding(&mut self, place: &ObjectRef, finding: Finding) {
        let handle = self.stored_handle(&self.objects[place]);
        let data = handle
            .as_ref()
            .and_then(|handle| self.storage.stored.get(handle));
        let is_so = match (finding, handle.as_ref(), data) {
            (Finding::Same, Some(handle), Some(data)) => self
                .storage
                .verified
                .contains(&(handle.clone(), data.written)),
            (Finding::Empty, _, data) => data.is_none_or(|data| data.written == 0),
            (Finding::Same, _, _) => false,
        };
        if !is_so {
            self.violate(format!(
                "{place} is marked as {}, and is not",
                finding.word()
            ));
        }
    }

    /// Judged without the gate: when we delete the claim, all that was ever written to it must be in a
    /// snapshot that is ready, kept by its policy, and was compared.
    pub(super) fn check_claim(&mut self, claim: &Value) {
        let name = text(claim, "/metadata/name");
        if text(claim, "/kind") != "PersistentVolumeClaim" || name != CLAIM {
            return;
        }
        let (Some(handle), Some(data)) = (self.handle(name), self.data(name).cloned()) else {
            return;
        };
        if !self.mounts(name).is_empty() {
            self.violate("a claim that is mounted is deleted".into());
        }
        let volume = reference("PersistentVolume", text(claim, "/spec/volumeName"));
        let policy = text(
            &self.objects[&volume],
            "/spec/persistentVolumeReclaimPolicy",
        );
        if policy != "Retain" {
            self.violate("the claim is deleted, and its volume would go with it".into());
        }
        // What was written since the look is judged when the volume is released.
        if !self.raced && !self.storage.forsaken.contains(&handle) && !self.is_kept(&data) {
            self.violate(format!("the claim is deleted, and nothing holds {data:?}"));
        }
    }

    /// Whether there is a kept and compared snapshot of exactly this.
    pub(super) fn is_kept(&self, data: &Data) -> bool {
        self.objects.iter().any(|(place, snapshot)| {
            let handle = self.stored_handle(snapshot);
            let content = text(snapshot, "/status/boundVolumeSnapshotContentName");
            let content = self
                .objects
                .get(&reference("VolumeSnapshotContent", content));
            place.kind == "VolumeSnapshot"
                && !is_going(snapshot)
                && is_true(snapshot, "/status/readyToUse")
                && content.is_some_and(|content| text(content, "/spec/deletionPolicy") == "Retain")
                && handle.is_some_and(|handle| {
                    self.storage.stored.get(&handle) == Some(data)
                        && self.storage.verified.contains(&(handle, data.written))
                })
        })
    }
}
