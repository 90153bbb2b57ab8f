//! The plan itself: in which order objects are created, updated, replaced or deleted, and what is
//! waited for in between.

use alloc::{
    collections::BTreeSet,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::ops::Range;

use serde_json::Value;

use super::{
    Facts, Namespace, Observed, Options, cleanup,
    decision::{Decision, decide},
    inventory,
    node::{NodeChange, node_change, note_first},
    problem::{Problem, Problems},
    prune,
    takeover::{self, Takeover},
    upgrade,
};
use crate::{
    faults,
    object::{Digest, ObjectRef, Uid, intent, uid},
    plan::{Effect, Guard, Loss, Plan, Step, Target},
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
    &["DaemonSet", "Deployment", "StatefulSet"],
    &["Job"],
    &["CronJob"],
];
const NAMESPACE: Range<usize> = 0..1;
const UP_TO_WORKLOADS: Range<usize> = 1..7;
const JOBS: Range<usize> = 7..8;
const CRON_JOBS: Range<usize> = 8..9;
const UNLISTED: usize = 3;

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
    let takeover = Takeover::judge(facts).map_err(|problem| Problems(vec![problem]))?;
    let (mut decisions, node) = decide_all(&target, facts, options)?;
    let suspender = upgrade::suspended_by(facts);
    let rolls = decisions
        .iter()
        .any(|decision| upgrade::is_service(decision.observed) && decision.restarts());
    let suspends = rolls && suspender.is_none();
    let resumes = suspends || upgrade::left_suspended(facts);
    if suspends {
        decisions.iter_mut().for_each(expect_suspension);
    }
    // A roll that was interrupted may not have come to it, and another database does not know the services.
    if rolls || resumes || takeover.is_needed() || cleanup::begins_anew(facts) {
        decisions.iter_mut().for_each(Decision::register_again);
    }
    let pruning = prune(&target, facts);
    let listing = Listing::new(facts, &pruning);

    let mut steps = phase(&decisions, NAMESPACE);
    steps.extend(inventory::step(
        &target,
        facts,
        &listing.before,
        &listing.during,
    ));
    steps.extend(cleanup::steps(&target, facts));
    steps.extend(node.snapshots);
    for decision in decisions.iter().filter(|decision| decision.writes_node()) {
        steps.extend(note_first(&target, facts, decision.observed));
    }
    if rolls {
        steps.extend(upgrade::drain(facts, suspends, options.drain));
    }
    steps.extend(phase(&decisions, UP_TO_WORKLOADS));
    steps.extend(takeover.starts(&decisions));
    steps.extend(node.records);
    steps.extend(phase(&decisions, JOBS));
    steps.extend(phase(&decisions, CRON_JOBS));
    if resumes {
        steps.extend(upgrade::resume(facts));
    }
    steps.extend(takeover::resumes(facts));
    steps.extend(pruning.deletions);
    steps.extend(inventory::step(
        &target,
        facts,
        &listing.during,
        &listing.after,
    ));

    let mut notes = pruning.notes;
    notes.extend(inventory::unreadable(facts));
    notes.extend(takeover.note(&target, facts.kept.as_ref()));
    notes.extend(cleanup::notes(&target, facts));
    match suspender {
        Some(by) if !resumes => notes.push(upgrade::stays_suspended(&target, &by)),
        _ => {
            let changed = steps.iter().any(|step| !step.act.is_watch());
            match upgrade::first_success(&target, facts, changed) {
                Some(Ok(watch)) => steps.push(watch),
                Some(Err(note)) => notes.push(note),
                None => {}
            }
        }
    }
    steps.extend(takeover.last());
    let disruptions = decisions.iter().filter_map(Decision::disruption);
    let mixture = (rolls && !options.drain).then(upgrade::mixture);
    Ok(Plan {
        operation: "deploy".to_string(),
        target,
        loses: disruptions
            .chain(mixture)
            .chain(node.loses)
            .chain(pruning.loses)
            .collect(),
        steps,
        notes,
        generated: Vec::new(),
    })
}

/// One decision an object, in the order of the plan, and what another version of the node needs; or all
/// that stands against it.
fn decide_all<'a>(
    target: &Target,
    facts: &'a Facts,
    options: &Options,
) -> Result<(Vec<Decision<'a>>, NodeChange), Problems> {
    let mut problems = unknown(facts, options);
    problems.extend(left_alone(facts));
    let mut decisions = Vec::new();
    for observed in &facts.objects {
        match decide(observed, facts, options) {
            Ok(decision) => decisions.push(decision),
            Err(problem) => problems.push(problem),
        }
    }
    match node_change(target, facts, options) {
        Ok(node) if problems.is_empty() => {
            decisions.sort_by_key(|decision| place(decision.observed));
            Ok((decisions, node))
        }
        Ok(_) => Err(Problems(problems)),
        Err(problem) => {
            problems.push(problem);
            Err(Problems(problems))
        }
    }
}

/// Whatever is to be taken over must be there: a typo would otherwise be silent.
fn unknown(facts: &Facts, options: &Options) -> Vec<Problem> {
    let rendered: BTreeSet<String> = facts.objects.iter().map(Observed::named).collect();
    let unknown = options.take_over.difference(&rendered);
    unknown
        .map(|named| Problem::NothingToTakeOver {
            named: named.clone(),
        })
        .collect()
}

/// Any fault of the rotation takes back what the runner of another left. The last of them must not go before.
fn left_alone(facts: &Facts) -> Option<Problem> {
    let rotates = |name: &str| faults::of_cron_job(name).is_some();
    let goes = facts
        .surplus
        .iter()
        .filter_map(ObjectRef::of)
        .any(|object| object.kind == "CronJob" && rotates(&object.name));
    let stays = facts
        .objects
        .iter()
        .any(|observed| observed.kind() == "CronJob" && rotates(observed.name()));
    let fault = facts.fault.clone().filter(|_| goes && !stays)?;
    Some(Problem::Fault(fault))
}

/// The place of an object in the order. The tests come last, so that none meets a half-deployed
/// environment.
fn place(observed: &Observed) -> (usize, bool, &str, &str) {
    let (kind, name) = (observed.kind(), observed.name());
    (rank(kind), upgrade::is_test(observed), kind, name)
}

fn rank(kind: &str) -> usize {
    ORDER
        .iter()
        .position(|kinds| kinds.contains(&kind))
        .unwrap_or(UNLISTED)
}

/// The writes of a phase, then what is waited for, so that workloads start side by side.
fn phase(decisions: &[Decision<'_>], ranks: Range<usize>) -> Vec<Step> {
    let of_phase = || {
        decisions
            .iter()
            .filter(|decision| ranks.contains(&rank(decision.observed.kind())))
    };
    let writes = of_phase().flat_map(|decision| decision.writes.iter().cloned());
    let watches = of_phase().filter_map(|decision| {
        Some(Step::watch(
            ObjectRef::of(&decision.observed.desired)?,
            decision.watch.clone()?,
        ))
    });
    let growing = of_phase().flat_map(|decision| decision.growing.iter().cloned());
    writes.chain(watches).chain(growing).collect()
}

/// The plan itself suspends the tests before it updates them: what the update then meets is not what
/// was observed, but that and suspended.
fn expect_suspension(decision: &mut Decision<'_>) {
    let live = decision.observed.live.as_ref();
    let Some(mut suspended) = live
        .map(intent)
        .filter(|_| upgrade::is_test(decision.observed))
    else {
        return;
    };
    if let Some(spec) = suspended.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("suspend".to_string(), Value::Bool(true));
    }
    for step in &mut decision.writes {
        if let (Effect::Update { .. }, Guard::Unchanged { intent, .. }) =
            (&step.act, &mut step.guard)
        {
            *intent = Digest::of_intent(&suspended);
        }
    }
}

/// What the inventory lists: everything that may exist at any moment of the plan.
struct Listing {
    before: BTreeSet<ObjectRef>,
    during: BTreeSet<ObjectRef>,
    after: BTreeSet<ObjectRef>,
}

impl Listing {
    fn new(facts: &Facts, pruning: &Pruning) -> Self {
        let before: BTreeSet<ObjectRef> = facts.inventory.iter().cloned().collect();
        let rendered = inventory::owned(facts);
        let after: BTreeSet<ObjectRef> = rendered.into_iter().chain(pruning.kept.clone()).collect();
        let during = before.union(&after).cloned().collect();
        Self {
            before,
            during,
            after,
        }
    }
}

/// What becomes of the objects that are rendered no more.
#[derive(Default)]
struct Pruning {
    deletions: Vec<Step>,
    loses: Vec<Loss>,
    /// Left alone, and listed on.
    kept: Vec<ObjectRef>,
    notes: Vec<String>,
}

/// Only what the inventory lists and nothing renders. An object that is rendered in another API version
/// than the one it is listed in is the same object: its place or its UID says so.
fn prune(target: &Target, facts: &Facts) -> Pruning {
    let listed: BTreeSet<&ObjectRef> = facts.inventory.iter().collect();
    let rendered: BTreeSet<_> = facts
        .objects
        .iter()
        .filter_map(|observed| ObjectRef::of(&observed.desired))
        .map(|object| (object.kind, object.namespace, object.name))
        .collect();
    let alive: BTreeSet<Uid> = facts
        .objects
        .iter()
        .filter_map(|observed| uid(observed.live.as_ref()?))
        .collect();
    let mut pruning = Pruning::default();
    for live in &facts.surplus {
        let (Some(object), Some(uid)) = (ObjectRef::of(live), uid(live)) else {
            continue;
        };
        let place = (
            object.kind.clone(),
            object.namespace.clone(),
            object.name.clone(),
        );
        if !listed.contains(&object) || rendered.contains(&place) || alive.contains(&uid) {
            continue;
        }
        match prune::judge(target, object.clone(), uid, live) {
            Ok((step, loss)) => {
                pruning.deletions.push(step);
                pruning.loses.push(loss);
            }
            Err(note) => {
                pruning.kept.push(object);
                pruning.notes.push(note);
            }
        }
    }
    pruning
}
