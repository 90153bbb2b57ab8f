//! One operation takes the place of another that is past its point of no return, and may be taken back itself.

use super::*;

fn target() -> Target {
    journal(vec![]).plan().target.clone()
}

fn live(name: &str) -> Observation {
    observation(Some(object(name, "1", false)))
}

/// Does the first step, as far as asking for it.
fn begin(journal: &mut Journal, name: &str) {
    assert!(matches!(journal.next(&live(name), at(0)), Next::Do(_)));
    journal.acted(None, at(0));
}

/// Something is deleted, and something is left to do.
fn past_return() -> Stored {
    let mut journal = journal(vec![delete("a"), watch(Wait::Complete)]);
    begin(&mut journal, "a");
    Stored::begin(journal, None, at(100))
}

fn over(last: &Stored) -> Stored {
    let mut journal = journal(vec![suspend("b"), delete("c"), suspend("d")]);
    begin(&mut journal, "b");
    Stored::begin(journal, Some(last), at(200))
}

fn read(stored: &Stored) -> Stored {
    Stored::read(&stored.manifest()).unwrap()
}

#[test]
fn what_an_operation_closed_is_unfinished_again_when_it_is_taken_back() {
    let first = past_return();
    // Whoever goes on knows it too.
    let mut second = read(&over(&first)).resume(&target(), at(300)).unwrap();
    assert_eq!(second.journal.state(), State::Open);
    second.journal.interrupt("Ctrl-C".into());
    assert_eq!(read(&second).journal, second.journal);
    assert!(matches!(
        second.journal.next(&Observation::default(), at(301)),
        Next::Undo(_)
    ));
    second.journal.undone();
    assert_eq!(second.journal.state(), State::TakenBack);
    let given_back = read(&second);
    assert_eq!(given_back.journal, first.journal);
    assert_eq!(given_back.journal.state(), State::PastReturn);
    assert_eq!(given_back.epoch, second.epoch);
    assert_eq!(
        admit("restore", Some(&given_back), None),
        Ok(Admission::Supersedes)
    );
}

#[test]
fn what_is_past_its_own_point_of_no_return_gives_nothing_back() {
    let mut second = over(&past_return());
    assert!(second.manifest()["data"].get("closes").is_some());
    assert_eq!(second.journal.next(&live("b"), at(201)), Next::Look);
    begin(&mut second.journal, "c");
    let written = second.manifest();
    assert_eq!(written["data"].get("closes"), None);
    assert_eq!(Stored::read(&written).unwrap().journal, second.journal);
    let third = over(&second);
    assert_eq!(
        third.manifest()["data"]["closes"],
        json!(second.journal).to_string(),
        "only the last one is given back: it has what the first one left among its steps"
    );
}

#[test]
fn only_what_is_past_its_point_of_no_return_is_given_back() {
    let open = Stored::begin(journal(vec![suspend("a")]), None, at(0));
    let closed = past_return().superseded("deploy");
    for last in [open, closed] {
        assert_eq!(over(&last).manifest()["data"].get("closes"), None);
    }
}

#[test]
fn an_edited_plan_is_not_given_back_either() {
    let mut edited = over(&past_return()).manifest();
    let closes = edited["data"]["closes"].as_str().unwrap();
    edited["data"]["closes"] = json!(closes.replace("\"name\":\"a\"", "\"name\":\"b\""));
    let refused = Stored::read(&edited).unwrap_err().to_string();
    assert!(
        refused.contains("not the one that was approved"),
        "{refused}"
    );
}

#[test]
fn no_driver_writes_over_what_it_was_not_made_of() {
    let first = past_return();
    let second = over(&first);
    assert_eq!(second.may_replace(Some(&first.manifest())), Ok(()));
    assert_eq!(second.may_replace(None), Ok(()));
    assert!(first.may_replace(Some(&second.manifest())).is_err());
    let resumed = first.clone().resume(&target(), at(300)).unwrap();
    assert_eq!(resumed.may_replace(Some(&first.manifest())), Ok(()));
    assert!(second.may_replace(Some(&resumed.manifest())).is_err());
    let closed = first.superseded("deploy").manifest();
    assert!(first.may_replace(Some(&closed)).is_err());
    assert!(resumed.may_replace(Some(&closed)).is_err());
    // Somebody deleted the journal, and another operation began.
    let anew = Stored::begin(journal(vec![suspend("b")]), None, at(200));
    assert!(first.may_replace(Some(&anew.manifest())).is_err());
    assert!(anew.may_replace(Some(&first.manifest())).is_err());
    // A clock that is behind.
    let behind = Stored::begin(journal(vec![]), Some(&second), at(0));
    assert!(behind.epoch > second.epoch);
}
