//! What is remembered, what is let go, and what a failure sets off.

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    faults::ledger::{Entry as Fault, Ledger},
    known::Known,
    object::Uid,
    triage::{Attempt, Case, Job, JobState},
};

mod evidence;
mod limits;
mod room;

fn at(text: &str) -> Timestamp {
    format!("2026-01-05T{text}Z").parse().unwrap()
}

/// The Job of a minute of 2026-01-05, with so many pods.
fn job(minute: &str, pods: u64, state: JobState) -> Job {
    let created = at(&format!("{minute}:00"));
    let name = format!("test-{}", created.as_second() / 60);
    Job {
        uid: Uid(format!("uid of {name}")),
        created,
        started: Some(created),
        ended: (state != JobState::Running).then(|| created + SignedDuration::from_secs(40)),
        failed: match state {
            JobState::Failed { .. } => pods,
            _ => pods.saturating_sub(1),
        },
        state,
        pods,
        program: Some(format!("v1-s30-all-{name}")),
        interrupted: None,
        name,
    }
}

fn failed() -> JobState {
    JobState::Failed {
        reason: "BackoffLimitExceeded".to_string(),
        message: "given up".to_string(),
    }
}

fn interrupted(mut job: Job) -> Job {
    job.interrupted = Some("wipe".to_string());
    job
}

fn entry(minute: &str, outcome: Outcome, attempts: u64) -> Entry {
    let state = match outcome {
        Outcome::Failed => failed(),
        _ => JobState::Succeeded,
    };
    Entry::of(&job(minute, attempts, state), outcome)
}

#[test]
fn what_became_of_a_job_is_what_its_controller_says_and_an_interruption_says_nothing() {
    for (job, outcome) in [
        (job("10:00", 1, JobState::Running), None),
        (interrupted(job("10:00", 1, JobState::Running)), None),
        (
            job("10:00", 1, JobState::Succeeded),
            Some(Outcome::Succeeded),
        ),
        (job("10:00", 7, failed()), Some(Outcome::Failed)),
        (
            interrupted(job("10:00", 7, failed())),
            Some(Outcome::Interrupted),
        ),
        (
            interrupted(job("10:00", 1, JobState::Succeeded)),
            Some(Outcome::Interrupted),
        ),
    ] {
        assert_eq!(Outcome::of(&job), outcome, "{job:?}");
    }
}

/// The form is read by later versions, and by people.
#[test]
fn a_result_is_one_line() {
    let mut entry = entry("10:00", Outcome::Failed, 7);
    entry.signature = Some("two\nlines".to_string());
    assert_eq!(
        line(&entry),
        concat!(
            r#"{"job":"test-29460120","uid":"uid of test-29460120","program":"v1-s30-all-test-29460120","#,
            r#""created":"2026-01-05T10:00:00Z","started":"2026-01-05T10:00:00Z","ended":"2026-01-05T10:00:40Z","#,
            r#""outcome":"failed","attempts":7,"signature":"two\nlines"}"#,
            "\n"
        )
    );
    assert_eq!(file(entry.created), "2026-01-05.jsonl");
}

#[test]
fn a_torn_line_is_no_line_and_does_not_hide_those_before_it() {
    let (one, two) = (
        entry("10:00", Outcome::Succeeded, 1),
        entry("10:01", Outcome::Failed, 7),
    );
    let whole = line(&one);
    let text = format!("{whole}{}", line(&two));
    for end in whole.len()..text.len() {
        let lines = read(&text.as_bytes()[..end]);
        assert_eq!(lines.whole, whole.len(), "{end}");
        let found: Vec<&Entry> = lines.entries.values().collect();
        assert_eq!(found, [&one], "{end}");
    }
    assert_eq!(read(text.as_bytes()).entries.len(), 2);
    assert_eq!(read(b"").whole, 0);
}

#[test]
fn a_line_that_is_no_result_is_named_and_stands_in_nobodys_way() {
    let text = format!(
        "{}\u{fffd}nonsense\n{}",
        line(&entry("10:00", Outcome::Succeeded, 1)),
        line(&entry("10:01", Outcome::Succeeded, 1))
    );
    let lines = read(text.as_bytes());
    assert_eq!(lines.strange, [2]);
    assert_eq!(lines.entries.len(), 2);
    assert_eq!(lines.whole, text.len());
}

#[test]
fn of_two_lines_about_one_job_the_later_counts() {
    let mut later = entry("10:00", Outcome::Failed, 7);
    let text = line(&later);
    later.snapshot = Some("failure-test-29460120".to_string());
    let lines = read((text + &line(&later)).as_bytes());
    let found: Vec<&Entry> = lines.entries.values().collect();
    assert_eq!(found, [&later]);
}

#[test]
fn a_day_is_kept_until_its_last_result_is_old_enough() {
    let last = "2026-01-05.jsonl";
    for (now, over) in [
        ("2026-01-05T23:59:59Z", false),
        ("2026-01-19T23:59:00Z", false),
        ("2026-01-20T00:00:00Z", false),
        ("2026-01-20T00:00:01Z", true),
    ] {
        assert_eq!(is_over(last, 14, now.parse().unwrap()), over, "{now}");
    }
    let late = "2030-01-01T00:00:00Z".parse().unwrap();
    for strange in ["", "notes.txt", "2026-13-01.jsonl", ".jsonl", "lock"] {
        assert!(!is_over(strange, 14, late), "{strange}");
    }
}

#[test]
fn each_job_is_written_down_once() {
    let mut known = JobTracker::default();
    let running = job("10:00", 1, JobState::Running);
    let done = job("10:00", 1, JobState::Succeeded);
    assert_eq!(known.look(&[running]), []);
    let recorded = Entry::of(&done, Outcome::Succeeded);
    // Until it is written, it is asked for again.
    for _ in 0..2 {
        let tasks = known.look(core::slice::from_ref(&done));
        assert_eq!(tasks, [Task::Record(recorded.clone())]);
    }
    known.recorded(&done.uid);
    assert_eq!(known.look(core::slice::from_ref(&done)), []);
    assert_eq!(known.look(&[]), []);

    let mut restarted = JobTracker::new([done.uid.clone()]);
    assert_eq!(restarted.look(&[done]), []);
}

/// Its logs cannot be read while the node is down, and so it is looked at again every few seconds.
#[test]
fn what_a_failure_sets_off_is_known_until_its_result_is_written_down() {
    let mut known = JobTracker::default();
    let failure = job("10:00", 7, failed());
    let snapshot = Some("failure-1".to_string());
    let again = [Task::Fail(failure.clone())];
    assert_eq!(known.look(core::slice::from_ref(&failure)), again);
    assert_eq!(known.set_off(&failure.uid), None);
    known.has_set_off(&failure.uid, SetOff { snapshot });
    for _ in 0..2 {
        assert_eq!(known.look(core::slice::from_ref(&failure)), again);
        let set_off = known.set_off(&failure.uid).unwrap();
        assert_eq!(set_off.snapshot.as_deref(), Some("failure-1"));
    }
    known.recorded(&failure.uid);
    assert_eq!(known.set_off(&failure.uid), None);
}

#[test]
fn the_logs_of_a_job_that_goes_on_are_gathered_after_each_attempt() {
    let mut known = JobTracker::default();
    let attempt = |pods| job("10:00", pods, JobState::Running);
    assert_eq!(known.look(&[attempt(1)]), [], "the first may yet verify");
    assert_eq!(known.look(&[attempt(2)]), [Task::Gather(attempt(2))]);
    known.gathered(&attempt(2));
    assert_eq!(known.look(&[attempt(2)]), []);
    assert_eq!(known.look(&[attempt(3)]), [Task::Gather(attempt(3))]);
    let over = job("10:00", 7, failed());
    assert_eq!(
        known.look(core::slice::from_ref(&over)),
        [Task::Fail(over.clone())]
    );
    assert_eq!(
        known.look(&[interrupted(attempt(3))]),
        [],
        "what was interrupted says nothing"
    );
}

#[test]
fn a_job_that_goes_before_its_end_is_seen_is_unknown_and_never_green() {
    let outcome = |last: Job| {
        let mut known = JobTracker::default();
        let _ = known.look(&[last]);
        match &known.look(&[])[..] {
            [Task::Record(entry)] => entry.outcome,
            other => panic!("{other:?}"),
        }
    };
    let running = job("10:00", 1, JobState::Running);
    assert_eq!(outcome(running.clone()), Outcome::Unknown);
    assert_eq!(outcome(interrupted(running)), Outcome::Interrupted);
    // It was seen, and could not be written down in time.
    assert_eq!(outcome(job("10:00", 7, failed())), Outcome::Failed);
}

#[test]
fn other_jobs_are_not_tests() {
    let mut discover = job("10:00", 1, JobState::Succeeded);
    discover.name = "discover".to_string();
    assert_eq!(JobTracker::default().look(&[discover]), []);
}

#[test]
fn an_hour_without_data_is_unknown() {
    let now = at("11:00:30");
    assert_eq!(
        strip([], [], now),
        vec![Cell::Unknown; usize::try_from(MINUTES).unwrap()]
    );
}

#[test]
fn each_minute_of_the_hour_is_one_cell() {
    let entries = [
        entry("09:59", Outcome::Failed, 7),
        entry("10:00", Outcome::Succeeded, 1),
        entry("10:01", Outcome::Succeeded, 3),
        entry("10:02", Outcome::Interrupted, 1),
        entry("10:03", Outcome::Unknown, 1),
        entry("10:05", Outcome::Failed, 7),
        entry("11:00", Outcome::Failed, 7),
    ];
    let there = [
        (at("10:06:00"), Cell::Running),
        // Both are known of it: the worse counts, whichever comes first.
        (at("10:05:00"), Cell::Running),
        (at("10:59:00"), Cell::Verified),
    ];
    let drawn: String = strip(&entries, there, at("11:00:30"))
        .into_iter()
        .map(Cell::sign)
        .collect();
    let unknown = "?".repeat(52);
    assert_eq!(drawn, format!(".+i??X~{unknown}."));
}

#[test]
fn a_fault_is_below_the_minute_in_which_it_began() {
    let mut ledger = Ledger::default();
    for began in ["09:59:59", "10:00:00", "10:05:59", "10:59:59", "11:00:10"] {
        ledger.begin(Fault::begin(
            "kill-restate",
            "schedule",
            Vec::new(),
            at(began),
        ));
    }
    let placed = axis(&ledger, at("11:00:30"));
    let placed: Vec<(usize, Timestamp)> = placed
        .into_iter()
        .map(|(cell, fault)| (cell, fault.began))
        .collect();
    // As the strip of that moment: its first cell is 10:00, its last 10:59.
    assert_eq!(start(at("11:00:30")), at("10:00:00"));
    assert_eq!(start(at("11:00:00")), at("10:00:00"));
    assert_eq!(
        placed,
        [
            (0, at("10:00:00")),
            (5, at("10:05:59")),
            (59, at("10:59:59")),
            (60, at("11:00:10")),
        ]
    );
}
