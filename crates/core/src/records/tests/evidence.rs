//! Evidence that was gathered twice.

use alloc::collections::BTreeMap;

use super::*;
use crate::{
    plan::Target,
    triage::{Event, Evidence, FORMAT},
};

fn attempt(pod: &str, log: Known<Vec<String>>) -> Attempt {
    Attempt {
        pod: pod.to_string(),
        created: at("10:00:00"),
        started: Some(at("10:00:01")),
        ended: Some(at("10:00:20")),
        phase: "Failed".to_string(),
        exit: Some(1),
        reason: Some("Error".to_string()),
        log,
    }
}

fn read(line: &str) -> Known<Vec<String>> {
    Known::Value(vec![line.to_string()])
}

fn gone() -> Known<Vec<String>> {
    Known::Unknown("the pod is gone".to_string())
}

fn evidence(state: JobState, attempts: Known<Vec<Attempt>>) -> Evidence {
    let unknown = || "nobody asked".to_string();
    Evidence {
        format: FORMAT,
        at: at("10:05:00"),
        target: Target {
            cluster: "dev".to_string(),
            kube_system: Uid("k".to_string()),
            environment: "calm".to_string(),
        },
        case: Case {
            job: job("10:00", 2, state),
            attempts,
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

fn logs(evidence: &Evidence) -> Vec<(&str, Option<&str>)> {
    let attempts = evidence.case.attempts.known().unwrap();
    let mut logs: Vec<_> = attempts
        .iter()
        .map(|one| (one.pod.as_str(), one.log.known().map(|log| log[0].as_str())))
        .collect();
    logs.sort_unstable();
    logs
}

#[test]
fn a_log_that_was_read_once_is_never_lost() {
    let earlier = evidence(
        JobState::Running,
        Known::Value(vec![attempt("a", read("one")), attempt("b", read("two"))]),
    );
    // One pod was evicted meanwhile, another one's log is gone.
    let later = evidence(
        failed(),
        Known::Value(vec![attempt("b", gone()), attempt("c", read("three"))]),
    );
    let merged = merge(earlier.clone(), later);
    assert_eq!(
        logs(&merged),
        [("a", Some("one")), ("b", Some("two")), ("c", Some("three"))]
    );
    assert_eq!(merged.case.job.state, failed(), "the later word counts");

    let nothing = evidence(failed(), Known::Unknown("403".to_string()));
    assert_eq!(
        logs(&merge(earlier, nothing)),
        [("a", Some("one")), ("b", Some("two"))]
    );
}

#[test]
fn a_log_that_is_read_again_is_the_longer_one() {
    let earlier = evidence(
        JobState::Running,
        Known::Value(vec![attempt("a", read("begun"))]),
    );
    let later = evidence(failed(), Known::Value(vec![attempt("a", read("ended"))]));
    assert_eq!(logs(&merge(earlier, later)), [("a", Some("ended"))]);
}

/// A kubelet that is short of disk removes logs, and keeps the pods.
#[test]
fn a_log_that_was_cut_is_the_one_before() {
    let lines = |lines: &[&str]| Known::Value(lines.iter().map(ToString::to_string).collect());
    let with = |log| evidence(failed(), Known::Value(vec![attempt("a", log)]));
    let merged = merge(with(lines(&["one", "two"])), with(lines(&["two"])));
    assert_eq!(logs(&merged), [("a", Some("one"))]);
}

#[test]
fn what_could_not_be_read_is_missing_until_it_is() {
    let with = |attempts| evidence(failed(), attempts);
    let waiting = Attempt {
        started: None,
        ..attempt("b", gone())
    };
    for (evidence, expected) in [
        (
            with(Known::Unknown("no answer".to_string())),
            Some("no answer"),
        ),
        (
            with(Known::Value(vec![attempt("a", gone())])),
            Some("the pod is gone"),
        ),
        (
            with(Known::Value(vec![attempt("a", read("begun")), waiting])),
            None,
        ),
    ] {
        assert_eq!(missing(&evidence), expected);
    }
}

/// The recorder looks again at failures that are older than its results are, and a ledger has forgotten by then.
#[test]
fn faults_are_all_that_any_look_has_seen_and_how_they_ended_as_the_last_says() {
    let fault = |name: &str, healed: Option<&str>| crate::triage::Fault {
        name: name.to_string(),
        began: at("10:00:00"),
        taken_back: None,
        healed: healed.map(at),
    };
    let with = |faults: Known<Option<Vec<crate::triage::Fault>>>| {
        let mut evidence = evidence(failed(), Known::Value(Vec::new()));
        evidence.faults = faults;
        evidence
    };
    let known = |faults: Vec<_>| Known::Value(Some(faults));
    let then = || known(vec![fault("a", None), fault("b", None)]);
    let not_over = || {
        let mut fault = fault("b", None);
        fault.taken_back = Some(at("10:01:00"));
        known(vec![fault])
    };
    for (earlier, later, expected) in [
        (
            then(),
            known(vec![fault("b", Some("10:01:00")), fault("c", None)]),
            known(vec![
                fault("a", None),
                fault("b", Some("10:01:00")),
                fault("c", None),
            ]),
        ),
        // An earlier version took what was taken back for healthy.
        (
            known(vec![fault("b", Some("10:01:00"))]),
            not_over(),
            not_over(),
        ),
        (then(), Known::Value(None), then()),
        (then(), Known::Unknown("no answer".to_string()), then()),
        (Known::Value(None), then(), then()),
    ] {
        assert_eq!(merge(with(earlier), with(later)).faults, expected);
    }
}

#[test]
fn events_that_have_expired_are_kept() {
    let event = |reason: &str| Event {
        at: at("10:00:00"),
        about: "Pod restate-0".to_string(),
        reason: reason.to_string(),
        message: String::new(),
        count: 1,
        warning: true,
    };
    let mut earlier = evidence(JobState::Running, Known::Value(Vec::new()));
    earlier.events = Known::Value(vec![event("Killing"), event("Unhealthy")]);
    let mut later = evidence(failed(), Known::Value(Vec::new()));
    later.events = Known::Value(vec![event("Unhealthy"), event("Started")]);
    let merged = merge(earlier, later);
    let reasons: Vec<&str> = merged
        .events
        .known()
        .unwrap()
        .iter()
        .map(|event| event.reason.as_str())
        .collect();
    assert_eq!(reasons, ["Killing", "Started", "Unhealthy"]);
}

/// A recorder that was killed after it kept evidence gathers it again, perhaps much later.
#[test]
fn what_the_node_said_at_the_end_counts_and_not_what_it_says_hours_later() {
    let with = |state, counter: Option<u64>| {
        let mut evidence = evidence(state, Known::Value(Vec::new()));
        if let Some(counter) = counter {
            evidence.counters = Known::Value([(0, counter)].into());
        }
        evidence
    };
    for (earlier, later, expected) in [
        (with(failed(), Some(1)), with(failed(), Some(2)), 1),
        (with(failed(), None), with(failed(), Some(2)), 2),
        (with(JobState::Running, Some(1)), with(failed(), Some(2)), 2),
    ] {
        let merged = merge(earlier, later);
        assert_eq!(merged.counters, Known::Value([(0, expected)].into()));
    }
}

#[test]
fn nothing_is_taken_of_another_incarnation() {
    let earlier = evidence(
        failed(),
        Known::Value(vec![attempt("a", read("of another"))]),
    );
    let mut later = evidence(failed(), Known::Value(Vec::new()));
    later.case.job.uid = Uid("another".to_string());
    assert_eq!(merge(earlier, later.clone()), later);
}

/// A service that starts again in the last minute is part of the story; one of today is not.
#[test]
fn pods_that_were_made_in_the_time_of_the_test_are_part_of_it() {
    let pod = |name: &str, created: jiff::Timestamp| crate::triage::Pod {
        name: name.to_string(),
        created,
        containers: Vec::new(),
    };
    let before = evidence(failed(), Known::Value(Vec::new()));
    let ended = before.case.job.ended.unwrap();
    let (mut earlier, mut later) = (before.clone(), before);
    let there = pod("restate-0", ended - SignedDuration::from_hours(1));
    earlier.pods = Known::Value(vec![there.clone()]);
    let soon = pod("verification-b", ended + SignedDuration::from_secs(50));
    let today = pod("verification-c", ended + SignedDuration::from_hours(9));
    later.at = ended + SignedDuration::from_hours(10);
    later.pods = Known::Value(vec![there.clone(), soon.clone(), today]);
    let merged = merge(earlier, later);
    assert_eq!(merged.pods, Known::Value(vec![there, soon]));
}
