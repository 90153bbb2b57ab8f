//! Evidence of one Job that was gathered twice: pods and Events go meanwhile, and what is found later may know
//! less.

use alloc::{string::String, vec::Vec};

use crate::known::Known;
use crate::triage::{Attempt, Case, Event, Evidence, Fault, JobState, Pod, Window, window};

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
fn pods(earlier: Known<Vec<Pod>>, later: Known<Vec<Pod>>, window: Window) -> Known<Vec<Pod>> {
    match (earlier, later) {
        (Known::Value(mut pods), Known::Value(later)) => {
            for pod in later {
                let is_it = |other: &Pod| (&other.name, other.created) == (&pod.name, pod.created);
                if pod.created <= window.to && !pods.iter().any(is_it) {
                    pods.push(pod);
                }
            }
            Known::Value(pods)
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
        Known::Unknown(why) => return Some(why),
        Known::Value(attempts) => attempts,
    };
    attempts
        .iter()
        .filter(|attempt| attempt.started.is_some())
        .find_map(|attempt| match &attempt.log {
            Known::Unknown(why) => Some(why.as_str()),
            Known::Value(_) => None,
        })
}

fn known<T: Clone>(first: &Known<T>, second: &Known<T>) -> Known<T> {
    match (first, second) {
        (Known::Unknown(_), Known::Value(_)) => second.clone(),
        _ => first.clone(),
    }
}

fn attempts(earlier: Known<Vec<Attempt>>, later: Known<Vec<Attempt>>) -> Known<Vec<Attempt>> {
    let (earlier, later) = match (earlier, later) {
        (Known::Value(earlier), Known::Value(later)) => (earlier, later),
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
    Known::Value(merged)
}

fn length(log: &Known<Vec<String>>) -> Option<usize> {
    log.known().map(Vec::len)
}

/// A ledger forgets, and learns how a fault ended.
#[must_use]
pub fn merge_faults(
    earlier: Known<Option<Vec<Fault>>>,
    later: Known<Option<Vec<Fault>>>,
) -> Known<Option<Vec<Fault>>> {
    match (earlier, later) {
        (Known::Value(Some(earlier)), Known::Value(Some(mut later))) => {
            for fault in earlier {
                let is_it =
                    |other: &Fault| (&other.name, other.began) == (&fault.name, fault.began);
                if !later.iter().any(is_it) {
                    later.push(fault);
                }
            }
            later.sort_by(|one, other| (one.began, &one.name).cmp(&(other.began, &other.name)));
            Known::Value(Some(later))
        }
        (earlier @ Known::Value(_), Known::Unknown(_) | Known::Value(None)) => earlier,
        (_, later) => later,
    }
}

fn events(earlier: Known<Vec<Event>>, later: Known<Vec<Event>>) -> Known<Vec<Event>> {
    match (earlier, later) {
        (Known::Value(earlier), Known::Value(mut later)) => {
            later.extend(earlier);
            later.sort();
            later.dedup();
            Known::Value(later)
        }
        (earlier, later) => known(&later, &earlier),
    }
}
