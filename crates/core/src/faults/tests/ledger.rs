//! The record of what was done.

use super::*;
use crate::faults::ledger::Outcome;

#[test]
fn a_ledger_is_read_as_it_was_written() {
    let mut ledger = Ledger::default();
    let name = ledger.begin(Entry::begin(
        "kill-restate",
        "schedule",
        vec!["Pod restate-0 (n)".into()],
        at(0),
    ));
    assert_eq!(name, "20260105T100000Z-kill-restate");
    let mut object = ledger.manifest("restate-chaos");
    assert_snapshot!(object["data"][&name].as_str().unwrap(), @r#"{"fault":"kill-restate","by":"schedule","targets":["Pod restate-0 (n)"],"began":"2026-01-05T10:00:00Z","injected":null,"healed":null,"recovered":null,"outcome":null,"note":null}"#);
    assert_eq!(Ledger::read(Some(&object)), ledger);
    object["data"]["later"] = json!("{\"of\": \"another version\"}");
    let read = Ledger::read(Some(&object));
    assert_eq!(
        read.manifest("restate-chaos")["data"]["later"],
        object["data"]["later"]
    );
    assert_eq!(read.open().count(), 1);
}

#[test]
fn old_entries_go_and_open_ones_stay() {
    let mut ledger = Ledger::default();
    let hours = |hours: i64| at(hours * 3600);
    for hour in -60..0 {
        let name = ledger.begin(Entry::begin(
            "kill-restate",
            "schedule",
            vec![],
            hours(hour),
        ));
        if hour != -60 {
            ledger.entry(&name).unwrap().outcome = Some(Outcome::Recovered);
        }
    }
    ledger.begin(Entry::begin("kill-services", "schedule", vec![], hours(0)));
    let began: Vec<Timestamp> = ledger.entries().map(|(_, entry)| entry.began).collect();
    assert_eq!(began[0], hours(-60), "it has not ended");
    assert_eq!(began[1], hours(-47));
    assert_eq!(began.len(), 1 + 47 + 1);
}

#[test]
fn there_are_never_more_than_five_hundred() {
    let mut ledger = Ledger::default();
    for second in 0..700 {
        let name = ledger.begin(Entry::begin("kill-restate", "schedule", vec![], at(second)));
        ledger.entry(&name).unwrap().outcome = Some(Outcome::Recovered);
    }
    assert_eq!(ledger.entries().count(), 500);
    assert_eq!(ledger.entries().next_back().unwrap().1.began, at(699));
}
