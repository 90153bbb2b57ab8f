//! The ledger of faults: what was at work in a test's time, and what nobody knows.

use crate::known::Known;
use serde_json::json;

use super::*;

fn read_faults(entries: &[(&str, &str)]) -> Result<Vec<Fault>, String> {
    let data: BTreeMap<&str, &str> = entries.iter().copied().collect();
    faults(&json!({"metadata": {"name": "longrun-faults"}, "data": data}))
}

fn fault(name: &str, began: &str, healed: Option<&str>) -> Fault {
    Fault {
        name: name.to_string(),
        began: at(began),
        taken_back: None,
        healed: healed.map(at),
    }
}

fn taken_back(at_time: &str, fault: Fault) -> Fault {
    Fault {
        taken_back: Some(at(at_time)),
        ..fault
    }
}

#[test]
fn an_entry_counts_from_its_injection_until_its_target_is_healthy() {
    let read = read_faults(&[
        (
            "20230615T164500Z-freeze-restate",
            // `healed` is when it was taken back: the node is not healthy by that.
            r#"{"fault": "freeze-restate", "by": "a person", "targets": ["Pod restate-0 (u)"],
                "began": "2023-06-15T16:45:00Z", "injected": "2023-06-15T16:45:02Z",
                "healed": "2023-06-15T16:46:00Z", "recovered": "2023-06-15T16:46:09Z", "outcome": "recovered"}"#,
        ),
        (
            "20230615T164600Z-kill-restate",
            r#"{"fault": "kill-restate", "began": "2023-06-15T16:46:00Z", "injected": null,
                "recovered": null, "outcome": "notInjected", "note": "not healthy"}"#,
        ),
        (
            "20230615T164400Z-cut-network",
            // Its runner was killed at it: nobody knows whether it was injected.
            r#"{"fault": "cut-network", "began": "2023-06-15T16:44:00Z", "injected": null, "outcome": null}"#,
        ),
    ]);
    assert_eq!(
        read.unwrap(),
        [
            fault("cut-network", "16:44:00", None),
            taken_back(
                "16:46:00",
                fault("freeze-restate", "16:45:02", Some("16:46:09"))
            ),
        ]
    );
}

/// Being taken back is not being healthy, and a kill is called taken back as soon as it is done.
#[test]
fn a_fault_that_ended_without_its_target_being_healthy_is_not_over() {
    let ended = |fault: &str, outcome: &str| {
        format!(
            r#"{{"fault": "{fault}", "began": "2023-06-15T12:00:00Z", "injected": "2023-06-15T12:00:01Z",
                "healed": "2023-06-15T12:01:00Z", "recovered": null, "outcome": "{outcome}"}}"#
        )
    };
    let kill = ended("kill-restate", "notRecovered");
    let cut = ended("cut-network", "healedLater");
    let read = read_faults(&[("a", &kill), ("b", &cut)]).unwrap();
    let cut = taken_back("12:01:00", fault("cut-network", "12:00:01", None));
    assert_eq!(read, [cut, fault("kill-restate", "12:00:01", None)]);

    // The test was from 16:40 to 16:59.
    let mut evidence = evidence(case(vec![]));
    evidence.faults = Known::Value(Some(read));
    assert_eq!(
        told_of_faults(&evidence),
        [
            "12:00:01 fault cut-network",
            "12:00:01 fault kill-restate, not seen to be over: its target was not seen to be healthy again",
            "12:01:00 fault cut-network is taken back: its target was not seen to be healthy again",
        ]
    );
    let said = Report::of(&evidence).faults;
    assert_eq!(
        said,
        Known::Value(
            "cut-network (from 12:00:01, taken back at 12:01:00, not seen to be over), kill-restate (from 12:00:01, not seen to be over)"
                .to_string()
        )
    );
}

#[test]
fn a_later_fault_was_let_in_only_because_everything_was_healthy() {
    let first = r#"{"fault": "kill-restate", "began": "2023-06-15T12:00:00Z", "injected": "2023-06-15T12:00:01Z",
        "healed": "2023-06-15T12:00:01Z", "recovered": null, "outcome": "notRecovered"}"#;
    let later = r#"{"fault": "kill-services", "began": "2023-06-15T12:30:00Z", "injected": "2023-06-15T12:30:02Z"}"#;
    assert_eq!(
        read_faults(&[("a", first), ("b", later)]).unwrap(),
        [
            fault("kill-restate", "12:00:01", Some("12:30:02")),
            fault("kill-services", "12:30:02", None),
        ]
    );
}

#[test]
fn a_fault_that_was_kept_before_it_was_known_when_it_was_taken_back_is_read() {
    let kept = json!({"name": "cut-network", "began": "2023-06-15T12:00:01Z", "healed": null});
    let read: Fault = serde_json::from_value(kept).unwrap();
    assert_eq!(read, fault("cut-network", "12:00:01", None));
}

#[test]
fn one_entry_that_cannot_be_read_makes_the_ledger_unknown() {
    let good = r#"{"fault": "kill-restate", "began": "2023-06-15T16:46:00Z"}"#;
    for bad in ["", "{}", r#"{"fault": "x", "began": "yesterday"}"#] {
        let why = read_faults(&[("a", good), ("b", bad)]).unwrap_err();
        assert!(why.contains("entry b of ConfigMap longrun-faults"), "{why}");
    }
    assert_eq!(faults(&json!({"metadata": {}})), Ok(vec![]));
}

fn told_of_faults(evidence: &Evidence) -> Vec<String> {
    timeline(evidence)
        .into_iter()
        .filter(|entry| entry.kind == Kind::Fault)
        .map(|entry| format!("{} {}", entry.at.strftime("%H:%M:%S"), entry.text))
        .collect()
}

#[test]
fn what_began_before_the_test_and_was_still_at_work_is_on_its_timeline() {
    let mut evidence = evidence(case(vec![]));
    // The test was from 16:40 to 16:59, and a minute on both sides belongs to it.
    evidence.faults = Known::Value(Some(vec![
        fault("over-before", "16:30:00", Some("16:38:59")),
        fault("over-in-it", "16:30:00", Some("16:39:00")),
        fault("begins-in-it", "17:00:00", None),
        fault("begins-after", "17:00:01", None),
    ]));
    assert_eq!(
        told_of_faults(&evidence),
        [
            "16:30:00 fault over-in-it",
            "16:39:00 fault over-in-it is over: its target is healthy again",
            "17:00:00 fault begins-in-it, not seen to be over: its target was not seen to be healthy again",
        ]
    );
}

#[test]
fn no_ledger_an_empty_one_and_one_that_forgot_are_three_things() {
    let window = Window {
        from: at("16:40:00"),
        to: at("16:59:00"),
    };
    let soon = at("17:00:00");
    let two_days_later = soon + SignedDuration::from_hours(48);
    let known = |list: Vec<Fault>| Known::Value(Some(list));
    let one = || fault("kill-restate", "16:41:00", Some("16:41:20"));
    let open = || fault("cut-network", "16:50:00", None);
    let yesterday = Fault {
        began: at("16:50:00") - SignedDuration::from_hours(24),
        ..open()
    };
    let none = "none in this time, by the ledger";
    let both =
        "kill-restate (16:41:00 to 16:41:20), cut-network (from 16:50:00, not seen to be over)";
    for (ledger, read, expected) in [
        (
            Known::Value(None),
            soon,
            Ok("none was ever recorded here: there is no ledger"),
        ),
        (known(vec![]), soon, Ok(none)),
        (
            known(vec![fault("kill-restate", "15:00:00", Some("15:01:00"))]),
            soon,
            Ok(none),
        ),
        (known(vec![one(), open()]), soon, Ok(both)),
        (
            known(vec![yesterday]),
            soon,
            Ok("cut-network (from 2023-06-14 16:50:00, not seen to be over)"),
        ),
        (
            known(vec![]),
            two_days_later,
            Err("the ledger keeps two days, and this was before"),
        ),
        (
            known(vec![one()]),
            two_days_later,
            Ok("kill-restate (16:41:00 to 16:41:20)"),
        ),
        (
            Known::Unknown("forbidden".to_string()),
            soon,
            Err("forbidden"),
        ),
    ] {
        let said = faults_in(&ledger, window, read);
        let said = said
            .known()
            .map(String::as_str)
            .ok_or(said.why_not().unwrap_or_default());
        assert_eq!(said, expected, "{ledger:?}");
    }
}

#[test]
fn a_test_of_which_only_the_minute_is_known_may_have_taken_half_an_hour() {
    let minute = at("16:41:00");
    let window = |now| {
        let window = Window::of_minute(minute, now);
        (window.from, window.to)
    };
    assert_eq!(window(at("20:00:00")), (at("16:40:00"), at("17:11:00")));
    assert_eq!(window(at("16:50:00")), (at("16:40:00"), at("16:50:00")));
}
