//! Whether the attempts of a test converge. That first attempts fail is normal: what was called in the
//! background still runs. What matters is where they lead.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{cmp::Ordering, fmt};

use serde::Serialize;

use super::{
    attempt::{Heard, Off, Said, hear},
    evidence::Case,
};

/// Where the attempts lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// The last attempt found every counter right.
    Verified,
    /// The last attempt came closer than any before it: it may need more time than it was given.
    Converging,
    /// The last attempt found what the best one before it had found: nothing moves any more.
    Stuck,
    /// The last attempt found more wrong than one before it.
    Worse,
    /// Restate never took the program.
    NeverRan,
    /// It ran, and no attempt got an answer about its counters.
    Unanswered,
    /// One attempt only says something about counters.
    Once,
    /// An operation stopped the node under it: it says nothing about Restate.
    Interrupted,
    /// Nothing that it wrote is left.
    Unknown,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verified => "verified",
            Self::Converging => "converging",
            Self::Stuck => "stuck",
            Self::Worse => "worse",
            Self::NeverRan => "never ran",
            Self::Unanswered => "unanswered",
            Self::Once => "one result only",
            Self::Interrupted => "interrupted",
            Self::Unknown => "unknown",
        })
    }
}

/// Where the attempts of a case lead, and why that is said.
#[must_use]
pub fn judge(case: &Case) -> (Verdict, String) {
    if let Some(operation) = &case.job.interrupted {
        let why = format!("a {operation} stopped the node under it, which is no failure");
        return (Verdict::Interrupted, why);
    }
    let heard = hear(case);
    if heard.last().is_some_and(|last| last.said == Said::Verified) {
        return (
            Verdict::Verified,
            "the last attempt found every counter right".to_string(),
        );
    }
    let numbers: Vec<&Off> = heard
        .iter()
        .filter_map(|heard| match &heard.said {
            Said::Wrong(off) => Some(off),
            _ => None,
        })
        .collect();
    match numbers.split_last() {
        None => without_numbers(case, &heard),
        Some((only, [])) => (
            Verdict::Once,
            format!("{}; that is not enough to see where it leads", told(only)),
        ),
        Some((last, before)) => compared(last, before),
    }
}

fn without_numbers(case: &Case, heard: &[Heard]) -> (Verdict, String) {
    let lost = |heard: &&Heard| matches!(heard.said, Said::Unknown { .. });
    let unknown = heard.iter().filter(lost).count();
    let gone = case.job.pods > heard.len() as u64 || case.attempts.known().is_none();
    if let Some(heard) = heard.iter().rev().find(|heard| heard.executed) {
        let why = match &heard.said {
            Said::Failed { code, message, .. } => format!("{code}: {message}"),
            Said::Silent { why } => format!("the pod ended without a result: {why}"),
            _ => "it has not come to a result".to_string(),
        };
        return (
            Verdict::Unanswered,
            format!("it ran, and what it did is not known: {why}"),
        );
    }
    if gone || unknown > 0 {
        return (
            Verdict::Unknown,
            "nothing that is left says how it went".to_string(),
        );
    }
    let why = match heard.last().map(|heard| &heard.said) {
        None => "it has no pods".to_string(),
        Some(Said::Failed { code, message, .. }) => {
            format!("Restate did not take it: {code}: {message}")
        }
        Some(Said::NotStarted { why }) => format!("no container started: {why}"),
        Some(Said::Silent { why }) => format!("the pods ended without a result: {why}"),
        Some(_) => "it has not come to a result".to_string(),
    };
    (Verdict::NeverRan, why)
}

/// The last against the best of those before it, so that a detour does not count.
fn compared(last: &Off, before: &[&Off]) -> (Verdict, String) {
    let best = before
        .iter()
        .copied()
        .min_by(|one, other| one.against(other));
    let path: Vec<String> = before.iter().copied().chain([last]).map(distance).collect();
    let path = path.join(" → ");
    let patience = if last.exceeds() {
        ""
    } else {
        ": it may need more time"
    };
    let never = if last.exceeds() {
        "; a counter is higher than it may be, which no waiting cures"
    } else {
        ""
    };
    match best.map_or(Ordering::Equal, |best| last.against(best)) {
        Ordering::Less => (
            Verdict::Converging,
            format!("the last attempt came closer than those before ({path}){patience}{never}"),
        ),
        Ordering::Equal => (
            Verdict::Stuck,
            format!("the last attempt came no closer than those before ({path}){never}"),
        ),
        Ordering::Greater => (
            Verdict::Worse,
            format!("the last attempt found more wrong than one before ({path}){never}"),
        ),
    }
}

/// `off by 7`; where only the first is known, `target 117 first`.
fn distance(off: &Off) -> String {
    match (off.complete, off.counters.first()) {
        (false, Some(first)) => format!("target {} first", first.target),
        _ => format!("off by {}", off.distance()),
    }
}

/// `3 counters off by 7`
pub(super) fn told(off: &Off) -> String {
    match (off.complete, &off.counters[..]) {
        (_, [one]) if off.complete => format!(
            "target {} is {} and not {}",
            one.target, one.actual, one.expected
        ),
        (false, [one, ..]) => format!(
            "target {} is {} and not {}, others are not known",
            one.target, one.actual, one.expected
        ),
        (_, counters) => format!("{} counters are off by {}", counters.len(), off.distance()),
    }
}
