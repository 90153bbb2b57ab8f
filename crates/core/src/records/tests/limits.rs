//! What a failure sets off, and how far the copy of the ledger reaches back.

use super::*;
use crate::{
    approval::{Ask, By},
    faults::Pause,
    operations::{
        data::Facts,
        snapshot::{Limits, Withheld, on_failure},
    },
    plan::{Effect, Plan, Target},
};

const LIMITS: Limits = Limits {
    per_day: 2,
    kept: 4,
};

fn failure(minute: &str) -> Entry {
    entry(minute, Outcome::Failed, 7)
}

#[test]
fn chaos_is_paused_after_a_failure_and_never_for_less_than_it_was() {
    let now = at("10:01:00");
    let wanted = Wanted(SignedDuration::from_hours(2));
    let paused = pause(wanted, &failure("10:00"), None, now).unwrap();
    assert_eq!(paused.until, at("12:01:00"));
    assert_eq!(paused.since, now);
    assert_eq!(paused.by, "recorder");
    assert!(paused.reason.contains("test-29460120"), "{}", paused.reason);

    let until = |until: &str| Pause {
        until: at(until),
        since: at("09:00:00"),
        reason: "maintenance".to_string(),
        by: "a person".to_string(),
    };
    for (present, asks) in [
        ("09:30:00", true),
        ("12:00:59", true),
        ("12:01:00", false),
        ("18:00:00", false),
    ] {
        let pause = pause(wanted, &failure("10:00"), Some(&until(present)), now);
        assert_eq!(pause.is_some(), asks, "{present}");
    }
}

#[test]
fn only_a_fresh_failure_pauses_anything() {
    let wanted = Wanted(SignedDuration::from_hours(2));
    let asks = |entry: &Entry, now: &str| pause(wanted, entry, None, at(now)).is_some();
    assert!(asks(&failure("10:00"), "10:10:40"));
    // A recorder that comes back finds what has long been over.
    assert!(!asks(&failure("10:00"), "10:10:41"));
    for outcome in [Outcome::Succeeded, Outcome::Interrupted, Outcome::Unknown] {
        assert!(
            !asks(&entry("10:00", outcome, 1), "10:01:00"),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_pause_is_read_as_it_is_written() {
    let pause = pause(
        Wanted(SignedDuration::from_hours(2)),
        &failure("10:00"),
        None,
        at("10:01:00"),
    )
    .unwrap();
    let object = pause.manifest("chaos");
    assert_eq!(
        object["data"]["pause"],
        r#"{"until":"2026-01-05T12:01:00Z","since":"2026-01-05T10:01:00Z","reason":"test-29460120 failed, and what it met is to stay as it is","by":"recorder"}"#
    );
    assert_eq!(object["metadata"]["name"], "longrun-pause");
    assert_eq!(Pause::read(Some(&object)), Ok(Some(pause)));
}

fn claim(phase: &str) -> serde_json::Value {
    json!({"metadata": {"name": "storage-restate-0", "uid": "c"}, "status": {"phase": phase}})
}

fn snapshot(name: &str, purpose: &str, created: &str, ready: bool) -> serde_json::Value {
    json!({
        "metadata": {"name": name, "labels": {"longrun/purpose": purpose}, "creationTimestamp": created},
        "spec": {"source": {"persistentVolumeClaimName": "storage-restate-0"}},
        "status": {"readyToUse": ready},
    })
}

fn planned(
    claim: Option<&serde_json::Value>,
    snapshots: Option<&[serde_json::Value]>,
) -> Result<Plan, Withheld> {
    let target = Target {
        cluster: "dev".to_string(),
        kube_system: Uid("k".to_string()),
        environment: "calm".to_string(),
    };
    let facts = Facts {
        claim: claim.cloned(),
        snapshots: snapshots.map(<[serde_json::Value]>::to_vec),
        ..Facts::default()
    };
    let now = at("10:01:00");
    on_failure(&target, "test-1", &facts, "keeps", LIMITS, now)
}

#[test]
fn a_failure_is_kept_as_a_snapshot_that_outlives_its_namespace() {
    let plan = planned(Some(&claim("Bound")), Some(&[])).unwrap();
    let [step] = &plan.steps[..] else {
        panic!("{plan:?}");
    };
    let Effect::Snapshot { object, claim } = &step.act else {
        panic!("{step:?}");
    };
    assert_eq!(claim.0, "c");
    assert_eq!(object["metadata"]["name"], "failure-test-1");
    assert_eq!(object["metadata"]["labels"]["longrun/purpose"], "failure");
    assert_eq!(object["spec"]["volumeSnapshotClassName"], "keeps");
    let approved = Ask::new(plan).standing("recorder.onFailure.snapshot");
    let by = approved.unwrap().by().clone();
    assert!(matches!(by, By::Standing { policy } if policy == "recorder.onFailure.snapshot"));
}

#[test]
fn snapshots_of_failures_have_limits() {
    let of_failure = |name: &str, created: &str| snapshot(name, "failure", created, true);
    let yesterday = "2026-01-04T10:01:00Z";
    let a_minute_less = "2026-01-04T10:02:00Z";
    let bound = claim("Bound");
    let outcome = |snapshots: &[serde_json::Value]| {
        planned(Some(&bound), Some(snapshots)).map(|plan| plan.steps.len())
    };
    let two = [
        of_failure("a", a_minute_less),
        of_failure("b", "2026-01-05T09:00:00Z"),
    ];
    assert_eq!(outcome(&two), Err(Withheld::Today(2)));
    let one = [
        of_failure("a", yesterday),
        of_failure("b", "2026-01-05T09:00:00Z"),
    ];
    assert_eq!(outcome(&one), Ok(1), "a day is over after 24 hours");
    let old = "2026-01-01T00:00:00Z";
    let four = ["a", "b", "c", "d"].map(|name| of_failure(name, old));
    assert_eq!(outcome(&four), Err(Withheld::Full(4)));
    assert_eq!(outcome(&four[..3]), Ok(1));
    let of_people = ["a", "b", "c", "d"].map(|name| snapshot(name, "manual", a_minute_less, true));
    assert_eq!(outcome(&of_people), Ok(1), "those of people do not count");
}

#[test]
fn no_snapshot_is_taken_in_anybodys_way_nor_twice() {
    let bound = claim("Bound");
    let created = "2026-01-01T00:00:00Z";
    let hanging = [snapshot("a", "manual", created, false)];
    assert_eq!(
        planned(Some(&bound), Some(&hanging)).unwrap_err(),
        Withheld::Hanging("a".to_string())
    );
    let same = [snapshot("failure-test-1", "failure", created, false)];
    assert_eq!(
        planned(Some(&bound), Some(&same)).unwrap_err(),
        Withheld::Taken("failure-test-1".to_string())
    );
    assert_eq!(
        planned(Some(&bound), None).unwrap_err(),
        Withheld::NotServed
    );
    let mut going = claim("Bound");
    going["metadata"]["deletionTimestamp"] = json!("2026-01-05T10:00:00Z");
    for claim in [None, Some(&claim("Pending")), Some(&going)] {
        let refused = planned(claim, Some(&[])).unwrap_err();
        assert!(matches!(refused, Withheld::NoDatabase(_)), "{refused}");
    }
}

#[test]
fn the_copy_of_the_ledger_outlives_the_ledger() {
    let ledger = |entries: &[(&str, &str)]| {
        let data: serde_json::Map<String, serde_json::Value> = entries
            .iter()
            .map(|(key, text)| ((*key).to_string(), json!(text)))
            .collect();
        json!({"data": data})
    };
    let (first, second) = (
        "20260105T100000Z-kill-restate",
        "20260105T110000Z-cut-network",
    );
    let begun = ledger(&[(first, r#"{"fault":"kill-restate","recovered":null}"#)]);
    let now = at("10:00:10");
    let kept = copied(&Faults::new(), &begun, 14, now);
    assert_eq!(kept[first]["recovered"], json!(null));
    let over = ledger(&[(first, r#"{"fault":"kill-restate","recovered":"x"}"#)]);
    let kept = copied(&kept, &over, 14, now);
    assert_eq!(kept[first]["recovered"], "x", "the later word counts");
    let next = ledger(&[(second, "not JSON")]);
    let kept = copied(&kept, &next, 14, "2026-01-10T00:00:00Z".parse().unwrap());
    assert_eq!(kept.len(), 2, "the ledger has let the first go");
    assert_eq!(kept[second], "not JSON", "it is kept as it is");
    let kept = copied(
        &kept,
        &json!({}),
        14,
        "2026-01-19T10:00:01Z".parse().unwrap(),
    );
    assert_eq!(kept.keys().collect::<Vec<_>>(), [second]);
}
