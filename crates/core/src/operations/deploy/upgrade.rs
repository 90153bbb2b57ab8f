//! What a changed version needs around it: a snapshot before Restate reads its files with another
//! version, and no test across two versions of the service, which would mix in one journal.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use serde_json::{Value, json};

use super::{ENVIRONMENT_LABEL, Facts, OPERATIONS_MANAGER, Observed, Options, problem::Problem};
use crate::{
    object::{ObjectRef, uid},
    plan::{Checked, Effect, Guard, Step, Target},
    wait::Wait,
};

/// The container of the node within the StatefulSet's pod.
const NODE: &str = "restate";

/// The Job or CronJob that tests must not run while the service rolls.
const TEST: &str = "test";

/// Restate's rule on upgrades (docs: "Upgrading").
const ONE_MINOR: &str =
    "Restate supports upgrades to the next minor version only, one after the other";
const NO_DOWNGRADE: &str = "Restate does not read the files of a newer minor version; restore a snapshot from before the upgrade instead";

/// The snapshot steps that a changed Restate version needs first.
pub(super) fn snapshots(
    target: &Target,
    facts: &Facts,
    options: &Options,
) -> Result<Vec<Step>, Problem> {
    let changed = facts
        .objects
        .iter()
        .filter(|observed| observed.kind() == "StatefulSet")
        .find_map(|observed| {
            let (from, to) = (
                node_version(observed.live.as_ref()?)?,
                node_version(&observed.desired)?,
            );
            (from != to).then_some((from, to))
        });
    let Some((from, to)) = changed else {
        return Ok(Vec::new());
    };
    if let (Some(old), Some(new)) = (parse(&from), parse(&to)) {
        let refused = if new < old && (new.0, new.1) != (old.0, old.1) {
            Some(NO_DOWNGRADE)
        } else if new.0 != old.0 || new.1 > old.1 + 1 {
            Some(ONE_MINOR)
        } else {
            None
        };
        if let Some(rule) = refused {
            return Err(Problem::Version { from, to, rule });
        }
    }
    Ok(facts
        .claims
        .iter()
        .filter_map(|claim| snapshot(target, options, claim))
        .collect())
}

fn snapshot(target: &Target, options: &Options, claim: &Value) -> Option<Step> {
    let (name, claim) = (ObjectRef::of(claim)?.name, uid(claim)?);
    let object = json!({
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {
            "name": format!("{name}-{}", options.now.strftime("%Y%m%d-%H%M%S")),
            "namespace": target.environment,
            "labels": {
                "app.kubernetes.io/managed-by": "longrun",
                ENVIRONMENT_LABEL: target.environment,
                "longrun/purpose": "upgrade",
                "longrun/source-claim-uid": claim.to_string(),
            },
        },
        "spec": {
            "volumeSnapshotClassName": options.retain_class,
            "source": {"persistentVolumeClaimName": name},
        },
    });
    Some(Step {
        act: Effect::Snapshot { object, claim },
        guard: Guard::Absent,
        until: Wait::SnapshotReady,
        undo: None,
        changes: Vec::new(),
        checked: Checked::Locally,
    })
}

/// Before the service rolls: no new tests, and none running. Nothing when no tests have ever run.
pub(super) fn drain(facts: &Facts) -> Vec<Step> {
    let Some((object, uid)) = tests(facts) else {
        return Vec::new();
    };
    let suspend = Step {
        act: Effect::Suspend {
            object: object.clone(),
            suspend: true,
        },
        guard: Guard::Is { uid },
        until: Wait::None,
        undo: Some(Effect::Suspend {
            object: object.clone(),
            suspend: false,
        }),
        changes: Vec::new(),
        checked: Checked::Nothing,
    };
    vec![suspend, watch(object, Wait::Drained)]
}

/// After the service has been registered again.
pub(super) fn resume(facts: &Facts) -> Option<Step> {
    let (object, uid) = tests(facts)?;
    Some(Step {
        act: Effect::Suspend {
            object,
            suspend: false,
        },
        guard: Guard::Is { uid },
        until: Wait::None,
        undo: None,
        changes: Vec::new(),
        checked: Checked::Nothing,
    })
}

/// Who suspended the tests, if they are suspended.
pub(super) fn suspended_by(facts: &Facts) -> Option<String> {
    let live = test_job(facts)?.live.as_ref()?;
    if live.pointer("/spec/suspend").and_then(Value::as_bool) != Some(true) {
        return None;
    }
    let owner = live
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|entry| entry.pointer("/fieldsV1/f:spec/f:suspend").is_some())
        .and_then(|entry| entry.get("manager")?.as_str());
    Some(owner.unwrap_or("somebody").to_string())
}

/// Whether an operation of ours suspended the tests and did not come to resume them.
pub(super) fn left_suspended(facts: &Facts) -> bool {
    suspended_by(facts).as_deref() == Some(OPERATIONS_MANAGER)
}

/// The note on tests that a person suspended: it is not for a deployment to resume them.
pub(super) fn stays_suspended(target: &Target, by: &str) -> String {
    format!(
        "the tests are suspended by {by} and stay so; to resume them: kubectl -n {} patch cronjob {TEST} --type merge -p '{{\"spec\":{{\"suspend\":false}}}}'",
        target.environment
    )
}

pub(super) fn watch(object: ObjectRef, until: Wait) -> Step {
    Step {
        act: Effect::Watch { object },
        guard: Guard::None,
        until,
        undo: None,
        changes: Vec::new(),
        checked: Checked::Nothing,
    }
}

fn test_job(facts: &Facts) -> Option<&Observed> {
    facts
        .objects
        .iter()
        .find(|observed| observed.kind() == "CronJob" && observed.name() == TEST)
}

fn tests(facts: &Facts) -> Option<(ObjectRef, crate::object::Uid)> {
    let live = test_job(facts)?.live.as_ref()?;
    Some((ObjectRef::of(live)?, uid(live)?))
}

fn node_version(stateful_set: &Value) -> Option<String> {
    let containers = stateful_set
        .pointer("/spec/template/spec/containers")?
        .as_array()?;
    let node = containers
        .iter()
        .find(|container| container.get("name").and_then(Value::as_str) == Some(NODE))?;
    let image = node.get("image")?.as_str()?;
    let tagged = image.split_once('@').map_or(image, |(tagged, _)| tagged);
    let (_, tag) = tagged.rsplit_once(':')?;
    // Images are keyed by content: `1.7.12-0123abcd`.
    Some(
        tag.split_once('-')
            .map_or(tag, |(version, _)| version)
            .to_string(),
    )
}

fn parse(version: &str) -> Option<(u64, u64, u64)> {
    let mut parts = version
        .trim_start_matches('v')
        .splitn(3, '.')
        .map(str::parse);
    Some((
        parts.next()?.ok()?,
        parts.next()?.ok()?,
        parts.next()?.ok()?,
    ))
}
