//! The ledger of faults, as far as a failed test asks it: which were at work in its time.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::known::Known;
use crate::{faults, names::LEDGER};

use super::{evidence::Fault, timeline::Window};

/// Older entries are let go. What was before says nothing, neither that there was a fault nor that there was none.
const KEPT: SignedDuration = SignedDuration::from_hours(48);

/// An entry. What it has besides is for others.
#[derive(Deserialize)]
struct Entry {
    fault: String,
    began: Timestamp,
    injected: Option<Timestamp>,
    healed: Option<Timestamp>,
    recovered: Option<Timestamp>,
    outcome: Option<String>,
}

/// The faults of a ledger, the oldest first. One that was given up before it was injected is none; one of which
/// nobody knows whether it was injected counts from when that began.
///
/// # Errors
/// An entry that cannot be read: what it would have said is not known.
pub fn faults(ledger: &Value) -> Result<Vec<Fault>, String> {
    let entries = ledger.get("data").and_then(Value::as_object);
    let mut found = Vec::new();
    for (key, value) in entries.into_iter().flatten() {
        let text = value.as_str().unwrap_or_default();
        let entry: Entry = serde_json::from_str(text).map_err(|error| {
            format!("entry {key} of ConfigMap {LEDGER} cannot be read: {error}")
        })?;
        if entry.outcome.as_deref() == Some("notInjected") {
            continue;
        }
        // What does not stay is written as taken back when it was done, which says nothing.
        let holds = faults::find(&entry.fault).is_ok_and(faults::Fault::holds);
        let fault = Fault {
            name: entry.fault,
            began: entry.injected.unwrap_or(entry.began),
            taken_back: entry.healed.filter(|_| holds),
            healed: entry.recovered,
        };
        found.push((fault, entry.outcome.is_some()));
    }
    found.sort_by(|(one, _), (other, _)| (one.began, &one.name).cmp(&(other.began, &other.name)));
    // One is let in only where everything is healthy.
    let begins: Vec<Timestamp> = found.iter().map(|(fault, _)| fault.began).collect();
    for (fault, _) in found.iter_mut().filter(|(_, has_ended)| *has_ended) {
        let next = begins.iter().find(|begin| **begin > fault.began);
        fault.healed = fault.healed.or(next.copied());
    }
    Ok(found.into_iter().map(|(fault, _)| fault).collect())
}

impl Fault {
    /// Whether it was at work in a time. One whose target was never seen to be healthy again may still be.
    #[must_use]
    pub fn is_in(&self, window: Window) -> bool {
        self.began <= window.to && self.healed.is_none_or(|healed| healed >= window.from)
    }
}

/// What a ledger that was read at a time says of another time, in words. Without a ledger none was ever recorded,
/// which is less than that there was none.
#[must_use]
pub fn faults_in(
    faults: &Known<Option<Vec<Fault>>>,
    window: Window,
    read: Timestamp,
) -> Known<String> {
    let faults = match faults {
        Known::Unknown(why) => return Known::Unknown(why.clone()),
        Known::Value(None) => {
            let none = "none was ever recorded here: there is no ledger";
            return Known::Value(none.to_string());
        }
        Known::Value(Some(faults)) => faults,
    };
    let kept = read.checked_sub(KEPT).unwrap_or(read);
    let known: Vec<String> = faults
        .iter()
        .filter(|fault| fault.is_in(window))
        .map(|fault| in_words(fault, window))
        .collect();
    match (known.is_empty(), window.from < kept) {
        (true, true) => {
            Known::Unknown("the ledger keeps two days, and this was before".to_string())
        }
        (true, false) => Known::Value("none in this time, by the ledger".to_string()),
        (false, _) => Known::Value(known.join(", ")),
    }
}

/// `kill-restate (16:40:10 to 16:40:40)`
fn in_words(fault: &Fault, window: Window) -> String {
    let clock = |at| window.clock(at);
    let (name, began) = (&fault.name, clock(fault.began));
    match (fault.healed, fault.taken_back) {
        (Some(healed), _) => format!("{name} ({began} to {})", clock(healed)),
        (None, Some(back)) => format!(
            "{name} (from {began}, taken back at {}, not seen to be over)",
            clock(back)
        ),
        (None, None) => format!("{name} (from {began}, not seen to be over)"),
    }
}
