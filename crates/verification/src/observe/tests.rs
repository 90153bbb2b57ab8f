//! What is shown of a node's answers: readiness, metrics, and the summary for other tools.

use super::metrics;
use super::snapshot::Snapshot;
use longrun_restate::{Count, Error, Leaders, Status};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

const STALE: Duration = Duration::from_secs(20);

fn count(status: Status, count: u64, over: [u64; 3], oldest_seconds: f64) -> Count {
    of("interpreter", status, count, over, oldest_seconds)
}

fn of(service: &str, status: Status, count: u64, over: [u64; 3], oldest_seconds: f64) -> Count {
    let [over_1m, over_10m, over_1h] = over;
    Count {
        service: service.into(),
        status,
        count,
        over_1m,
        over_10m,
        over_1h,
        oldest_seconds,
    }
}

fn led(partitions: Option<u32>, leaders: Option<u32>) -> Leaders {
    Leaders {
        partitions,
        leaders,
    }
}

fn answered(counts: Vec<Count>, partitions: u32, leaders: u32) -> (Snapshot, Instant) {
    let now = Instant::now();
    let mut snapshot = Snapshot::default();
    snapshot.invocations_polled(Ok(counts), now, now);
    snapshot.leaders_polled(Ok(led(Some(partitions), Some(leaders))), now);
    (snapshot, now)
}

fn silence() -> Error {
    Error::TimedOut {
        url: "http://127.0.0.1:9070/query".into(),
        within: Duration::from_secs(10),
    }
}

#[test]
fn ready_means_that_every_partition_has_a_leader_and_that_this_was_seen_lately() {
    let readiness = |partitions, leaders, later| {
        let (snapshot, now) = answered(vec![], partitions, leaders);
        snapshot.readiness(now + Duration::from_secs(later), STALE)
    };
    assert_eq!(readiness(4, 4, 0), Ok(()));
    let one_missing = "3 of 4 partitions have a leader";
    assert_eq!(readiness(4, 3, 0), Err(one_missing.into()));
    assert!(readiness(0, 0, 0).is_err(), "it has not even partitions");
    assert!(readiness(4, 4, 21).is_err(), "that was long ago");
    let (mut snapshot, now) = answered(vec![], 4, 4);
    snapshot.leaders_polled(Err(silence()), now);
    let reason = snapshot.readiness(now, STALE).unwrap_err();
    assert!(reason.contains("did not answer within 10s"), "{reason}");
    snapshot.leaders_polled(Ok(led(Some(4), Some(4))), now);
    let later = now + STALE;
    assert_eq!(snapshot.readiness(later, STALE), Ok(()), "lately enough");
    let reason = snapshot.readiness(later + STALE, STALE).unwrap_err();
    assert!(
        !reason.contains("did not answer"),
        "that has passed: {reason}"
    );
}

/// Series and value of each sample, as Prometheus reads the page.
fn samples(snapshot: &Snapshot, now: Instant) -> BTreeMap<String, f64> {
    let page = metrics::render(snapshot, now, STALE).unwrap();
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.map(|line| line.rsplit_once(' ').unwrap());
    samples
        .map(|(series, value)| {
            let series = series.strip_prefix("restate_observer_").unwrap();
            (series.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[test]
fn what_the_node_does_not_say_is_not_known_and_not_none() {
    let (mut snapshot, now) = answered(vec![], 4, 4);
    snapshot.leaders_polled(Ok(led(Some(4), None)), now);
    let reason = snapshot.readiness(now, STALE).unwrap_err();
    assert!(reason.contains("do not say"), "{reason}");
    let samples = samples(&snapshot, now);
    assert_eq!(samples.get("partitions"), Some(&4.0));
    assert_eq!(samples.get("partition_leaders"), None);
}

#[test]
fn paused_and_old_invocations_are_metrics() {
    let counts = vec![
        count(Status::Paused, 2, [2, 1, 0], 700.5),
        count(Status::Running, 40, [0, 0, 0], 3.0),
    ];
    let (snapshot, now) = answered(counts, 4, 3);
    let samples = samples(&snapshot, now);
    let of = |name: &str, status: &str, seconds: &str| {
        format!("{name}{{service=\"interpreter\",status=\"{status}\"{seconds}}}")
    };
    let over = |seconds: u32| {
        let seconds = format!(",seconds=\"{seconds}\"");
        of("open_invocations_older_than", "paused", &seconds)
    };
    for (series, value) in [
        ("up".into(), 1.0),
        ("partitions".into(), 4.0),
        ("partition_leaders".into(), 3.0),
        (of("open_invocations", "paused", ""), 2.0),
        (of("open_invocations", "running", ""), 40.0),
        (of("open_invocations", "suspended", ""), 0.0),
        (over(60), 2.0),
        (over(600), 1.0),
        (over(3_600), 0.0),
        (
            of("oldest_open_invocation_age_seconds", "paused", ""),
            700.5,
        ),
    ] {
        assert_eq!(
            samples.get(&series),
            Some(&value),
            "{series} in {samples:?}"
        );
    }
}

#[test]
fn what_was_not_answered_lately_has_no_sample_and_is_not_known() {
    let (mut snapshot, now) = answered(vec![count(Status::Paused, 2, [0; 3], 1.0)], 4, 4);
    let old = now + STALE + Duration::from_secs(1);
    for (snapshot, at) in [(&snapshot, old), (&Snapshot::default(), now)] {
        let samples = samples(snapshot, at);
        assert_eq!(samples["up"], 0.0);
        for unknown in ["open", "oldest", "partition"] {
            let is_it = |series: &&String| series.starts_with(unknown);
            assert_eq!(samples.keys().find(is_it), None);
        }
        assert!(!snapshot.summary(at, STALE).known);
    }
    snapshot.invocations_polled(Err(silence()), now, now);
    let summary = snapshot.summary(now, STALE);
    assert!(!summary.known);
    assert_eq!(summary.open, None);
    assert!(summary.error.unwrap().contains("did not answer"));
}

#[test]
fn the_summary_adds_up_by_status_and_by_service() {
    let counts = vec![
        of("interpreter", Status::Running, 40, [9, 3, 2], 4000.0),
        of("interpreter", Status::Paused, 2, [2, 1, 0], 700.5),
        of("verifier", Status::Running, 5, [0, 0, 0], 3.0),
    ];
    let (snapshot, now) = answered(counts, 4, 3);
    let summary = snapshot.summary(now + Duration::from_millis(1500), STALE);
    assert_eq!(summary.open, Some(47));
    assert_eq!(summary.age_seconds, Some(1.5));
    assert_eq!(summary.ready, Some(false));
    assert_eq!(summary.by_status.len(), Status::OPEN.len());
    let by_status = ["paused", "running", "suspended"].map(|status| summary.by_status[status]);
    assert_eq!(by_status, [2, 45, 0]);
    let of_status = |status| {
        let mut oldest = summary.oldest.iter();
        oldest
            .find(|oldest| oldest.status == status)
            .map(|oldest| oldest.age_seconds)
    };
    let oldest = [Status::Paused, Status::Running, Status::Suspended].map(of_status);
    assert_eq!(oldest, [Some(700.5), Some(4000.0), None]);
    let services = ["interpreter", "verifier"].map(|service| {
        let service = &summary.services[service];
        (service.open, service.open_over_10m, service.oldest_seconds)
    });
    assert_eq!(services, [(42, 4, 4000.0), (5, 0, 3.0)]);
}

#[test]
fn leaders_are_known_when_invocations_are_not() {
    let (mut snapshot, now) = answered(vec![], 4, 4);
    snapshot.invocations_polled(Err(silence()), now, now);
    assert_eq!(snapshot.summary(now, STALE).ready, Some(true));
    let samples = samples(&snapshot, now);
    for (series, value) in [
        ("polls_total{result=\"failed\"}", 1.0),
        ("polls_total{result=\"ok\"}", 2.0),
        ("partition_leaders", 4.0),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{series} in {samples:?}");
    }
    assert!(
        !samples.contains_key("query_duration_seconds"),
        "{samples:?}"
    );
}

#[test]
fn the_services_of_the_workload_have_samples_before_anything_is_open() {
    let strange = of("a\"b", Status::Running, 1, [0; 3], 1.0);
    let (snapshot, now) = answered(vec![strange], 4, 4);
    let samples = samples(&snapshot, now);
    for (service, value) in [("interpreter", 0.0), ("verifier", 0.0), ("a\\\"b", 1.0)] {
        let series = format!("open_invocations{{service=\"{service}\",status=\"running\"}}");
        assert_eq!(
            samples.get(&series),
            Some(&value),
            "{series} in {samples:?}"
        );
    }
}
