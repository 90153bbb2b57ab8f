//! What operations on the database are decided on: the claim, what holds it, its snapshots, and what runs
//! on it. The names are those of the templates.

use alloc::{string::String, vec::Vec};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    opening::opened_by,
    snapshot::{Kept, kept},
};
use crate::{
    cluster::Pod,
    faults::ledger::OpenFault,
    journal::{AtWork, Stored},
    version::ImageVersion,
};

/// What was observed before an operation on data is planned. Lists are of the environment's namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The claim [`CLAIM`], if it exists.
    pub claim: Option<Value>,
    /// The `PersistentVolume` that the claim is bound to.
    pub volume: Option<Value>,
    /// The StatefulSet [`NODE`], if it exists.
    pub set: Option<Value>,
    /// Every pod that names the claim as a volume, finished ones too.
    pub mounts: Vec<Pod>,
    /// All claims: which snapshots are being restored, and whose source still exists.
    pub claims: Vec<Value>,
    /// All `VolumeSnapshot`s; `None` when the cluster does not serve that kind.
    pub snapshots: Option<Vec<Value>>,
    /// The `VolumeSnapshotContent`s that the snapshots are bound to.
    pub contents: Vec<Value>,
    /// All `VolumeSnapshotClass`es of the cluster.
    pub classes: Vec<Value>,
    /// All CronJobs, with managed fields: they say who suspended them.
    pub cron_jobs: Vec<Value>,
    /// All Jobs: running tests, `discover`, guardians of attachments.
    pub jobs: Vec<Value>,
    /// The journal of the last operation on data.
    pub stored: Option<Stored>,
    /// Who holds the environment's Lease; whoever plans under the Lease finds itself here.
    pub at_work: Option<AtWork>,
    /// A fault that has not ended.
    pub fault: Option<OpenFault>,
    /// What the user may not do, of what the operation needs. Nothing is tried to find out.
    pub denied: Vec<Permission>,
}

impl Facts {
    /// The snapshot that the last operation took of the database of its time, and what became of that.
    #[must_use]
    pub fn kept(&self) -> Option<Kept> {
        let seen = self.snapshots.as_deref();
        let seen = seen.map(|snapshots| (snapshots, self.contents.as_slice()));
        kept(&self.stored.as_ref()?.journal, seen)
    }

    /// The newest node that has opened the database, if that is known.
    pub(super) fn opened_by(&self) -> Option<ImageVersion> {
        opened_by(self.claim.as_ref()?, self.set.as_ref())
    }
}

/// One thing a user may not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// `create`, …
    pub verb: String,
    /// What rules of Roles call it: `volumesnapshots`, …
    pub resource: String,
    /// Its API group; empty for the core group.
    pub group: String,
    /// `None` for what belongs to the whole cluster.
    pub namespace: Option<String>,
}

/// What is decided elsewhere and holds for the whole plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The time that goes into the names of snapshots.
    pub now: Timestamp,
    /// The CSI driver, by the cluster's file.
    pub driver: String,
    /// The `VolumeSnapshotClass` that deletes what it stores.
    pub delete_class: String,
    /// The `VolumeSnapshotClass` that keeps what it stores.
    pub retain_class: String,
    /// The StatefulSet [`NODE`] as it is rendered: how many pods it has when nothing is stopped, as whom
    /// they run, and what their claim is like.
    pub set: Value,
    /// The Job [`DISCOVER`] as it is rendered.
    pub discover: Value,
    /// The image of the workload's programs, which hold `verification compare`.
    pub verification_image: String,
    /// The image of the pod of an attachment.
    pub busybox_image: String,
}
