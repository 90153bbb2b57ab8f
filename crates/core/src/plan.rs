//! What will be done to a cluster, step by step, and what it costs: the one thing that is shown,
//! hashed, confirmed, driven and resumed, whatever the operation.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{cmp::Reverse, fmt};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    change::Change,
    gate::{Gate, Release},
    object::{Digest, ObjectRef, Uid},
    wait::Wait,
};

/// Which environment on which cluster, recognised and not merely named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Name of the cluster file.
    pub cluster: String,
    /// UID of the namespace `kube-system`, which is the identity of the cluster.
    pub kube_system: Uid,
    /// Name of the environment, which is the namespace.
    pub environment: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.environment)
    }
}

/// The steps that lead from what was observed to what is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The verb of the command: `deploy`, …
    pub operation: String,
    /// Where it happens.
    pub target: Target,
    /// In the order in which they are done.
    pub steps: Vec<Step>,
    /// What is lost by it, apart from what the steps say.
    pub loses: Vec<Loss>,
    /// What the reader should know and no step says, for example what is left alone and why.
    pub notes: Vec<String>,
    /// Names that hold the time at which the plan was made, besides those of snapshots: no part of its
    /// digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generated: Vec<String>,
}

/// One change and what must hold before and after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What is done.
    pub act: Effect,
    /// What must still hold immediately before it is done.
    pub guard: Guard,
    /// What must hold before the next step begins.
    pub until: Wait,
    /// What takes it back when a later step cannot be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Effect>,
    /// Field by field, for the reader. Empty for creations and deletions.
    pub changes: Vec<Change>,
    /// How far the step has been tried.
    pub checked: Checked,
    /// When it fails, that is noted and the next step begins: what came before it is worth finishing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub soft: bool,
    /// Why it is there and why it is safe, for the reader. Empty where the effect says it all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl Step {
    /// A step that was not tried, cannot be taken back and must succeed.
    #[must_use]
    pub fn new(act: Effect, guard: Guard, until: Wait) -> Self {
        Self {
            act,
            guard,
            until,
            undo: None,
            changes: Vec::new(),
            checked: Checked::Nothing,
            soft: false,
            why: String::new(),
        }
    }

    /// A step that only waits.
    #[must_use]
    pub fn watch(object: ObjectRef, until: Wait) -> Self {
        Self::new(Effect::Watch { object }, Guard::None, until)
    }

    /// What takes it back.
    #[must_use]
    pub fn undo(self, undo: Effect) -> Self {
        Self {
            undo: Some(undo),
            ..self
        }
    }

    /// It may fail.
    #[must_use]
    pub fn soft(self) -> Self {
        Self { soft: true, ..self }
    }

    /// Why it is there.
    #[must_use]
    pub fn why(self, why: &str) -> Self {
        Self {
            why: why.to_string(),
            ..self
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// Everything that can be done to a cluster. The list is closed: the simulator interprets the same one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "effect")]
pub enum Effect {
    /// Creates an object that must not exist.
    Create {
        /// The whole manifest.
        object: Value,
    },
    /// Server-side applies over an object that must exist.
    Update {
        /// The whole manifest.
        object: Value,
        /// Takes over fields that another manager owns.
        force: bool,
    },
    /// Deletes an object.
    Delete {
        /// Which one.
        object: ObjectRef,
        /// Which incarnation of it.
        uid: Uid,
        /// What becomes of the objects it owns.
        propagation: Propagation,
    },
    /// Stops or resumes a CronJob's schedule.
    Suspend {
        /// Which CronJob.
        object: ObjectRef,
        /// Whether it is suspended afterwards.
        suspend: bool,
    },
    /// Takes a `VolumeSnapshot` of a claim.
    Snapshot {
        /// The `VolumeSnapshot`'s manifest. Its name holds the time and is no part of the plan's digest.
        object: Value,
        /// The incarnation of the claim it is taken of.
        claim: Uid,
    },
    /// Stops or starts a StatefulSet.
    Scale {
        /// Which one.
        object: ObjectRef,
        /// How many pods it has afterwards.
        replicas: u64,
    },
    /// Labels every test Job of a CronJob that has not ended with [`INTERRUPTED_LABEL`]: what becomes of
    /// it says nothing about Restate. See [`Sight::running`](crate::wait::Sight::running).
    Interrupt {
        /// Which CronJob.
        object: ObjectRef,
        /// By which operation: the label's value.
        operation: String,
    },
    /// Says what becomes of stored data when its claim or its `VolumeSnapshot` goes: the reclaim policy of
    /// a `PersistentVolume`, the deletion policy of a `VolumeSnapshotContent`.
    Reclaim {
        /// The volume or the content.
        object: ObjectRef,
        /// Which incarnation of it.
        uid: Uid,
        /// What becomes of the data.
        policy: Policy,
    },
    /// Deletes what an earlier step of the plan made. The journal knows which incarnation that is, and
    /// turns it into a [`Self::Delete`]: nobody else ever does it.
    Discard {
        /// Which object.
        object: ObjectRef,
        /// What becomes of the objects it owns.
        propagation: Propagation,
    },
    /// Changes nothing: the step waits.
    Watch {
        /// What is watched.
        object: ObjectRef,
    },
}

/// Set on a Job that an operation has interrupted; the value is the operation. It is neither a failure nor
/// a success.
pub const INTERRUPTED_LABEL: &str = "longrun/interrupted";

/// What becomes of stored data when the object that stands for it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Policy {
    /// It stays.
    Retain,
    /// It goes as well.
    Delete,
}

impl Policy {
    /// As Kubernetes writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Retain => "Retain",
            Self::Delete => "Delete",
        }
    }
}

/// What becomes of the objects that a deleted object owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Propagation {
    /// They are deleted after it.
    Background,
    /// They are deleted before it.
    Foreground,
    /// They stay, without owner.
    Orphan,
}

/// What must hold of the step's object immediately before the step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "guard")]
pub enum Guard {
    /// Nothing.
    None,
    /// It does not exist.
    Absent,
    /// It is this incarnation.
    Is {
        /// The incarnation.
        uid: Uid,
    },
    /// It is this incarnation with the intent that the plan was decided on.
    Unchanged {
        /// The incarnation.
        uid: Uid,
        /// Digest of [`crate::object::intent`].
        intent: Digest,
    },
    /// It is this incarnation of a `PersistentVolume`, and this claim has it.
    Bound {
        /// The volume's incarnation.
        uid: Uid,
        /// The claim's incarnation.
        claim: Uid,
    },
    /// It is a claim that may be deleted: its data are safe.
    Gate(Gate),
    /// It is the volume of a claim that is gone, and what it holds is safe elsewhere.
    Release(Release),
}

/// How far a step has been tried without doing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Checked {
    /// The API server accepted a dry run of it.
    ByServer,
    /// Only parsed against the known types: the namespace that the dry run needs is not there yet.
    Locally,
    /// There is nothing to try.
    Nothing,
}

/// What a plan destroys, from least to worst.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "loss")]
pub enum Loss {
    /// Something restarts or is scaled, or a helper object goes; no data.
    Disruption {
        /// What is disrupted, for the reader.
        what: String,
    },
    /// A copy of data that exists elsewhere.
    Copy {
        /// Which copy.
        name: String,
    },
    /// What a failed test Job left.
    Evidence {
        /// The Job.
        job: String,
    },
    /// A stored snapshot.
    Snapshot {
        /// The `VolumeSnapshot`.
        name: String,
    },
    /// The database of an environment, of which a verified snapshot is kept.
    Database {
        /// The claim's incarnation.
        claim: Uid,
    },
    /// The database of an environment, of which nothing is kept.
    OnlyCopy {
        /// The claim's incarnation.
        claim: Uid,
    },
}

impl Effect {
    /// The object that is acted on.
    #[must_use]
    pub fn object(&self) -> Option<ObjectRef> {
        match self {
            Self::Create { object }
            | Self::Update { object, .. }
            | Self::Snapshot { object, .. } => ObjectRef::of(object),
            Self::Delete { object, .. }
            | Self::Suspend { object, .. }
            | Self::Scale { object, .. }
            | Self::Interrupt { object, .. }
            | Self::Reclaim { object, .. }
            | Self::Discard { object, .. }
            | Self::Watch { object } => Some(object.clone()),
        }
    }

    /// Whether the cluster is another one after it, unless it is undone. Suspending and stopping are
    /// passing, a snapshot is a copy, and what a plan discards it has made itself.
    #[must_use]
    pub fn stays(&self) -> bool {
        match self {
            Self::Create { .. }
            | Self::Update { .. }
            | Self::Delete { .. }
            | Self::Reclaim { .. } => true,
            Self::Suspend { .. }
            | Self::Scale { .. }
            | Self::Snapshot { .. }
            | Self::Interrupt { .. }
            | Self::Discard { .. }
            | Self::Watch { .. } => false,
        }
    }

    /// Whether it only waits.
    #[must_use]
    pub fn is_watch(&self) -> bool {
        matches!(self, Self::Watch { .. })
    }
}

impl Plan {
    /// Whether the plan neither changes nor waits for anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether the plan changes something, rather than wait only.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.steps.iter().any(|step| !step.act.is_watch())
    }

    /// Names the plan from its `first` step on: same digest, same target, same effects on the same
    /// incarnations, decided on the same facts. Generated names and what is only waited for are left out,
    /// so that time passing does not change it.
    #[must_use]
    pub fn digest_from(&self, first: usize) -> Digest {
        let snapshots = self.steps.iter().filter_map(|step| match &step.act {
            Effect::Snapshot { object, .. } => object.pointer("/metadata/name")?.as_str(),
            _ => None,
        });
        let names = snapshots.chain(self.generated.iter().map(String::as_str));
        let mut generated: Vec<(usize, &str)> = names.enumerate().collect();
        // A name that begins like another one must not be taken for it.
        generated.sort_by_key(|(_, name)| Reverse(name.len()));
        let steps: Vec<Value> = self
            .steps
            .iter()
            .skip(first)
            .filter(|step| !step.act.is_watch())
            .map(|step| {
                let mut step =
                    json!({"act": step.act, "guard": step.guard, "changes": step.changes});
                for (index, name) in &generated {
                    mask(&mut step, name, &format!("(generated {index})"));
                }
                step
            })
            .collect();
        Digest::of(&json!({
            "operation": self.operation,
            "target": self.target,
            "steps": steps,
            "loses": self.loses,
        }))
    }

    /// Names the whole plan: what a pipe approves.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest_from(0)
    }

    /// The worst thing that is lost, if anything is.
    #[must_use]
    pub fn worst_loss(&self) -> Option<&Loss> {
        self.loses.iter().max()
    }
}

/// Puts something else in place of a generated name, also where it is a part of another one.
fn mask(value: &mut Value, name: &str, by: &str) {
    match value {
        Value::String(text) if text.contains(name) => *text = text.replace(name, by),
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, name, by)),
        Value::Object(fields) => fields.values_mut().for_each(|field| mask(field, name, by)),
        _ => {}
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self {
            Self::Create { .. } => "create",
            Self::Update { force: false, .. } => "update",
            Self::Update { force: true, .. } => "take over",
            Self::Delete {
                propagation: Propagation::Orphan,
                ..
            } => "delete, keeping what it owns,",
            Self::Delete { .. } | Self::Discard { .. } => "delete",
            Self::Suspend { suspend: true, .. } => "suspend",
            Self::Suspend { suspend: false, .. } => "resume",
            Self::Snapshot { .. } => "snapshot",
            Self::Scale { replicas: 0, .. } => "stop",
            Self::Scale { .. } => "start",
            Self::Interrupt { .. } => "mark as interrupted what still runs of",
            Self::Reclaim {
                policy: Policy::Retain,
                ..
            } => "keep the data of",
            Self::Reclaim {
                policy: Policy::Delete,
                ..
            } => "no longer keep the data of",
            Self::Watch { .. } => "wait for",
        };
        let object = self
            .object()
            .map_or_else(String::new, |object| object.to_string());
        write!(f, "{verb} {object}")
    }
}
