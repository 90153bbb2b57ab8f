//! Snapshots of the database: taking, listing, deleting and retaining them.

use alloc::{
    format,
    string::{String, ToString},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{attach, refusal::Refusals};
use crate::{
    inputs::Name,
    names::{
        CONSISTENCY_LABEL, ENVIRONMENT_LABEL, FIELD_MANAGER, KEEP_LABEL, MANAGED_BY_LABEL,
        OPENED_BY_ANNOTATION, PURPOSE_LABEL, SNAPSHOT_API, SOURCE_LABEL,
    },
    object::Uid,
    plan::{Effect, Guard, Step, Target},
    version::ImageVersion,
    wait::Wait,
};

mod delete;
mod failure;
mod kept;
mod listed;
mod orphan;
mod retention;
mod take;

pub use delete::delete;
pub use failure::{Limits, Withheld, failure_name, on_failure};
pub use kept::{kept, taken};

pub use crate::journal::{Kept, Standing};
pub(super) use listed::restorable;
pub use listed::{Listed, Verification, list};
pub use orphan::{Adoption, Orphan, StoredSnapshots, adopt, adopted};
pub use retention::{Choice, Fate, Outcome, Policy, choose, outcome, prune};
pub use take::{Wish, take};

const OPERATION: &str = "snapshot";

/// What a snapshot was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// By a person.
    Manual,
    /// Guards a wipe.
    BeforeWipe,
    /// Guards a restore.
    BeforeRestore,
    /// A test failed.
    Failure,
    /// Guards an upgrade.
    Upgrade,
    /// It was stored, nothing stood for it, and it was adopted.
    Adopted,
    /// Makes the next one incremental, and goes when the operation ends.
    Temporary,
}

impl Purpose {
    /// Every purpose there is.
    const ALL: [Self; 7] = [
        Self::Manual,
        Self::BeforeWipe,
        Self::BeforeRestore,
        Self::Failure,
        Self::Upgrade,
        Self::Adopted,
        Self::Temporary,
    ];

    /// What a label says; `None` when it is not one of ours.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.word() == word)
    }

    /// The value of [`PURPOSE_LABEL`](crate::names::PURPOSE_LABEL).
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::BeforeWipe => "before-wipe",
            Self::BeforeRestore => "before-restore",
            Self::Failure => "failure",
            Self::Upgrade => "upgrade",
            Self::Adopted => "adopted",
            Self::Temporary => "temporary",
        }
    }
}

/// What a snapshot holds of writes that were on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// The node was stopped: everything.
    Fenced,
    /// As after a power failure.
    Crash,
}

impl Consistency {
    /// What a label says; `None` when it is not one of ours.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Fenced, Self::Crash]
            .into_iter()
            .find(|consistency| consistency.word() == word)
    }

    /// The value of [`CONSISTENCY_LABEL`](crate::names::CONSISTENCY_LABEL).
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fenced => "fenced",
            Self::Crash => "crash",
        }
    }
}

/// A snapshot as it is taken.
pub(super) struct SnapshotSpec<'a> {
    pub(super) name: String,
    pub(super) claim: &'a str,
    /// The claim's incarnation.
    pub(super) uid: Uid,
    pub(super) class: &'a str,
    pub(super) purpose: Purpose,
    pub(super) consistency: Consistency,
    pub(super) keep: bool,
    /// The node that has opened what it holds, if that is known.
    pub(super) opened_by: Option<ImageVersion>,
}

impl SnapshotSpec<'_> {
    pub(super) fn step(self, target: &Target, until: Wait) -> Step {
        let object = self.manifest(target);
        let claim = self.uid;
        Step::new(Effect::Snapshot { object, claim }, Guard::Absent, until)
    }

    fn manifest(&self, target: &Target) -> Value {
        let mut object = json!({
            "apiVersion": SNAPSHOT_API,
            "kind": "VolumeSnapshot",
            "metadata": {
                "name": self.name,
                "namespace": target.environment,
                "labels": {
                    MANAGED_BY_LABEL: FIELD_MANAGER,
                    ENVIRONMENT_LABEL: target.environment,
                    PURPOSE_LABEL: self.purpose.word(),
                    CONSISTENCY_LABEL: self.consistency.word(),
                    SOURCE_LABEL: self.uid,
                },
            },
            "spec": {
                "volumeSnapshotClassName": self.class,
                "source": {"persistentVolumeClaimName": self.claim},
            },
        });
        if self.keep {
            object["metadata"]["labels"][KEEP_LABEL] = json!("true");
        }
        if let Some(opened_by) = &self.opened_by {
            let note = json!({OPENED_BY_ANNOTATION: opened_by.to_string()});
            object["metadata"]["annotations"] = note;
        }
        object
    }
}

/// `storage-restate-0-20260105-100000`
pub(super) fn default_name(claim: &str, now: Timestamp) -> String {
    format!("{claim}-{}", now.strftime("%Y%m%d-%H%M%S"))
}

/// Whether a snapshot can have this name, and the pod and the Job of its attachment theirs.
pub(super) fn is_name(name: &str) -> bool {
    name.parse::<Name>().is_ok() && name.len() <= LONGEST
}

/// A Job's name is a label's value of its pods: 63 characters.
const LONGEST: usize = 63 - attach::PREFIX.len();
