//! Suspending CronJobs and resuming them. What a person suspended is not for an operation to resume.

use serde_json::Value;

use crate::{
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
