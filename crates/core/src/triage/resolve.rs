//! Deleting a failed test Job, which ends its alert: exactly that one, with its pods and their logs.

use alloc::{string::ToString, vec, vec::Vec};

use super::evidence::{Case, JobState};
use crate::{
    object::ObjectRef,
    plan::{Effect, Guard, Loss, Plan, Propagation, Step, Target},
    wait::Wait,
};

/// Why a Job is not resolved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotResolved {
    /// It is at work.
    #[error("{0} is not over yet, and nothing was changed: wait until it has failed or verified")]
    Running(alloc::string::String),
    /// It has verified.
    #[error(
        "{0} verified: it has no failure to resolve, and its CronJob deletes it in time; nothing was changed"
    )]
    Verified(alloc::string::String),
}

/// The plan that deletes one incarnation of a failed Job.
///
/// # Errors
/// When it has not failed.
pub fn resolve(target: &Target, case: &Case) -> Result<Plan, NotResolved> {
    let job = &case.job;
    match &job.state {
        JobState::Running => return Err(NotResolved::Running(job.name.clone())),
        JobState::Succeeded => return Err(NotResolved::Verified(job.name.clone())),
        JobState::Failed { .. } => {}
    }
    let uid = job.uid.clone();
    let object = ObjectRef::namespaced("batch/v1", "Job", &target.environment, &job.name);
    let step = Step::new(
        Effect::Delete {
            object,
            uid: uid.clone(),
            propagation: Propagation::Background,
        },
        Guard::Is { uid: uid.clone() },
        Wait::Gone { uid },
    )
    .why("an alert for failed Jobs ends when the Job is gone; its pods and their logs go with it");
    Ok(Plan {
        operation: "triage --resolve".to_string(),
        target: target.clone(),
        steps: vec![step],
        loses: vec![Loss::Evidence {
            job: job.name.clone(),
        }],
        notes: Vec::new(),
        generated: Vec::new(),
    })
}
