//! What a changed version needs around it: a snapshot before Restate reads its files with another
//! version, and no test across two versions of the service, which would mix in one journal.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde_json::Value;

use super::{Facts, Observed, Options, problem::Problem, recreate::claims_of};
use crate::{
    inputs::longest_pause,
    names::{DISCOVER, NODE, RECORDER, TEST},
    object::{ObjectRef, Uid, uid},
    operations::{
        snapshot::{Consistency, Purpose, SnapshotSpec, default_name},
        suspension,
    },
    plan::{Checked, Loss, Step, Target},
    wait::Wait,
};

/// Minutes for which a deployment waits for the next test to begin.
const WORTH_WAITING: u64 = 15;

/// Restate's rules on upgrades (docs.restate.dev, "Upgrading").
const ONE_MINOR: &str =
    "Restate supports upgrades to the next minor version only, one after the other";
const NO_DOWNGRADE: &str = "Restate supports the way back only to the minor version before, and only while no feature of the newer one was used, which cannot be told here; restore a snapshot from before the upgrade instead";

/// The snapshot steps that a changed Restate version needs first.
pub(super) fn snapshots(
    target: &Target,
    facts: &Facts,
    options: &Options,
) -> Result<Vec<Step>, Problem> {
    let mut steps = Vec::new();
    let sets = facts.objects.iter();
    for observed in sets.filter(|observed| observed.kind() == "StatefulSet") {
        let Some(live) = &observed.live else { continue };
        let (Some(from), Some(to)) = (node_image(live), node_image(&observed.desired)) else {
            continue;
        };
        let (old, new) = (version(from), version(to));
        // Images are keyed by content: the same version may have been built again.
        if from == to || (old.is_some() && old == new) {
            continue;
        }
        if let (Some(from), Some(to)) = (old, new)
            && let Some(rule) = forbidden(from, to)
        {
            let (from, to) = (from.to_string(), to.to_string());
            return Err(Problem::Version { from, to, rule });
        }
        let claims = claims_of(facts, live).into_iter().filter(has_data);
        steps.extend(claims.filter_map(|claim| snapshot(target, options, claim)));
    }
    Ok(steps)
}

/// Restate's rule against this change of version. Versions that cannot be read are not judged.
fn forbidden(from: &str, to: &str) -> Option<&'static str> {
    let ((old_major, old_minor), (major, minor)) = (parse(from)?, parse(to)?);
    if (major, minor) < (old_major, old_minor) {
        Some(NO_DOWNGRADE)
    } else if major != old_major || minor > old_minor + 1 {
        Some(ONE_MINOR)
    } else {
        None
    }
}

/// A claim that was never bound holds nothing, and a snapshot of it would never be ready.
fn has_data(claim: &&Value) -> bool {
    claim.pointer("/status/phase").and_then(Value::as_str) != Some("Pending")
}

fn snapshot(target: &Target, options: &Options, claim: &Value) -> Option<Step> {
    let (name, claim) = (ObjectRef::of(claim)?.name, uid(claim)?);
    let taken = SnapshotSpec {
        name: default_name(&name, options.now),
        claim: &name,
        uid: claim,
        class: &options.retain_class,
        purpose: Purpose::Upgrade,
        consistency: Consistency::Crash,
        keep: false,
    };
    Some(Step {
        checked: Checked::Locally,
        ..taken.step(target, Wait::SnapshotReady)
    })
}

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
    suspension::suspended_by(test_job(facts)?.live.as_ref()?)
}

/// Whether an operation of ours suspended the tests and did not come to resume them.
pub(super) fn left_suspended(facts: &Facts) -> bool {
    let live = test_job(facts).and_then(|test| test.live.as_ref());
    live.is_some_and(suspension::is_left)
}

/// The note on tests that a person suspended: it is not for a deployment to resume them.
pub(super) fn stays_suspended(target: &Target, by: &str) -> String {
    format!(
        "the tests are suspended by {by} and stay so; to resume them: kubectl -n {} patch cronjob {TEST} --type merge -p '{{\"spec\":{{\"suspend\":false}}}}'",
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
            "no test is waited for: they begin by the schedule `{schedule}`; to run one now: kubectl -n {} create job --from=cronjob/{TEST} {TEST}-now",
            target.environment
        )));
    }
    let object = ObjectRef::of(&observed.desired)?;
    Some(Ok(Step::watch(object, Wait::FirstSuccess)))
}

/// What it means not to wait for that.
pub(super) fn mixture() -> Loss {
    let what = "tests and invocations that are open meet two versions of the service: Restate pauses those that do not fit";
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

fn node_image(stateful_set: &Value) -> Option<&str> {
    let containers = stateful_set.pointer("/spec/template/spec/containers")?;
    let node = containers
        .as_array()?
        .iter()
        .find(|container| container.get("name").and_then(Value::as_str) == Some(NODE))?;
    node.get("image")?.as_str()
}

/// The version in an image's tag, `1.7.12-0123abcd` without the key of its content. `None` without tag.
fn version(image: &str) -> Option<&str> {
    let tagged = image.split_once('@').map_or(image, |(tagged, _)| tagged);
    let (_, tag) = tagged.rsplit_once(':')?;
    // `registry:5000/restate` has a port and no tag.
    let version = tag.split_once('-').map_or(tag, |(version, _)| version);
    (!tag.contains('/')).then_some(version)
}

/// Major and minor.
fn parse(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
