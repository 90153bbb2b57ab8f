//! Metrics in Prometheus' text format 0.0.4. What is not known has no sample.

use std::{
    collections::BTreeMap,
    fmt::{Display, Write as _},
    time::Instant,
};

use longrun_core::{
    faults::ledger,
    records::{Entry, Faults, Outcome},
};

use crate::records::Records;

pub(crate) const CONTENT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The page, with when the API server last said which Jobs there are.
pub(crate) fn render(records: &Records, looked: Option<Instant>) -> String {
    let mut page = Page(String::new());
    page.metric(
        "results",
        "gauge",
        "Results that are kept, by what became of the test.",
    );
    for outcome in Outcome::ALL {
        let count = records.entries().filter(|entry| entry.outcome == outcome);
        let label = format!("{{outcome=\"{}\"}}", outcome.word());
        page.sample("results", &label, count.count());
    }
    let last = |outcome: Outcome| {
        let of_outcome = records.entries().filter(|entry| entry.outcome == outcome);
        of_outcome.filter_map(|entry: &Entry| entry.ended).max()
    };
    for (name, outcome, help) in [
        (
            "last_success_timestamp_seconds",
            Outcome::Succeeded,
            "When a test last verified; absent when none is known to have.",
        ),
        (
            "last_failure_timestamp_seconds",
            Outcome::Failed,
            "When a test last failed; absent when none is known to have.",
        ),
    ] {
        page.metric(name, "gauge", help);
        if let Some(at) = last(outcome) {
            page.sample(name, "", at.as_second());
        }
    }
    let evidence = || records.evidence();
    page.single(
        "evidence_jobs",
        "gauge",
        "Jobs whose evidence is kept.",
        evidence().count(),
    );
    page.single(
        "evidence_bytes",
        "gauge",
        "Room that evidence takes.",
        evidence().map(|kept| kept.bytes).sum::<u64>(),
    );
    page.single(
        "evidence_let_go_total",
        "counter",
        "Jobs whose evidence was let go because there was no room.",
        records.let_go,
    );
    page.single(
        "failed_writes_total",
        "counter",
        "Writes to the claim that failed, those that worked at the next try included.",
        records.failed_writes,
    );
    if let Some(free) = records.free {
        page.single("claim_free_bytes", "gauge", "Room on the claim.", free);
    }
    if let Some(looked) = looked {
        page.single(
            "last_look_age_seconds",
            "gauge",
            "Seconds since the API server last said which Jobs there are.",
            looked.elapsed().as_secs(),
        );
    }
    page.faults(&records.faults);
    page.0
}

struct Page(String);

impl Page {
    /// What the ledger says. An entry that cannot be read has no sample.
    fn faults(&mut self, faults: &Faults) {
        let entries: Vec<ledger::Entry> = faults
            .values()
            .filter_map(|entry| serde_json::from_value(entry.clone()).ok())
            .collect();
        let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        let mut latest: BTreeMap<&str, &ledger::Entry> = BTreeMap::new();
        for entry in &entries {
            let outcome = entry.outcome.map_or("open", ledger::Outcome::word);
            *counts.entry((&entry.fault, outcome)).or_default() += 1;
            let last = latest.entry(&entry.fault).or_insert(entry);
            if last.began <= entry.began {
                *last = entry;
            }
        }
        self.metric(
            "faults",
            "gauge",
            "Faults that are kept, by how they ended.",
        );
        for ((fault, outcome), count) in counts {
            let labels = format!("{{fault=\"{fault}\",outcome=\"{outcome}\"}}");
            self.sample("faults", &labels, count);
        }
        self.metric(
            "fault_last_timestamp_seconds",
            "gauge",
            "When a fault last began.",
        );
        let labels = |fault: &str| format!("{{fault=\"{fault}\"}}");
        for (fault, last) in &latest {
            let began = last.began.as_second();
            self.sample("fault_last_timestamp_seconds", &labels(fault), began);
        }
        self.metric(
            "fault_last_recovery_seconds",
            "gauge",
            "How long the target of a fault last needed to be healthy again, the time that it was held included; absent when it was not seen to be.",
        );
        for (fault, last) in &latest {
            if let Some(recovery) = last.recovery() {
                let seconds = recovery.as_secs_f64();
                self.sample("fault_last_recovery_seconds", &labels(fault), seconds);
            }
        }
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.metric(name, kind, help);
        self.sample(name, "", value);
    }

    fn metric(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP longrun_recorder_{name} {help}");
        let _ = writeln!(self.0, "# TYPE longrun_recorder_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = writeln!(self.0, "longrun_recorder_{name}{labels} {value}");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_each_fault_the_counts_and_the_last_time() {
        let entry = |began: &str, outcome, recovered: Option<&str>| {
            json!({"fault": "kill-restate", "by": "schedule", "targets": [], "began": began, "injected": began,
                "healed": began, "recovered": recovered, "outcome": outcome, "note": null})
        };
        let recovered = |began, at| entry(began, json!("recovered"), Some(at));
        let faults: Faults = [
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
        let render = |faults: &Faults| {
            let mut page = Page(String::new());
            page.faults(faults);
            let is_sample = |line: &&str| !line.starts_with('#');
            let samples: Vec<&str> = page.0.lines().filter(is_sample).collect();
            samples.join("\n").replace("longrun_recorder_", "")
        };
        assert_eq!(
            render(&faults),
            "faults{fault=\"kill-restate\",outcome=\"recovered\"} 2\n\
             fault_last_timestamp_seconds{fault=\"kill-restate\"} 1767607200\n\
             fault_last_recovery_seconds{fault=\"kill-restate\"} 2.5"
        );

        let mut faults = faults;
        let open = entry("2026-01-05T11:00:00Z", json!(null), None);
        faults.insert("d".to_owned(), open);
        assert_eq!(
            render(&faults),
            "faults{fault=\"kill-restate\",outcome=\"open\"} 1\n\
             faults{fault=\"kill-restate\",outcome=\"recovered\"} 2\n\
             fault_last_timestamp_seconds{fault=\"kill-restate\"} 1767610800"
        );
    }
}
