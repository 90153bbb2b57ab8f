//! What will be done to a cluster, step by step, and what it costs: the one thing that is shown,
//! hashed, confirmed, driven and resumed, whatever the operation.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    change::Change,
    gate::{Database, Gate, Release},
    object::{Digest, ObjectRef, Uid},
    wait::Wait,
};

mod effect;
mod fault_action;
mod moved;
pub(crate) mod shared;

pub use effect::{Effect, Policy, Propagation, grown};
pub use fault_action::{FaultAction, PodTarget, Signal};

pub use crate::cluster::Finding;

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

impl Target {
    /// What a command takes to mean it, whatever the environment's usual cluster is.
    #[must_use]
    pub fn flags(&self) -> String {
        format!("-n {} --cluster {}", self.environment, self.cluster)
    }
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
    /// Whether no other pod may have the claim from here on: while it is compared, and until it is gone.
    #[must_use]
    pub fn needs_pod_history(&self) -> bool {
        self.until == Wait::Verified || matches!(self.guard, Guard::Gate(_))
    }

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

    /// Whether the cluster is not what is rendered as long as it is not done: a claim that has not grown to its size
    /// is smaller than what it was told to be.
    #[must_use]
    pub fn differs(&self) -> bool {
        !self.act.is_watch() || self.until == Wait::Grown
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
        /// [`Digest::of_intent`] of what was observed.
        intent: Digest,
    },
    /// It is this incarnation of a `PersistentVolume`, and this claim has it.
    Bound {
        /// The volume's incarnation.
        uid: Uid,
        /// The claim's incarnation.
        claim: Uid,
    },
    /// It is this incarnation of a node's StatefulSet, and the node has the database of the plan.
    Node {
        /// The set's incarnation.
        uid: Uid,
        /// What it has.
        database: Database,
    },
    /// It is a claim that may be deleted: its data are safe.
    Gate(Gate),
    /// It is the volume of a claim that is gone, and what it holds is safe elsewhere.
    Release(Release),
}

impl Guard {
    /// That the object is still as it was observed.
    pub(crate) fn unchanged(uid: Uid, observed: &Value) -> Self {
        Self::Unchanged {
            uid,
            intent: Digest::of_intent(observed),
        }
    }
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
    /// A node opens a database, and nobody can say whether it can: one of two versions is not known. A snapshot
    /// from before is kept.
    Incomparable {
        /// What has opened the database, as far as that is known.
        opened_by: Option<String>,
        /// What is to open it.
        node: String,
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
        Digest::of(&json!({
            "operation": self.operation,
            "target": self.target,
            "steps": self.documents(first),
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
