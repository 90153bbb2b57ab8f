//! Stored snapshots whose `VolumeSnapshot` is gone, with its namespace or without, and how one is used again.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Purpose, Refusals, is_name};
use crate::{
    gate::{content_of, is_going, is_ready, name, text},
    journal::Journal,
    names::{ENVIRONMENT_LABEL, FIELD_MANAGER, MANAGED_BY_LABEL, PURPOSE_LABEL, SNAPSHOT_API},
    object::{ObjectRef, Uid, uid},
    operations::{data::Facts, database::denied, refusal::Refusal},
    plan::{Effect, Guard, Plan, Propagation, Step, Target},
    wait::Wait,
};

const OPERATION: &str = "snapshot adopt";

/// What a cluster stores: the `VolumeSnapshot`s of all namespaces, and all contents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredSnapshots {
    /// `VolumeSnapshot`s.
    pub snapshots: Vec<Value>,
    /// `VolumeSnapshotContent`s.
    pub contents: Vec<Value>,
}

/// A stored snapshot that no `VolumeSnapshot` stands for any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphan {
    /// What the `VolumeSnapshot` was called.
    pub name: String,
    /// Where it was.
    pub namespace: String,
    /// The `VolumeSnapshotContent`.
    pub content: String,
    /// What the storage calls it.
    pub handle: String,
    /// The class that it was taken with.
    pub class: Option<String>,
    /// Its point in time, by the storage's clock.
    pub created: Option<Timestamp>,
    /// How large it is.
    pub bytes: Option<u64>,
    /// Whether it can be restored when it is adopted.
    pub ready: bool,
}

impl StoredSnapshots {
    /// What is kept by its policy, and stands for nothing.
    #[must_use]
    pub fn orphans(&self) -> Vec<Orphan> {
        let orphans = self.contents.iter();
        orphans
            .filter(|content| self.is_orphan(content))
            .filter_map(orphan)
            .collect()
    }

    fn is_orphan(&self, content: &Value) -> bool {
        let handle = handle(content);
        let is_used = self.bound().any(|bound| self::handle(bound) == handle);
        !is_going(content) && text(content, "/spec/deletionPolicy") == "Retain" && !is_used
            // One that is about to be bound is no orphan.
            && !self.snapshots.iter().any(|snapshot| refers(content, snapshot))
    }

    /// The contents of snapshots that are there.
    fn bound(&self) -> impl Iterator<Item = &Value> {
        let snapshots = self.snapshots.iter();
        snapshots.filter_map(|snapshot| content_of(snapshot, &self.contents))
    }
}

/// Whether a content is for this snapshot, bound or not.
fn refers(content: &Value, snapshot: &Value) -> bool {
    let same =
        |content_field: &str, field: &str| text(content, content_field) == text(snapshot, field);
    let bound = text(content, "/spec/volumeSnapshotRef/uid");
    match bound {
        "" => {
            same("/spec/volumeSnapshotRef/name", "/metadata/name")
                && same("/spec/volumeSnapshotRef/namespace", "/metadata/namespace")
        }
        bound => uid(snapshot).is_some_and(|uid| uid.0 == bound),
    }
}

fn handle(content: &Value) -> &str {
    match text(content, "/status/snapshotHandle") {
        "" => text(content, "/spec/source/snapshotHandle"),
        handle => handle,
    }
}

fn orphan(content: &Value) -> Option<Orphan> {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_string());
    let status = |field: &str| content.get("status")?.get(field);
    let created = status("creationTime").and_then(Value::as_i64);
    Some(Orphan {
        name: text(content, "/spec/volumeSnapshotRef/name").to_string(),
        namespace: text(content, "/spec/volumeSnapshotRef/namespace").to_string(),
        content: name(content).to_string(),
        handle: some(handle(content))?,
        class: some(text(content, "/spec/volumeSnapshotClassName")),
        created: created.and_then(|time| Timestamp::from_nanosecond(time.into()).ok()),
        bytes: status("restoreSize").and_then(Value::as_u64),
        ready: is_ready(content),
    })
}

/// How a stored snapshot is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// Its `VolumeSnapshotContent`.
    pub content: String,
    /// What it is to be called; otherwise as it was.
    pub name: Option<String>,
}

/// The plan that makes a stored snapshot one of the environment again: a content of the same handle and a
/// `VolumeSnapshot`, bound to each other (external-snapshotter 8: a content that was made for a snapshot of a claim
/// cannot be bound to another one). The old content goes then; its policy is Retain, so that the storage keeps what is
/// stored.
///
/// # Errors
/// Everything that speaks against it.
pub fn adopt(
    target: &Target,
    facts: &Facts,
    stored: &StoredSnapshots,
    wish: &Adoption,
) -> Result<Plan, Refusals> {
    // Whatever is not finished or at work does not mind it: it is of no claim, and may be the way back.
    let mut against: Vec<Refusal> = denied(facts).collect();
    if facts.set.is_none() {
        let target = target.clone();
        against.push(Refusal::NoNode { target });
    }
    let found = adoptable(stored, &wish.content).map_err(|refusal| against.push(refusal));
    let called = wish
        .name
        .clone()
        .or_else(|| Some(found.as_ref().ok()?.1.name.clone()));
    against.extend(
        called
            .as_ref()
            .and_then(|called| name_trouble(facts, called)),
    );
    let (Ok((live, orphan)), Some(called), []) = (found, called, &against[..]) else {
        return Err(Refusals(against));
    };
    let Some(old) = uid(live) else {
        return Err(Refusals(against));
    };
    let content = content_name(target, &called, &old);
    let steps = vec![
        made(
            content_manifest(target, live, &orphan, &content, &called),
            Wait::None,
        )
        .why("of the same handle: the stored snapshot itself is not touched"),
        made(
            snapshot_manifest(target, &orphan, &content, &called),
            Wait::SnapshotReady,
        ),
        Step::new(
            Effect::Delete {
                object: ObjectRef::whole(SNAPSHOT_API, "VolumeSnapshotContent", &wish.content),
                uid: old.clone(),
                propagation: Propagation::Background,
            },
            Guard::unchanged(old, live),
            Wait::None,
        )
        .soft()
        .why("its policy is Retain: what is stored stays, and the new content stands for it"),
    ];
    Ok(Plan {
        operation: OPERATION.to_string(),
        target: target.clone(),
        steps,
        loses: Vec::new(),
        notes: notes(target, &orphan, &called),
        generated: Vec::new(),
    })
}

/// What an adopted snapshot is called.
#[must_use]
pub fn adopted(journal: &Journal) -> Option<&str> {
    let mut steps = journal.plan().steps.iter();
    steps.find_map(|step| match &step.act {
        Effect::Create { object } if text(object, "/kind") == "VolumeSnapshot" => {
            Some(name(object))
        }
        _ => None,
    })
}

fn notes(target: &Target, orphan: &Orphan, called: &str) -> Vec<String> {
    let mut notes = vec![format!(
        "it is UNVERIFIED: look into it (cargo xtask attach {0} -s {called}); a restore reads it before anything is stopped",
        target.flags()
    )];
    if orphan.namespace != target.environment {
        notes.push(format!(
            "it was taken in the namespace {}: it is not a database of {}",
            orphan.namespace, target.environment
        ));
    }
    notes
}

/// A content that can be adopted, or why not.
fn adoptable<'a>(
    stored: &'a StoredSnapshots,
    wanted: &str,
) -> Result<(&'a Value, Orphan), Refusal> {
    let refuse = |why: String| Refusal::NotAdoptable {
        content: wanted.to_string(),
        why,
    };
    let mut contents = stored.contents.iter();
    let Some(content) = contents.find(|content| name(content) == wanted) else {
        let orphans = stored.orphans();
        let known: Vec<&str> = orphans
            .iter()
            .map(|orphan| orphan.content.as_str())
            .collect();
        return Err(refuse(format!(
            "it does not exist (those whose VolumeSnapshot is gone: {})",
            if known.is_empty() {
                "none".to_string()
            } else {
                known.join(", ")
            }
        )));
    };
    let of = |snapshot: &Value| {
        format!(
            "VolumeSnapshot {} in {} is bound to it",
            name(snapshot),
            text(snapshot, "/metadata/namespace")
        )
    };
    let stands = stored.snapshots.iter().find(|snapshot| {
        let bound = content_of(snapshot, &stored.contents);
        refers(content, snapshot) || bound.is_some_and(|bound| handle(bound) == handle(content))
    });
    if let Some(snapshot) = stands {
        return Err(refuse(of(snapshot)));
    }
    if is_going(content) {
        return Err(refuse("it is being deleted".to_string()));
    }
    if text(content, "/spec/deletionPolicy") != "Retain" {
        return Err(refuse(
            "its deletion policy is not Retain: the storage may be deleting what it stands for"
                .to_string(),
        ));
    }
    match orphan(content) {
        Some(orphan) => Ok((content, orphan)),
        None => Err(refuse(
            "the storage never said what it calls it".to_string(),
        )),
    }
}

fn name_trouble(facts: &Facts, called: &str) -> Option<Refusal> {
    if !is_name(called) {
        let name = called.to_string();
        return Some(Refusal::Name { name });
    }
    let mut snapshots = facts.snapshots.iter().flatten();
    snapshots
        .any(|snapshot| name(snapshot) == called)
        .then(|| Refusal::Exists {
            kind: "VolumeSnapshot",
            name: called.to_string(),
        })
}

/// Another one for each content that is adopted.
fn content_name(target: &Target, called: &str, old: &Uid) -> String {
    let tail: String = old.0.chars().take(8).collect();
    format!("longrun-{}-{called}-{tail}", target.environment)
}

fn made(object: Value, until: Wait) -> Step {
    let undo = ObjectRef::of(&object).map(|object| Effect::Discard {
        object,
        propagation: Propagation::Background,
    });
    Step {
        undo,
        ..Step::new(Effect::Create { object }, Guard::Absent, until)
    }
}

fn labels(target: &Target) -> Value {
    json!({
        MANAGED_BY_LABEL: FIELD_MANAGER,
        ENVIRONMENT_LABEL: target.environment,
        PURPOSE_LABEL: Purpose::Adopted.word(),
    })
}

fn content_manifest(
    target: &Target,
    live: &Value,
    orphan: &Orphan,
    content: &str,
    called: &str,
) -> Value {
    let mut object = json!({
        "apiVersion": SNAPSHOT_API,
        "kind": "VolumeSnapshotContent",
        "metadata": {"name": content, "labels": labels(target)},
        "spec": {
            "deletionPolicy": "Retain",
            "driver": text(live, "/spec/driver"),
            "source": {"snapshotHandle": orphan.handle},
            "volumeSnapshotRef": {
                "apiVersion": SNAPSHOT_API,
                "kind": "VolumeSnapshot",
                "name": called,
                "namespace": target.environment,
            },
        },
    });
    // Without it the storage does not know whether it makes a file system of it.
    if let Some(mode) = live.pointer("/spec/sourceVolumeMode") {
        object["spec"]["sourceVolumeMode"] = mode.clone();
    }
    if let Some(class) = &orphan.class {
        object["spec"]["volumeSnapshotClassName"] = json!(class);
    }
    object
}

fn snapshot_manifest(target: &Target, orphan: &Orphan, content: &str, called: &str) -> Value {
    let mut object = json!({
        "apiVersion": SNAPSHOT_API,
        "kind": "VolumeSnapshot",
        "metadata": {
            "name": called,
            "namespace": target.environment,
            "labels": labels(target),
        },
        "spec": {"source": {"volumeSnapshotContentName": content}},
    });
    if let Some(class) = &orphan.class {
        object["spec"]["volumeSnapshotClassName"] = json!(class);
    }
    object
}
