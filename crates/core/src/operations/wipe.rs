//! An empty database in the place of the present one, which is kept as a snapshot.

use alloc::{format, string::ToString, vec, vec::Vec};

use super::{
    data::{Facts, Options},
    database::{DatabaseVolume, database, hanging, not_to_be_kept},
    refusal::Refusals,
    snapshot::Purpose,
    volume_replacement::VolumeReplacement,
};
use crate::plan::{Loss, Plan, Step, Target};

const OPERATION: &str = "wipe";

/// Whether the present database is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// As a snapshot, read and compared before anything is deleted.
    Verified,
    /// Not at all: snapshots are broken, and the data must go.
    None,
}

/// The plan of a wipe.
///
/// # Errors
/// Everything that speaks against it.
pub fn plan(
    target: &Target,
    facts: &Facts,
    options: &Options,
    copy: Copy,
) -> Result<Plan, Refusals> {
    let mut against = match copy {
        Copy::Verified => not_to_be_kept(facts, options),
        Copy::None => Vec::new(),
    };
    let replacement = VolumeReplacement::new(OPERATION, target, facts, options, &mut against);
    let database = database(target, facts).map_err(|refusals| against.extend(refusals));
    against.extend(hanging(facts));
    let (Some(replacement), Ok(database), []) = (replacement, database, &against[..]) else {
        return Err(Refusals(against));
    };
    let mut steps = replacement.silence();
    steps.extend(replacement.keep_volume(&database));
    match copy {
        Copy::Verified => {
            steps.push(replacement.rehearse(&database));
            steps.push(replacement.stop(replacement.kept(&database)));
            steps.push(replacement.preserve(&database, Purpose::BeforeWipe));
            steps.extend(verification(&replacement, &database));
        }
        Copy::None => steps.push(replacement.stop(replacement.kept(&database))),
    }
    let is_kept = copy == Copy::Verified;
    steps.push(replacement.delete_claim(&database, is_kept, None));
    steps.extend(replacement.change_node());
    steps.push(replacement.start(None));
    steps.extend(replacement.record_node());
    steps.extend(replacement.register());
    steps.extend(replacement.resume());
    steps.extend(replacement.prove());
    steps.extend(replacement.release_volume(&database, is_kept));
    steps.extend(is_kept.then(|| replacement.forget_rehearsal()));

    let claim = database.claim_uid.clone();
    let loss = match copy {
        Copy::Verified => Loss::Database { claim },
        Copy::None => Loss::OnlyCopy { claim },
    };
    Ok(replacement.plan(steps, vec![loss], notes(&replacement, copy)))
}

fn verification(replacement: &VolumeReplacement<'_>, database: &DatabaseVolume) -> Vec<Step> {
    let live = replacement.facts.claim.as_ref();
    live.map_or_else(Vec::new, |live| replacement.verify(database, live))
}

fn notes(replacement: &VolumeReplacement<'_>, copy: Copy) -> Vec<alloc::string::String> {
    let flags = replacement.target.flags();
    let stamp = &replacement.stamp;
    let mut notes = match copy {
        Copy::Verified => vec![
            format!(
                "the present database is kept as VolumeSnapshot {stamp}, until it is deleted by name; the way back: cargo xtask restore {flags} -s {stamp}"
            ),
            "the node is stopped while the storage makes the snapshot and the copy is compared: minutes, and hours for large volumes; until the claim is deleted everything can be taken back".to_string(),
        ],
        Copy::None => vec![
            "NOTHING OF THE PRESENT DATABASE IS KEPT: there is no way back".to_string(),
        ],
    };
    notes.extend(replacement.told("the empty database"));
    notes
}
