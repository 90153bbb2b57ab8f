//! Which snapshots are no longer kept: policy, facts and time → choice → plan → outcome. Counted for each
//! incarnation of the claim, since a wipe begins a new one.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Listed, Purpose, Refusals, Verification, delete::deletion, list};
use crate::{
    journal::Journal,
    operations::{data::Facts, database::possible},
    plan::{Effect, Loss, Plan, Step, Target},
};

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How many of the newest, for each incarnation of the claim. One is kept in any case.
    pub keep_last: usize,
    /// Nothing younger goes.
    pub older_than: SignedDuration,
}

/// What becomes of each snapshot, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Choice(pub Vec<(String, Fate)>);

/// What becomes of one snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "fate")]
pub enum Fate {
    /// It goes.
    Goes,
    /// Kept: it is already being deleted.
    Going,
    /// Kept: it is needed now.
    InUse {
        /// What for.
        by: String,
    },
    /// Kept: somebody asked for that.
    Kept,
    /// Kept until deleted by name: it guards a deletion or a finding.
    Guards {
        /// What it was taken for.
        purpose: Purpose,
    },
    /// Kept: not created by longrun, or its source is unknown.
    NotOurs,
    /// Kept: not finished.
    NotReady,
    /// Kept: it is one of the newest that hold something.
    Newest,
    /// Kept: not old enough.
    Young,
}

/// What a carried-out choice came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Those that are gone.
    pub gone: Vec<String>,
    /// Those that should be gone and are not, with the cause.
    pub failed: Vec<(String, String)>,
}

/// What the policy says of each snapshot.
#[must_use]
pub fn choose(policy: &Policy, listed: &[Listed], now: Timestamp) -> Choice {
    let mut newest_first: Vec<&Listed> = listed.iter().collect();
    newest_first.sort_by(|one, other| (other.created, &other.name).cmp(&(one.created, &one.name)));
    let mut counts: Vec<(&Listed, usize)> = Vec::new();
    let choice = newest_first.into_iter().map(|snapshot| {
        let fate = reason_to_stay(snapshot).unwrap_or_else(|| {
            let of_source =
                |(other, _): &&mut (&Listed, usize)| other.source_uid == snapshot.source_uid;
            let place = match counts.iter_mut().find(of_source) {
                // It takes nobody's place.
                _ if is_empty(snapshot) => usize::MAX,
                Some((_, count)) => {
                    *count += 1;
                    *count
                }
                None => {
                    counts.push((snapshot, 1));
                    1
                }
            };
            by_age(policy, snapshot, place, now)
        });
        (snapshot.name.clone(), fate)
    });
    Choice(choice.collect())
}

/// Why a snapshot stays whatever the policy says.
fn reason_to_stay(snapshot: &Listed) -> Option<Fate> {
    if snapshot.going {
        return Some(Fate::Going);
    }
    if let Some(by) = snapshot.used_by.clone() {
        return Some(Fate::InUse { by });
    }
    if snapshot.kept {
        return Some(Fate::Kept);
    }
    match snapshot.purpose {
        // Of an operation that was taken back: its database is the present one, and was not deleted. The undo itself
        // deletes no snapshot: it runs when something went wrong, nobody consented to a loss, and whoever deleted the
        // claim meanwhile left nothing else.
        Some(Purpose::BeforeWipe | Purpose::BeforeRestore) if snapshot.source_exists => {}
        Some(_) if is_empty(snapshot) => {}
        Some(
            purpose @ (Purpose::BeforeWipe
            | Purpose::BeforeRestore
            | Purpose::Failure
            | Purpose::Adopted),
        ) => {
            return Some(Fate::Guards { purpose });
        }
        Some(Purpose::Manual | Purpose::Upgrade | Purpose::Temporary) => {}
        None => return Some(Fate::NotOurs),
    }
    if snapshot.source_uid.is_none() {
        return Some(Fate::NotOurs);
    }
    (!snapshot.ready).then_some(Fate::NotReady)
}

fn is_empty(snapshot: &Listed) -> bool {
    snapshot.verification == Verification::Empty
}

fn by_age(policy: &Policy, snapshot: &Listed, place: usize, now: Timestamp) -> Fate {
    let is_old = snapshot
        .created
        .is_some_and(|created| now.duration_since(created) > policy.older_than);
    if place <= policy.keep_last.max(1) {
        Fate::Newest
    } else if is_old {
        Fate::Goes
    } else {
        Fate::Young
    }
}

/// The plan that carries out a policy; it is empty when nothing goes.
///
/// # Errors
/// Everything that speaks against it.
pub fn prune(
    target: &Target,
    facts: &Facts,
    policy: &Policy,
    now: Timestamp,
) -> Result<(Choice, Plan), Refusals> {
    let against = possible(facts);
    if !against.is_empty() {
        return Err(Refusals(against));
    }
    let listed = list(facts);
    let choice = choose(policy, &listed, now);
    let going: Vec<&Listed> = listed
        .iter()
        .filter(|listed| choice.goes(&listed.name))
        .collect();
    let deletions = going.iter().map(|listed| deletion(target, facts, listed));
    // One that cannot be deleted does not keep the others; one whose content has to be told first, and told otherwise
    // again when it stays, ends the plan.
    let (alone, told): (Vec<_>, Vec<_>) = deletions.partition(|steps| steps.len() == 1);
    let alone = alone.into_iter().flatten().map(Step::soft);
    let plan = Plan {
        operation: "snapshot prune".to_string(),
        target: target.clone(),
        steps: alone.chain(told.into_iter().flatten()).collect(),
        loses: going
            .iter()
            .map(|listed| Loss::Snapshot {
                name: listed.name.clone(),
            })
            .collect(),
        notes: Vec::new(),
        generated: Vec::new(),
    };
    Ok((choice, plan))
}

impl Choice {
    /// Whether this one goes.
    #[must_use]
    pub fn goes(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|(one, fate)| one == name && *fate == Fate::Goes)
    }
}

/// What a carried-out choice came to, by its journal.
#[must_use]
pub fn outcome(choice: &Choice, journal: &Journal) -> Outcome {
    let steps = &journal.plan().steps;
    let deletes = |step: &Step, name: &str| matches!(&step.act, Effect::Delete { object, .. } if object.name == name);
    let mut outcome = Outcome::default();
    for (name, _) in choice.0.iter().filter(|(_, fate)| *fate == Fate::Goes) {
        let entry = journal.entries().iter().find(|entry| {
            let step = steps.get(entry.step);
            step.is_some_and(|step| deletes(step, name))
        });
        let failed = match entry {
            Some(entry) if entry.note.is_none() && entry.ended.is_some() => None,
            Some(entry) => Some(entry.note.clone().unwrap_or_default()),
            None => Some(String::new()),
        };
        match failed {
            None => outcome.gone.push(name.clone()),
            Some(cause) if cause.is_empty() => outcome
                .failed
                .push((name.clone(), "not reached".to_string())),
            Some(cause) => outcome.failed.push((name.clone(), cause)),
        }
    }
    outcome
}
