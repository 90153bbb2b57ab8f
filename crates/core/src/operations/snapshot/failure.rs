//! A snapshot because a test failed, without anybody being asked: within limits, and only where it is in nobody's
//! way.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Consistency, OPERATION, Purpose, SnapshotSpec};
use crate::{
    gate::{is_going, is_ready, name, text},
    journal::{InTheWay, admit_beside},
    names::{CLAIM, PURPOSE_LABEL},
    object::uid,
    operations::data::Facts,
    plan::{Plan, Target},
    wait::Wait,
};

/// How many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In any 24 hours.
    pub per_day: u32,
    /// At a time.
    pub kept: u32,
}

/// Why none is taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Withheld {
    /// It was taken already.
    #[error("VolumeSnapshot {0} already exists")]
    Taken(String),
    /// The day has had its share.
    #[error("{0} were taken in the last 24 hours, the environment's limit")]
    Today(usize),
    /// Nobody has looked at the others.
    #[error(
        "{0} failure snapshots are kept, the environment's limit: inspect them and delete those you no longer need"
    )]
    Full(usize),
    /// One of the claim is not finished.
    #[error("VolumeSnapshot {0} of the same claim is not ready")]
    Hanging(String),
    /// There is nothing to take it of.
    #[error("the claim {CLAIM} {0}")]
    NoDatabase(&'static str),
    /// The cluster knows none.
    #[error("the cluster serves no VolumeSnapshots")]
    NotServed,
    /// It could keep another operation from its end.
    #[error(transparent)]
    InTheWay(#[from] InTheWay),
}

/// The name of the snapshot of a failed Job: one Job never has two.
#[must_use]
pub fn failure_name(job: &str) -> String {
    format!("failure-{job}")
}

/// The plan of a snapshot of the running node. Of the facts it takes the claim, the snapshots, and what is at work or
/// not finished. `class` has to keep what it stores.
///
/// # Errors
/// Why none is to be taken.
pub fn on_failure(
    target: &Target,
    job: &str,
    facts: &Facts,
    class: &str,
    limits: Limits,
    now: Timestamp,
) -> Result<Plan, Withheld> {
    let snapshots = facts.snapshots.as_deref().ok_or(Withheld::NotServed)?;
    let wanted = failure_name(job);
    if snapshots.iter().any(|snapshot| name(snapshot) == wanted) {
        return Err(Withheld::Taken(wanted));
    }
    admit_beside(
        OPERATION,
        target,
        facts.stored.as_ref(),
        None,
        facts.at_work.as_ref(),
    )?;
    let claim = facts.claim.as_ref();
    let claim = claim.ok_or(Withheld::NoDatabase("does not exist"))?;
    let Some(claim_uid) = uid(claim).filter(|_| !is_going(claim)) else {
        return Err(Withheld::NoDatabase("is being deleted"));
    };
    if text(claim, "/status/phase") != "Bound" {
        return Err(Withheld::NoDatabase("is not bound"));
    }
    let of_failures: Vec<&Value> = snapshots
        .iter()
        .filter(|snapshot| {
            let labels = snapshot.pointer("/metadata/labels");
            let purpose = labels.and_then(|labels| labels.get(PURPOSE_LABEL)?.as_str());
            purpose == Some(Purpose::Failure.word())
        })
        .collect();
    let day = SignedDuration::from_hours(24);
    let today = of_failures.iter().filter(|snapshot| {
        // One that does not say when it was made counts.
        let created = text(snapshot, "/metadata/creationTimestamp").parse::<Timestamp>();
        created.map_or(true, |created| now.duration_since(created) < day)
    });
    let (today, kept) = (today.count(), of_failures.len());
    let most = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
    if today >= most(limits.per_day) {
        return Err(Withheld::Today(today));
    }
    if kept >= most(limits.kept) {
        return Err(Withheld::Full(kept));
    }
    // It would hold a deletion of the claim, and the storage is busy with it.
    let of_claim =
        |snapshot: &&Value| text(snapshot, "/spec/source/persistentVolumeClaimName") == CLAIM;
    let mut hanging = snapshots.iter().filter(of_claim);
    if let Some(hanging) = hanging.find(|snapshot| !is_ready(snapshot)) {
        return Err(Withheld::Hanging(name(hanging).to_string()));
    }
    let taken = SnapshotSpec {
        name: wanted,
        claim: CLAIM,
        uid: claim_uid,
        class,
        purpose: Purpose::Failure,
        consistency: Consistency::Crash,
        keep: false,
        opened_by: facts.opened_by(),
    };
    Ok(Plan {
        operation: OPERATION.into(),
        target: target.clone(),
        // What it needs is the point in time: nobody waits until the storage has finished it.
        steps: vec![taken.step(target, Wait::None)],
        loses: Vec::new(),
        notes: Vec::new(),
        generated: Vec::new(),
    })
}
