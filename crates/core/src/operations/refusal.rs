//! Why an operation on data is not planned. All reasons are told together, each with the way on; nothing
//! was changed.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use super::data::Permission;
use crate::{
    faults::ledger::OpenFault,
    journal::{InTheWay, Unfinished},
    plan::Target,
};

/// One reason why an operation on data is not planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The cluster does not know snapshots.
    NotServed,
    /// There is no such `VolumeSnapshotClass`.
    NoClass {
        /// Which one.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A `VolumeSnapshotClass` is not what the cluster's file says.
    Class {
        /// Which one.
        name: String,
        /// `driver`, `deletionPolicy`
        field: &'static str,
        /// What it is.
        found: String,
        /// What it has to be.
        expected: String,
    },
    /// A permission is missing.
    Denied(Permission),
    /// There is no node.
    NoNode {
        /// Where.
        target: Target,
    },
    /// There is no database.
    NoDatabase {
        /// The claim that would hold it.
        claim: String,
    },
    /// The claim was never bound: it holds nothing.
    NeverBound {
        /// Which claim.
        claim: String,
        /// Its phase.
        phase: String,
    },
    /// The claim is being deleted.
    Terminating {
        /// Which claim.
        claim: String,
        /// What holds it.
        finalizers: Vec<String>,
    },
    /// The volume is not of the driver that takes snapshots.
    Driver {
        /// Which volume.
        volume: String,
        /// Its driver.
        found: String,
        /// The cluster's driver.
        expected: String,
    },
    /// Pods that are not the node's mount the claim.
    Mounted {
        /// Which claim.
        claim: String,
        /// Which pods.
        pods: Vec<String>,
    },
    /// A snapshot of the claim that is not ready would hold its deletion.
    Hanging {
        /// Which snapshot.
        name: String,
        /// Why it is not ready, as far as is known.
        cause: String,
    },
    /// There is no such snapshot.
    UnknownSnapshot {
        /// Which one was asked for.
        name: String,
        /// Those that there are, newest first.
        known: Vec<String>,
        /// Where.
        environment: String,
    },
    /// The snapshot is of something else.
    OtherSource {
        /// Which snapshot.
        name: String,
        /// What it is of.
        of: String,
        /// What it should be of.
        expected: String,
    },
    /// The snapshot cannot be restored now.
    NotReady {
        /// Which snapshot.
        name: String,
        /// Why.
        cause: String,
    },
    /// The snapshot is larger than the claim would be.
    TooLarge {
        /// Which snapshot.
        name: String,
        /// What it needs.
        needs: String,
        /// What the claim asks for.
        claim: String,
    },
    /// Restate does not support that the node of the environment's file opens what the snapshot holds.
    Version {
        /// Which snapshot.
        name: String,
        /// The node that has opened what it holds.
        opened_by: String,
        /// The node of the environment's file.
        node: String,
        /// Restate's rule that forbids it.
        rule: &'static str,
    },
    /// Not a name that a snapshot and its pod can have.
    Name {
        /// As given.
        name: String,
    },
    /// Something of that name exists already.
    Exists {
        /// `VolumeSnapshot`, `Pod`, …
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A stored snapshot cannot be adopted.
    NotAdoptable {
        /// Its `VolumeSnapshotContent`.
        content: String,
        /// Why.
        why: String,
    },
    /// The snapshot is needed.
    InUse {
        /// Which snapshot.
        name: String,
        /// What for.
        by: String,
    },
    /// The snapshot is attached already.
    Attached {
        /// Which snapshot.
        name: String,
        /// By whom.
        by: String,
        /// The namespace.
        environment: String,
    },
    /// What is attached may have been written to.
    Writable {
        /// Which snapshot.
        name: String,
        /// By whom.
        by: String,
    },
    /// An earlier operation is not finished.
    Unfinished(Unfinished),
    /// Another operation is at work or not finished.
    InTheWay(InTheWay),
    /// What a fault does to the node or the service has not been taken back.
    Fault(OpenFault),
}

/// Everything that keeps an operation on data from being planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot do this; nothing was changed\n{}", lines(.0))]
pub struct Refusals(pub Vec<Refusal>);

fn lines(refusals: &[Refusal]) -> String {
    let lines: Vec<String> = refusals
        .iter()
        .map(|refusal| format!("  - {refusal}"))
        .collect();
    lines.join("\n")
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotServed => f.write_str(
                "the cluster does not serve VolumeSnapshots: install the CRDs and the snapshot-controller of kubernetes-csi/external-snapshotter, and a CSI driver that takes snapshots",
            ),
            Self::NoClass { name, known } => write!(
                f,
                "the cluster has no VolumeSnapshotClass {name} ({}): `cargo xtask deploy` creates the classes of the cluster's file",
                listed("there are", known)
            ),
            Self::Class {
                name,
                field,
                found,
                expected,
            } => write!(
                f,
                "the {field} of VolumeSnapshotClass {name} is {found}, expected {expected}; correct the class or the cluster's file"
            ),
            Self::Denied(permission) => denied(f, permission),
            Self::NoNode { target } => write!(
                f,
                "{target} has no node: cargo xtask deploy {}",
                target.flags()
            ),
            Self::NoDatabase { claim } => write!(
                f,
                "no database: PersistentVolumeClaim {claim} does not exist; deploy creates an empty one, restore creates one from a snapshot"
            ),
            Self::NeverBound { claim, phase } => write!(
                f,
                "PersistentVolumeClaim {claim} is {phase}: it has no data to keep or lose"
            ),
            Self::Terminating { claim, finalizers } => write!(
                f,
                "PersistentVolumeClaim {claim} is being deleted by another client ({}): it goes when no pod uses it any more, with its data unless its volume is retained; `kubectl describe pvc {claim}` shows its users",
                listed("finalizers", finalizers)
            ),
            Self::Driver {
                volume,
                found,
                expected,
            } => write!(
                f,
                "PersistentVolume {volume} is provisioned by {found}, the cluster's file says {expected}: it cannot be snapshotted"
            ),
            Self::Mounted { claim, pods } => write!(
                f,
                "PersistentVolumeClaim {claim} is mounted by {}, which may go on writing and block its deletion: delete those pods first",
                pods.join(", ")
            ),
            _ => self.about_snapshot(f),
        }
    }
}

impl Refusal {
    fn about_snapshot(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSnapshot {
                name,
                known,
                environment,
            } => write!(
                f,
                "{environment} has no VolumeSnapshot {name} ({})",
                listed("there are", known)
            ),
            Self::Hanging { name, cause } => write!(
                f,
                "the snapshot {name} of the claim is not ready ({cause}) and would block the deletion: wait until it is, or delete it by name"
            ),
            Self::OtherSource { name, of, expected } => write!(
                f,
                "the snapshot {name} is of {of}, not of {expected}: it is another database"
            ),
            Self::NotReady { name, cause } => {
                write!(f, "the snapshot {name} cannot be restored: {cause}")
            }
            Self::TooLarge { name, needs, claim } => write!(
                f,
                "the snapshot {name} needs {needs}, the claim would have {claim}: raise `restate.storage` in the environment's file (and `storage.largestClaim` in the cluster's)"
            ),
            Self::Version {
                name,
                opened_by,
                node,
                rule,
            } => write!(
                f,
                "the snapshot {name} is of a database that Restate {opened_by} has opened, and the environment's file says {node}: {rule}; to restore it with the node that it is of, set `restate.image` to {opened_by}"
            ),
            Self::Name { name } => write!(
                f,
                "`{name}` is not a name: 1 to 56 lower-case letters, digits and `-`, with a letter or digit at both ends"
            ),
            Self::Exists { kind, name } => write!(f, "{kind} {name} already exists"),
            Self::NotAdoptable { content, why } => {
                write!(
                    f,
                    "VolumeSnapshotContent {content} cannot be adopted: {why}"
                )
            }
            Self::InUse { name, by } => write!(f, "the snapshot {name} is in use: {by}"),
            Self::Attached {
                name,
                by,
                environment,
            } => write!(
                f,
                "the snapshot {name} is attached already, by {by}: kubectl -n {environment} exec -it {name} -- sh"
            ),
            Self::Writable { name, by } => write!(
                f,
                "the snapshot {name} is attached writable by {by} and may have been changed; end that attachment, then copy"
            ),
            Self::Unfinished(unfinished) => write!(f, "{unfinished}"),
            Self::InTheWay(in_the_way) => write!(f, "{in_the_way}"),
            Self::Fault(fault) => write!(f, "{fault}"),
            _ => Ok(()),
        }
    }
}

fn listed(what: &str, names: &[String]) -> String {
    match names {
        [] => format!("{what}: none"),
        names => format!("{what}: {}", names.join(", ")),
    }
}

fn denied(f: &mut fmt::Formatter<'_>, permission: &Permission) -> fmt::Result {
    let Permission {
        verb,
        resource,
        group,
        namespace,
    } = permission;
    let place = match namespace {
        Some(namespace) => format!("in {namespace}, with a Role"),
        None => "in the whole cluster, with a ClusterRole".to_string(),
    };
    write!(
        f,
        "no permission to {verb} {resource} {place}: grant it with a rule {{apiGroups: [{group:?}], resources: [{resource:?}], verbs: [{verb:?}]}}"
    )
}
