//! Why no plan can be made. All of them are reported together, each with the way on.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use super::{Conflict, Refusal};
use crate::{
    faults::ledger::OpenFault,
    journal::{NotTaken, Unfinished},
    object::ObjectRef,
};

/// One reason why a deployment cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The namespace is being deleted and takes no objects.
    NamespaceTerminating {
        /// Its name.
        name: String,
    },
    /// The object is being deleted.
    BeingDeleted {
        /// Which one.
        object: ObjectRef,
        /// What holds it.
        finalizers: Vec<String>,
    },
    /// The API server refuses the object.
    Refused {
        /// Which one.
        object: ObjectRef,
        /// Why.
        refusal: Refusal,
    },
    /// A field of a live object cannot be changed, and the object cannot be replaced without loss.
    Immutable {
        /// Which one.
        object: ObjectRef,
        /// In the API server's words.
        message: String,
    },
    /// What is to be taken over is not rendered.
    NothingToTakeOver {
        /// As the flag named it.
        named: String,
    },
    /// Restate does not support that this version opens what another one has opened.
    Version {
        /// The claim that holds it.
        claim: String,
        /// What has opened it.
        from: String,
        /// What is asked for.
        to: String,
        /// Restate's rule that forbids it.
        rule: &'static str,
        /// A snapshot of it that this version may open.
        way_back: Option<String>,
        /// What names the environment on the command line.
        flags: String,
    },
    /// An operation on data is not finished.
    Unfinished(Unfinished),
    /// Nobody knows whether an operation on data is finished.
    Journal(NotTaken),
    /// The faults are to go, and one has not ended: nobody would be left to take it back.
    Fault(OpenFault),
}

/// Everything that keeps a plan from being made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot deploy; nothing was changed\n{}", lines(.0))]
pub struct Problems(pub Vec<Problem>);

fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| format!("  - {problem}\n"))
        .collect::<String>()
        .trim_end()
        .to_string()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NamespaceTerminating { name } => write!(
                f,
                "Namespace {name} is being deleted and accepts no objects: wait until it is gone (`kubectl get namespace {name} -o yaml` shows what blocks it), then deploy again"
            ),
            Self::BeingDeleted { object, finalizers } if finalizers.is_empty() => {
                write!(
                    f,
                    "{object} is being deleted: wait until it is gone, then deploy again"
                )
            }
            Self::BeingDeleted { object, finalizers } => write!(
                f,
                "{object} is being deleted and blocked by {}: deploy again when it is gone",
                finalizers.join(", ")
            ),
            Self::Refused { object, refusal } => refused(f, object, refusal),
            Self::Immutable { object, message } => write!(
                f,
                "{object} has an immutable field: {message}; revert the change, or delete the object if its data may go"
            ),
            Self::NothingToTakeOver { named } => write!(
                f,
                "--take-over {named}: this environment has no such object; write KIND/NAME as in the plan"
            ),
            Self::Version {
                claim,
                from,
                to,
                rule,
                way_back,
                flags,
            } => {
                write!(
                    f,
                    "Restate {from} has opened PersistentVolumeClaim {claim}, and {to} must not open it after that: {rule}; "
                )?;
                match way_back {
                    Some(snapshot) => write!(
                        f,
                        "to start Restate {to} on a copy of snapshot {snapshot} instead, which is read first, in one plan: cargo xtask restore {flags} -s {snapshot}"
                    )?,
                    None => write!(f, "there is no snapshot of it that Restate {to} may open")?,
                }
                write!(
                    f,
                    "; to start it on an empty database: cargo xtask wipe {flags}"
                )
            }
            Self::Unfinished(unfinished) => write!(f, "{unfinished}"),
            Self::Journal(unreadable) => write!(f, "{unreadable}"),
            Self::Fault(fault) => write!(f, "{fault}; then deploy without faults"),
        }
    }
}

fn refused(f: &mut fmt::Formatter<'_>, object: &ObjectRef, refusal: &Refusal) -> fmt::Result {
    match refusal {
        Refusal::Conflict(conflicts) => {
            write!(f, "{object} has fields owned by other managers:")?;
            for Conflict { manager, field } in conflicts {
                write!(f, " {field} ({manager})")?;
            }
            write!(
                f,
                "; to take them over: --take-over {}/{}",
                object.kind, object.name
            )
        }
        Refusal::Invalid(message) => write!(
            f,
            "{object} is invalid: {message}; correct its template or the environment's file"
        ),
        Refusal::Forbidden {
            verb,
            resource,
            message,
        } => {
            let group = object.group();
            write!(
                f,
                "no permission to {verb} {object}: {message}; grant it with a rule {{apiGroups: [{group:?}], resources: [{resource:?}], verbs: [get, list, watch, create, patch, delete]}}"
            )
        }
        Refusal::Other(message) if message.contains("exceeded quota") => write!(
            f,
            "the API server refuses {object}: {message}; raise the quota, or request less in the environment's file"
        ),
        // Kubernetes 1.36: the admission plugin `PersistentVolumeClaimResize`.
        Refusal::Other(message) if message.contains("must support resize") => write!(
            f,
            "{object} cannot grow: {message}; set `allowVolumeExpansion: true` in its StorageClass, or take the size in the environment's file back"
        ),
        Refusal::Other(message) => write!(
            f,
            "the API server refuses {object}: {message}; fix that and deploy again"
        ),
    }
}
