//! What another version of the node needs around it: a snapshot before it opens the data of the present one, consent
//! where nobody can say whether it can, and afterwards a note of which one has opened them.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::cmp::Reverse;

use serde_json::Value;

use super::{
    Facts, Observed, Options,
    problem::Problem,
    recreate::{claims_of, templates},
};
use crate::{
    gate::{found, is_going, is_ready, name, text},
    object::{ObjectRef, uid},
    operations::{
        opening::{Opening, node_image, opened_by, unknown},
        snapshot::{Consistency, Purpose, SnapshotSpec, default_name},
    },
    plan::{Checked, Effect, Finding, Guard, Loss, Step, Target},
    version::{ImageVersion, noted},
    wait::Wait,
};

/// What a deployment does beside changing the image.
#[derive(Default)]
pub(super) struct NodeChange {
    /// Before anything else.
    pub(super) snapshots: Vec<Step>,
    pub(super) loses: Vec<Loss>,
    /// When the node runs.
    pub(super) records: Vec<Step>,
}

/// What the nodes of an environment need, of which there is one.
pub(super) fn node_change(
    target: &Target,
    facts: &Facts,
    options: &Options,
) -> Result<NodeChange, Problem> {
    let mut change = NodeChange::default();
    for (observed, image) in nodes(&facts.objects) {
        let node = ImageVersion::of(image);
        let changes = changes(observed, &node);
        for claim in claims_of(facts, &observed.desired) {
            if changes && holds_data(claim) {
                judge(target, facts, options, claim, observed, &node, &mut change)?;
            }
        }
        let recorded = claims(observed)
            .filter(|claim| changes || is_outdated(facts, claim, &node))
            .map(|claim| record(target, &claim, image));
        change.records.extend(recorded);
    }
    Ok(change)
}

/// Before a set is written to, or makes way for another one: what it says of the data that it runs on, it may say no
/// more if the deployment is stopped half-way.
pub(super) fn note_first(target: &Target, facts: &Facts, observed: &Observed) -> Vec<Step> {
    let live = observed.live.as_ref();
    let Some((live, image)) = live.and_then(|live| Some((live, node_image(live)?))) else {
        return Vec::new();
    };
    let node = ImageVersion::of(image);
    let claims = claims_of(facts, live).into_iter();
    claims
        .filter(|claim| is_bound(claim) && noted(claim).is_none_or(|noted| !noted.covers(&node)))
        .map(|claim| record(target, name(claim), image))
        .collect()
}

/// Whether a deployment has to know which snapshots there are: what claims without a volume are made of, and which
/// is the way back.
#[must_use]
pub fn needs_snapshots(objects: &[Observed], claims: &[Value]) -> bool {
    let mut nodes = nodes(objects);
    let waits = |claim: &Value| is_to_be_restored(claim) && !is_bound(claim);
    let changes = nodes.any(|(observed, image)| changes(observed, &ImageVersion::of(image)));
    claims.iter().any(waits) || (changes && claims.iter().any(holds_data))
}

/// The StatefulSets that have a node, with its image as rendered.
fn nodes(objects: &[Observed]) -> impl Iterator<Item = (&Observed, &str)> {
    let sets = objects
        .iter()
        .filter(|observed| observed.kind() == "StatefulSet");
    sets.filter_map(|observed| Some((observed, node_image(&observed.desired)?)))
}

/// Whether another version is to run than the one that does. Images are keyed by content: the same version may have
/// been built again.
fn changes(observed: &Observed, node: &ImageVersion) -> bool {
    let running = observed.live.as_ref().and_then(node_image);
    running.is_none_or(|running| ImageVersion::of(running) != *node)
}

fn judge(
    target: &Target,
    facts: &Facts,
    options: &Options,
    claim: &Value,
    observed: &Observed,
    node: &ImageVersion,
    change: &mut NodeChange,
) -> Result<(), Problem> {
    let opened_by = opened_by(claim, observed.live.as_ref());
    match Opening::of(opened_by.as_ref(), node) {
        Opening::Same => return Ok(()),
        Opening::Supported => {}
        Opening::Unknown => change.loses.push(unknown(opened_by.as_ref(), node)),
        Opening::Unsupported(rule) => {
            return Err(Problem::Version {
                claim: name(claim).to_string(),
                from: opened_by
                    .map(|version| version.to_string())
                    .unwrap_or_default(),
                to: node.to_string(),
                rule,
                way_back: way_back(facts, claim, node).map(ToString::to_string),
                flags: target.flags(),
            });
        }
    }
    let taken = snapshot(target, options, claim, opened_by);
    change.snapshots.extend(taken);
    Ok(())
}

/// Also a claim that has no volume yet, if it is to be made of a snapshot. Another one that was never bound holds
/// nothing.
fn holds_data(claim: &Value) -> bool {
    is_bound(claim) || is_to_be_restored(claim)
}

fn is_bound(claim: &Value) -> bool {
    text(claim, "/status/phase") != "Pending"
}

fn is_to_be_restored(claim: &Value) -> bool {
    text(claim, "/spec/dataSource/kind") == "VolumeSnapshot"
}

/// A snapshot of a claim without a volume would never be ready.
fn snapshot(
    target: &Target,
    options: &Options,
    claim: &Value,
    opened_by: Option<ImageVersion>,
) -> Option<Step> {
    let (name, claim) = (
        ObjectRef::of(claim).filter(|_| is_bound(claim))?.name,
        uid(claim)?,
    );
    let taken = SnapshotSpec {
        name: default_name(&name, options.now),
        claim: &name,
        uid: claim,
        class: &options.retain_class,
        purpose: Purpose::Upgrade,
        consistency: Consistency::Crash,
        keep: false,
        opened_by,
    };
    Some(Step {
        checked: Checked::Locally,
        ..taken.step(target, Wait::SnapshotReady)
    })
}

/// The newest snapshot of a claim that the node may open. Nobody may have compared it with anything: a restore reads it
/// before it begins.
fn way_back<'a>(facts: &'a Facts, claim: &Value, node: &ImageVersion) -> Option<&'a str> {
    let opens = |snapshot: &&Value| {
        let opening = Opening::of(noted(snapshot).as_ref(), node);
        matches!(opening, Opening::Same | Opening::Supported)
    };
    let snapshots = facts.snapshots.iter();
    snapshots
        .filter(|snapshot| text(snapshot, "/spec/source/persistentVolumeClaimName") == name(claim))
        .filter(|snapshot| is_ready(snapshot) && !is_going(snapshot))
        .filter(|snapshot| found(snapshot) != Some(Finding::Empty))
        .filter(opens)
        .min_by_key(|snapshot| Reverse(text(snapshot, "/metadata/creationTimestamp")))
        .map(name)
}

/// The claims that a StatefulSet makes: `<template>-<set>-<ordinal>`.
fn claims(observed: &Observed) -> impl Iterator<Item = String> {
    let replicas = observed.desired.pointer("/spec/replicas");
    let replicas = replicas.and_then(Value::as_u64).unwrap_or(1);
    let (set, templates) = (observed.name(), templates(&observed.desired));
    templates.into_iter().flat_map(move |(template, _)| {
        (0..replicas).map(move |ordinal| format!("{template}-{set}-{ordinal}"))
    })
}

/// A deployment that was stopped half-way has not come to note it. A newer one stays noted: an older image that
/// somebody has put in its place by hand does not undo what it did.
fn is_outdated(facts: &Facts, claim: &str, node: &ImageVersion) -> bool {
    let mut claims = facts.claims.iter().filter(|live| name(live) == claim);
    claims.any(|live| noted(live).is_some_and(|noted| !noted.covers(node)))
}

/// Its absence is no fault: then what runs is what has opened it.
fn record(target: &Target, claim: &str, image: &str) -> Step {
    let object = ObjectRef::namespaced("v1", "PersistentVolumeClaim", &target.environment, claim);
    let image = image.to_string();
    Step::new(
        Effect::RecordNode { object, image },
        Guard::None,
        Wait::None,
    )
    .soft()
}
