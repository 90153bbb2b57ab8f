//! Metrics in Prometheus' text format 0.0.4. What is not known has no sample.

use std::fmt::{Display, Write as _};

use longrun_core::records::{Entry, Outcome};

use crate::Recorder;

pub(crate) fn render(recorder: &Recorder) -> String {
    let store = &recorder.store;
    let mut page = Page(String::new());
    page.metric(
        "results",
        "gauge",
        "Results that are kept, by what became of the test.",
    );
    for outcome in Outcome::ALL {
        let count = store.entries().filter(|entry| entry.outcome == outcome);
        let label = format!("{{outcome=\"{}\"}}", outcome.word());
        page.sample("results", &label, count.count());
    }
    let last = |outcome: Outcome| {
        let of_outcome = store.entries().filter(|entry| entry.outcome == outcome);
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
    let evidence = || store.evidence();
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
        store.let_go,
    );
    page.single(
        "failed_writes_total",
        "counter",
        "Writes to the claim that failed, those that worked at the next try included.",
        store.failed_writes,
    );
    if let Some(free) = store.free() {
        page.single("claim_free_bytes", "gauge", "Room on the claim.", free);
    }
    if let Some(looked) = recorder.looked {
        page.single(
            "last_look_age_seconds",
            "gauge",
            "Seconds since the API server last said which Jobs there are.",
            looked.elapsed().as_secs(),
        );
    }
    page.0
}

struct Page(String);

impl Page {
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
