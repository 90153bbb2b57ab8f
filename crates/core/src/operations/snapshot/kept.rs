//! The snapshot that an operation took of the present database: whether it is a way back. It is one only while it is
//! there and ready, and was found to be the same as the database.

use alloc::string::ToString;

use serde_json::Value;

use super::Purpose;
use crate::{
    gate::{content_of, found, is_going, is_ready, name},
    journal::{Entry, Journal, Kept, Standing},
    names::PURPOSE_LABEL,
    object::uid,
    plan::{Effect, Finding},
};

/// The name of the snapshot that an operation took and left: of what was there before it, or for its own sake.
#[must_use]
pub fn taken(journal: &Journal) -> Option<&str> {
    taken_by(journal).map(|(name, _)| name)
}

fn taken_by(journal: &Journal) -> Option<(&str, &Entry)> {
    let entries = journal.entries().iter();
    entries
        .filter(|entry| entry.acted.is_some())
        .filter_map(|entry| Some((entry, journal.plan().steps.get(entry.step)?)))
        .find_map(|(entry, step)| match &step.act {
            Effect::Snapshot { object, .. } => {
                let purpose = object.pointer("/metadata/labels")?.get(PURPOSE_LABEL)?;
                let is_kept = purpose != Purpose::Temporary.word();
                is_kept.then_some((name(object), entry))
            }
            _ => None,
        })
}

/// The snapshot that an operation took of the present database, by the snapshots of its namespace and their contents;
/// without them, nobody has looked.
#[must_use]
pub fn kept(journal: &Journal, seen: Option<(&[Value], &[Value])>) -> Option<Kept> {
    let (taken, entry) = taken_by(journal)?;
    let standing = seen.map_or(Standing::Unknown, |(snapshots, contents)| {
        let is_it = |snapshot: &&Value| {
            name(snapshot) == taken && (entry.uid.is_none() || uid(snapshot) == entry.uid)
        };
        match snapshots.iter().find(is_it) {
            None => Standing::Gone,
            Some(snapshot) => standing(snapshot, contents),
        }
    });
    Some(Kept {
        name: taken.to_string(),
        standing,
    })
}

fn standing(snapshot: &Value, contents: &[Value]) -> Standing {
    let content = content_of(snapshot, contents);
    let is_stored = content.is_some_and(|content| is_ready(content) && !is_going(content));
    match found(snapshot) {
        _ if is_going(snapshot) => Standing::Gone,
        Some(Finding::Empty) => Standing::Empty,
        _ if !is_ready(snapshot) || !is_stored => Standing::NotReady,
        Some(Finding::Same) => Standing::Verified,
        None => Standing::Unverified,
    }
}
