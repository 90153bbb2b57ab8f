//! Metrics for Prometheus. What is not known has no sample.

use std::{collections::BTreeMap, fmt, sync::atomic::AtomicU64, time::Instant};

use longrun_core::{
    faults::ledger,
    records::{Entry, Faults, Outcome},
};
pub(crate) use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;
use prometheus_client::{
    encoding::prometheus_text::encode,
    metrics::{
        counter::ConstCounter,
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::Registry,
};

use crate::records::Records;

type Labels = Vec<(&'static str, String)>;
type Counts = Family<Labels, Gauge<u64, AtomicU64>>;
type Times = Family<Labels, Gauge>;
type Seconds = Family<Labels, Gauge<f64, AtomicU64>>;

/// The page, with when the API server last said which Jobs there are.
pub(crate) fn render(records: &Records, looked: Option<Instant>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("longrun_recorder");
    results(&mut registry, records);
    registry.register(
        "evidence_jobs",
        "Jobs whose evidence is kept",
        ConstGauge::new(records.evidence.len()),
    );
    registry.register(
        "evidence_bytes",
        "Room that evidence takes",
        ConstGauge::new(records.evidence().map(|kept| kept.bytes).sum::<u64>()),
    );
    registry.register(
        "evidence_let_go",
        "Jobs whose evidence was let go because there was no room",
        ConstCounter::new(records.let_go),
    );
    registry.register(
        "failed_writes",
        "Writes to the claim that failed, those that worked at the next try included",
        ConstCounter::new(records.failed_writes),
    );
    if let Some(free) = records.free {
        registry.register(
            "claim_free_bytes",
            "Room on the claim",
            ConstGauge::new(free),
        );
    }
    if let Some(looked) = looked {
        registry.register(
            "last_look_age_seconds",
            "Seconds since the API server last said which Jobs there are",
            ConstGauge::new(looked.elapsed().as_secs()),
        );
    }
    faults(&mut registry, &records.faults);
    page(&registry)
}

fn page(registry: &Registry) -> Result<String, fmt::Error> {
    let mut page = String::new();
    encode(&mut page, registry)?;
    Ok(page)
}

fn results(registry: &mut Registry, records: &Records) {
    let of = |outcome| {
        records
            .entries()
            .filter(move |entry| entry.outcome == outcome)
    };
    let counts = Counts::default();
    for outcome in Outcome::ALL {
        let labels = vec![("outcome", outcome.word().to_owned())];
        counts
            .get_or_create(&labels)
            .set(of(outcome).count() as u64);
    }
    registry.register(
        "results",
        "Results that are kept, by what became of the test",
        counts,
    );
    for (name, outcome, help) in [
        (
            "last_success_timestamp_seconds",
            Outcome::Succeeded,
            "When a test last verified; absent when none is known to have",
        ),
        (
            "last_failure_timestamp_seconds",
            Outcome::Failed,
            "When a test last failed; absent when none is known to have",
        ),
    ] {
        let ended = of(outcome).filter_map(|entry: &Entry| entry.ended);
        if let Some(last) = ended.max() {
            registry.register(name, help, ConstGauge::new(last.as_second()));
        }
    }
}

/// What the ledger says. An entry that cannot be read has no sample.
fn faults(registry: &mut Registry, faults: &Faults) {
    let entries: Vec<ledger::Entry> = faults
        .values()
        .filter_map(|entry| serde_json::from_value(entry.clone()).ok())
        .collect();
    let (counts, began, recovery) = (Counts::default(), Times::default(), Seconds::default());
    let mut latest: BTreeMap<&str, &ledger::Entry> = BTreeMap::new();
    for entry in &entries {
        let outcome = entry.outcome.map_or("open", ledger::Outcome::word);
        let mut labels = of_fault(&entry.fault);
        labels.push(("outcome", outcome.to_owned()));
        counts.get_or_create(&labels).inc();
        let last = latest.entry(&entry.fault).or_insert(entry);
        if last.began <= entry.began {
            *last = entry;
        }
    }
    for (fault, last) in latest {
        let labels = of_fault(fault);
        began.get_or_create(&labels).set(last.began.as_second());
        if let Some(took) = last.recovery() {
            recovery.get_or_create(&labels).set(took.as_secs_f64());
        }
    }
    registry.register("faults", "Faults that are kept, by how they ended", counts);
    registry.register(
        "fault_last_timestamp_seconds",
        "When a fault last began",
        began,
    );
    registry.register(
        "fault_last_recovery_seconds",
        "How long the target of a fault last needed to be healthy again, the time that it was held included; absent when it was not seen to be",
        recovery,
    );
}

fn of_fault(fault: &str) -> Labels {
    vec![("fault", fault.to_owned())]
}

#[cfg(test)]
mod tests;
