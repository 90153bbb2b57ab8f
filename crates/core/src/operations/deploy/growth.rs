//! Claims that are smaller than what is rendered. A growth writes the size and nothing else, with the field
//! manager of operations: who made the claim (its set, a restore) keeps what it applied.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use serde_json::Value;

use super::{
    DryRun, Facts, Observed,
    problem::Problem,
    recreate::{claims, claims_of, templates},
};
use crate::{
    change::{asked, changes},
    gate::{is_going, text},
    object::{ObjectRef, bytes, intent, uid},
    plan::{Checked, Effect, Guard, Step, grown},
    wait::{Observation, Wait, WaitStatus},
};

/// A claim that is to grow.
#[derive(Clone, Debug, PartialEq)]
pub struct Growth {
    /// The claim as it is.
    pub claim: Value,
    /// Its new size.
    pub storage: String,
    /// What a server-side dry run of it answered.
    pub dry_run: DryRun,
}

/// The claims that are smaller than what their StatefulSets are rendered with, and that size. One without a volume
/// cannot grow yet.
pub fn smaller<'a>(
    rendered: impl IntoIterator<Item = &'a Value>,
    live: &'a [Value],
) -> Vec<(&'a Value, &'a str)> {
    let is_set = |object: &&Value| text(object, "/kind") == "StatefulSet";
    let mut smaller = Vec::new();
    for set in rendered.into_iter().filter(is_set) {
        for (template, storage) in templates(set) {
            let grows = |claim: &&Value| {
                let size = bytes(text(claim, "/spec/resources/requests/storage"));
                text(claim, "/status/phase") == "Bound" && !is_going(claim) && size < bytes(storage)
            };
            let claims = claims(live, template, text(set, "/metadata/name"));
            smaller.extend(claims.filter(grows).map(|claim| (claim, storage)));
        }
    }
    smaller
}

/// What lets the claims of a StatefulSet grow.
pub(super) fn steps(observed: &Observed, facts: &Facts) -> Result<Vec<Step>, Problem> {
    of_set(observed, facts)
        .filter_map(|growth| step(growth).transpose())
        .collect()
}

fn of_set<'a>(observed: &'a Observed, facts: &'a Facts) -> impl Iterator<Item = &'a Growth> {
    let of_set = claims_of(facts, &observed.desired);
    let is_set = observed.kind() == "StatefulSet";
    let growths = facts.growths.iter().filter(move |_| is_set);
    growths.filter(move |growth| {
        let mut claims = of_set.iter();
        claims.any(|claim| uid(claim) == uid(&growth.claim))
    })
}

fn step(growth: &Growth) -> Result<Option<Step>, Problem> {
    let Growth {
        claim,
        storage,
        dry_run,
    } = growth;
    let (Some(object), Some(uid)) = (ObjectRef::of(claim), uid(claim)) else {
        return Ok(None);
    };
    let (changes, checked) = match dry_run {
        DryRun::Accepted(merged) => (changes(&intent(claim), &intent(merged)), Checked::ByServer),
        DryRun::Impossible => (asked(claim, &grown(&object, storage)), Checked::Locally),
        DryRun::Refused(refusal) => {
            let refusal = refusal.clone();
            return Err(Problem::Refused { object, refusal });
        }
    };
    let storage = storage.to_string();
    let act = Effect::Grow { object, storage };
    Ok(Some(Step {
        changes,
        checked,
        ..Step::new(act, Guard::Is { uid }, Wait::None)
    }))
}

/// What is waited for until the claims of a StatefulSet, or a claim that is rendered itself, have the size that they
/// ask for. The rest of the environment does not depend on it, and storages may refuse for hours.
pub(super) fn waits(observed: &Observed, writes: &[Step], facts: &Facts) -> Vec<Step> {
    let claims: Vec<&Value> = match observed.kind() {
        "StatefulSet" => claims_of(facts, &observed.desired),
        "PersistentVolumeClaim" => observed.live.iter().collect(),
        _ => Vec::new(),
    };
    let is_bound = |claim: &&Value| text(claim, "/status/phase") == "Bound" && !is_going(claim);
    claims
        .into_iter()
        .filter(is_bound)
        .filter_map(|claim| Some((ObjectRef::of(claim)?, claim)))
        .filter(|(object, claim)| {
            let mut written = writes.iter().filter_map(|step| step.act.object());
            written.any(|written| written == *object) || !has_grown(claim)
        })
        .map(|(object, _)| {
            Step::watch(object, Wait::Grown)
                .soft()
                .why("its volume grows while the node runs; whether it does or not, what else is deployed runs")
        })
        .collect()
}

fn has_grown(claim: &Value) -> bool {
    let observation = Observation {
        object: Some(claim.clone()),
        ..Observation::default()
    };
    Wait::Grown.assess(&observation, jiff::Timestamp::UNIX_EPOCH) == WaitStatus::Met
}
