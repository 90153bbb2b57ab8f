//! The plan itself: which object is created, updated, replaced or deleted, in which order, and what is
//! waited for.

use alloc::{collections::BTreeSet, format, string::ToString, vec, vec::Vec};
use core::ops::Range;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    DryRun, Facts, Namespace, Observed, Options, Refusal, inventory,
    problem::{Problem, Problems},
    prune, upgrade,
};
use crate::{
    change::{Change, changes},
    object::{Digest, ObjectRef, Uid, intent, uid},
    plan::{Checked, Effect, Guard, Loss, Plan, Propagation, Step, Target},
    wait::{Standing, Wait},
};

/// What must exist before what. Kinds that are not listed come with the configuration.
const ORDER: [&[&str]; 9] = [
    &["Namespace"],
    &["CustomResourceDefinition"],
    &[
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
    ],
    &[
        "ConfigMap",
        "Secret",
        "NetworkPolicy",
        "PodDisruptionBudget",
    ],
    &[
        "CSIDriver",
        "StorageClass",
        "VolumeSnapshotClass",
        "PersistentVolumeClaim",
    ],
    &["Service"],
    &["Deployment", "StatefulSet"],
    &["Job"],
    &["CronJob"],
];
const NAMESPACE: Range<usize> = 0..1;
const UP_TO_WORKLOADS: Range<usize> = 1..7;
const JOBS: Range<usize> = 7..8;
const CRON_JOBS: Range<usize> = 8..9;
const UNLISTED: usize = 3;

/// What one object needs.
struct Decision<'a> {
    rank: usize,
    observed: &'a Observed,
    writes: Vec<Step>,
    /// What to wait for when all objects of the same phase are written.
    watch: Option<Wait>,
}

/// The plan that makes the cluster what is rendered. It is empty when the cluster is that already and
/// everything in it runs.
///
/// # Errors
/// Everything that the API server refused, and every change that cannot be made without loss.
pub fn plan(target: Target, facts: &Facts, options: &Options) -> Result<Plan, Problems> {
    if facts.namespace == Namespace::Terminating {
        let name = target.environment;
        return Err(Problems(vec![Problem::NamespaceTerminating { name }]));
    }
    let mut problems = Vec::new();
    let mut keep = |problem| problems.push(problem);
    let mut decisions: Vec<Decision<'_>> = facts
        .objects
        .iter()
        .filter_map(|observed| decide(observed, facts, options).map_err(&mut keep).ok())
        .collect();
    let snapshots = upgrade::snapshots(&target, facts, options)
        .map_err(keep)
        .unwrap_or_default();
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    decisions.sort_by_key(|decision| {
        (
            decision.rank,
            decision.observed.kind(),
            decision.observed.name(),
        )
    });

    let mut loses: Vec<Loss> = decisions.iter().filter_map(disruption).collect();
    let mut notes = Vec::new();
    let mut deletions = Vec::new();
    for live in &facts.surplus {
        match prune::judge(&target, live) {
            Ok((step, loss)) => {
                deletions.push(step);
                loses.push(loss);
            }
            Err(note) => notes.push(note),
        }
    }
    let pruned: BTreeSet<ObjectRef> = deletions
        .iter()
        .filter_map(|step| step.act.object())
        .collect();
    let listed: BTreeSet<ObjectRef> = facts.inventory.iter().cloned().collect();
    let present: BTreeSet<ObjectRef> = facts
        .surplus
        .iter()
        .filter_map(ObjectRef::of)
        .chain(inventory::owned(facts))
        .collect();
    let during: BTreeSet<ObjectRef> = listed.union(&present).cloned().collect();
    let after: BTreeSet<ObjectRef> = present.difference(&pruned).cloned().collect();

    let rolls = decisions
        .iter()
        .any(|decision| decision.observed.kind() == "Deployment" && restarts(decision));
    let suspender = upgrade::suspended_by(facts);
    let resumes = (rolls && suspender.is_none()) || upgrade::left_suspended(facts);

    let mut steps = phase(&decisions, NAMESPACE);
    steps.extend(inventory::step(&target, facts, &listed, &during));
    steps.extend(snapshots);
    if rolls {
        steps.extend(upgrade::drain(facts));
    }
    steps.extend(phase(&decisions, UP_TO_WORKLOADS));
    steps.extend(phase(&decisions, JOBS));
    steps.extend(phase(&decisions, CRON_JOBS));
    if resumes {
        steps.extend(upgrade::resume(facts));
    }
    steps.extend(deletions);
    steps.extend(inventory::step(&target, facts, &during, &after));
    match suspender {
        Some(by) if !resumes => notes.push(upgrade::stays_suspended(&target, &by)),
        _ => {
            let changed = steps.iter().any(|step| !step.act.is_watch());
            steps.extend(
                decisions
                    .iter()
                    .filter_map(|decision| first_success(decision.observed, changed)),
            );
        }
    }
    Ok(Plan {
        operation: "deploy".to_string(),
        target,
        steps,
        loses,
        notes,
    })
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
}

/// The writes of a phase, then what is waited for, so that workloads start side by side.
fn phase(decisions: &[Decision<'_>], ranks: Range<usize>) -> Vec<Step> {
    let of_phase = || {
        decisions
            .iter()
            .filter(|decision| ranks.contains(&decision.rank))
    };
    let writes = of_phase().flat_map(|decision| decision.writes.iter().cloned());
    let watches = of_phase().filter_map(|decision| {
        Some(upgrade::watch(
            ObjectRef::of(&decision.observed.desired)?,
            decision.watch.clone()?,
        ))
    });
    writes.chain(watches).collect()
}

fn decide<'a>(
    observed: &'a Observed,
    facts: &Facts,
    options: &Options,
) -> Result<Decision<'a>, Problem> {
    let writes = writes(observed, facts, options)?;
    let kind = observed.kind();
    let watch = match kind {
        "Deployment" | "StatefulSet" => Some(Wait::RolledOut),
        "Job" => Some(Wait::Complete),
        _ => None,
    };
    let watch = watch.filter(|wait| !writes.is_empty() || !holds(wait, observed));
    let rank = ORDER
        .iter()
        .position(|kinds| kinds.contains(&kind))
        .unwrap_or(UNLISTED);
    Ok(Decision {
        rank,
        observed,
        writes,
        watch,
    })
}

fn holds(wait: &Wait, observed: &Observed) -> bool {
    wait.assess(&observed.sight, Timestamp::UNIX_EPOCH) == Standing::Holds
}

fn writes(observed: &Observed, facts: &Facts, options: &Options) -> Result<Vec<Step>, Problem> {
    let Some(object) = ObjectRef::of(&observed.desired) else {
        return Ok(Vec::new());
    };
    let checked = match &observed.dry_run {
        DryRun::Impossible => Checked::Locally,
        DryRun::Accepted(_) | DryRun::Refused(_) => Checked::ByServer,
    };
    let Some((live, uid)) = observed
        .live
        .as_ref()
        .and_then(|live| Some((live, uid(live)?)))
    else {
        return match &observed.dry_run {
            DryRun::Refused(refusal) => Err(Problem::Refused {
                object,
                refusal: refusal.clone(),
            }),
            DryRun::Accepted(_) | DryRun::Impossible => {
                Ok(vec![creation(observed, checked, Vec::new())])
            }
        };
    };
    if live.pointer("/metadata/deletionTimestamp").is_some() {
        let finalizers = live
            .pointer("/metadata/finalizers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let finalizers = finalizers
            .filter_map(Value::as_str)
            .map(ToString::to_string)
            .collect();
        return Err(Problem::BeingDeleted { object, finalizers });
    }
    let live = intent(live);
    match &observed.dry_run {
        DryRun::Impossible => Ok(Vec::new()),
        DryRun::Accepted(merged) => {
            let changes = changes(&live, &intent(merged));
            let failed =
                observed.kind() == "Job" && matches!(complete(observed), Standing::Never { .. });
            if failed {
                return Ok(replacement(observed, object, uid, &live));
            }
            if changes.is_empty() {
                return Ok(Vec::new());
            }
            let force = options
                .take_over
                .contains(&format!("{}/{}", object.kind, object.name));
            Ok(vec![Step {
                act: Effect::Update {
                    object: observed.desired.clone(),
                    force,
                },
                guard: Guard::Unchanged {
                    uid,
                    intent: Digest::of(&live),
                },
                until: written(observed.kind()),
                undo: None,
                changes,
                checked,
            }])
        }
        DryRun::Refused(Refusal::Invalid(message))
            if observed.kind() == "Job" && is_immutable(message) =>
        {
            Ok(replacement(observed, object, uid, &live))
        }
        DryRun::Refused(Refusal::Invalid(message))
            if observed.kind() == "StatefulSet" && is_immutable(message) =>
        {
            recreation(observed, object.clone(), uid, &live, facts).ok_or_else(|| {
                Problem::Immutable {
                    object,
                    message: message.clone(),
                }
            })
        }
        DryRun::Refused(Refusal::Invalid(message)) if is_immutable(message) => {
            Err(Problem::Immutable {
                object,
                message: message.clone(),
            })
        }
        DryRun::Refused(refusal) => Err(Problem::Refused {
            object,
            refusal: refusal.clone(),
        }),
    }
}

fn complete(observed: &Observed) -> Standing {
    Wait::Complete.assess(&observed.sight, Timestamp::UNIX_EPOCH)
}

/// The API server's words for a field that cannot be changed (Kubernetes 1.36: validation's
/// `field is immutable`, StatefulSet's `updates to statefulset spec for fields other than …`).
fn is_immutable(message: &str) -> bool {
    [
        "field is immutable",
        "updates to statefulset spec",
        "may not be changed",
        "may not change once set",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// What makes the written object usable by the next ones.
fn written(kind: &str) -> Wait {
    match kind {
        "Namespace" => Wait::Active,
        "CustomResourceDefinition" => Wait::Established,
        _ => Wait::None,
    }
}

fn creation(observed: &Observed, checked: Checked, changes: Vec<Change>) -> Step {
    Step {
        act: Effect::Create {
            object: observed.desired.clone(),
        },
        guard: Guard::Absent,
        until: written(observed.kind()),
        undo: None,
        changes,
        checked,
    }
}

/// A Job's template cannot be changed, and a failed Job does not run again: a new one takes its place.
fn replacement(observed: &Observed, object: ObjectRef, uid: Uid, live: &Value) -> Vec<Step> {
    let delete = Step {
        act: Effect::Delete {
            object,
            uid: uid.clone(),
            propagation: Propagation::Background,
        },
        guard: Guard::Unchanged {
            uid: uid.clone(),
            intent: Digest::of(live),
        },
        until: Wait::Gone { uid },
        undo: None,
        changes: Vec::new(),
        checked: Checked::Nothing,
    };
    vec![
        delete,
        creation(
            observed,
            Checked::Locally,
            asked_changes(live, &observed.desired),
        ),
    ]
}

/// A StatefulSet whose claim template grew: the claims grow first, then the set is made anew around
/// its pods. `None` when more than that changed, or a claim would shrink.
fn recreation(
    observed: &Observed,
    object: ObjectRef,
    uid: Uid,
    live: &Value,
    facts: &Facts,
) -> Option<Vec<Step>> {
    let storage = |object: &Value| {
        let claim =
            object.pointer("/spec/volumeClaimTemplates/0/spec/resources/requests/storage")?;
        claim.as_str().map(ToString::to_string)
    };
    let changes = asked_changes(live, &observed.desired);
    let template = |change: &Change| {
        change.path.starts_with("spec.volumeClaimTemplates")
            && change.path.ends_with("resources.requests.storage")
    };
    let allowed = |change: &Change| {
        template(change)
            || [
                "spec.template",
                "spec.replicas",
                "spec.updateStrategy",
                "metadata",
            ]
            .iter()
            .any(|path| change.path.starts_with(path))
    };
    let wanted = storage(&observed.desired)?;
    let grows = bytes(&wanted)? > bytes(&storage(live)?)?;
    if !grows || !changes.iter().any(template) || !changes.iter().all(allowed) {
        return None;
    }
    let mut steps: Vec<Step> = facts
        .claims
        .iter()
        .filter_map(|claim| growth(claim, &wanted))
        .collect();
    steps.push(Step {
        act: Effect::Delete {
            object,
            uid: uid.clone(),
            propagation: Propagation::Orphan,
        },
        guard: Guard::Unchanged {
            uid: uid.clone(),
            intent: Digest::of(live),
        },
        until: Wait::Gone { uid },
        undo: None,
        changes: Vec::new(),
        checked: Checked::Nothing,
    });
    steps.push(creation(observed, Checked::Locally, changes));
    Some(steps)
}

fn growth(claim: &Value, wanted: &str) -> Option<Step> {
    let object = ObjectRef::of(claim)?;
    let desired = serde_json::json!({
        "apiVersion": object.api_version,
        "kind": object.kind,
        "metadata": {"name": object.name, "namespace": object.namespace},
        "spec": {"resources": {"requests": {"storage": wanted}}},
    });
    let changes = asked_changes(claim, &desired);
    let uid = uid(claim)?;
    (!changes.is_empty()).then(|| Step {
        act: Effect::Update {
            object: desired,
            force: true,
        },
        guard: Guard::Is { uid },
        until: Wait::None,
        undo: None,
        changes,
        checked: Checked::Locally,
    })
}

/// A quantity of storage in bytes (Kubernetes: resource.Quantity, the binary and decimal suffixes).
fn bytes(quantity: &str) -> Option<u128> {
    let digits = quantity.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let factor: u128 = match &quantity[digits.len()..] {
        "" => 1,
        "k" => 1000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u128>().ok()?.checked_mul(factor)
}

/// The changes of the fields that are asked for: without the server's dry run nothing is known of
/// defaults, and they would show up as removals.
fn asked_changes(live: &Value, desired: &Value) -> Vec<Change> {
    changes(live, desired)
        .into_iter()
        .filter(|change| change.after.is_some())
        .collect()
}

/// Whether the write ends pods that run.
fn restarts(decision: &Decision<'_>) -> bool {
    decision.observed.live.is_some()
        && decision
            .writes
            .iter()
            .flat_map(|step| &step.changes)
            .any(|change| change.path.starts_with("spec.template"))
}

fn disruption(decision: &Decision<'_>) -> Option<Loss> {
    let observed = decision.observed;
    let what = match observed.kind() {
        "Deployment" | "StatefulSet" if restarts(decision) => format!(
            "the pods of {} {} restart",
            observed.kind(),
            observed.name()
        ),
        "Job" if decision.writes.len() > 1 => format!("Job {} is replaced", observed.name()),
        _ => return None,
    };
    Some(Loss::Disruption { what })
}

/// The end of a deployment: a test that began after it has verified.
fn first_success(observed: &Observed, changed: bool) -> Option<Step> {
    if observed.kind() != "CronJob" {
        return None;
    }
    let before = observed
        .live
        .as_ref()
        .and_then(|live| live.pointer("/status/lastSuccessfulTime"));
    (changed || before.is_none()).then_some(())?;
    Some(upgrade::watch(
        ObjectRef::of(&observed.desired)?,
        Wait::FirstSuccess,
    ))
}
