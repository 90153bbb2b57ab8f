//! The observer's metrics for Prometheus. A metric whose value is not known has no sample, so that an alert on
//! absence sees it and none on a threshold is fooled by a zero.

use super::snapshot::Snapshot;
use crate::service::{INTERPRETER, VERIFIER};
use longrun_restate::{Count, Status};
pub(crate) use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;
use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::time::Instant;

type Labels = Vec<(&'static str, String)>;
type Counts = Family<Labels, Gauge<u64, AtomicU64>>;
type Seconds = Family<Labels, Gauge<f64, AtomicU64>>;

pub(crate) fn render(
    snapshot: &Snapshot,
    now: Instant,
    stale_after: Duration,
) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("restate_observer");
    let counts = snapshot.counts(now, stale_after);
    registry.register(
        "up",
        "Whether the node answered the last query for its invocations",
        ConstGauge::new(u32::from(counts.is_some())),
    );
    polls(&mut registry, snapshot);
    if let Some(seconds) = snapshot.query_seconds {
        registry.register(
            "query_duration_seconds",
            "Time that the last query for invocations took",
            ConstGauge::new(seconds),
        );
    }
    let leaders = snapshot.leaders(now, stale_after);
    if let Some(partitions) = leaders.and_then(|leaders| leaders.partitions) {
        registry.register(
            "partitions",
            "Partitions of the node",
            ConstGauge::new(partitions),
        );
    }
    if let Some(leaders) = leaders.and_then(|leaders| leaders.leaders) {
        registry.register(
            "partition_leaders",
            "Partitions that have a leader. Fewer: some keys stand still",
            ConstGauge::new(leaders),
        );
    }
    if let Some((counts, _)) = counts {
        invocations(&mut registry, counts);
    }
    let mut page = String::new();
    encode(&mut page, &registry)?;
    Ok(page)
}

fn polls(registry: &mut Registry, snapshot: &Snapshot) {
    let polls = Family::<Labels, Counter>::default();
    for (result, count) in [
        ("failed", snapshot.failed_polls),
        ("ok", snapshot.polls - snapshot.failed_polls),
    ] {
        let labels = vec![("result", result.to_owned())];
        polls.get_or_create(&labels).inc_by(count);
    }
    registry.register("polls", "Polls of the node's SQL and metrics", polls);
}

/// Every status of the workload's services and of others with anything open, zeros included: a series that was
/// there must go to zero, not vanish.
fn invocations(registry: &mut Registry, counts: &[Count]) {
    let open = counts.iter().map(|count| count.service.as_str());
    let services: BTreeSet<&str> = open.chain([INTERPRETER, VERIFIER]).collect();
    let (open, older, oldest) = (Counts::default(), Counts::default(), Seconds::default());
    for service in services {
        for status in Status::OPEN {
            let is_it = |count: &&Count| count.service == service && count.status == status;
            let count = counts.iter().find(is_it);
            let labels = vec![
                ("service", service.to_owned()),
                ("status", status.name().to_owned()),
            ];
            open.get_or_create(&labels)
                .set(count.map_or(0, |count| count.count));
            oldest
                .get_or_create(&labels)
                .set(count.map_or(0.0, |count| count.oldest_seconds));
            let over = count.map_or([0; 3], |count| {
                [count.over_1m, count.over_10m, count.over_1h]
            });
            for (seconds, count) in ["60", "600", "3600"].into_iter().zip(over) {
                let mut labels = labels.clone();
                labels.push(("seconds", seconds.to_owned()));
                older.get_or_create(&labels).set(count);
            }
        }
    }
    registry.register(
        "open_invocations",
        "Invocations that have not completed, by status. Paused ones hold the lock of their key",
        open,
    );
    registry.register(
        "open_invocations_older_than",
        "Invocations that have not completed and were created longer ago than this",
        older,
    );
    registry.register(
        "oldest_open_invocation_age_seconds",
        "Time since the oldest invocation that has not completed was created; 0 when none",
        oldest,
    );
}
