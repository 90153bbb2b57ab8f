//! The report: timeline, counters and their place in the program, what is missing, and that evidence that was
//! kept is judged as it was.

use crate::known::Known;
use longrun_program::ProgramId;

use super::*;

/// The program of the cases here.
fn expected() -> BTreeMap<u32, u64> {
    let id: ProgramId = format!("v1-s20-all-{NAME}").parse().unwrap();
    let expected = id.generate().expected();
    expected
        .into_iter()
        .map(|(target, count)| (target.0, count))
        .collect()
}

#[test]
fn faults_and_restarts_stand_between_the_attempts_they_explain() {
    let mut evidence = evidence(case(vec![wrong(&[(1, 5, 2)]), wrong(&[(1, 5, 2)])]));
    evidence.faults = Known::Value(Some(vec![Fault {
        name: "kill-restate".to_string(),
        began: at("16:40:10"),
        taken_back: None,
        healed: Some(at("16:40:40")),
    }]));
    evidence.pods = Known::Value(vec![Pod {
        name: "restate-0".to_string(),
        created: at("09:00:00"),
        containers: vec![Container {
            name: "restate".to_string(),
            image: Some("restate:1.7.12".to_string()),
            restarts: 4,
            started: Some(at("16:40:12")),
            before: Some(Ended {
                at: at("16:40:11"),
                exit: 137,
                reason: "Error".to_string(),
            }),
        }],
    }]);
    let event = |time: &str, reason: &str, warning| Event {
        at: at(time),
        about: "Pod restate-0".to_string(),
        reason: reason.to_string(),
        message: "m".to_string(),
        count: 3,
        warning,
    };
    evidence.events = Known::Value(vec![
        event("16:40:13", "Unhealthy", true),
        event("16:40:12", "Started", false),
        Event {
            about: "Job test-28114121".to_string(),
            ..event("16:59:00", "BackoffLimitExceeded", true)
        },
        event("10:00:00", "Unhealthy", true),
    ]);
    let told: Vec<String> = timeline(&evidence)
        .into_iter()
        .map(|entry| format!("{} {}", entry.at.strftime("%H:%M:%S"), entry.text))
        .collect();
    assert_eq!(
        told,
        [
            "16:40:00 Job test-28114121 begins",
            "16:40:00 attempt 1 begins, pod test-28114121-00040",
            "16:40:10 fault kill-restate",
            "16:40:11 Pod restate-0, container restate ends: exit code 137, Error (restart 4)",
            "16:40:12 Pod restate-0, container restate starts again",
            "16:40:13 Pod restate-0: Unhealthy: m (3 times)",
            "16:40:31 attempt 1 ends: target 1 is 2 and not 5",
            "16:40:40 fault kill-restate is over: its target is healthy again",
            "16:41:00 attempt 2 begins, pod test-28114121-00041",
            "16:41:31 attempt 2 ends: target 1 is 2 and not 5",
            "16:59:00 Job test-28114121 failed: BackoffLimitExceeded: Job has reached the specified backoff limit",
        ]
    );
}

#[test]
fn a_wrong_counter_comes_with_every_way_the_program_reaches_it() {
    let id: ProgramId = format!("v1-s20-all-{NAME}").parse().unwrap();
    let program = id.generate();
    for (target, expected) in expected() {
        let log = wrong(&[(target, expected, 0)]);
        let report = Report::of(&evidence(case(vec![log])));
        let trails = report.trails.known().unwrap();
        assert_eq!(trails.len(), 1);
        let reached: u64 = trails[0].nodes.iter().map(|node| node.increments).sum();
        assert_eq!(
            reached, expected,
            "every increment of target {target} has a place"
        );
        for node in &trails[0].nodes {
            let path = node.path.parse().unwrap();
            assert_eq!(program.node(&path).unwrap().target.0, target);
            assert_eq!(
                node.calls.len(),
                if node.path == "root" {
                    0
                } else {
                    node.path.split('.').count()
                }
            );
            assert_eq!(node.behind, None, "nothing else is wrong");
        }
    }
}

#[test]
fn of_a_whole_branch_that_is_missing_its_beginning_comes_first() {
    let all: Vec<(u32, u64, u64)> = expected()
        .into_iter()
        .map(|(target, expected)| (target, expected, 0))
        .collect();
    let report = Report::of(&evidence(case(vec![wrong(&all)])));
    let trails = report.trails.known().unwrap();
    assert_eq!(trails[0].counter.target, 0, "the root is where it began");
    let later = trails.iter().filter(|trail| trail.counter.target != 0);
    for trail in later {
        assert!(
            trail.nodes.iter().all(|node| node.behind.is_some()),
            "{trail:?}"
        );
    }
}

#[test]
fn the_database_says_what_attempts_that_are_gone_cannot() {
    let mut gone = case(vec![]);
    gone.job.pods = 7;
    let mut evidence = evidence(gone);
    let mut counters = expected();
    let (&target, count) = counters.iter_mut().next_back().unwrap();
    *count += 1;
    let actual = *count;
    evidence.counters = Known::Value(counters);
    let report = Report::of(&evidence);
    let trails = report.trails.known().unwrap();
    assert_eq!(trails.len(), 1);
    assert_eq!(
        (trails[0].counter.target, trails[0].counter.actual),
        (target, actual)
    );
    assert_eq!(trails[0].now, Some(actual));
    assert_eq!(report.by_now, "by now one of its counters is wrong");

    evidence.counters = Known::Value(expected());
    assert!(
        Report::of(&evidence)
            .by_now
            .contains("every counter is right")
    );
    // Without any counter it may have been cleared: that is not the same as all being wrong.
    evidence.counters = Known::Value(BTreeMap::new());
    let report = Report::of(&evidence);
    assert!(report.by_now.contains("cleared or wiped"));
    let why = report.trails.why_not().unwrap();
    assert!(why.contains("the database has no counter"), "{why}");
}

#[test]
fn a_program_that_this_build_cannot_make_is_said_to_be_unknown() {
    let mut case = case(vec![wrong(&[(1, 5, 2)])]);
    for (program, why) in [
        (Some("v9-s20-all-test-28114121"), "generator version 9"),
        (None, "neither the Job nor an attempt says"),
    ] {
        case.job.program = program.map(str::to_string);
        let report = Report::of(&evidence(case.clone()));
        assert!(report.trails.why_not().unwrap().contains(why));
    }
}

#[test]
fn all_that_is_missing_is_said() {
    let mut lost = attempt(40, vec![]);
    lost.log = Known::Unknown("its node is gone".to_string());
    let mut case = of(NAME, vec![lost]);
    case.job.pods = 7;
    let mut evidence = evidence(case);
    evidence.at = at("19:00:00");
    evidence.counters = Known::Unknown("no leader".to_string());
    evidence.invocations = Known::Unknown("forbidden".to_string());
    let missing: Vec<String> = Report::of(&evidence)
        .missing
        .into_iter()
        .map(|missing| missing.what)
        .collect();
    assert_eq!(
        missing,
        [
            "6 of 7 attempts",
            "the log of test-28114121-00040",
            "faults",
            "older Events",
            "open invocations",
            "its counters in the database"
        ]
    );
}

#[test]
fn exactly_the_failed_job_is_deleted_and_its_name_is_demanded() {
    let case = case(vec![]);
    let plan: Plan = resolve(&target(), &case).unwrap();
    assert_eq!(
        plan.loses,
        [Loss::Evidence {
            job: NAME.to_string()
        }]
    );
    let [step] = &plan.steps[..] else {
        panic!("{plan:?}");
    };
    let Effect::Delete { object, uid, .. } = &step.act else {
        panic!("{step:?}");
    };
    assert_eq!((object.kind.as_str(), object.name.as_str()), ("Job", NAME));
    assert_eq!(object.namespace.as_deref(), Some("restate-chaos"));
    assert_eq!(uid, &case.job.uid);
    assert_eq!(
        step.guard,
        Guard::Is {
            uid: case.job.uid.clone()
        }
    );

    let mut other = case;
    for (state, why) in [
        (JobState::Running, "not over"),
        (JobState::Succeeded, " verified: "),
    ] {
        other.job.state = state;
        let refused = resolve(&target(), &other).unwrap_err().to_string();
        assert!(
            refused.contains(why) && refused.contains("nothing was changed"),
            "{refused}"
        );
    }
}

#[test]
fn evidence_of_a_later_format_is_refused() {
    let text = write(&evidence(case(vec![]))).unwrap();
    let later = text.replace("\"format\": 1", "\"format\": 2");
    assert_ne!(later, text);
    let error = read(&later).unwrap_err();
    assert!(
        error.contains("format 2") && error.contains("reads 1 to 1"),
        "{error}"
    );
}

#[test]
fn paused_invocations_come_first_and_then_those_that_fail() {
    let mut evidence = evidence(case(vec![]));
    let open = |status: &str, age_seconds| Invocation {
        id: format!("inv_{status}{age_seconds}"),
        target: "t".to_string(),
        status: status.to_string(),
        age_seconds,
        retry_count: 0,
        last_failure: None,
    };
    evidence.invocations = Known::Value(vec![
        open("pending", 9),
        open("backing-off", 1),
        open("paused", 1),
        open("paused", 5),
        open("suspended", 10),
    ]);
    let report = Report::of(&evidence);
    let open = report.invocations.known().unwrap().iter();
    let ids: Vec<&str> = open.map(|one| one.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "inv_paused5",
            "inv_paused1",
            "inv_backing-off1",
            "inv_suspended10",
            "inv_pending9"
        ]
    );
}

#[test]
fn what_is_no_row_of_the_table_is_no_counter() {
    let rows = |text: &str| Ok(serde_json::from_str::<Vec<serde_json::Value>>(text).unwrap());
    let mut evidence = evidence(case(vec![]));
    let good = r#"[{"service_key": "117-v1-s20-all-test-1", "value_utf8": "3"}]"#;
    // The node leaves out columns that are null.
    let open = r#"[{"id": "inv_1", "target": "t", "status": "paused", "age_seconds": 1.5}]"#;
    evidence.answered(rows(open), rows(good));
    assert_eq!(evidence.counters, Known::Value([(117, 3)].into()));
    let first = &evidence.invocations.known().unwrap()[0];
    assert_eq!(
        (first.age_seconds, first.retry_count, &first.last_failure),
        (1, 0, &None)
    );
    for bad in [
        r#"[{"service_key": "x-v1", "value_utf8": "3"}]"#,
        r#"[{"service_key": "1-v1"}]"#,
    ] {
        evidence.answered(Err("refused".to_string()), rows(bad));
        assert!(evidence.counters.known().is_none());
        assert_eq!(evidence.invocations.why_not(), Some("refused"));
    }
}

fn any_log() -> impl Strategy<Value = Known<Vec<String>>> {
    let counters = prop::collection::vec((0_u32..9, 0_u64..4, 0_u64..4), 1..4);
    prop_oneof![
        counters.prop_map(|counters| Known::Value(wrong(&counters))),
        prop::collection::vec("\\PC{0,40}", 0..4).prop_map(Known::Value),
        "\\PC{0,40}".prop_map(Known::Unknown),
    ]
}

proptest! {
    #[test]
    fn evidence_that_was_kept_is_judged_as_it_was(
        logs in prop::collection::vec((any_log(), any::<bool>()), 0..6),
        pods in 0_u64..9,
        counters in prop::option::of(prop::collection::btree_map(0_u32..9, 0_u64..4, 0..5)),
        age in prop::option::of(0_u64..1_000_000),
        seconds in 0_i64..100_000,
    ) {
        let attempts = (40..).zip(logs).map(|(minute, (log, started))| {
            let mut one = attempt(minute, vec![]);
            one.log = log;
            one.started = one.started.filter(|_| started);
            one
        });
        let mut case = of(NAME, attempts.collect());
        case.job.pods = pods;
        let mut evidence = evidence(case);
        evidence.at += SignedDuration::from_secs(seconds);
        evidence.counters = counters.map_or_else(|| Known::Unknown("x".to_string()), Known::Value);
        evidence.invocations = Known::Value(age.into_iter().map(|age_seconds| Invocation {
            id: "inv_1".to_string(),
            target: "t".to_string(),
            status: "paused".to_string(),
            age_seconds,
            retry_count: 3,
            last_failure: None,
        }).collect());
        let kept = read(&write(&evidence).unwrap()).unwrap();
        prop_assert_eq!(&kept, &evidence);
        prop_assert_eq!(Report::of(&kept), Report::of(&evidence));
    }
}
