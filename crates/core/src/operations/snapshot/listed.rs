//! The snapshots of an environment as people read them, and which of them can be restored.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Consistency, Purpose};
use crate::{
    gate::{content_of, found, is_going, is_ready, name, text},
    names::{
        ATTACH_LABEL, CLAIM, CONSISTENCY_LABEL, ENVIRONMENT_LABEL, KEEP_LABEL, PURPOSE_LABEL,
        SOURCE_LABEL,
    },
    object::{Uid, uid},
    operations::{data::Facts, refusal::Refusal},
    plan::{Effect, Finding, Guard, Policy, Target},
};

/// One snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its incarnation.
    pub uid: Uid,
    /// When it was asked for, by the API server's clock.
    pub created: Option<Timestamp>,
    /// Whether it can be restored.
    pub ready: bool,
    /// It is being deleted.
    pub going: bool,
    /// The latest error, while the controller retries.
    pub error: Option<String>,
    /// What a claim needs to hold it, as Kubernetes writes quantities.
    pub size: Option<String>,
    /// What it was taken for; `None` when it is not one of ours.
    pub purpose: Option<Purpose>,
    /// Whether the node was stopped for it.
    pub consistency: Option<Consistency>,
    /// A person wants it kept.
    pub kept: bool,
    /// The claim it is of.
    pub source: Option<String>,
    /// The incarnation of that claim.
    pub source_uid: Option<Uid>,
    /// Whether that incarnation is still there, with its volume, and stays.
    pub source_exists: bool,
    /// What the storage calls it.
    pub handle: Option<String>,
    /// What becomes of the stored data when it is deleted; `None` while nothing is stored.
    pub policy: Option<Policy>,
    /// What needs it now.
    pub used_by: Option<String>,
    /// Whether it is known what is in it.
    pub verification: Verification,
}

/// Whether it is known what is in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verification {
    /// It was compared with what it was taken of, and is the same.
    Verified,
    /// It guards a database, and nobody has compared it with that.
    Unverified,
    /// It was read, and nothing is in it.
    Empty,
    /// Nobody has asked.
    Unread,
}

/// The snapshots of the environment, newest first.
#[must_use]
pub fn list(facts: &Facts) -> Vec<Listed> {
    let mut list: Vec<Listed> = facts
        .snapshots
        .iter()
        .flatten()
        .filter_map(|snapshot| listed(snapshot, facts))
        .collect();
    list.sort_by(|one, other| (other.created, &other.name).cmp(&(one.created, &one.name)));
    list
}

fn listed(snapshot: &Value, facts: &Facts) -> Option<Listed> {
    let content = content_of(snapshot, &facts.contents);
    let some = |text: &str| (!text.is_empty()).then(|| text.to_string());
    let source_uid = some(label(snapshot, SOURCE_LABEL)).map(Uid);
    let stays = |claim: &Value| text(claim, "/status/phase") == "Bound" && !is_going(claim);
    let source_exists = facts
        .claims
        .iter()
        .any(|claim| source_uid.is_some() && uid(claim) == source_uid && stays(claim));
    Some(Listed {
        name: name(snapshot).to_string(),
        uid: uid(snapshot)?,
        created: text(snapshot, "/metadata/creationTimestamp").parse().ok(),
        ready: is_ready(snapshot) && content.is_some(),
        going: is_going(snapshot),
        error: some(text(snapshot, "/status/error/message")),
        size: some(text(snapshot, "/status/restoreSize")),
        purpose: Purpose::of(label(snapshot, PURPOSE_LABEL)),
        consistency: Consistency::of(label(snapshot, CONSISTENCY_LABEL)),
        kept: label(snapshot, KEEP_LABEL) == "true",
        source: some(text(snapshot, "/spec/source/persistentVolumeClaimName")),
        source_uid,
        source_exists,
        handle: content.and_then(|content| some(text(content, "/status/snapshotHandle"))),
        policy: content.map(|content| match text(content, "/spec/deletionPolicy") {
            "Retain" => Policy::Retain,
            _ => Policy::Delete,
        }),
        used_by: used_by(snapshot, facts),
        verification: verification(snapshot),
    })
}

fn verification(snapshot: &Value) -> Verification {
    let purpose = Purpose::of(label(snapshot, PURPOSE_LABEL));
    match (found(snapshot), purpose) {
        (Some(Finding::Same), _) => Verification::Verified,
        (Some(Finding::Empty), _) => Verification::Empty,
        (
            None,
            Some(
                Purpose::BeforeWipe | Purpose::BeforeRestore | Purpose::Upgrade | Purpose::Adopted,
            ),
        ) => Verification::Unverified,
        (None, Some(Purpose::Manual | Purpose::Failure | Purpose::Temporary) | None) => {
            Verification::Unread
        }
    }
}

fn label<'a>(object: &'a Value, label: &str) -> &'a str {
    let labels = object.pointer("/metadata/labels");
    labels
        .and_then(|labels| labels.get(label)?.as_str())
        .unwrap_or_default()
}

/// What would break if the snapshot went now.
fn used_by(snapshot: &Value, facts: &Facts) -> Option<String> {
    let name = name(snapshot);
    let restores = |claim: &&Value| {
        text(claim, "/spec/dataSource/kind") == "VolumeSnapshot"
            && text(claim, "/spec/dataSource/name") == name
            && text(claim, "/status/phase") != "Bound"
    };
    if let Some(claim) = facts.claims.iter().find(restores) {
        let claim = crate::gate::name(claim);
        return Some(format!(
            "PersistentVolumeClaim {claim} is being restored from it"
        ));
    }
    let attaches = |job: &&Value| label(job, ATTACH_LABEL) == name && !is_going(job);
    if facts.jobs.iter().any(|job| attaches(&job)) {
        return Some("it is attached".to_string());
    }
    // Nothing in the namespace says which one a deployment took before it changed Restate's version.
    if let Some(at_work) = facts.at_work.as_ref().filter(|at_work| !at_work.is_fault)
        && label(snapshot, PURPOSE_LABEL) == Purpose::Upgrade.word()
    {
        let (operation, who) = (&at_work.operation, &at_work.who);
        return Some(format!(
            "the {operation} of {who} that is at work may need it"
        ));
    }
    let journal = &facts.stored.as_ref()?.journal;
    if !journal.state().is_unfinished() {
        return None;
    }
    let needed = journal.plan().steps.iter().any(|step| {
        let taken = matches!(&step.act, Effect::Snapshot { object, .. } if crate::gate::name(object) == name);
        let source = matches!(&step.guard, Guard::Gate(gate)
            if gate.source.as_ref().is_some_and(|source| source.name == name));
        let restored = matches!(&step.act, Effect::Create { object }
            if text(object, "/spec/dataSource/name") == name);
        taken || source || restored
    });
    needed.then(|| {
        format!(
            "a {} that is not finished needs it",
            journal.plan().operation
        )
    })
}

/// A snapshot of this environment's database that can be restored now, or why it cannot.
pub(in crate::operations) fn restorable<'a>(
    target: &Target,
    facts: &'a Facts,
    wanted: &str,
) -> Result<&'a Value, Refusal> {
    let mut snapshots = facts.snapshots.iter().flatten();
    let Some(snapshot) = snapshots.find(|snapshot| name(snapshot) == wanted) else {
        return Err(unknown(target, facts, wanted));
    };
    let source = text(snapshot, "/spec/source/persistentVolumeClaimName");
    let environment = label(snapshot, ENVIRONMENT_LABEL);
    let other = |of: String, expected: String| Refusal::OtherSource {
        name: wanted.to_string(),
        of,
        expected,
    };
    // One that was imported names its content instead of a claim, and has whatever labels it was given.
    if !source.is_empty() && source != CLAIM {
        return Err(other(
            format!("PersistentVolumeClaim {source}"),
            CLAIM.to_string(),
        ));
    }
    if !environment.is_empty() && environment != target.environment {
        return Err(other(
            format!("the environment {environment}"),
            target.environment.clone(),
        ));
    }
    let not_ready = |cause: String| Refusal::NotReady {
        name: wanted.to_string(),
        cause,
    };
    if is_going(snapshot) {
        return Err(not_ready("it is being deleted".to_string()));
    }
    if !is_ready(snapshot) {
        let error = text(snapshot, "/status/error/message");
        return Err(not_ready(match error {
            "" => "the storage has not finished the snapshot".to_string(),
            error => format!("the snapshot controller retries after: {error}"),
        }));
    }
    if content_of(snapshot, &facts.contents).is_none() {
        return Err(not_ready("it is not bound to any content".to_string()));
    }
    Ok(snapshot)
}

/// There is no such snapshot: those that there are.
pub(in crate::operations) fn unknown(target: &Target, facts: &Facts, wanted: &str) -> Refusal {
    Refusal::UnknownSnapshot {
        name: wanted.to_string(),
        known: list(facts).into_iter().map(|listed| listed.name).collect(),
        environment: target.environment.clone(),
    }
}
