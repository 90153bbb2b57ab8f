//! An operation on data that stopped beyond its point of no return: a deployment makes the environment
//! whole again and closes it, since what keeps the operation from going on may be what is deployed.

use alloc::{format, string::String, vec::Vec};

use serde_json::Value;

use super::{Facts, Observed, decision::Decision, problem::Problem};
use crate::{
    cluster,
    journal::{Admission, State, Stored, admit},
    names::OPERATIONS_MANAGER,
    object::{ObjectRef, Uid, uid},
    operations::{
        snapshot::Kept,
        suspension,
        volume_replacement::{close, left},
    },
    plan::{Effect, Guard, Step, Target},
    wait::Wait,
};

/// What an earlier operation on data left to do.
#[derive(Default)]
pub(super) struct Takeover {
    closed: Option<(Stored, Uid)>,
}

impl Takeover {
    /// Whether there is such an operation.
    pub(super) fn judge(facts: &Facts) -> Result<Self, Problem> {
        let Some(live) = &facts.journal else {
            return Ok(Self::default());
        };
        let stored = Stored::read(live).map_err(Problem::Journal)?;
        let admission =
            admit("deploy", Some(&stored), facts.kept.clone()).map_err(Problem::Unfinished)?;
        let closed = uid(live)
            .filter(|_| admission == Admission::Supersedes)
            .map(|uid| (stored, uid));
        Ok(Self { closed })
    }

    /// Whether the database is another one: the services have to be registered with it.
    pub(super) fn is_needed(&self) -> bool {
        self.closed.is_some()
    }

    /// When all is well: what was only kept until then, and the journal.
    pub(super) fn last(&self) -> Vec<Step> {
        self.closed.as_ref().map_or_else(Vec::new, |(stored, uid)| {
            let mut last = left(&stored.journal);
            last.push(close(stored, uid.clone(), "deploy"));
            last
        })
    }

    /// That the database is not what it was before the operation.
    pub(super) fn note(&self, target: &Target, kept: Option<&Kept>) -> Option<String> {
        let (stored, _) = self.closed.as_ref()?;
        let State::DatabaseGone(gone) = stored.journal.state() else {
            return None;
        };
        Some(format!(
            "the database is not the one from before a {}: {}; unless it is brought back first, an empty one begins; to {}",
            stored.journal.plan().operation,
            gone.why,
            gone.way_back(&target.flags(), kept)
        ))
    }

    /// StatefulSets that an operation stopped and did not come to start. One that is made anew has its pods.
    pub(super) fn starts(&self, decisions: &[Decision<'_>]) -> Vec<Step> {
        let is_made = |step: &Step| matches!(step.act, Effect::Create { .. });
        decisions
            .iter()
            .filter(|decision| decision.observed.kind() == "StatefulSet")
            .filter(|decision| !decision.writes.iter().any(is_made))
            .filter_map(|decision| self.start(decision.observed))
            .collect()
    }

    fn start(&self, observed: &Observed) -> Option<Step> {
        let live = observed.live.as_ref()?;
        let is_stopped = live.pointer("/spec/replicas").and_then(Value::as_u64) == Some(0);
        let wanted = observed.desired.pointer("/spec/replicas");
        let replicas = wanted.and_then(Value::as_u64).unwrap_or(1);
        if !is_stopped || replicas == 0 || !(self.is_needed() || is_ours(live)) {
            return None;
        }
        let object = ObjectRef::of(live)?;
        let guard = Guard::Is { uid: uid(live)? };
        let act = Effect::Scale { object, replicas };
        Some(Step::new(act, guard, Wait::RolledOut).why("an operation stopped it"))
    }
}

fn is_ours(set: &Value) -> bool {
    let fields = set
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    fields
        .into_iter()
        .flatten()
        .filter(|entry| entry.pointer("/fieldsV1/f:spec/f:replicas").is_some())
        .any(|entry| entry.get("manager").and_then(Value::as_str) == Some(OPERATIONS_MANAGER))
}

/// CronJobs other than the tests that an operation suspended and did not come to resume.
pub(super) fn resumes(facts: &Facts) -> Vec<Step> {
    let others = facts
        .objects
        .iter()
        .filter(|observed| observed.kind() == "CronJob" && !super::upgrade::is_test(observed));
    others
        .filter_map(|observed| observed.live.as_ref())
        .filter(|live| cluster::is_left(live))
        .filter_map(|live| Some(suspension::resume(ObjectRef::of(live)?, uid(live)?)))
        .collect()
}
