use serde_json::json;

use super::*;
use crate::store::tests::{TEN, failed as failed_job};

/// Series and value of each sample, as Prometheus reads a page.
fn samples(page: &str) -> BTreeMap<&str, f64> {
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.map(|line| line.rsplit_once(' ').unwrap());
    samples
        .map(|(series, value)| (series, value.parse().unwrap()))
        .collect()
}

#[test]
fn of_each_fault_the_counts_and_the_last_time() {
    let entry = |began: &str, outcome, recovered: Option<&str>| {
        json!({"fault": "kill-restate", "by": "schedule", "targets": [], "began": began, "injected": began,
            "healed": began, "recovered": recovered, "outcome": outcome, "note": null})
    };
    let recovered = |began, at| entry(began, json!("recovered"), Some(at));
    let mut ledger: Faults = [
        (
            "b",
            recovered("2026-01-05T10:00:00Z", "2026-01-05T10:00:02.5Z"),
        ),
        (
            "a",
            recovered("2026-01-05T09:00:00Z", "2026-01-05T09:00:09Z"),
        ),
        ("c", json!("of another version")),
    ]
    .map(|(name, entry)| (name.to_owned(), entry))
    .into();
    let check = |ledger: &Faults, expected: &[(&str, f64)]| {
        let mut registry = Registry::default();
        faults(&mut registry, ledger);
        let page = page(&registry).unwrap();
        assert_eq!(samples(&page), expected.iter().copied().collect());
    };
    let kill = "{fault=\"kill-restate\"}";
    let [began, took] =
        ["timestamp", "recovery"].map(|of| format!("fault_last_{of}_seconds{kill}"));
    let [open, recovered] = ["open", "recovered"]
        .map(|outcome| format!("faults{{fault=\"kill-restate\",outcome=\"{outcome}\"}}"));
    check(
        &ledger,
        &[(&recovered, 2.0), (&began, 1_767_607_200.0), (&took, 2.5)],
    );

    let another = entry("2026-01-05T11:00:00Z", json!(null), None);
    ledger.insert("d".to_owned(), another);
    check(
        &ledger,
        &[(&open, 1.0), (&recovered, 2.0), (&began, 1_767_610_800.0)],
    );
}

/// Alerts are written against these.
#[test]
fn names_and_labels_stay_as_they_are() {
    let mut records = Records::default();
    let page = render(&records, None).unwrap();
    let [failed, interrupted, succeeded, unknown] =
        ["failed", "interrupted", "succeeded", "unknown"]
            .map(|outcome| format!("longrun_recorder_results{{outcome=\"{outcome}\"}}"));
    let always = [
        &*failed,
        &interrupted,
        &succeeded,
        &unknown,
        "longrun_recorder_evidence_jobs",
        "longrun_recorder_evidence_bytes",
        "longrun_recorder_evidence_let_go_total",
        "longrun_recorder_failed_writes_total",
    ];
    let expected: BTreeMap<&str, f64> = always.iter().map(|series| (*series, 0.0)).collect();
    assert_eq!(samples(&page), expected);

    records.free = Some(5);
    for (minute, outcome) in [(TEN, Outcome::Succeeded), (TEN + 1, Outcome::Failed)] {
        let entry = Entry::of(&failed_job(minute), outcome);
        records.entries.insert(entry.uid.clone(), entry);
    }
    let page = render(&records, Some(Instant::now())).unwrap();
    let of = |series: &str| samples(&page).get(series).copied();
    let ended = f64::from(u32::try_from(TEN * 60 + 40).unwrap());
    for (series, value) in [
        (&*failed, 1.0),
        (&succeeded, 1.0),
        ("longrun_recorder_last_success_timestamp_seconds", ended),
        (
            "longrun_recorder_last_failure_timestamp_seconds",
            ended + 60.0,
        ),
        ("longrun_recorder_claim_free_bytes", 5.0),
        ("longrun_recorder_last_look_age_seconds", 0.0),
    ] {
        assert_eq!(of(series), Some(value), "{series} in {page}");
    }
    for (name, kind) in [("results", "gauge"), ("failed_writes_total", "counter")] {
        let line = format!("# TYPE longrun_recorder_{name} {kind}\n");
        assert!(page.contains(&line), "{line} in {page}");
    }
}
