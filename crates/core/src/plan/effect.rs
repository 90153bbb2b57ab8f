//! What one step does to a cluster.

use alloc::string::{String, ToString};
use core::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::FaultAction;
use crate::{
    cluster::Finding,
    object::{ObjectRef, Uid},
    version::ImageVersion,
};

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
    /// it says nothing about Restate. See [`Observation::running`](crate::wait::Observation::running).
    Interrupt {
        /// Which CronJob.
        object: ObjectRef,
        /// By which operation: the label's value.
        operation: String,
    },
    /// Lets a claim grow, and writes nothing else of it: see [`grown`].
    Grow {
        /// Which claim.
        object: ObjectRef,
        /// Its new size.
        storage: String,
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
    /// Writes on a `VolumeSnapshot` what was found in it: later commands know it by that.
    RecordFinding {
        /// The `VolumeSnapshot`.
        object: ObjectRef,
        /// Which incarnation of it; of one that the plan itself takes the journal fills it in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uid: Option<Uid>,
        /// What was found.
        finding: Finding,
    },
    /// Notes on a claim which node has opened what it holds.
    RecordNode {
        /// The claim.
        object: ObjectRef,
        /// The node's image.
        image: String,
    },
    /// Deletes what an earlier step of the plan made. The journal knows which incarnation that is, and
    /// turns it into a [`Self::Delete`]: nobody else ever does it.
    Discard {
        /// Which object.
        object: ObjectRef,
        /// What becomes of the objects it owns.
        propagation: Propagation,
    },
    /// Does what only faults do, or takes it back.
    Inject {
        /// What is struck.
        object: ObjectRef,
        /// How.
        action: FaultAction,
    },
    /// Changes nothing: the step waits.
    Watch {
        /// What is watched.
        object: ObjectRef,
    },
}

/// All that is applied of a claim to let it grow.
#[must_use]
pub fn grown(claim: &ObjectRef, storage: &str) -> Value {
    json!({
        "apiVersion": claim.api_version,
        "kind": claim.kind,
        "metadata": {"name": claim.name, "namespace": claim.namespace},
        "spec": {"resources": {"requests": {"storage": storage}}},
    })
}

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

impl Effect {
    /// Whether it makes an object that was not there before.
    #[must_use]
    pub fn makes(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Snapshot { .. })
    }

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
            | Self::Grow { object, .. }
            | Self::Reclaim { object, .. }
            | Self::RecordFinding { object, .. }
            | Self::RecordNode { object, .. }
            | Self::Discard { object, .. }
            | Self::Inject { object, .. }
            | Self::Watch { object } => Some(object.clone()),
        }
    }

    /// Whether the cluster is another one after it, unless it is undone. Suspending and stopping are
    /// passing, a snapshot is a copy, a note changes nothing, what a plan discards it has made itself, and what is struck recovers.
    #[must_use]
    pub fn stays(&self) -> bool {
        match self {
            Self::Create { .. }
            | Self::Update { .. }
            | Self::Delete { .. }
            | Self::Grow { .. }
            | Self::Reclaim { .. } => true,
            Self::Suspend { .. }
            | Self::Scale { .. }
            | Self::Snapshot { .. }
            | Self::Interrupt { .. }
            | Self::RecordFinding { .. }
            | Self::RecordNode { .. }
            | Self::Discard { .. }
            | Self::Inject { .. }
            | Self::Watch { .. } => false,
        }
    }

    /// Whether it only waits.
    #[must_use]
    pub fn is_watch(&self) -> bool {
        matches!(self, Self::Watch { .. })
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Inject { object, action } = self {
            return write!(f, "{action} {object}");
        }
        if let Self::RecordNode { object, image } = self {
            let version = ImageVersion::of(image);
            return write!(f, "note Restate {version} as the node of {object}");
        }
        let verb = match self {
            Self::Create { .. } => "create",
            Self::Update { force: false, .. } => "update",
            Self::Update { force: true, .. } => "take over",
            Self::Delete {
                propagation: Propagation::Orphan,
                ..
            } => "delete (orphaning dependents)",
            Self::Delete { .. } | Self::Discard { .. } => "delete",
            Self::Suspend { suspend: true, .. } => "suspend",
            Self::Suspend { suspend: false, .. } => "resume",
            Self::Snapshot { .. } => "snapshot",
            Self::Scale { replicas: 0, .. } => "stop",
            Self::Scale { .. } => "start",
            Self::Grow { .. } => "grow",
            Self::Interrupt { .. } => "mark the running Jobs as interrupted of",
            Self::Reclaim {
                policy: Policy::Retain,
                ..
            } => "keep the data of",
            Self::Reclaim {
                policy: Policy::Delete,
                ..
            } => "no longer keep the data of",
            Self::RecordFinding {
                finding: Finding::Same,
                ..
            } => "mark as verified",
            Self::RecordFinding {
                finding: Finding::Empty,
                ..
            } => "mark as empty",
            Self::RecordNode { .. } | Self::Inject { .. } | Self::Watch { .. } => "wait for",
        };
        let object = self
            .object()
            .map_or_else(String::new, |object| object.to_string());
        write!(f, "{verb} {object}")
    }
}
