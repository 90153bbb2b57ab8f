//! What is remembered of the last look before a step begins.

use alloc::{string::String, vec::Vec};

use crate::{
    object::Uid,
    plan::Step,
    wait::{Observation, Wait},
};

/// The Jobs that a success does not count of.
pub(super) fn known(step: &Step, observation: &Observation) -> Vec<Uid> {
    if step.until == Wait::FirstSuccess {
        let jobs = observation.jobs.iter();
        jobs.map(|job| job.metadata.uid.clone()).collect()
    } else {
        Vec::new()
    }
}

/// From here on no other pod may have what is read, or what is deleted.
pub(super) fn pods_version(step: &Step, observation: &Observation) -> Option<String> {
    let version = observation.pods_version.clone();
    version.filter(|_| step.needs_pod_history())
}
