//! Suspending CronJobs and resuming them. What a person suspended is not for an operation to resume.

use alloc::string::{String, ToString};

use serde_json::Value;

use crate::{
    names::OPERATIONS_MANAGER,
    object::{ObjectRef, Uid},
    plan::{Effect, Guard, Step},
    wait::Wait,
};

/// Suspends it, if nobody has done so since it was seen as `live`; taken back by resuming it.
pub(super) fn suspend(object: ObjectRef, uid: Uid, live: &Value) -> Step {
    let undo = Effect::Suspend {
        object: object.clone(),
        suspend: false,
    };
    let act = Effect::Suspend {
        object,
        suspend: true,
    };
    Step::new(act, Guard::unchanged(uid, live), Wait::None).undo(undo)
}

/// Resumes it.
pub(super) fn resume(object: ObjectRef, uid: Uid) -> Step {
    let act = Effect::Suspend {
        object,
        suspend: false,
    };
    Step::new(act, Guard::Is { uid }, Wait::None)
}

/// Who suspended it, if it is suspended. Needs the managed fields.
pub(super) fn suspended_by(cron_job: &Value) -> Option<String> {
    if cron_job.pointer("/spec/suspend").and_then(Value::as_bool) != Some(true) {
        return None;
    }
    let mut owners = cron_job
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|entry| entry.pointer("/fieldsV1/f:spec/f:suspend").is_some())
        .filter_map(|entry| entry.get("manager")?.as_str());
    // Where a person owns the field as well, it is the person's word that counts.
    let first = owners.next().unwrap_or("somebody");
    let person = core::iter::once(first)
        .chain(owners)
        .find(|owner| *owner != OPERATIONS_MANAGER);
    Some(person.unwrap_or(first).to_string())
}

/// Whether an operation of ours suspended it and did not come to resume it.
pub(crate) fn is_left(cron_job: &Value) -> bool {
    suspended_by(cron_job).as_deref() == Some(OPERATIONS_MANAGER)
}
