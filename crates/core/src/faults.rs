//! What is done on purpose to an environment that asks for it, so that Restate has to survive it: one file a
//! fault, and this list. Schema, Role, CronJob and plan follow from what a fault says of itself.

use alloc::{string::String, vec::Vec};
use core::fmt;

use jiff::SignedDuration;
use serde::Serialize;

use crate::{
    names::{JOURNAL, LEASE, LEDGER, NODE, NODE_POD, PAUSE, SERVICE},
    nearest,
    object::ObjectRef,
    plan::{Effect, FaultAction, PodTarget, Signal, Target},
};

mod context;
mod decision;
pub mod ledger;
mod pause;
mod rotation;
mod rotation_status;
#[cfg(test)]
mod tests;

pub use context::{FaultContext, Settings};
pub use decision::{Facts, NoGo, decide, heal};
pub use pause::{Pause, PauseError};
pub(crate) use rotation::hourly;
pub use rotation::{JITTER, Overlap, jitter, minutes, seed};
pub use rotation_status::RotationStatus;

/// How the name of a fault's CronJob begins.
const CRON_JOB: &str = "fault-";

/// How the holder of a Lease is called that injects a fault: this, and the fault's name.
const AT_WORK: &str = "fault ";

/// Whether the holder of a Lease injects a fault, by what it says that it does.
#[must_use]
pub fn is_fault(operation: &str) -> bool {
    operation.starts_with(AT_WORK)
}

/// Something that is done to an environment, and how it is taken back.
#[derive(Clone, Copy)]
pub struct Fault {
    /// As environments call it.
    pub name: &'static str,
    /// What it does, in a sentence: documentation of the schema.
    pub does: &'static str,
    /// What must be healthy again in the end.
    pub hits: Hits,
    /// Does it.
    inject: fn(&FaultContext<'_>) -> Effect,
    /// Takes it back, after the environment's `hold`; for a fault that is over when it is done, nothing does.
    undo: Option<fn(&FaultContext<'_>) -> Effect>,
    /// How long its target may take to be healthy again, in seconds.
    recovery: u32,
    /// What the runner must be allowed for it, besides what every fault needs.
    rules: &'static [Rule],
    /// It is of no effect where NetworkPolicies are not enforced.
    pub needs_policies: bool,
}

/// What a fault is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hits {
    /// The node: StatefulSet `restate`.
    Node,
    /// The services: Deployment `verification`.
    Services,
}

/// A rule of a Role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// `""` is the core group.
    pub api_groups: &'static [&'static str],
    /// Plurals, with `/subresource`.
    pub resources: &'static [&'static str],
    /// `get`, …
    pub verbs: &'static [&'static str],
    /// Empty for all.
    pub resource_names: &'static [&'static str],
}

/// Declares the modules of the faults and the list of them: one line each.
macro_rules! faults {
    ($($module:ident),+ $(,)?) => {
        $(mod $module;)+

        /// All faults, in the order in which they are documented.
        pub const FAULTS: &[Fault] = &[$($module::FAULT),+];
    };
}

faults! {
    delete_restate,
    kill_restate,
    kill_services,
    kill_one_service,
    restart_services,
    stop_services,
    freeze_restate,
    cut_network,
}

/// What every fault needs: the lease, the records, what it looks at, and to say what it does.
const EVERY: [Rule; 9] = [
    rule(&[""], &["namespaces"], &["get"], &[]),
    rule(&[""], &["pods", "events"], &["get", "list", "watch"], &[]),
    rule(
        &["apps"],
        &["deployments", "replicasets", "statefulsets"],
        &["get", "list", "watch"],
        &[],
    ),
    rule(
        &["batch"],
        &["cronjobs", "jobs"],
        &["get", "list", "watch"],
        &[],
    ),
    // What is created cannot be limited to a name here: the admission policy does it.
    rule(&[""], &["configmaps", "events"], &["create"], &[]),
    rule(&["coordination.k8s.io"], &["leases"], &["create"], &[]),
    rule(
        &["coordination.k8s.io"],
        &["leases"],
        &["get", "update"],
        &[LEASE],
    ),
    rule(&[""], &["configmaps"], &["get"], &[LEDGER, PAUSE, JOURNAL]),
    rule(&[""], &["configmaps"], &["update"], &[LEDGER]),
];

const fn rule(
    api_groups: &'static [&'static str],
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
    resource_names: &'static [&'static str],
) -> Rule {
    Rule {
        api_groups,
        resources,
        verbs,
        resource_names,
    }
}

/// A command in the sidecar of the node's pod. A WebSocket begins as a GET (Kubernetes 1.36 asks for both).
const SIGNALS: Rule = rule(&[""], &["pods/exec"], &["create", "get"], &[NODE_POD]);

/// Pods of the services have generated names: the admission policy tells them from others.
const DELETES_PODS: Rule = rule(&[""], &["pods"], &["delete"], &[]);

/// The Deployment's replicas and its template's annotation: the admission policy keeps it to them.
const CHANGES_SERVICES: Rule = rule(&["apps"], &["deployments"], &["patch"], &[SERVICE]);

/// The rules of the Role that can inject these faults: each once. And those that it takes to end any other: one that
/// a killed runner left is taken back by the next, also when it is not in the file any more.
#[must_use]
pub fn rules<'a>(faults: impl IntoIterator<Item = &'a Fault>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = EVERY.to_vec();
    let left = FAULTS.iter().filter(|fault| fault.holds());
    for rule in faults.into_iter().chain(left).flat_map(|fault| fault.rules) {
        if !rules.contains(rule) {
            rules.push(*rule);
        }
    }
    rules
}

/// Finds a fault.
///
/// # Errors
/// What was probably meant, and what there is.
pub fn find(name: &str) -> Result<&'static Fault, String> {
    FAULTS
        .iter()
        .find(|fault| fault.name == name)
        .ok_or_else(|| nearest::among(name, FAULTS.iter().map(|fault| fault.name)))
}

/// How long the runner's pod may take to start, in seconds.
const START: u32 = 30;

/// How long the runner has to take a fault back when it is told to stop, in seconds.
pub const GRACE: u32 = 45;

impl Fault {
    /// The CronJob that injects it.
    #[must_use]
    pub fn cron_job(&self) -> String {
        alloc::format!("{CRON_JOB}{}", self.name)
    }

    /// What its runner says that it does, as the holder of the Lease.
    #[must_use]
    pub fn at_work(&self) -> String {
        alloc::format!("{AT_WORK}{}", self.name)
    }

    /// Whether it stays until it is taken back.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.undo.is_some()
    }

    /// From its minute to its deadline at the latest, in seconds: start, jitter, hold and recovery. What then
    /// still runs is told to stop, and has [`GRACE`] to take the fault back.
    #[must_use]
    pub fn deadline(&self, hold: u64) -> u64 {
        let hold = if self.holds() { hold } else { 0 };
        u64::from(START + JITTER + self.recovery) + hold
    }

    /// From its minute to when it is over in any case, in seconds.
    #[must_use]
    pub fn budget(&self, hold: u64) -> u64 {
        self.deadline(hold) + u64::from(GRACE)
    }

    /// How long its target may take to be healthy again.
    #[must_use]
    pub fn recovery(&self) -> SignedDuration {
        SignedDuration::from_secs(self.recovery.into())
    }

    /// What must be healthy again in the end.
    #[must_use]
    pub fn target(&self, target: &Target) -> ObjectRef {
        let environment = &target.environment;
        match self.hits {
            Hits::Node => ObjectRef::namespaced("apps/v1", "StatefulSet", environment, NODE),
            Hits::Services => ObjectRef::namespaced("apps/v1", "Deployment", environment, SERVICE),
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Which fault a CronJob injects, by its name.
#[must_use]
pub fn of_cron_job(name: &str) -> Option<&'static Fault> {
    find(name.strip_prefix(CRON_JOB)?).ok()
}
