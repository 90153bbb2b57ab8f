//! The tests of the last hour at a glance: one cell a minute. A minute of which nothing is known is unknown,
//! whatever its neighbours are.

use alloc::{collections::BTreeMap, vec::Vec};

use jiff::Timestamp;
use serde::Serialize;

use super::{Entry, Outcome};
use crate::triage::minute;

/// How many minutes there are.
pub const MINUTES: i64 = 60;

/// What is known of the test of one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Cell {
    /// Nothing.
    Unknown,
    /// It is not over.
    Running,
    /// It verified at the first attempt.
    Verified,
    /// It verified at a later attempt.
    Again,
    /// An operation stopped the node under it.
    Interrupted,
    /// It failed.
    Failed,
}

impl Cell {
    /// What a result is.
    #[must_use]
    pub fn of(outcome: Outcome, attempts: u64) -> Self {
        match outcome {
            Outcome::Succeeded if attempts > 1 => Self::Again,
            Outcome::Succeeded => Self::Verified,
            Outcome::Failed => Self::Failed,
            Outcome::Interrupted => Self::Interrupted,
            Outcome::Unknown => Self::Unknown,
        }
    }

    /// As it is drawn.
    #[must_use]
    pub fn sign(self) -> char {
        match self {
            Self::Unknown => '?',
            Self::Running => '~',
            Self::Interrupted => 'i',
            Self::Verified => '.',
            Self::Again => '+',
            Self::Failed => 'X',
        }
    }
}

/// The minute of the first cell.
#[must_use]
pub fn start(now: Timestamp) -> Timestamp {
    Timestamp::from_second((index(now) - MINUTES) * 60).unwrap_or(Timestamp::MIN)
}

/// In which cell of an hour a moment is; one that is later than the last is beyond it, one that is earlier in none.
pub(super) fn cell(at: Timestamp, now: Timestamp) -> Option<usize> {
    usize::try_from(index(at) - index(start(now))).ok()
}

/// Minutes since the epoch.
fn index(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

/// The hour that ends with the last full minute, oldest first: results that were written down, and what is known of
/// Jobs that are still there. Of several things known of one minute the worst counts.
#[must_use]
pub fn strip<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    there: impl IntoIterator<Item = (Timestamp, Cell)>,
    now: Timestamp,
) -> Vec<Cell> {
    let mut known: BTreeMap<i64, Cell> = BTreeMap::new();
    let recorded = entries.into_iter().filter_map(|entry| {
        let minute = minute(&entry.job).ok()?;
        Some((minute, Cell::of(entry.outcome, entry.attempts)))
    });
    for (minute, cell) in recorded.chain(there) {
        let worst = known.entry(index(minute)).or_insert(cell);
        *worst = cell.max(*worst);
    }
    (index(start(now))..index(now))
        .map(|minute| known.get(&minute).copied().unwrap_or(Cell::Unknown))
        .collect()
}
