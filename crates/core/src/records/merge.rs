//! Evidence of one Job that was gathered twice: pods and Events go meanwhile, and what is found later may know
//! less.

use alloc::{string::String, vec::Vec};

use crate::triage::{Asked, Attempt, Case, Event, Evidence, Fault, JobState, Pod, Window, window};

/// The later evidence, with what only the earlier one knows. Of another incarnation nothing is taken.
#[must_use]
pub fn merge(earlier: Evidence, later: Evidence) -> Evidence {
    if earlier.case.job.uid != later.case.job.uid {
        return later;
    }
    let was_over = earlier.case.job.state != JobState::Running;
    // What the node said at the end of the Job says more than what it says hours later.
    let (node, other) = if was_over {
        (&earlier, &later)
    } else {
        (&later, &earlier)
    };
    let invocations = known(&node.invocations, &other.invocations);
    let counters = known(&node.counters, &other.counters);
    let mut merged = later;
    merged.invocations = invocations;
    merged.counters = counters;
    merged.case.attempts = attempts(earlier.case.attempts, merged.case.attempts);
    merged.events = events(earlier.events, merged.events);
    merged.pods = if was_over {
        pods(
            earlier.pods,
            merged.pods,
            window(&merged.case.job, merged.at),
        )
    } else {
        known(&merged.pods, &earlier.pods)
    };
    merged.faults = merge_faults(earlier.faults, merged.faults);
    merged
}

/// Pods are replaced, and those of today say nothing of then; but those that were made while the test or its last
/// minute lasted do.
fn pods(earlier: Asked<Vec<Pod>>, later: Asked<Vec<Pod>>, window: Window) -> Asked<Vec<Pod>> {
    match (earlier, later) {
        (Asked::Known(mut pods), Asked::Known(later)) => {
            for pod in later {
                let is_it = |other: &Pod| (&other.name, other.created) == (&pod.name, pod.created);
                if pod.created <= window.to && !pods.iter().any(is_it) {
                    pods.push(pod);
                }
            }
            Asked::Known(pods)
        }
        (earlier, later) => known(&earlier, &later),
    }
}

/// A Job with its attempts, as it was seen twice.
#[must_use]
pub fn merge_case(earlier: Case, later: Case) -> Case {
    Case {
        attempts: attempts(earlier.attempts, later.attempts),
        ..later
    }
}

/// What should be known of evidence and is not, for a reason that may pass: the pods, or a log.
#[must_use]
pub fn missing(evidence: &Evidence) -> Option<&str> {
    let attempts = match &evidence.case.attempts {
        Asked::Unknown(why) => return Some(why),
        Asked::Known(attempts) => attempts,
    };
    attempts
        .iter()
        .filter(|attempt| attempt.started.is_some())
        .find_map(|attempt| match &attempt.log {
            Asked::Unknown(why) => Some(why.as_str()),
            Asked::Known(_) => None,
        })
}

fn known<T: Clone>(first: &Asked<T>, second: &Asked<T>) -> Asked<T> {
    match (first, second) {
        (Asked::Unknown(_), Asked::Known(_)) => second.clone(),
        _ => first.clone(),
    }
}

fn attempts(earlier: Asked<Vec<Attempt>>, later: Asked<Vec<Attempt>>) -> Asked<Vec<Attempt>> {
    let (earlier, later) = match (earlier, later) {
        (Asked::Known(earlier), Asked::Known(later)) => (earlier, later),
        (earlier, later) => return known(&later, &earlier),
    };
    let mut merged = later;
    for attempt in earlier {
        match merged.iter_mut().find(|other| other.pod == attempt.pod) {
            None => merged.push(attempt),
            // A log only grows: what is shorter now was cut.
            Some(other) if length(&other.log) < length(&attempt.log) => other.log = attempt.log,
            Some(_) => {}
        }
    }
    Asked::Known(merged)
}

fn length(log: &Asked<Vec<String>>) -> Option<usize> {
    log.known().map(Vec::len)
}

/// A ledger forgets, and learns how a fault ended.
#[must_use]
pub fn merge_faults(
    earlier: Asked<Option<Vec<Fault>>>,
    later: Asked<Option<Vec<Fault>>>,
) -> Asked<Option<Vec<Fault>>> {
    match (earlier, later) {
        (Asked::Known(Some(earlier)), Asked::Known(Some(mut later))) => {
            for fault in earlier {
                let is_it =
                    |other: &Fault| (&other.name, other.began) == (&fault.name, fault.began);
                if !later.iter().any(is_it) {
                    later.push(fault);
                }
            }
            later.sort_by(|one, other| (one.began, &one.name).cmp(&(other.began, &other.name)));
            Asked::Known(Some(later))
        }
        (earlier @ Asked::Known(_), Asked::Unknown(_) | Asked::Known(None)) => earlier,
        (_, later) => later,
    }
}

fn events(earlier: Asked<Vec<Event>>, later: Asked<Vec<Event>>) -> Asked<Vec<Event>> {
    match (earlier, later) {
        (Asked::Known(earlier), Asked::Known(mut later)) => {
            later.extend(earlier);
            later.sort();
            later.dedup();
            Asked::Known(later)
        }
        (earlier, later) => known(&later, &earlier),
    }
}
