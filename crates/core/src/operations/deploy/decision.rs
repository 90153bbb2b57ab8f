//! What one rendered object needs: nothing, a write, another incarnation, or a person.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Conflict, DryRun, Facts, Observed, Options, Refusal, growth,
    problem::Problem,
    recreate::{recreation, replacement},
    upgrade,
};
use crate::{
    change::{Change, asked, changes},
    names::OPERATIONS_MANAGER,
    object::{ObjectRef, Uid, intent, uid},
    plan::{Checked, Effect, Guard, Loss, Step},
    wait::{Wait, WaitStatus},
};

/// What one object needs.
pub(super) struct Decision<'a> {
    pub(super) observed: &'a Observed,
    pub(super) writes: Vec<Step>,
    /// What to wait for when all objects of the same phase are written.
    pub(super) watch: Option<Wait>,
    /// The claims that have not grown to their size yet.
    pub(super) growing: Vec<Step>,
}

pub(super) fn decide<'a>(
    observed: &'a Observed,
    facts: &Facts,
    options: &Options,
) -> Result<Decision<'a>, Problem> {
    let mut writes = growth::steps(observed, facts)?;
    writes.extend(self::writes(observed, options)?);
    let watch = match observed.kind() {
        "Deployment" | "StatefulSet" => Some(Wait::RolledOut),
        "Job" => Some(Wait::Complete),
        _ => None,
    };
    let watch =
        watch.filter(|wait| !writes.is_empty() || standing(wait, observed) != WaitStatus::Met);
    Ok(Decision {
        observed,
        growing: growth::waits(observed, &writes, facts),
        writes,
        watch,
    })
}

impl Decision<'_> {
    /// Whether the write ends pods that run.
    pub(super) fn restarts(&self) -> bool {
        self.observed.live.is_some()
            && self
                .writes
                .iter()
                .flat_map(|step| &step.changes)
                .any(|change| change.path.starts_with("spec.template"))
    }

    /// Whether a StatefulSet is written to, or replaced.
    pub(super) fn writes_node(&self) -> bool {
        self.observed.kind() == "StatefulSet" && !self.writes.is_empty()
    }

    /// Makes the Job that registers the service run again, although nothing of it changes.
    pub(super) fn register_again(&mut self) {
        let live = self.observed.live.as_ref();
        if !self.writes.is_empty() || !upgrade::is_discovery(self.observed) {
            return;
        }
        if let Some((live, object, uid)) =
            live.and_then(|live| Some((live, ObjectRef::of(live)?, uid(live)?)))
        {
            self.writes = replacement(self.observed, object, uid, &intent(live));
            self.watch = Some(Wait::Complete);
        }
    }

    /// What people notice of it.
    pub(super) fn disruption(&self) -> Option<Loss> {
        let (kind, name) = (self.observed.kind(), self.observed.name());
        let what = match kind {
            "Deployment" | "StatefulSet" if self.restarts() => {
                format!("the pods of {kind} {name} restart")
            }
            "Job" if self.writes.len() > 1 => format!("Job {name} is replaced"),
            _ => return None,
        };
        Some(Loss::Disruption { what })
    }
}

impl Observed {
    pub(super) fn kind(&self) -> &str {
        self.desired
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        self.desired
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// As a flag names it.
    pub(super) fn named(&self) -> String {
        format!("{}/{}", self.kind(), self.name())
    }
}

fn standing(wait: &Wait, observed: &Observed) -> WaitStatus {
    wait.assess(&observed.observation, Timestamp::UNIX_EPOCH)
}

fn writes(observed: &Observed, options: &Options) -> Result<Vec<Step>, Problem> {
    let Some(object) = ObjectRef::of(&observed.desired) else {
        return Ok(Vec::new());
    };
    let live = observed.live.as_ref();
    let Some((live, uid)) = live.and_then(|live| Some((live, uid(live)?))) else {
        return match &observed.dry_run {
            DryRun::Accepted(_) => Ok(vec![creation(observed, Checked::ByServer, Vec::new())]),
            DryRun::Impossible => Ok(vec![creation(observed, Checked::Locally, Vec::new())]),
            DryRun::Refused(refusal) => Err(refused(object, refusal)),
        };
    };
    if live.pointer("/metadata/deletionTimestamp").is_some() {
        let finalizers = finalizers(live);
        return Err(Problem::BeingDeleted { object, finalizers });
    }
    let live = intent(live);
    match &observed.dry_run {
        DryRun::Accepted(_) if has_failed(observed) => {
            Ok(replacement(observed, object, uid, &live))
        }
        DryRun::Accepted(merged) => {
            let changes = changes(&live, &intent(merged));
            Ok(update(
                observed,
                options,
                uid,
                &live,
                changes,
                Checked::ByServer,
            ))
        }
        DryRun::Impossible => {
            let changes = asked(&live, &observed.desired);
            Ok(update(
                observed,
                options,
                uid,
                &live,
                changes,
                Checked::Locally,
            ))
        }
        DryRun::Refused(Refusal::Conflict(conflicts)) if is_ours(conflicts) => {
            let changes = asked(&live, &observed.desired);
            let steps = update(observed, options, uid, &live, changes, Checked::Nothing);
            Ok(steps.into_iter().map(taken_back).collect())
        }
        DryRun::Refused(Refusal::Invalid(message)) if is_immutable(message) => {
            let again = match observed.kind() {
                "Job" => Some(replacement(observed, object.clone(), uid, &live)),
                "StatefulSet" if is_all(message) => {
                    recreation(observed, object.clone(), uid, &live)
                }
                _ => None,
            };
            again.ok_or_else(|| Problem::Immutable {
                object,
                message: message.clone(),
            })
        }
        DryRun::Refused(refusal) => Err(refused(object, refusal)),
    }
}

/// Whether nobody but our own operations is in the way. They leave a field as it is rendered when they end, and
/// none is at work while a deployment holds the lease: what is still theirs is from before the file changed, or
/// was left by a fault whose runner was killed.
fn is_ours(conflicts: &[Conflict]) -> bool {
    let mut managers = conflicts.iter().map(|conflict| conflict.manager.as_str());
    managers.all(|manager| manager == OPERATIONS_MANAGER)
}

fn taken_back(mut step: Step) -> Step {
    if let Effect::Update { force, .. } = &mut step.act {
        *force = true;
    }
    step.why("a longrun operation wrote these fields last")
}

fn refused(object: ObjectRef, refusal: &Refusal) -> Problem {
    Problem::Refused {
        object,
        refusal: refusal.clone(),
    }
}

fn finalizers(live: &Value) -> Vec<String> {
    let finalizers = live
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array);
    finalizers
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(ToString::to_string)
        .collect()
}

/// A failed Job does not run again.
fn has_failed(observed: &Observed) -> bool {
    observed.kind() == "Job"
        && matches!(
            standing(&Wait::Complete, observed),
            WaitStatus::Failed { .. }
        )
}

/// The API server's words for a field that cannot be changed (Kubernetes 1.36: validation's
/// `field is immutable`, StatefulSet's `updates to statefulset spec for fields other than …`, the
/// claim's `spec is immutable after creation`, the binding's `cannot change roleRef`, the storage
/// class's `updates to parameters are forbidden`).
fn is_immutable(message: &str) -> bool {
    [
        "is immutable",
        "updates to statefulset spec",
        "updates to parameters are forbidden",
        "updates to provisioner are forbidden",
        "cannot change roleRef",
        "may not be changed",
        "may not change once set",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// Whether the message has one cause only. A set that is invalid for another reason as well could be
/// deleted but not made again.
fn is_all(message: &str) -> bool {
    !message.contains("is invalid: [")
}

fn update(
    observed: &Observed,
    options: &Options,
    uid: Uid,
    live: &Value,
    changes: Vec<Change>,
    checked: Checked,
) -> Vec<Step> {
    if changes.is_empty() {
        return Vec::new();
    }
    let act = Effect::Update {
        object: observed.desired.clone(),
        force: options.take_over.contains(&observed.named()),
    };
    let guard = Guard::unchanged(uid, live);
    vec![Step {
        changes,
        checked,
        ..Step::new(act, guard, written(observed.kind()))
    }]
}

pub(super) fn creation(observed: &Observed, checked: Checked, changes: Vec<Change>) -> Step {
    let object = observed.desired.clone();
    let act = Effect::Create { object };
    Step {
        changes,
        checked,
        ..Step::new(act, Guard::Absent, written(observed.kind()))
    }
}

/// What makes the written object usable by the next ones.
fn written(kind: &str) -> Wait {
    match kind {
        "Namespace" => Wait::Active,
        "CustomResourceDefinition" => Wait::Established,
        _ => Wait::None,
    }
}
