//! What makes it safe to delete a claim: its volume stays, and a snapshot of it that was read and compared.

use alloc::{format, string::String, vec, vec::Vec};

use serde_json::{Value, json};

use super::VolumeReplacement;
use crate::{
    gate::{Gate, Release, Source, text},
    names::{
        CLAIM, ENVIRONMENT_LABEL, FIELD_MANAGER, MANAGED_BY_LABEL, NODE, SNAPSHOT_API,
        TEMPORARY_LABEL,
    },
    object::{ObjectRef, Uid, bytes},
    operations::{
        data::Options,
        database::DatabaseVolume,
        snapshot::{Consistency, Purpose, SnapshotSpec},
    },
    plan::{Effect, Finding, Guard, Policy, Propagation, Step},
    wait::Wait,
};

impl VolumeReplacement<'_> {
    /// Whatever happens to the claim from here on, by whomever, its volume stays. Nothing to do when that
    /// is so already; then the volume is nobody's to release either.
    pub(in crate::operations) fn keep_volume(&self, database: &DatabaseVolume) -> Option<Step> {
        let reclaim = |policy| Effect::Reclaim {
            object: database.volume.clone(),
            uid: database.volume_uid.clone(),
            policy,
        };
        let guard = Guard::Bound {
            uid: database.volume_uid.clone(),
            claim: database.claim_uid.clone(),
        };
        (database.policy == Policy::Delete).then(|| {
            Step::new(reclaim(Policy::Retain), guard, Wait::None)
                .undo(reclaim(Policy::Delete))
                .why("the data stays whatever happens to the claim")
        })
    }

    /// The volume of the deleted claim goes.
    pub(in crate::operations) fn release_volume(
        &self,
        database: &DatabaseVolume,
        is_kept: bool,
    ) -> Option<Step> {
        let act = Effect::Reclaim {
            object: database.volume.clone(),
            uid: database.volume_uid.clone(),
            policy: Policy::Delete,
        };
        let release = Release {
            volume: database.volume_uid.clone(),
            claim: database.claim_uid.clone(),
            handle: database.handle.clone(),
            snapshot: is_kept.then(|| self.snapshot(&self.stamp)),
            made: None,
            watched: false,
        };
        let uid = database.volume_uid.clone();
        (database.policy == Policy::Delete).then(|| {
            Step::new(act, Guard::Release(release), Wait::Gone { uid })
                .soft()
                .why("the snapshot holds what was on it, no other pod had its claim since the comparison, and the new database runs")
        })
    }

    /// The snapshot that is taken while the node runs, so that the one under the fence is quick.
    pub(in crate::operations) fn rehearse(&self, database: &DatabaseVolume) -> Step {
        let name = self.rehearsal();
        let undo = Effect::Discard {
            object: self.snapshot(&name),
            propagation: Propagation::Background,
        };
        SnapshotSpec {
            name,
            claim: &database.claim.name,
            uid: database.claim_uid.clone(),
            class: &self.options.delete_class,
            purpose: Purpose::Temporary,
            consistency: Consistency::Crash,
            keep: false,
            opened_by: self.facts.opened_by(),
        }
        .step(self.target, Wait::SnapshotReady)
        .undo(undo)
        .why("taken while the node runs, so that the one with the node stopped is incremental")
    }

    /// The rehearsal is needed no more.
    pub(in crate::operations) fn forget_rehearsal(&self) -> Step {
        let object = self.snapshot(&self.rehearsal());
        self.discard(object, Propagation::Background).soft()
    }

    fn rehearsal(&self) -> String {
        format!("{}-rehearsal", self.stamp)
    }

    pub(super) fn snapshot(&self, name: &str) -> ObjectRef {
        ObjectRef::namespaced(
            SNAPSHOT_API,
            "VolumeSnapshot",
            &self.target.environment,
            name,
        )
    }

    /// The snapshot under the fence, which is kept.
    pub(in crate::operations) fn preserve(
        &self,
        database: &DatabaseVolume,
        purpose: Purpose,
    ) -> Step {
        SnapshotSpec {
            name: self.stamp.clone(),
            claim: &database.claim.name,
            uid: database.claim_uid.clone(),
            class: &self.options.retain_class,
            purpose,
            consistency: Consistency::Fenced,
            keep: false,
            opened_by: self.facts.opened_by(),
        }
        .step(self.target, Wait::SnapshotReady)
        .undo(self.record(&self.stamp, None, Finding::Empty))
        .why("the copy that stays; the storage may take hours")
    }

    /// Nothing else tells later commands what a reader found in a snapshot.
    fn record(&self, snapshot: &str, uid: Option<Uid>, finding: Finding) -> Effect {
        Effect::RecordFinding {
            object: self.snapshot(snapshot),
            uid,
            finding,
        }
    }

    /// Reads the snapshot that was just taken and compares it with what it is of.
    pub(in crate::operations) fn verify(
        &self,
        database: &DatabaseVolume,
        live: &Value,
    ) -> Vec<Step> {
        let original = Some(database.claim.name.as_str());
        let mut steps = self.read_snapshot("check", &self.stamp, live, original);
        let same = self.record(&self.stamp, None, Finding::Same);
        steps.push(
            Step::new(same, Guard::None, Wait::None)
                .why("for whoever looks for a way back: only what was compared is one"),
        );
        steps
    }

    /// Reads a snapshot that is to take the place of what is there.
    pub(in crate::operations) fn examine(
        &self,
        snapshot: &str,
        uid: Option<Uid>,
        like: &Value,
    ) -> Vec<Step> {
        let empty = self.record(snapshot, uid, Finding::Empty);
        let there = Step::watch(self.snapshot(snapshot), Wait::SnapshotReady).undo(empty);
        let read = self.read_snapshot("source", snapshot, like, None);
        [there].into_iter().chain(read).collect()
    }

    fn read_snapshot(
        &self,
        what: &str,
        snapshot: &str,
        like: &Value,
        original: Option<&str>,
    ) -> Vec<Step> {
        let name = format!("{}-{what}", self.stamp);
        let mut claim = restored_claim(self.target_namespace(), &name, snapshot, like);
        claim["metadata"]["labels"] = json!({
            MANAGED_BY_LABEL: FIELD_MANAGER,
            ENVIRONMENT_LABEL: self.target.environment,
            TEMPORARY_LABEL: self.operation,
        });
        let claim_object = ObjectRef::namespaced(
            "v1",
            "PersistentVolumeClaim",
            self.target_namespace(),
            &name,
        );
        let undo = Effect::Discard {
            object: claim_object.clone(),
            propagation: Propagation::Background,
        };
        let copy = Step::new(Effect::Create { object: claim }, Guard::Absent, Wait::None)
            .undo(undo)
            .why("a temporary copy of the snapshot");
        let [read, end] = self.read(&name, &name, original);
        let read = read.why(match original {
            Some(_) => {
                "metadata can lie: files, their sizes and times and Restate's marker are compared with the original's"
            }
            None => "a ready snapshot may be empty: nothing begins unless it has a database",
        });
        vec![
            copy,
            read,
            end,
            self.discard(claim_object, Propagation::Background),
        ]
    }

    /// A Job that reads, and its end: a finished pod holds its claims too.
    pub(in crate::operations) fn read(
        &self,
        name: &str,
        copy: &str,
        original: Option<&str>,
    ) -> [Step; 2] {
        let job = ObjectRef::namespaced("batch/v1", "Job", self.target_namespace(), name);
        let object = self.reader(name, copy, original);
        let undo = Effect::Discard {
            object: job.clone(),
            propagation: Propagation::Foreground,
        };
        let read = Step::new(Effect::Create { object }, Guard::Absent, Wait::Verified).undo(undo);
        [read, self.discard(job, Propagation::Foreground)]
    }

    fn discard(&self, object: ObjectRef, propagation: Propagation) -> Step {
        let act = Effect::Discard {
            object,
            propagation,
        };
        Step::new(act, Guard::None, Wait::None)
    }

    /// The point of no return.
    pub(in crate::operations) fn delete_claim(
        &self,
        database: &DatabaseVolume,
        is_kept: bool,
        source: Option<Source>,
    ) -> Step {
        let gate = Gate {
            claim: database.claim_uid.clone(),
            handle: database.handle.clone(),
            set: self.node.set.clone(),
            generation: None,
            since: None,
            reader: None,
            snapshot: is_kept.then(|| self.snapshot(&self.stamp)),
            made: None,
            source,
        };
        let act = Effect::Delete {
            object: database.claim.clone(),
            uid: database.claim_uid.clone(),
            propagation: Propagation::Background,
        };
        let uid = database.claim_uid.clone();
        Step::new(act, Guard::Gate(gate), Wait::Gone { uid }).why(
            match is_kept {
                true => "only if the snapshot is still there, of this volume, ready, kept and verified, the node was not started, and no other pod had the claim since the comparison began",
                false => "only if the node was not started, and no pod has the claim",
            },
        )
    }

    fn target_namespace(&self) -> &str {
        &self.target.environment
    }
}

/// A claim like this one, of a snapshot. The volume may be larger than what was asked for, and the snapshot
/// is as large as the volume.
pub(in crate::operations) fn restored_claim(
    namespace: &str,
    name: &str,
    snapshot: &str,
    like: &Value,
) -> Value {
    let mut claim = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "accessModes": like.pointer("/spec/accessModes"),
            "resources": {"requests": {"storage": size(like)}},
            "dataSource": {
                "apiGroup": "snapshot.storage.k8s.io",
                "kind": "VolumeSnapshot",
                "name": snapshot,
            },
        },
    });
    if let Some(labels) = like.pointer("/metadata/labels") {
        claim["metadata"]["labels"] = labels.clone();
    }
    if let Some(class) = like.pointer("/spec/storageClassName") {
        claim["spec"]["storageClassName"] = class.clone();
    }
    claim
}

/// What a claim has, or else asks for.
pub(in crate::operations) fn size(claim: &Value) -> &str {
    let asked = text(claim, "/spec/resources/requests/storage");
    let has = text(claim, "/status/capacity/storage");
    if bytes(has) > bytes(asked) {
        has
    } else {
        asked
    }
}

/// The claim as the node's StatefulSet would make it.
pub(in crate::operations) fn template(options: &Options) -> Option<&Value> {
    let templates = options.set.pointer("/spec/volumeClaimTemplates")?;
    let is_made = |template: &&Value| {
        let made = format!("{}-{NODE}-0", text(template, "/metadata/name"));
        made == CLAIM
    };
    templates.as_array()?.iter().find(is_made)
}
