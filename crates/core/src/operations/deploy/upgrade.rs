//! What a changed version of the service needs around it: no test across two of them, which would mix in one
//! journal.

use alloc::{format, string::String, vec::Vec};

use serde_json::Value;

use super::{Facts, Observed};
use crate::{
    cluster,
    names::{DISCOVER, RECORDER, TEST},
    object::{ObjectRef, Uid, uid},
    operations::suspension,
    plan::{Loss, Step, Target},
    schedule::longest_pause,
    wait::Wait,
};

/// Minutes for which a deployment waits for the next test to begin.
const WORTH_WAITING: u64 = 15;

/// Before the service rolls: no new tests, and, unless it was said not to wait, none running. Nothing when
/// no tests have ever run. Tests that are suspended already are not suspended again: that would make the
/// suspension ours.
pub(super) fn drain(facts: &Facts, suspends: bool, waits: bool) -> Vec<Step> {
    let Some((object, uid, live)) = tests(facts) else {
        return Vec::new();
    };
    let suspend = suspends.then(|| suspension::suspend(object.clone(), uid, live));
    let drained = waits.then(|| Step::watch(object, Wait::Drained));
    suspend.into_iter().chain(drained).collect()
}

/// After the service has been registered again.
pub(super) fn resume(facts: &Facts) -> Option<Step> {
    let (object, uid, _) = tests(facts)?;
    Some(suspension::resume(object, uid))
}

/// Who suspended the tests, if they are suspended.
pub(super) fn suspended_by(facts: &Facts) -> Option<String> {
    cluster::suspended_by(test_job(facts)?.live.as_ref()?)
}

/// Whether an operation of ours suspended the tests and did not come to resume them.
pub(super) fn left_suspended(facts: &Facts) -> bool {
    let live = test_job(facts).and_then(|test| test.live.as_ref());
    live.is_some_and(cluster::is_left)
}

/// The note on tests that a person suspended: it is not for a deployment to resume them.
pub(super) fn stays_suspended(target: &Target, by: &str) -> String {
    format!(
        "the tests stay suspended, as {by} left them; to resume them: kubectl -n {} patch cronjob {TEST} --type merge -p '{{\"spec\":{{\"suspend\":false}}}}'",
        target.environment
    )
}

/// The end of a deployment: a test that began after it has verified. Also when none ever has. Or the note
/// that the next one is too far off.
pub(super) fn first_success(
    target: &Target,
    facts: &Facts,
    changed: bool,
) -> Option<Result<Step, String>> {
    let observed = test_job(facts)?;
    let live = observed.live.as_ref();
    let before = live.and_then(|live| live.pointer("/status/lastSuccessfulTime"));
    (changed || before.is_none()).then_some(())?;
    let schedule = observed.desired.pointer("/spec/schedule");
    let schedule = schedule.and_then(Value::as_str).unwrap_or_default();
    if !schedule.is_empty() && longest_pause(schedule).is_none_or(|pause| pause > WORTH_WAITING) {
        return Some(Err(format!(
            "not waiting for a test: they start by the schedule `{schedule}`; to run one now: kubectl -n {} create job --from=cronjob/{TEST} {TEST}-now",
            target.environment
        )));
    }
    let object = ObjectRef::of(&observed.desired)?;
    Some(Ok(Step::watch(object, Wait::FirstSuccess)))
}

/// What it means not to wait for that.
pub(super) fn mixture() -> Loss {
    let what = "open tests and invocations meet two versions of the service: Restate pauses those whose journal does not match";
    Loss::Disruption { what: what.into() }
}

/// Whether this is the Job that registers the service with the node.
pub(super) fn is_discovery(observed: &Observed) -> bool {
    observed.kind() == "Job" && observed.name() == DISCOVER
}

/// Whether this serves invocations: with two versions of it at once, one journal would meet both. The recorder only
/// looks on.
pub(super) fn is_service(observed: &Observed) -> bool {
    observed.kind() == "Deployment" && observed.name() != RECORDER
}

/// Whether this is the CronJob that runs the tests.
pub(super) fn is_test(observed: &Observed) -> bool {
    observed.kind() == "CronJob" && observed.name() == TEST
}

fn test_job(facts: &Facts) -> Option<&Observed> {
    facts.objects.iter().find(|observed| is_test(observed))
}

fn tests(facts: &Facts) -> Option<(ObjectRef, Uid, &Value)> {
    let live = test_job(facts)?.live.as_ref()?;
    Some((ObjectRef::of(live)?, uid(live)?, live))
}
