//! What killed operations on data left in the way, whatever became of their journals: what they made to
//! delete it again, and claims of snapshots that are no more.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde_json::Value;

use super::Facts;
use crate::{
    gate::{is_going, name, text},
    operations::snapshot::Kept,
    operations::volume_replacement::{delete_temporary, discard, is_empty, is_temporary},
    plan::{Step, Target},
};

/// What goes first: the pods of what was left may hold a claim, and a claim that is never bound keeps the node
/// from starting for ever.
pub(super) fn steps(target: &Target, facts: &Facts) -> Vec<Step> {
    let of_kind = |kind| {
        let temporary = facts.temporary.iter();
        temporary.filter(move |object| text(object, "/kind") == kind)
    };
    let mut steps = delete_temporary(target, of_kind("Job"), of_kind("PersistentVolumeClaim"));
    steps.extend(hopeless(facts).filter_map(|(claim, _)| discard(claim)));
    steps
}

/// What that comes to.
pub(super) fn notes<'a>(target: &Target, facts: &'a Facts) -> impl Iterator<Item = String> + 'a {
    let flags = target.flags();
    let kept = facts.kept.as_ref().and_then(Kept::way_back);
    let snapshot = kept.unwrap_or("SNAPSHOT").to_string();
    hopeless(facts).map(move |(claim, source)| {
        format!(
            "{} was to be made of VolumeSnapshot {source}, which is gone: it holds nothing, and an empty database takes its place; to go back to a snapshot instead: cargo xtask restore {flags} -s {snapshot}",
            name(claim)
        )
    })
}

/// Whether a database begins anew in the place of what will never be one.
pub(super) fn begins_anew(facts: &Facts) -> bool {
    hopeless(facts).next().is_some()
}

/// Claims without a volume whose snapshot is gone or going, and the snapshot's name. The storage makes no
/// volume of it any more.
fn hopeless(facts: &Facts) -> impl Iterator<Item = (&Value, &str)> {
    let is_there = |wanted: &str| {
        let mut snapshots = facts.snapshots.iter();
        snapshots.any(|snapshot| name(snapshot) == wanted && !is_going(snapshot))
    };
    let claims = facts.claims.iter();
    claims
        .filter(|claim| is_empty(claim) && !is_temporary(claim))
        .filter(|claim| text(claim, "/spec/volumeName").is_empty())
        .filter(|claim| text(claim, "/spec/dataSource/kind") == "VolumeSnapshot")
        .map(|claim| (claim, text(claim, "/spec/dataSource/name")))
        .filter(move |(_, source)| !is_there(source))
}
