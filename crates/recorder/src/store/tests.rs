//! The store on a real folder: killed at each of its writes, on a full disk, and after a long time.

use std::{collections::BTreeMap, io};

use jiff::{SignedDuration, Timestamp};
use longrun_core::{
    known::Known,
    object::Uid,
    plan::Target,
    records::{Entry, Outcome},
    triage::{Attempt, Case, Evidence, FORMAT, Job, JobState},
};
use serde_json::json;

use super::*;
use faulty::Faulty;

mod faulty;

pub(crate) const LIMITS: Limits = Limits {
    days: 14,
    evidence_bytes: 100_000,
};

pub(crate) fn now() -> Timestamp {
    "2026-01-05T12:00:00Z".parse().unwrap()
}

pub(crate) fn job(minute: i64, state: JobState) -> Job {
    let created = Timestamp::from_second(minute * 60).unwrap();
    let name = format!("test-{minute}");
    Job {
        uid: Uid(format!("uid of {name}")),
        created,
        started: Some(created),
        ended: Some(created + SignedDuration::from_secs(40)),
        state,
        pods: 7,
        failed: 7,
        program: None,
        interrupted: None,
        name,
    }
}

pub(crate) fn failed(minute: i64) -> Job {
    let (reason, message) = ("BackoffLimitExceeded".to_owned(), "given up".to_owned());
    job(minute, JobState::Failed { reason, message })
}

/// Evidence with a log of so many characters.
fn evidence(minute: i64, says: &str, length: usize) -> Evidence {
    let unknown = || "nobody asked".to_owned();
    let job = failed(minute);
    let result = format!(
        r#"{{"command": "verify", "result": {{"code": "internal", "message": "{says}"}}}}"#
    );
    let attempt = Attempt {
        pod: format!("{}-x", job.name),
        created: job.created,
        started: job.started,
        ended: job.ended,
        phase: "Failed".to_owned(),
        exit: Some(1),
        reason: None,
        log: Known::Value(vec!["x".repeat(length), result]),
    };
    Evidence {
        format: FORMAT,
        at: now(),
        target: Target {
            cluster: "dev".to_owned(),
            kube_system: Uid("k".to_owned()),
            environment: "calm".to_owned(),
        },
        case: Case {
            job,
            attempts: Known::Value(vec![attempt]),
        },
        others: Known::Unknown(unknown()),
        twins: Vec::new(),
        pods: Known::Unknown(unknown()),
        events: Known::Unknown(unknown()),
        faults: Known::Unknown(unknown()),
        invocations: Known::Unknown(unknown()),
        counters: Known::Unknown(unknown()),
        links: BTreeMap::new(),
    }
}

/// A minute of 2026-01-05, from 10:00 on.
pub(crate) const TEN: i64 = 29_460_120;

fn names(store: &Store<impl Disk>) -> Vec<String> {
    store.records.borrow().evidence.keys().cloned().collect()
}

fn outcomes(store: &Store<impl Disk>) -> BTreeMap<String, Outcome> {
    let records = store.records.borrow();
    let outcomes = records.entries();
    outcomes
        .map(|entry| (entry.job.clone(), entry.outcome))
        .collect()
}

fn is_recorded(store: &Store<impl Disk>, job: &Job) -> bool {
    store.records.borrow().entries.contains_key(&job.uid)
}

fn evidence_bytes(store: &Store<impl Disk>) -> u64 {
    let records = store.records.borrow();
    records.evidence().map(|kept| kept.bytes).sum()
}

/// What the recorder does with two Jobs, one of which fails and one of which comes right at its third attempt.
fn work(store: &mut Store<impl Disk>) -> io::Result<()> {
    let ledger = json!({"data": {"20260105T100000Z-kill-restate": "{\"fault\":\"kill-restate\"}"}});
    store.copy_faults(&ledger, now())?;
    let (whole, _) = store.keep(evidence(TEN, "too low", 100))?;
    if !is_recorded(store, &whole.case.job) {
        store.record(Entry::failed(&whole.case))?;
    }
    let right = job(TEN + 1, JobState::Succeeded);
    if !is_recorded(store, &right) {
        store.keep(evidence(TEN + 1, "not yet", 100))?;
        store.record(Entry::of(&right, Outcome::Succeeded))?;
    }
    Ok(())
}

#[test]
fn killed_at_any_write_it_goes_on_and_nothing_is_there_twice_or_half() {
    let mut died = 0;
    for writes in 0.. {
        let root = tempfile::tempdir().unwrap();
        let disk = Faulty::new(&root);
        let (mut store, _) = Store::open(disk.clone(), LIMITS, now()).unwrap();
        disk.dies_after(writes);
        let outcome = work(&mut store);
        drop((store, disk));
        if outcome.is_ok() {
            break;
        }
        died += 1;

        let disk = Folder::open(root.path()).unwrap();
        let (mut store, notes) = Store::open(disk, LIMITS, now()).unwrap();
        for (job, outcome) in outcomes(&store) {
            let failed = job == format!("test-{TEN}");
            assert_eq!(outcome == Outcome::Failed, failed, "{writes}: {job}");
        }
        for job in names(&store) {
            let text = store.evidence_of(&job).unwrap().unwrap();
            assert!(triage::read(&text).is_ok(), "{writes}: half of {job}");
        }
        if let Some(torn) = notes.first() {
            assert!(torn.contains("torn"), "{writes}: {torn}");
        }
        // Its evidence is there before its result is.
        let failure = outcomes(&store).values().any(|one| *one == Outcome::Failed);
        assert!(!failure || !names(&store).is_empty(), "{writes}");

        work(&mut store).unwrap();
        check(&store);
        drop(store);
        let disk = Folder::open(root.path()).unwrap();
        let (store, notes) = Store::open(disk, LIMITS, now()).unwrap();
        assert_eq!(notes, [] as [String; 0], "{writes}");
        check(&store);
        let lines = std::fs::read_to_string(root.path().join("results/2026-01-05.jsonl")).unwrap();
        assert_eq!(lines.lines().count(), 2, "{writes}: {lines}");
        let files = std::fs::read_dir(root.path().join("evidence")).unwrap();
        assert_eq!(files.count(), 1, "{writes}: nothing half is left");
    }
    assert!(died > 8, "{died} writes");
}

#[track_caller]
fn check(store: &Store<impl Disk>) {
    assert_eq!(names(store), [format!("test-{TEN}")]);
    let outcomes: Vec<Outcome> = outcomes(store).into_values().collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Succeeded]);
    assert_eq!(store.records.borrow().faults.len(), 1);
}

#[test]
fn a_full_disk_lets_repetitions_go_first_and_takes_every_result() {
    let root = tempfile::tempdir().unwrap();
    let disk = Faulty::new(&root);
    let (mut store, _) = Store::open(disk.clone(), LIMITS, now()).unwrap();
    store.keep(evidence(TEN, "rare", 3_000)).unwrap();
    for minute in 1..4 {
        store.keep(evidence(TEN + minute, "often", 3_000)).unwrap();
    }
    let used: u64 = disk.sizes.borrow().values().sum();
    // As when somebody else fills it: there is no room for a single byte more.
    disk.room.set(used);
    let gone = store
        .record(Entry::of(&failed(TEN), Outcome::Failed))
        .unwrap();
    assert_eq!(gone, [format!("test-{}", TEN + 1)]);
    let (_, gone) = store.keep(evidence(TEN + 4, "often", 3_000)).unwrap();
    assert_eq!(gone, [format!("test-{}", TEN + 2)]);
    assert!(names(&store).contains(&format!("test-{TEN}")));
    let counted = |records: &Records| (records.let_go, records.failed_writes);
    assert_eq!(counted(&store.records.borrow()), (2, 2));

    // Nothing is left to go: it is said, nothing is half written, and it works again when there is room.
    disk.room.set(0);
    let entry = Entry::of(&failed(TEN + 5), Outcome::Failed);
    let error = store.record(entry.clone()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(names(&store), [] as [String; 0]);
    assert_eq!(outcomes(&store).len(), 1);
    disk.room.set(u64::MAX);
    store.record(entry).unwrap();
    drop((store, disk));
    let (store, notes) = Store::open(Folder::open(root.path()).unwrap(), LIMITS, now()).unwrap();
    assert_eq!(notes, [] as [String; 0]);
    assert_eq!(outcomes(&store).len(), 2);
}

#[test]
fn evidence_stays_within_its_budget() {
    let root = tempfile::tempdir().unwrap();
    let disk = Folder::open(root.path()).unwrap();
    let (mut store, _) = Store::open(disk, LIMITS, now()).unwrap();
    for minute in 0..40 {
        store.keep(evidence(TEN + minute, "often", 5_000)).unwrap();
        let bytes = evidence_bytes(&store);
        assert!(bytes <= LIMITS.evidence_bytes, "{minute}: {bytes}");
    }
    assert!(names(&store).contains(&format!("test-{}", TEN + 39)));
    assert!(store.records.borrow().let_go > 20);
}

/// The program of a failure is run again, by a Job of the same name.
#[test]
fn another_incarnation_takes_nothing_from_a_failure() {
    let root = tempfile::tempdir().unwrap();
    let disk = Folder::open(root.path()).unwrap();
    let (mut store, _) = Store::open(disk, LIMITS, now()).unwrap();
    let kept = evidence(1, "off by 1", 10);
    store.keep(kept.clone()).unwrap();
    store.record(Entry::failed(&kept.case)).unwrap();
    let mut again = evidence(1, "off by 1", 5000);
    again.case.job.uid = Uid("another".to_owned());
    again.case.job.state = JobState::Running;
    store.keep(again.clone()).unwrap();
    again.case.job.state = JobState::Succeeded;
    let verified = Entry::of(&again.case.job, Outcome::Succeeded);
    store.record(verified).unwrap();
    let text = store.evidence_of(&kept.case.job.name).unwrap();
    let there = triage::read(&text.unwrap()).unwrap();
    assert_eq!(there, kept);
}

/// Somebody else has filled the disk.
#[test]
fn a_disk_that_others_fill_is_not_emptied_for_it() {
    let root = tempfile::tempdir().unwrap();
    let disk = Faulty::new(&root);
    let limits = Limits {
        evidence_bytes: u64::MAX,
        ..LIMITS
    };
    let (mut store, _) = Store::open(disk.clone(), limits, now()).unwrap();
    for minute in 0..5 {
        let kind = format!("kind {minute}");
        store.keep(evidence(TEN + minute, &kind, 2 << 20)).unwrap();
    }
    disk.room.set(0);
    let verified = job(TEN + 9, JobState::Succeeded);
    let result = store.record(Entry::of(&verified, Outcome::Succeeded));
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(names(&store).len(), 4, "one was tried");
}

#[test]
fn results_are_let_go_by_days() {
    let root = tempfile::tempdir().unwrap();
    let disk = Folder::open(root.path()).unwrap();
    let (mut store, _) = Store::open(disk, LIMITS, now()).unwrap();
    let day = 24 * 60;
    for minute in [TEN - 16 * day, TEN - 13 * day, TEN] {
        let job = job(minute, JobState::Succeeded);
        store.record(Entry::of(&job, Outcome::Succeeded)).unwrap();
    }
    store.tidy(now()).unwrap();
    assert_eq!(outcomes(&store).len(), 2);
    let files = std::fs::read_dir(root.path().join("results")).unwrap();
    assert_eq!(files.count(), 2);
}

#[test]
fn what_cannot_be_read_is_said_and_stops_nothing() {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("evidence/test-1.json", "{\"format\": 1"),
        ("evidence/test-2.json", "{\"format\": 99}"),
        ("faults.json", "["),
        ("results/2026-01-05.jsonl", "nonsense\n"),
    ] {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let (mut store, notes) =
        Store::open(Folder::open(root.path()).unwrap(), LIMITS, now()).unwrap();
    assert_eq!(notes.len(), 4, "{notes:?}");
    store
        .record(Entry::of(&failed(TEN), Outcome::Failed))
        .unwrap();
    let lines = std::fs::read_to_string(root.path().join("results/2026-01-05.jsonl")).unwrap();
    assert!(lines.starts_with("nonsense\n{"), "{lines}");
}

#[test]
fn two_recorders_do_not_share_a_claim() {
    let root = tempfile::tempdir().unwrap();
    let first = Folder::open(root.path()).unwrap();
    let refused = Folder::open(root.path()).err().unwrap();
    assert!(
        refused.to_string().contains("another recorder"),
        "{refused}"
    );
    drop(first);
    Folder::open(root.path()).unwrap();
}

#[test]
fn a_name_from_outside_is_no_path() {
    let root = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(Folder::open(root.path()).unwrap(), LIMITS, now()).unwrap();
    std::fs::write(root.path().join("secret.json"), "{}").unwrap();
    for name in ["../secret", "", "test-1"] {
        assert!(store.evidence_of(name).unwrap().is_none(), "{name}");
    }
}
