//! Results as lines of JSON, one file a day. A line that was cut off when its writer was killed is no line.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use super::Entry;
use crate::object::Uid;

const SUFFIX: &str = ".jsonl";

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// The results; of several lines about one Job the last.
    pub entries: BTreeMap<Uid, Entry>,
    /// How many bytes are whole lines. What comes after them is to be cut off before anything is added.
    pub whole: usize,
    /// The numbers of whole lines that are no results, from 1: they are left where they are.
    pub strange: Vec<usize>,
}

/// The file of the day on which a Job was made: `2026-01-05.jsonl`.
#[must_use]
pub fn file(created: Timestamp) -> String {
    format!("{}{SUFFIX}", created.strftime("%Y-%m-%d"))
}

/// A result as its line, with the line break.
#[must_use]
pub fn line(entry: &Entry) -> String {
    // Every value of it has a JSON form, and none has a line break in it.
    serde_json::to_string(entry).unwrap_or_default() + "\n"
}

/// Reads a file.
#[must_use]
pub fn read(bytes: &[u8]) -> Lines {
    let whole = bytes.iter().rposition(|byte| *byte == b'\n');
    let whole = whole.map_or(0, |last| last + 1);
    let mut lines = Lines {
        whole,
        ..Lines::default()
    };
    let written = bytes[..whole].split(|byte| *byte == b'\n');
    for (number, line) in (1..).zip(written).filter(|(_, line)| !line.is_empty()) {
        match serde_json::from_slice::<Entry>(line) {
            Ok(entry) => {
                lines.entries.insert(entry.uid.clone(), entry);
            }
            Err(_) => lines.strange.push(number),
        }
    }
    lines
}

/// Whether every result in a file is older than so many days. A file of another name is nobody's to delete.
#[must_use]
pub fn is_over(file: &str, days: u32, now: Timestamp) -> bool {
    let day = file.strip_suffix(SUFFIX);
    let Some(Ok(day)) = day.map(str::parse::<Date>) else {
        return false;
    };
    // Its day has to be over, and then the days that are kept.
    let kept = SignedDuration::from_hours(24 * (i64::from(days) + 1));
    day.to_zoned(TimeZone::UTC)
        .is_ok_and(|began| now.duration_since(began.timestamp()) > kept)
}
