//! The last hour: its tests, by what the recorder has written down and the Jobs that are still there, and its
//! faults, by their ledger.

use jiff::{SignedDuration, Timestamp};
use longrun_core::{
    faults::ledger::{self, Ledger},
    records::{Cell, Entry, MINUTES, Outcome, axis, read, strip},
};
use serde::Serialize;
use serde_json::Value;

use super::{Attempted, Known, TestJob, reading};
use crate::{
    client::Client,
    failure::Failure,
    records::{fault_ledger, recorded},
};

/// The tests and the faults of the last hour.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hour {
    /// One cell a minute, the oldest first. What nobody knows is unknown.
    pub cells: Vec<Cell>,
    /// Why the recorder's results are not among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// The faults that began in it, oldest first.
    pub faults: Known<Vec<Fault>>,
}

/// A fault on the axis of the cells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// The cell of the minute in which it began; one more than there are for a minute that is not over.
    pub cell: usize,
    /// What the ledger says of it.
    #[serde(flatten)]
    pub entry: ledger::Entry,
}

pub(super) async fn hour(
    client: &Client,
    environment: &str,
    tests: &[TestJob],
    now: Timestamp,
) -> Hour {
    let (results, ledger) = tokio::join!(
        results(client, environment, now),
        fault_ledger(client, environment),
    );
    let (entries, missing) = match results {
        Ok(entries) => (entries, None),
        Err(failure) => (Vec::new(), Some(failure.words())),
    };
    let there = tests
        .iter()
        .filter_map(|test| Some((test.minute?, cell(test))));
    Hour {
        cells: strip(&entries, there, now),
        missing,
        faults: reading(ledger.map(|live| faults(live.as_ref(), now))),
    }
}

fn faults(live: Option<&Value>, now: Timestamp) -> Vec<Fault> {
    let placed = axis(&Ledger::read(live), now).into_iter();
    placed.map(|(cell, entry)| Fault { cell, entry }).collect()
}

/// Those of Jobs that were made since shortly before the hour.
async fn results(
    client: &Client,
    environment: &str,
    now: Timestamp,
) -> Result<Vec<Entry>, Failure> {
    let hour = SignedDuration::from_mins(MINUTES + 1);
    let since = now.checked_sub(hour).unwrap_or(Timestamp::MIN);
    let question = format!("results?since={}", since.strftime("%Y-%m-%dT%H:%M:%SZ"));
    let lines = recorded(client, environment, &question).await?;
    let lines = read(lines.unwrap_or_default().as_bytes());
    Ok(lines.entries.into_values().collect())
}

fn cell(test: &TestJob) -> Cell {
    match &test.result {
        Attempted::Running => Cell::Running,
        Attempted::Succeeded => Cell::of(Outcome::Succeeded, test.attempts),
        Attempted::Failed(_) => Cell::Failed,
        Attempted::Interrupted(_) => Cell::Interrupted,
    }
}
