//! Plans carried out on a cluster of one object that answers as a test says: what is asked of it, in which order, and
//! how it ends.

use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{
    future::pending,
    pin::pin,
    task::{Context, Poll, Waker},
};

use insta::assert_snapshot;
use serde_json::json;

use super::*;
use crate::{
    approval::{Approved, Ask},
    journal::Journal,
    object::ObjectRef,
    plan::{Guard, Plan, Target},
    wait::Wait,
};

mod fake;

use fake::Fake;

fn suspend(name: &str) -> Step {
    let object = ObjectRef::namespaced("batch/v1", "CronJob", "restate", name);
    let suspend = |suspend| Effect::Suspend {
        object: object.clone(),
        suspend,
    };
    let uid = Uid("1".into());
    Step::new(suspend(true), Guard::Is { uid }, Wait::None).undo(suspend(false))
}

fn wait_for(name: &str) -> Step {
    let object = ObjectRef::namespaced("batch/v1", "Job", "restate", name);
    Step::watch(object, Wait::Complete)
}

fn approved(steps: Vec<Step>) -> Approved {
    let plan = Plan {
        operation: "wipe".into(),
        target: Target {
            cluster: "dev".into(),
            kube_system: Uid("k".into()),
            environment: "restate".into(),
        },
        steps,
        loses: Vec::new(),
        notes: Vec::new(),
        generated: Vec::new(),
    };
    Ask::new(plan).piped(true, None).unwrap()
}

fn kept(steps: Vec<Step>) -> Stored {
    let journal = Journal::open(approved(steps));
    Stored::begin(journal, None, Timestamp::UNIX_EPOCH)
}

/// What is asked, how it ends, and after how many seconds.
fn story(mut fake: Fake, store: impl Into<JournalStore>) -> String {
    let mut execution = Execution::new(store);
    let end = {
        let driven = pin!(execute(&mut fake, &mut execution));
        driven.poll(&mut Context::from_waker(Waker::noop()))
    };
    let Poll::Ready(end) = end else {
        panic!("it never ends: {:?}", fake.told);
    };
    let end = end.map_or_else(|reason| reason.to_string(), |()| "done".to_string());
    fake.tell(format!("{end} ({} s)", fake.second));
    fake.told.join("\n")
}

fn fine(_: &str, _: u64) -> Option<RequestError> {
    None
}

fn silent() -> Option<RequestError> {
    Some(RequestError::Unanswered("no answer".into()))
}

/// Goes wrong the first so many times.
fn at_first(what: &'static str, mut times: u32, error: RequestError) -> Fake {
    Fake::new(move |asked, _| {
        if asked != what || times == 0 {
            return None;
        }
        times -= 1;
        Some(error.clone())
    })
}

#[test]
fn a_kept_journal_is_written_before_each_effect_and_the_object_looked_at_once_more() {
    assert_snapshot!(story(Fake::new(fine), kept([suspend("a")].into())), @r"
    look
    read
    write
    look
    suspend CronJob a
    read
    write
    ended: suspend CronJob a
    read
    write
    done (0 s)
    ");
    assert_snapshot!(story(Fake::new(fine), approved([suspend("a")].into())), @r"
    look
    suspend CronJob a
    ended: suspend CronJob a
    done (0 s)
    ");
}

#[test]
fn silence_is_waited_out_for_a_minute_and_is_never_taken_for_absence() {
    let hiccup = Fake::new(|asked, second| silent().filter(|_| asked == "look" && second < 50));
    assert_snapshot!(story(hiccup, approved([suspend("a")].into())), @r#"
    look: Unanswered("no answer")
    look
    suspend CronJob a
    ended: suspend CronJob a
    done (50 s)
    "#);
    // Nothing was begun, and nothing is taken back.
    let silence = Fake::new(|_, _| silent());
    assert_snapshot!(story(silence, approved([suspend("a")].into())), @r#"
    look: Unanswered("no answer")
    diagnose what was seen
    suspend CronJob a: not finished, because no answer, for 60 s now (60 s)
    "#);
}

#[test]
fn what_is_taken_back_has_its_own_minute() {
    let mute = Fake::new(|_, second| silent().filter(|_| second > 5));
    let steps = [suspend("a"), suspend("b"), wait_for("c")].into();
    assert_snapshot!(story(mute, approved(steps)), @r#"
    look
    suspend CronJob a
    ended: suspend CronJob a
    look
    suspend CronJob b
    ended: suspend CronJob b
    look
    look: Unanswered("no answer")
    resume CronJob b: Unanswered("no answer")
    resume CronJob a: Unanswered("no answer")
    diagnose what was seen
    wait for Job c: not finished, because no answer, for 60 s now (190 s)
    "#);
}

#[test]
fn an_effect_without_an_answer_is_asked_for_again_after_a_look() {
    let lost = RequestError::Unanswered("no answer".into());
    let once = at_first("suspend CronJob a", 1, lost);
    assert_snapshot!(story(once, kept([suspend("a")].into())), @r#"
    look
    read
    write
    look
    suspend CronJob a: Unanswered("no answer")
    look
    read
    write
    look
    suspend CronJob a
    read
    write
    ended: suspend CronJob a
    read
    write
    done (1 s)
    "#);
}

#[test]
fn what_nobody_knows_is_not_tried_again_and_is_taken_back() {
    let unclear = RequestError::Unclear("it was ended by a signal".into());
    let once = at_first("suspend CronJob a", 1, unclear);
    assert_snapshot!(story(once, approved([suspend("a")].into())), @r#"
    look
    suspend CronJob a: Unclear("it was ended by a signal")
    resume CronJob a
    diagnose what was seen
    suspend CronJob a: not finished, because it is unknown whether it was done: it was ended by a signal (0 s)
    "#);
}

#[test]
fn a_write_that_meets_another_version_is_prepared_anew_and_not_for_ever() {
    let conflict = || RequestError::Conflict("another version".into());
    let few = at_first("suspend CronJob a", 2, conflict());
    assert_snapshot!(story(few, kept([suspend("a")].into())), @r#"
    look
    read
    write
    look
    suspend CronJob a: Conflict("another version")
    look
    suspend CronJob a: Conflict("another version")
    look
    suspend CronJob a
    read
    write
    ended: suspend CronJob a
    read
    write
    done (0 s)
    "#);
    let mut count = 0;
    let all = Fake::new(move |asked, _| {
        count += u32::from(asked == "suspend CronJob a");
        assert!(count <= 10);
        (asked == "suspend CronJob a").then(conflict)
    });
    let story = story(all, approved([suspend("a")].into()));
    assert_snapshot!(story.lines().last().unwrap(), @"suspend CronJob a: refused: gave up after 10 write conflicts (409): another client keeps updating it: another version (0 s)");
}

#[test]
fn a_journal_that_another_writes_stops_its_driver_and_nothing_is_taken_back() {
    let mut overtaken = Fake::new(fine);
    let mut other = kept([suspend("a")].into());
    other.epoch = 7;
    overtaken.journal = Some(other.manifest());
    assert_snapshot!(story(overtaken, kept([suspend("a")].into())), @"
    look
    read
    suspend CronJob a: not finished, because another process took the journal over (epoch 7, this one had 1): this one has stopped (0 s)
    ");
    let conflict = RequestError::Conflict("another version".into());
    assert_snapshot!(story(at_first("write", 4, conflict.clone()), kept([].into())), @r#"
    read
    write: Conflict("another version")
    read
    write: Conflict("another version")
    read
    write: Conflict("another version")
    read
    write: Conflict("another version")
    read
    write
    done (0 s)
    "#);
    let never = story(at_first("write", 5, conflict), kept([suspend("a")].into()));
    assert_snapshot!(never.lines().last().unwrap(), @"suspend CronJob a: not finished, because gave up after 5 write conflicts (409) on the journal: another client keeps updating it: another version (0 s)");
}

#[test]
fn a_journal_that_cannot_be_written_keeps_everything_from_being_done() {
    let forbidden = RequestError::Refused("forbidden".into());
    let refused = at_first("write", 1, forbidden);
    assert_snapshot!(story(refused, kept([suspend("a")].into())), @r#"
    look
    read
    write: Refused("forbidden")
    suspend CronJob a: not finished, because forbidden (0 s)
    "#);
    // What was done is done, and how far it came is written when it can be.
    let silent_after = Fake::new({
        let mut is_done = false;
        move |asked, second| {
            is_done |= asked.starts_with("suspend");
            silent().filter(|_| is_done && second < 5 && asked == "read")
        }
    });
    assert_snapshot!(story(silent_after, kept([suspend("a")].into())), @r#"
    look
    read
    write
    look
    suspend CronJob a
    read: Unanswered("no answer")
    ended: suspend CronJob a
    read: Unanswered("no answer")
    read
    write
    done (5 s)
    "#);
}

#[test]
fn a_lost_lease_ends_everything_and_an_overdue_one_is_waited_for() {
    let with = |lease| Fake {
        lease,
        ..Fake::new(fine)
    };
    let steps = || approved([suspend("a"), wait_for("b")].into());
    let lost = with(|second| match second {
        0..20 => LeaseStatus::Held,
        _ => LeaseStatus::Lost("ben has it".into()),
    });
    assert_snapshot!(story(lost, steps()), @r"
    look
    suspend CronJob a
    ended: suspend CronJob a
    look
    wait for Job b: not finished, because ben has it (20 s)
    ");
    let renewed = with(|second| match second {
        0..30 => LeaseStatus::Overdue,
        _ => LeaseStatus::Held,
    });
    assert_snapshot!(story(renewed, approved([suspend("a")].into())), @r"
    look
    suspend CronJob a
    ended: suspend CronJob a
    done (30 s)
    ");
    let never = with(|_| LeaseStatus::Overdue);
    assert_snapshot!(story(never, approved([suspend("a")].into())), @r"
    look
    suspend CronJob a: not finished, because the lease could not be renewed: another operation may have begun (60 s)
    ");
}

#[test]
fn what_stops_a_plan_is_diagnosed_before_anything_is_taken_back() {
    let fake = Fake::new(fine);
    let steps = approved([suspend("a"), wait_for("b")].into());
    assert_snapshot!(story(fake, steps), @r"
    look
    suspend CronJob a
    ended: suspend CronJob a
    look
    diagnose wait for Job b
    resume CronJob a
    wait for Job b: gave up waiting: nothing has changed for 240 s: no pod has started (240 s)
    ");
    let ctrl_c = Fake {
        end_at: 15,
        ..Fake::new(fine)
    };
    let steps = kept([suspend("a"), wait_for("b")].into());
    assert_snapshot!(story(ctrl_c, steps), @r"
    look
    read
    write
    look
    suspend CronJob a
    read
    write
    ended: suspend CronJob a
    read
    write
    look
    read
    write
    resume CronJob a
    read
    write
    diagnose what was seen
    wait for Job b: not finished, because it was interrupted (20 s)
    ");
}

#[test]
fn a_look_that_took_too_long_is_none() {
    let mut fake = Fake::new(fine);
    let mut execution = Execution::new(approved([suspend("a")].into()));
    let asked = execution.next(&LeaseStatus::Held, fake.time());
    assert!(matches!(asked, Request::Observe(_)));
    fake.second += 30;
    execution.observed(Ok(Observation::default()), fake.time());
    let next = execution.next(&LeaseStatus::Held, fake.time());
    assert!(matches!(next, Request::Pause { .. }), "{next:?}");
    let next = execution.next(&LeaseStatus::Held, fake.time());
    assert!(matches!(next, Request::Observe(_)), "{next:?}");
}
