//! The observer's metrics in Prometheus' text format. A metric whose value is not known has no
//! sample, so that an alert on absence sees it and none on a threshold is fooled by a zero.

use super::snapshot::Snapshot;
use crate::service::{INTERPRETER, VERIFIER};
use longrun_restate::{Count, Status};
use std::collections::BTreeSet;
use std::fmt::{Display, Write};
use std::time::Duration;
use tokio::time::Instant;

pub(crate) fn render(snapshot: &Snapshot, now: Instant, stale_after: Duration) -> String {
    let mut page = Page::default();
    let counts = snapshot.counts(now, stale_after);
    let leaders = snapshot.leaders(now, stale_after);

    page.gauge(
        "up",
        "Whether the node answered the last query for its invocations.",
    );
    page.sample("up", &[], u8::from(counts.is_some()));
    page.family(
        "polls_total",
        "counter",
        "Polls of the node's SQL and metrics.",
    );
    page.sample(
        "polls_total",
        &[("result", "failed")],
        snapshot.failed_polls,
    );
    page.sample(
        "polls_total",
        &[("result", "ok")],
        snapshot.polls - snapshot.failed_polls,
    );
    page.gauge(
        "query_duration_seconds",
        "Time that the last query for invocations took.",
    );
    if let Some(seconds) = snapshot.query_seconds {
        page.sample("query_duration_seconds", &[], seconds);
    }
    page.gauge("partitions", "Partitions of the node.");
    page.gauge(
        "partition_leaders",
        "Partitions that have a leader. Fewer: some keys stand still.",
    );
    if let Some(leaders) = leaders {
        page.sample("partitions", &[], leaders.partitions);
        page.sample("partition_leaders", &[], leaders.leaders);
    }
    page.invocations(counts.map(|(counts, _)| counts));
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn gauge(&mut self, name: &str, help: &str) {
        self.family(name, "gauge", help);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP restate_observer_{name} {help}");
        let _ = writeln!(self.text, "# TYPE restate_observer_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        let labels = match labels.as_slice() {
            [] => String::new(),
            labels => format!("{{{}}}", labels.join(",")),
        };
        let _ = writeln!(self.text, "restate_observer_{name}{labels} {value}");
    }

    /// Every status of the workload's services and of others with anything open, zeros included:
    /// a series that was there must go to zero, not vanish. Nothing at all when it is unknown.
    fn invocations(&mut self, counts: Option<&[Count]>) {
        let services: BTreeSet<&str> = counts.map_or_else(BTreeSet::new, |counts| {
            let open = counts.iter().map(|count| count.service.as_str());
            open.chain([INTERPRETER, VERIFIER]).collect()
        });
        let counts = counts.unwrap_or_default();
        self.gauge(
            "open_invocations",
            "Invocations that have not completed, by status. Paused ones hold the lock of their key.",
        );
        self.each(counts, &services, |page, service, status, count| {
            let labels = [("service", service), ("status", status.name())];
            page.sample(
                "open_invocations",
                &labels,
                count.map_or(0, |count| count.count),
            );
        });
        self.gauge(
            "open_invocations_older_than",
            "Invocations that have not completed and were created longer ago than this.",
        );
        self.each(counts, &services, |page, service, status, count| {
            let over = count.map_or([0; 3], |count| {
                [count.over_1m, count.over_10m, count.over_1h]
            });
            for (seconds, count) in ["60", "600", "3600"].into_iter().zip(over) {
                let labels = [
                    ("service", service),
                    ("status", status.name()),
                    ("seconds", seconds),
                ];
                page.sample("open_invocations_older_than", &labels, count);
            }
        });
        self.gauge(
            "oldest_open_invocation_age_seconds",
            "Time since the oldest invocation that has not completed was created; 0 when none.",
        );
        self.each(counts, &services, |page, service, status, count| {
            let labels = [("service", service), ("status", status.name())];
            let age = count.map_or(0.0, |count| count.oldest_seconds);
            page.sample("oldest_open_invocation_age_seconds", &labels, age);
        });
    }

    fn each(
        &mut self,
        counts: &[Count],
        services: &BTreeSet<&str>,
        sample: impl Fn(&mut Self, &str, Status, Option<&Count>),
    ) {
        for service in services {
            for status in Status::OPEN {
                let count = counts
                    .iter()
                    .find(|c| c.service == *service && c.status == status);
                sample(self, service, status, count);
            }
        }
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
