//! What stands around the attempts of a report: what ran, the twin, other failures, and where to look further.

use super::*;
use crate::known::Known;
use crate::{
    inputs::Link,
    records::{Entry, Outcome},
};

#[test]
fn what_ran_is_told_of_what_a_pod_is_named_after() {
    let container = |name: &str, image: Option<&str>| Container {
        name: name.to_string(),
        image: image.map(ToString::to_string),
        restarts: 0,
        started: None,
        before: None,
    };
    let pod = |name: &str, containers| Pod {
        name: name.to_string(),
        created: at("09:00:00"),
        containers,
    };
    let mut evidence = evidence(case(vec![]));
    evidence.pods = Known::Value(vec![
        pod(
            "restate-0",
            vec![
                container("restate", Some("restate:1.7.12")),
                container("observer", Some("verification:1")),
            ],
        ),
        pod(
            "verification-a",
            vec![container("verification", Some("verification:1"))],
        ),
        pod(
            "verification-b",
            vec![container("verification", Some("verification:2"))],
        ),
        // Evidence of an older version does not say.
        pod("verification-c", vec![container("verification", None)]),
    ]);
    let ran = Report::of(&evidence).ran;
    let ran: Vec<(&str, &str)> = ran
        .iter()
        .map(|(name, image)| (&**name, &**image))
        .collect();
    assert_eq!(
        ran,
        [
            ("restate", "restate:1.7.12"),
            ("verification", "verification:1"),
            ("verification", "verification:2"),
        ]
    );
}

#[test]
fn a_twin_that_is_not_kept_is_neither_good_nor_bad() {
    let mut evidence = evidence(case(vec![wrong(&[(1, 5, 2)]), wrong(&[(1, 5, 2)])]));
    let twin = |case: Known<Option<Case>>| Twin {
        environment: "restate".to_string(),
        case,
    };
    let mut verified = case(vec![]);
    verified.job.state = JobState::Succeeded;
    let failed = case(vec![wrong(&[(9, 3, 1)]), wrong(&[(9, 3, 1)])]);
    let recorded: Case = Entry::failed(&failed).into();
    let mut interrupted = Entry::of(&failed.job, Outcome::Interrupted);
    interrupted.interrupted = Some("wipe".to_string());
    for (found, expected) in [
        (Known::Value(None), "not kept (any more)"),
        (Known::Value(Some(verified)), "verified"),
        (
            Known::Value(Some(failed)),
            "FAILED too, with the same signature: stuck",
        ),
        (
            Known::Value(Some(recorded)),
            "FAILED too, with the same signature",
        ),
        (
            Known::Value(Some(interrupted.into())),
            "interrupted by a wipe",
        ),
        (
            Known::Unknown("forbidden".to_string()),
            "unknown: forbidden",
        ),
    ] {
        evidence.twins = vec![twin(found)];
        let (_, words) = &Report::of(&evidence).twins[0];
        assert!(words.starts_with(expected), "{words}");
    }
}

#[test]
fn its_program_is_run_again_on_the_restate_that_it_ran_on_if_that_is_known() {
    let keyed = "registry.example:5000/longrun/restate:1.7.12-82a934cde840";
    let digest = "restate:1.7.12@sha256:0123";
    let named = "localhost/restate:latest";
    let then = "09:00:00";
    // The test was over at 16:59.
    for (nodes, expected) in [
        (vec![(then, Some(keyed))], Some("1.7.12")),
        (vec![(then, Some(digest))], Some("1.7.12")),
        (
            vec![(then, Some("longrun/restate:1.8.0-rc.1"))],
            Some("1.8.0-rc.1"),
        ),
        (
            vec![(then, Some(keyed)), ("16:45:00", Some(digest))],
            Some("1.7.12"),
        ),
        (
            vec![(then, Some(keyed)), ("16:45:00", Some("restate:1.7.13"))],
            None,
        ),
        (
            vec![(then, Some(keyed)), ("16:59:30", Some("restate:1.7.13"))],
            Some("1.7.12"),
        ),
        (vec![("16:59:30", Some(keyed))], None),
        (vec![(then, Some(named))], None),
        (vec![(then, None)], None),
        (vec![], None),
    ] {
        let mut evidence = evidence(case(vec![]));
        let node = |(created, image): &(&str, Option<&str>)| Pod {
            name: "restate-0".to_string(),
            created: at(created),
            containers: vec![Container {
                name: "restate".to_string(),
                image: image.map(ToString::to_string),
                restarts: 0,
                started: None,
                before: None,
            }],
        };
        evidence.pods = Known::Value(nodes.iter().map(node).collect());
        assert_eq!(restate_of(&evidence).as_deref(), expected, "{nodes:?}");
        let next = Report::of(&evidence).next;
        let again = next.iter().find(|next| next.command.contains("reproduce"));
        let said = expected.map_or_else(String::new, |version| format!(" --restate {version}"));
        assert_eq!(
            again.unwrap().command,
            format!(
                "cargo xtask reproduce v1-s20-all-{NAME} -n restate-chaos{said} --runs 50 --shrink"
            )
        );
    }
}

#[test]
fn how_often_it_occurred_counts_others_and_never_itself() {
    let mut evidence = evidence(case(vec![wrong(&[(1, 5, 2)])]));
    let other = |name: &str, log: Vec<String>| of(name, vec![attempt(40, log)]);
    evidence.others = Known::Value(vec![
        other("test-9", wrong(&[(7, 3, 1)])),
        other("test-10", wrong(&[(8, 3, 1)])),
        other("test-11", wrong(&[(8, 3, 4)])),
        evidence.case.clone(),
    ]);
    let report = Report::of(&evidence);
    assert_eq!(report.same.known().unwrap(), &["test-10", "test-9"]);
    assert_eq!(report.compared, 3);
}

#[test]
fn links_have_the_window_and_the_job() {
    let mut evidence = evidence(case(vec![]));
    evidence.links = BTreeMap::from([(
        "logs".to_string(),
        "https://logs.example.com/?a={from}&b={to}&q={test_job}&n={environment}".to_string(),
    )]);
    assert_eq!(
        Report::of(&evidence).links["logs"],
        "https://logs.example.com/?a=2023-06-15T16:39:00Z&b=2023-06-15T17:00:00Z&q=test-28114121&n=restate-chaos"
    );
    let millis: Link = "http://g/?from={fromMillis}&to={toMillis}".parse().unwrap();
    let filled = millis.filled(at("16:00:00"), at("16:00:01"), NAME, "calm");
    assert_eq!(filled, "http://g/?from=1686844800000&to=1686844801000");
}

#[test]
fn a_link_that_cannot_be_filled_is_refused_with_what_can() {
    for (text, why) in [
        ("ftp://logs", "is not an address"),
        ("https://", "is not an address"),
        (
            "https://logs/?q={job}",
            "one of {environment}, {from}, {fromMillis}, {test_job}, {to}, {toMillis}",
        ),
        ("https://logs/?q={from", "without its }"),
    ] {
        let error = text.parse::<Link>().unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
