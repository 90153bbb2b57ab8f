//! The last hour as a strip, a sign a minute, with its faults on the same axis: of one environment, or of several
//! under each other, so that the same minute of twins is compared by eye.

use jiff::{SignedDuration, Timestamp};
use longrun_core::known::Known;
use longrun_core::{
    faults::ledger::Outcome,
    records::{Cell, MINUTES, start},
};
use longrun_kubernetes::{Fault, Hour};

const MEANING: [(Cell, &str); 6] = [
    (Cell::Verified, "verified"),
    (Cell::Again, "verified at a later attempt"),
    (Cell::Failed, "FAILED"),
    (Cell::Interrupted, "interrupted by an operation"),
    (Cell::Running, "running"),
    (Cell::Unknown, "unknown"),
];

/// How many cells there are from one time on the axis to the next.
const TICK: usize = 10;

/// Of one environment.
pub(super) fn alone(hour: &Hour) -> Vec<String> {
    let mut lines = drawn(
        hour,
        "the last hour, a minute each: ",
        "faults that began in them: ",
    );
    lines.push(counted(hour));
    lines.extend(details(hour));
    lines
}

/// Of several, each with its name, that were looked at as of one moment.
pub(super) fn together(all: &[(String, &Hour)], at: Timestamp) -> String {
    let longest = all.iter().map(|(name, _)| name.chars().count()).max();
    let width = longest.unwrap_or(0);
    let ticks = (0..MINUTES).step_by(TICK).map(|minute| {
        let time = start(at) + SignedDuration::from_mins(minute);
        format!("{:<TICK$}", time.strftime("%H:%M").to_string())
    });
    let ticks: String = ticks.collect();
    let mut lines = vec![
        "the last hour, a minute each, UTC, with the faults that began in them".to_owned(),
        format!("  {:width$}  {}", "", ticks.trim_end()),
    ];
    for (name, hour) in all {
        lines.extend(drawn(hour, &format!("  {name:<width$}  "), "faults  "));
    }
    for (name, hour) in all {
        lines.push(format!("  {name}: {}", counted(hour)));
        lines.extend(details(hour).iter().map(|line| format!("    {line}")));
    }
    lines.join("\n")
}

/// The strip behind its label, and below it the faults behind theirs, if there are any.
fn drawn(hour: &Hour, label: &str, faults: &str) -> Vec<String> {
    let strip: String = hour.cells.iter().map(|cell| cell.sign()).collect();
    let mut lines = vec![format!("{label}{strip}")];
    if let Known::Value(known) = &hour.faults
        && !known.is_empty()
    {
        let width = label.chars().count();
        lines.push(format!("{faults:>width$}{}", axis(known)));
    }
    lines
}

/// What the signs of the strip mean, and how many there are of each.
fn counted(hour: &Hour) -> String {
    let counted = MEANING.iter().filter_map(|(cell, meaning)| {
        let count = hour.cells.iter().filter(|other| *other == cell).count();
        (count > 0).then(|| format!("{} {count} {meaning}", cell.sign()))
    });
    let counted: Vec<String> = counted.collect();
    counted.join(", ")
}

/// Each fault, and why anything may be incomplete.
fn details(hour: &Hour) -> Vec<String> {
    let mut lines: Vec<String> = match &hour.faults {
        Known::Value(faults) => faults.iter().zip(letters()).map(injection).collect(),
        Known::Unknown(why) => vec![format!("its faults are unknown: {why}")],
    };
    if let Some(why) = &hour.missing {
        lines.push(format!("what the recorder has of it is unknown: {why}"));
    }
    lines
}

/// One letter a fault, below the minute in which it began; `*` where there are several.
fn axis(faults: &[Fault]) -> String {
    let last = faults.iter().map(|fault| fault.cell).max().unwrap_or(0);
    let mut signs = vec![' '; last + 1];
    for (fault, letter) in faults.iter().zip(letters()) {
        if let Some(sign) = signs.get_mut(fault.cell) {
            *sign = if *sign == ' ' { letter } else { '*' };
        }
    }
    signs.into_iter().collect()
}

fn letters() -> impl Iterator<Item = char> {
    ('a'..='z').cycle()
}

fn injection((fault, letter): (&Fault, char)) -> String {
    let entry = &fault.entry;
    let how = match (entry.outcome, entry.recovery()) {
        (Some(Outcome::Recovered), Some(recovery)) => {
            format!("recovered after {} s", recovery.as_secs())
        }
        (None, _) => "not ended".to_owned(),
        (Some(outcome), _) => outcome.words().to_owned(),
    };
    let began = entry.began.strftime("%H:%M:%SZ");
    format!("{letter} {began} {}: {how}", entry.fault)
}

#[cfg(test)]
mod tests {
    use longrun_core::faults::ledger::Entry;

    use super::*;

    fn hour(bad: usize, faults: &[usize]) -> Hour {
        let mut cells = vec![Cell::Verified; 60];
        cells[bad] = Cell::Failed;
        let began: Timestamp = "2026-01-05T10:20:07Z".parse().unwrap();
        let fault = |cell: &usize| Fault {
            cell: *cell,
            entry: Entry::begin("kill-restate", "schedule", Vec::new(), began),
        };
        Hour {
            cells,
            missing: None,
            faults: Known::Value(faults.iter().map(fault).collect()),
        }
    }

    #[test]
    fn the_same_minute_of_twins_is_in_one_column() {
        let (calm, mut twin) = (hour(12, &[]), hour(12, &[11, 11, 60]));
        twin.missing = Some("no answer".to_owned());
        let all = [
            ("dev/restate".to_owned(), &calm),
            ("dev/restate-chaos".to_owned(), &twin),
        ];
        let at = "2026-01-05T11:09:30Z".parse().unwrap();
        assert_eq!(
            together(&all, at),
            "\
the last hour, a minute each, UTC, with the faults that began in them
                     10:09     10:19     10:29     10:39     10:49     10:59
  dev/restate        ............X...............................................
  dev/restate-chaos  ............X...............................................
             faults             *                                                c
  dev/restate: . 59 verified, X 1 FAILED
  dev/restate-chaos: . 59 verified, X 1 FAILED
    a 10:20:07Z kill-restate: not ended
    b 10:20:07Z kill-restate: not ended
    c 10:20:07Z kill-restate: not ended
    what the recorder has of it is unknown: no answer"
        );
    }

    #[test]
    fn alone_the_strip_needs_no_name() {
        let mut hour = hour(0, &[2]);
        hour.cells.truncate(3);
        assert_eq!(
            alone(&hour),
            [
                "the last hour, a minute each: X..",
                "   faults that began in them:   a",
                ". 2 verified, X 1 FAILED",
                "a 10:20:07Z kill-restate: not ended",
            ]
        );
        hour.faults = Known::Unknown("no answer".to_owned());
        assert_eq!(
            alone(&hour)[1..],
            [
                ". 2 verified, X 1 FAILED",
                "its faults are unknown: no answer"
            ]
        );
    }
}
