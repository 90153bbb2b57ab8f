//! Evidence of one Job that was gathered twice: pods and Events go meanwhile, and what is found later may know
//! less.

use alloc::vec::Vec;

use crate::triage::{Asked, Attempt, Event, Evidence, JobState};

/// The later evidence, with what only the earlier one knows. Of another incarnation nothing is taken.
#[must_use]
pub fn merge(earlier: Evidence, later: Evidence) -> Evidence {
    if earlier.case.job.uid != later.case.job.uid {
        return later;
    }
    let is_over = |evidence: &Evidence| evidence.case.job.state != JobState::Running;
    // What the node said at the end of the Job says more than what it says hours later.
    let node = if is_over(&earlier) { &earlier } else { &later };
    let other = if is_over(&earlier) { &later } else { &earlier };
    let invocations = known(&node.invocations, &other.invocations);
    let counters = known(&node.counters, &other.counters);
    let mut merged = later;
    merged.invocations = invocations;
    merged.counters = counters;
    merged.case.attempts = attempts(earlier.case.attempts, merged.case.attempts);
    merged.events = events(earlier.events, merged.events);
    merged.pods = known(&merged.pods, &earlier.pods);
    merged.faults = known(&merged.faults, &earlier.faults);
    merged
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
            Some(other) if other.log.known().is_none() => other.log = attempt.log,
            Some(_) => {}
        }
    }
    Asked::Known(merged)
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
