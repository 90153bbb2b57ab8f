//! Faults on the axis of the strip: in the minute in which each began.

use alloc::vec::Vec;

use jiff::Timestamp;

use super::strip::cell;
use crate::faults::ledger::{Entry, Ledger};

/// The faults that began in the hour that [`strip`](super::strip) shows, oldest first, each with the index of its
/// minute. The minute of `now` is not full yet, and is one more.
#[must_use]
pub fn axis(ledger: &Ledger, now: Timestamp) -> Vec<(usize, Entry)> {
    ledger
        .entries()
        .filter_map(|(_, entry)| Some((cell(entry.began, now)?, entry.clone())))
        .collect()
}
