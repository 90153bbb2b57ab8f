//! Taking a snapshot: of the running node as after a power failure, or with the node stopped.

use alloc::{format, string::String, vec, vec::Vec};

use super::{Consistency, OPERATION, Purpose, Refusals, SnapshotSpec, default_name, is_name};
use crate::{
    gate::{Incarnation, name},
    names::{CLAIM, SNAPSHOT_API},
    object::ObjectRef,
    operations::{
        data::{Facts, Options},
        database::{DatabaseVolume, beside, class, database, driver, not_to_be_kept, possible},
        refusal::Refusal,
        volume_replacement::VolumeReplacement,
    },
    plan::{Loss, Plan, Policy, Step, Target},
    wait::Wait,
};

/// How a snapshot is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Its name; otherwise it is made of the claim and the time.
    pub name: Option<String>,
    /// Stop the node for it.
    pub fence: bool,
    /// Do not wait until it can be restored.
    pub no_wait: bool,
    /// Keep it from retention.
    pub keep: bool,
}

/// The plan of a snapshot.
///
/// # Errors
/// Everything that speaks against it.
pub fn take(
    target: &Target,
    facts: &Facts,
    options: &Options,
    wish: &Wish,
) -> Result<Plan, Refusals> {
    if wish.fence {
        fenced(target, facts, options, wish)
    } else {
        plain(target, facts, options, wish)
    }
}

fn plain(target: &Target, facts: &Facts, options: &Options, wish: &Wish) -> Result<Plan, Refusals> {
    let mut against = possible(facts);
    against.extend(beside(OPERATION, target, facts));
    against.extend(class(facts, options, Policy::Delete));
    against.extend(name_trouble(facts, wish));
    let database = database(target, facts).map_err(|refusals| against.extend(refusals));
    against.extend(driver(facts, options));
    let (Ok(database), []) = (database, &against[..]) else {
        return Err(Refusals(against));
    };
    let until = if wish.no_wait {
        Wait::None
    } else {
        Wait::SnapshotReady
    };
    let taken = taken(facts, &database, options, wish, Consistency::Crash);
    let notes = vec![
        "the node keeps running: the snapshot is crash-consistent, which Restate recovers from"
            .into(),
        format!(
            "deleting VolumeSnapshot {} deletes what is stored",
            taken.name
        ),
    ];
    Ok(Plan {
        operation: OPERATION.into(),
        target: target.clone(),
        steps: vec![taken.step(target, until)],
        loses: Vec::new(),
        notes,
        generated: Vec::new(),
    })
}

fn fenced(
    target: &Target,
    facts: &Facts,
    options: &Options,
    wish: &Wish,
) -> Result<Plan, Refusals> {
    let mut against = not_to_be_kept(facts, options);
    let replacement = VolumeReplacement::new(OPERATION, target, facts, options, &mut against);
    against.extend(name_trouble(facts, wish));
    let database = database(target, facts).map_err(|refusals| against.extend(refusals));
    let (Some(replacement), Ok(database), []) = (replacement, database, &against[..]) else {
        return Err(Refusals(against));
    };
    let taken = taken(facts, &database, options, wish, Consistency::Fenced);
    let object = ObjectRef::namespaced(
        SNAPSHOT_API,
        "VolumeSnapshot",
        &target.environment,
        &taken.name,
    );
    let mut steps = replacement.silence();
    let present = match database.policy {
        Policy::Retain => replacement.kept(&database),
        Policy::Delete => replacement.on_claim(Incarnation::Is(database.claim_uid.clone())),
    };
    steps.push(replacement.stop(present.clone()));
    steps.push(
        taken
            .step(target, Wait::SnapshotCut)
            .why("its point in time is fixed; the storage may finish while the node runs"),
    );
    steps.push(replacement.start(Some(present)));
    steps.extend(replacement.resume());
    steps.extend((!wish.no_wait).then(|| Step::watch(object, Wait::SnapshotReady)));
    let loses = vec![Loss::Disruption {
        what: "the node is stopped until the snapshot's point in time is fixed".into(),
    }];
    Ok(replacement.plan(steps, loses, Vec::new()))
}

fn taken<'a>(
    facts: &Facts,
    database: &'a DatabaseVolume,
    options: &'a Options,
    wish: &Wish,
    consistency: Consistency,
) -> SnapshotSpec<'a> {
    SnapshotSpec {
        name: wish_name(options, wish),
        claim: &database.claim.name,
        uid: database.claim_uid.clone(),
        class: &options.delete_class,
        purpose: Purpose::Manual,
        consistency,
        keep: wish.keep,
        opened_by: facts.opened_by(),
    }
}

fn wish_name(options: &Options, wish: &Wish) -> String {
    let given = wish.name.clone();
    given.unwrap_or_else(|| default_name(CLAIM, options.now))
}

fn name_trouble(facts: &Facts, wish: &Wish) -> Option<Refusal> {
    let given = wish.name.as_ref()?;
    if !is_name(given) {
        return Some(Refusal::Name {
            name: given.clone(),
        });
    }
    let mut snapshots = facts.snapshots.iter().flatten();
    let exists = snapshots.any(|snapshot| name(snapshot) == given);
    exists.then(|| Refusal::Exists {
        kind: "VolumeSnapshot",
        name: given.clone(),
    })
}
