//! From rendered objects and what the cluster says of them to the plan that makes it so. The cluster's
//! own answers (server-side dry runs) are facts here, so that the plan shows what will really change.

use alloc::{collections::BTreeSet, string::String, vec::Vec};

use jiff::Timestamp;
use serde_json::Value;

use super::snapshot::Kept;
use crate::{faults::ledger::OpenFault, object::ObjectRef, wait::Observation};

mod cleanup;
mod decision;
mod growth;
mod inventory;
mod node;
mod planner;
mod problem;
mod prune;
mod recreate;
mod takeover;
#[cfg(test)]
mod tests;
mod upgrade;

pub use growth::{Growth, smaller};
pub use inventory::listed;
pub use node::needs_snapshots;
pub use planner::plan;
pub use problem::{Problem, Problems};

/// What was observed before a deployment is planned.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The environment's namespace.
    pub namespace: Namespace,
    /// One for every rendered object, in any order.
    pub objects: Vec<Observed>,
    /// What the last inventory lists; empty when there is none.
    pub inventory: Vec<ObjectRef>,
    /// The inventory itself, if there is one.
    pub inventory_object: Option<Value>,
    /// The live state of what the inventory lists and nothing renders any more, where it still exists.
    /// With managed fields: they say whose it is.
    pub surplus: Vec<Value>,
    /// The claims of the environment's StatefulSets.
    pub claims: Vec<Value>,
    /// Those of them that are to grow: see [`smaller`].
    pub growths: Vec<Growth>,
    /// The `VolumeSnapshot`s of the environment, as far as they are needed: see [`needs_snapshots`].
    pub snapshots: Vec<Value>,
    /// The Jobs and claims that carry [`TEMPORARY_LABEL`](crate::names::TEMPORARY_LABEL): left by operations
    /// on data that were killed.
    pub temporary: Vec<Value>,
    /// The ConfigMap of the last operation on data, if there is one.
    pub journal: Option<Value>,
    /// The snapshot that it took of the database of its time, and what became of that.
    pub kept: Option<Kept>,
    /// A fault that has not ended.
    pub fault: Option<OpenFault>,
}

/// The state of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// It is to be created first.
    Absent,
    /// It can take objects.
    Active,
    /// It is being deleted, and can take none.
    Terminating,
}

/// A rendered object and what the cluster says of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// As rendered.
    pub desired: Value,
    /// As it is, if it exists. With managed fields: they say who suspended the tests.
    pub live: Option<Value>,
    /// What a server-side dry run of the desired object answered.
    pub dry_run: DryRun,
    /// What belongs to the live object: pods, Jobs, warnings. Empty when it does not exist.
    pub observation: Observation,
}

/// What a server-side dry run answered.
#[derive(Clone, Debug, PartialEq)]
pub enum DryRun {
    /// The object as it would be.
    Accepted(Value),
    /// Not tried: the namespace or the kind that it needs is not there yet.
    Impossible,
    /// Refused.
    Refused(Refusal),
}

/// Why the API server refused a dry run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Other managers own fields that would change.
    Conflict(Vec<Conflict>),
    /// The object is invalid, or a field cannot be changed. In the API server's words.
    Invalid(String),
    /// A permission is missing. In the API server's words.
    Forbidden {
        /// `patch`, …
        verb: String,
        /// What rules of Roles call it: `cronjobs`, …
        resource: String,
        /// In the API server's words.
        message: String,
    },
    /// Anything else, for example a quota or an admission policy. In the API server's words.
    Other(String),
}

/// A field that another manager owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Who owns it.
    pub manager: String,
    /// `.spec.replicas`
    pub field: String,
}

/// What is decided elsewhere and holds for the whole plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Objects whose conflicting fields are taken over, as `Kind/name`.
    pub take_over: BTreeSet<String>,
    /// A changed service rolls only when no test runs and no invocation is open.
    pub drain: bool,
    /// The `VolumeSnapshotClass` that keeps what it stores: for the snapshot before an upgrade.
    pub retain_class: String,
    /// The time that goes into the names of snapshots.
    pub now: Timestamp,
}
