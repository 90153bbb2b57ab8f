//! An empty database in the place of the present one, which is kept as a snapshot.

use alloc::{format, string::ToString, vec, vec::Vec};

use super::{
    data::{Facts, Options},
    exchange::Exchange,
    ground::{Ground, ground, hanging, not_to_be_kept},
    refusal::Refusals,
    snapshot::Purpose,
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
    let exchange = Exchange::new(OPERATION, target, facts, options, &mut against);
    let ground = ground(target, facts).map_err(|refusals| against.extend(refusals));
    against.extend(hanging(facts));
    let (Some(exchange), Ok(ground), []) = (exchange, ground, &against[..]) else {
        return Err(Refusals(against));
    };
    let mut steps = exchange.silence();
    steps.extend(exchange.keep_volume(&ground));
    match copy {
        Copy::Verified => {
            steps.push(exchange.rehearse(&ground));
            steps.push(exchange.stop());
            steps.push(exchange.preserve(&ground, Purpose::BeforeWipe));
            steps.extend(verification(&exchange, &ground));
        }
        Copy::None => steps.push(exchange.stop()),
    }
    let is_kept = copy == Copy::Verified;
    steps.push(exchange.delete_claim(&ground, is_kept, None));
    steps.push(exchange.start());
    steps.extend(exchange.register());
    steps.extend(exchange.resume());
    steps.extend(exchange.prove());
    steps.extend(exchange.release_volume(&ground, is_kept));
    steps.extend(is_kept.then(|| exchange.forget_rehearsal()));

    let claim = ground.claim_uid.clone();
    let loss = match copy {
        Copy::Verified => Loss::Database { claim },
        Copy::None => Loss::OnlyCopy { claim },
    };
    Ok(exchange.plan(steps, vec![loss], notes(&exchange, copy)))
}

fn verification(exchange: &Exchange<'_>, ground: &Ground) -> Vec<Step> {
    let live = exchange.facts.claim.as_ref();
    live.map_or_else(Vec::new, |live| exchange.verify(ground, live))
}

fn notes(exchange: &Exchange<'_>, copy: Copy) -> Vec<alloc::string::String> {
    let flags = exchange.target.flags();
    let stamp = &exchange.stamp;
    match copy {
        Copy::Verified => vec![
            format!(
                "the present database is kept as VolumeSnapshot {stamp}, until it is deleted by name; the way back: cargo xtask restore {flags} -s {stamp}"
            ),
            "the node is stopped while the storage makes the snapshot and the copy is compared: minutes, and hours for large volumes; until the claim is deleted everything can be taken back".to_string(),
        ],
        Copy::None => vec![
            "NOTHING OF THE PRESENT DATABASE IS KEPT: there is no way back".to_string(),
        ],
    }
}
