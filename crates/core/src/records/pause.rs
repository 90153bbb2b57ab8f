//! The pause of the faults that a failure asks for.

use alloc::{format, string::ToString};

use jiff::{SignedDuration, Timestamp};

use super::Entry;
use crate::{faults::Pause, names::RECORDER};

/// How long chaos is to be paused after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted(pub SignedDuration);

/// The pause that a failure asks for; `None` when the present one lasts as long, or the failure is an old one. A
/// pause that is there is never shortened.
#[must_use]
pub fn pause(
    wanted: Wanted,
    failure: &Entry,
    present: Option<&Pause>,
    now: Timestamp,
) -> Option<Pause> {
    let until = now.checked_add(wanted.0).ok()?;
    let covered = present.is_some_and(|present| present.until >= until);
    (failure.is_fresh(now) && !covered).then(|| Pause {
        until,
        since: now,
        reason: format!(
            "{} failed, and what it met is to stay as it is",
            failure.job
        ),
        by: RECORDER.to_string(),
    })
}
