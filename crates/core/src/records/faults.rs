//! A copy of the ledger of faults, which itself remembers two days. Entries are copied as they are: what they mean
//! is for those who read them.

use alloc::{collections::BTreeMap, string::String};

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::Value;

/// The entries of a ledger, by their key: `20260105T100000Z-kill-restate`.
pub type Faults = BTreeMap<String, Value>;

/// What is kept of faults, with what a ledger says now. An entry is complete only when its fault is over, so the
/// later word of one counts; what the ledger has let go stays for so many days.
#[must_use]
pub fn copied(kept: &Faults, ledger: &Value, days: u32, now: Timestamp) -> Faults {
    let mut copied = kept.clone();
    let entries = ledger.get("data").and_then(Value::as_object);
    for (key, value) in entries.into_iter().flatten() {
        let text = value.as_str().unwrap_or_default();
        // What cannot be read is kept as it is, too.
        let entry = serde_json::from_str(text).unwrap_or_else(|_| value.clone());
        copied.insert(key.clone(), entry);
    }
    let kept = SignedDuration::from_hours(24 * i64::from(days));
    copied.retain(|key, _| began(key).is_none_or(|began| now.duration_since(began) <= kept));
    copied
}

fn began(key: &str) -> Option<Timestamp> {
    let (time, _) = key.split_once('-')?;
    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", time).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}
