//! What is said of the snapshot that an operation took: only what was found, and only while it is there.

use super::*;
use crate::cluster::tests::{all, live};
use crate::{
    approval::Ask,
    journal::{Journal, Next, Stored},
    operations::{
        restore,
        snapshot::{Kept, Standing, delete, kept, list, taken},
        wipe::{self, Copy},
    },
    wait::Observation,
};

const NAME: &str = "storage-restate-0-20260105-100000";

/// What of a plan is about reading snapshots; it is approved as if it were all.
fn reading(mut plan: Plan) -> Journal {
    plan.steps.retain(|step| {
        let reads = step.until == Wait::Verified && !step.act.to_string().ends_with("-restored");
        let of_snapshot = step
            .act
            .object()
            .is_some_and(|object| object.kind == "VolumeSnapshot");
        reads || of_snapshot && !matches!(step.act, Effect::Discard { .. })
    });
    Journal::open(Ask::new(plan).typed("dev/restate").unwrap())
}

/// A snapshot that is ready, or a reader that found this.
fn there(name: &str, code: i64) -> Observation {
    let kind = if code == 0 { "Complete" } else { "Failed" };
    let object = json!({"metadata": {"name": name, "uid": format!("{name}-1")},
        "status": {"readyToUse": true, "conditions": [{"type": kind, "status": "True"}]}});
    let pod = json!({"metadata": {"name": "reader"}, "status": {"containerStatuses": [{"name": "compare",
        "state": {"terminated": {"exitCode": code, "message": "what it says"}}}]}});
    Observation {
        object: Some(live(object)),
        pods: all([pod]),
        ..Observation::default()
    }
}

/// What is written on snapshots when the reader of this name ends with this code, and the journal of that.
fn recorded(plan: Plan, reader: &str, code: i64) -> (String, Journal) {
    let mut journal = reading(plan);
    let mut written = Vec::new();
    for _ in 0..40 {
        let last = journal.entries().last();
        let acted =
            last.is_some_and(|entry| entry.step == journal.position() && entry.acted.is_some());
        let seen = match journal.current() {
            Some(step) if acted || step.act.is_watch() => {
                let name = step.act.object().unwrap().name;
                there(&name, if name.ends_with(reader) { code } else { 0 })
            }
            _ => Observation::default(),
        };
        let next = journal.next(&seen, now());
        if let Next::Do(effect) | Next::Undo(effect) = &next {
            let is_word = matches!(effect, Effect::RecordFinding { uid: Some(_), .. });
            written.extend(is_word.then(|| effect.to_string()));
        }
        match next {
            Next::Do(effect) => {
                let made = effect
                    .object()
                    .map(|object| Uid(format!("{}-1", object.name)));
                journal.acted(made, now());
            }
            Next::Undo(_) => journal.undone(),
            Next::Wait { .. } | Next::Look | Next::TurnBack(_) => {}
            Next::Stop(_) | Next::Done => return (written.join("\n"), journal),
        }
    }
    panic!("it never ends: {:?}", journal.current());
}

fn wipe() -> Plan {
    wipe::plan(&target(), &facts(), &options(), Copy::Verified).unwrap()
}

fn restore() -> Plan {
    restore::plan(&target(), &facts(), &options(), "kept").unwrap()
}

#[test]
fn what_a_reader_finds_is_written_on_the_snapshot_that_it_read() {
    let stories = [
        ("the same", recorded(wipe(), "nobody", 0).0),
        ("empty", recorded(wipe(), "-check", 3).0),
        ("another", recorded(wipe(), "-check", 1).0),
        ("an empty source", recorded(restore(), "-source", 3).0),
        ("a good source", recorded(restore(), "-check", 3).0),
    ];
    let stories: Vec<String> = stories
        .iter()
        .map(|(what, story)| format!("{what}: {story}").trim_end().to_string())
        .collect();
    assert_snapshot!(stories.join("\n"), @r#"
    the same: mark as verified VolumeSnapshot storage-restate-0-20260105-100000
    empty: mark as empty VolumeSnapshot storage-restate-0-20260105-100000
    another:
    an empty source: mark as empty VolumeSnapshot kept
    a good source: mark as empty VolumeSnapshot storage-restate-0-20260105-100000
    "#);
}

#[test]
fn a_word_about_a_snapshot_takes_nothing_back() {
    let (_, journal) = recorded(wipe(), "-check", 3);
    assert_eq!(taken(&journal), Some(NAME));
    let traces = journal.traces();
    let made: Vec<String> = traces.made.iter().map(ToString::to_string).collect();
    // The rehearsal is taken back.
    assert_eq!(made, [format!("snapshot VolumeSnapshot {NAME}")]);
    assert_eq!(journal.state().to_string(), "was taken back");
    let marks: Vec<String> = journal
        .checklist()
        .items
        .iter()
        .filter(|item| item.step == format!("snapshot VolumeSnapshot {NAME}"))
        .map(|item| format!("{:?}", item.mark))
        .collect();
    assert_eq!(marks, ["Done"]);
}

/// A snapshot as an operation took it, found to be this.
fn copy(found: Option<&str>) -> (Value, Value) {
    let (mut snapshot, content) = taken_at(NAME);
    if let Some(found) = found {
        snapshot["metadata"]["labels"]["longrun/found"] = json!(found);
    }
    (snapshot, content)
}

fn taken_at(name: &str) -> (Value, Value) {
    super::taken(name, "2026-01-05T10:00:00Z", "before-wipe")
}

#[test]
fn only_what_is_there_ready_and_the_same_is_a_way_back() {
    let (_, journal) = recorded(wipe(), "nobody", 0);
    let standing = |found: Option<&str>, twist: fn(&mut Value, &mut Value)| {
        let (mut snapshot, mut content) = copy(found);
        twist(&mut snapshot, &mut content);
        let kept = kept(&journal, Some((&[snapshot], &[content]))).unwrap();
        assert_eq!(
            kept.way_back().is_some(),
            kept.standing == Standing::Verified
        );
        kept.to_string()
    };
    let same = Some("same");
    let lines = [
        standing(same, |_, _| {}),
        standing(None, |_, _| {}),
        standing(Some("another word"), |_, _| {}),
        standing(Some("empty"), |_, _| {}),
        standing(same, |snapshot, _| {
            snapshot["status"]["readyToUse"] = json!(false);
        }),
        standing(same, |_, content| {
            content["status"]["readyToUse"] = json!(false);
        }),
        standing(same, |_, content| {
            content["metadata"]["deletionTimestamp"] = json!("now");
        }),
        standing(same, |snapshot, _| {
            snapshot["metadata"]["deletionTimestamp"] = json!("now");
        }),
        standing(same, |snapshot, _| {
            snapshot["metadata"]["uid"] = json!("another");
        }),
        kept(&journal, Some((&[], &[]))).unwrap().to_string(),
        kept(&journal, None).unwrap().to_string(),
    ];
    assert_snapshot!(lines.join("\n"), @r#"
    kept:         the database as it was, as VolumeSnapshot storage-restate-0-20260105-100000, which was compared with it
    UNVERIFIED:   VolumeSnapshot storage-restate-0-20260105-100000 was not compared with the database
    UNVERIFIED:   VolumeSnapshot storage-restate-0-20260105-100000 was not compared with the database
    EMPTY:        VolumeSnapshot storage-restate-0-20260105-100000 holds nothing
    UNVERIFIED:   VolumeSnapshot storage-restate-0-20260105-100000 is not ready, and was not compared with the database
    UNVERIFIED:   VolumeSnapshot storage-restate-0-20260105-100000 is not ready, and was not compared with the database
    UNVERIFIED:   VolumeSnapshot storage-restate-0-20260105-100000 is not ready, and was not compared with the database
    DELETED:      VolumeSnapshot storage-restate-0-20260105-100000; whether its content is still stored: cargo xtask snapshot list
    DELETED:      VolumeSnapshot storage-restate-0-20260105-100000; whether its content is still stored: cargo xtask snapshot list
    DELETED:      VolumeSnapshot storage-restate-0-20260105-100000; whether its content is still stored: cargo xtask snapshot list
    not known:    whether VolumeSnapshot storage-restate-0-20260105-100000 is there and was compared with the database
    "#);
    let fresh = Journal::open(Ask::new(wipe()).typed("dev/restate").unwrap());
    assert_eq!(kept(&fresh, None), None, "nothing was taken yet");
}

#[test]
fn what_is_not_finished_names_a_way_back_only_if_it_is_one() {
    let (_, mut journal) = recorded(wipe(), "nobody", 0);
    journal.interrupt("Ctrl-C".into());
    let refused = |found: &str| {
        let mut facts = facts();
        let (snapshot, content) = copy(Some(found));
        facts.snapshots.as_mut().unwrap().push(snapshot);
        facts.contents.push(content);
        facts.stored = Some(Stored::begin(journal.clone(), None, now()));
        facts
            .kept()
            .as_ref()
            .and_then(Kept::way_back)
            .map(ToString::to_string)
    };
    assert_eq!(refused("same").as_deref(), Some(NAME));
    assert_eq!(refused("empty"), None);
}

#[test]
fn the_list_says_what_was_found() {
    let mut many = facts();
    for (name, purpose, found) in [
        ("a", "before-wipe", Some("same")),
        ("b", "before-wipe", Some("empty")),
        ("c", "before-wipe", None),
        ("d", "before-restore", None),
        ("e", "upgrade", None),
        ("f", "failure", None),
        ("g", "manual", Some("empty")),
    ] {
        let (mut snapshot, content) = super::taken(name, "2026-01-04T10:00:00Z", purpose);
        if let Some(found) = found {
            snapshot["metadata"]["labels"]["longrun/found"] = json!(found);
        }
        many.snapshots.as_mut().unwrap().push(snapshot);
        many.contents.push(content);
    }
    let lines: Vec<String> = list(&many)
        .iter()
        .map(|one| format!("{}: {:?}", one.name, one.verification))
        .collect();
    assert_snapshot!(lines.join("\n"), @r#"
    kept: Unread
    g: Empty
    f: Unread
    e: Unverified
    d: Unverified
    c: Unverified
    b: Empty
    a: Verified
    "#);
    let deleted = story(delete(&target(), &many, "b"));
    assert!(
        deleted.contains("note: it was read, and is EMPTY"),
        "{deleted}"
    );
    assert!(!deleted.contains("perhaps the only copy"), "{deleted}");
}

#[test]
fn what_was_found_empty_is_not_restored() {
    let mut hollow = facts();
    hollow.snapshots.as_mut().unwrap()[0]["metadata"]["labels"]["longrun/found"] = json!("empty");
    assert_snapshot!(story(restore::plan(&target(), &hollow, &options(), "kept")), @r#"
    cannot do this; nothing was changed
      - the snapshot kept cannot be restored: it was read and is EMPTY: it has no database
    "#);
}
