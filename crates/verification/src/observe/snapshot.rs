//! The last answers of the node, and what can be said from them. What was not answered lately is
//! unknown, never zero.

use longrun_restate::{Count, Error, Leaders, Status, one_line};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The last answers.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    leaders: Option<(Leaders, Instant)>,
    leaders_error: Option<String>,
    counts: Option<(Vec<Count>, Instant)>,
    counts_error: Option<String>,
    pub(crate) query_seconds: Option<f64>,
    pub(crate) failed_polls: u64,
    pub(crate) polls: u64,
}

/// The open invocations of a node, for other tools.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Whether the rest is known. When not, it is empty, and that means nothing.
    pub known: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Seconds since the node was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<f64>,
    /// Whether every partition has a leader; absent when unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// All open invocations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<u64>,
    /// Open invocations by status; every status is listed.
    pub by_status: BTreeMap<&'static str, u64>,
    /// The oldest open invocation of each status that has one.
    pub oldest: Vec<Oldest>,
    /// Open invocations by service.
    pub services: BTreeMap<String, ServiceSummary>,
}

/// The age of the oldest invocation of a status.
#[derive(Clone, Debug, Serialize)]
pub struct Oldest {
    /// Its status.
    pub status: Status,
    /// Seconds since it was created.
    pub age_seconds: f64,
}

/// The open invocations of one service.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ServiceSummary {
    /// How many.
    pub open: u64,
    /// Of these, how many are older than ten minutes.
    pub open_over_10m: u64,
    /// Age of the oldest, in seconds.
    pub oldest_seconds: f64,
}

impl Snapshot {
    pub(crate) fn leaders_polled(&mut self, result: Result<Leaders, Error>, now: Instant) {
        self.count(result.is_ok());
        match result {
            Ok(leaders) => {
                self.leaders = Some((leaders, now));
                self.leaders_error = None;
            }
            // A node that does not answer has no leaders that anybody could use.
            Err(error) => {
                self.leaders = None;
                self.leaders_error = Some(one_line(&error));
            }
        }
    }

    pub(crate) fn invocations_polled(
        &mut self,
        result: Result<Vec<Count>, Error>,
        began: Instant,
        now: Instant,
    ) {
        self.count(result.is_ok());
        match result {
            Ok(counts) => {
                self.query_seconds = Some((now - began).as_secs_f64());
                self.counts = Some((counts, now));
                self.counts_error = None;
            }
            Err(error) => {
                self.counts = None;
                self.query_seconds = None;
                self.counts_error = Some(one_line(&error));
            }
        }
    }

    fn count(&mut self, succeeded: bool) {
        self.polls += 1;
        self.failed_polls += u64::from(!succeeded);
    }

    /// Leaders of partitions, unless the answer is old.
    pub(crate) fn leaders(&self, now: Instant, stale_after: Duration) -> Option<Leaders> {
        fresh(self.leaders.as_ref(), now, stale_after).map(|(leaders, _)| *leaders)
    }

    /// Counts of open invocations with their age, unless the answer is old.
    pub(crate) fn counts(&self, now: Instant, stale_after: Duration) -> Option<(&[Count], f64)> {
        let (counts, at) = fresh(self.counts.as_ref(), now, stale_after)?;
        Some((counts, (now - *at).as_secs_f64()))
    }

    /// Ready, or why not.
    pub(crate) fn readiness(&self, now: Instant, stale_after: Duration) -> Result<(), String> {
        match self.leaders(now, stale_after) {
            Some(leaders) if leaders.complete() => Ok(()),
            Some(Leaders {
                partitions: Some(partitions),
                leaders: Some(leaders),
            }) => Err(format!(
                "{leaders} of {partitions} partitions have a leader"
            )),
            Some(_) => Err("the node's metrics do not say which partitions have a leader".into()),
            None => Err(self
                .leaders_error
                .clone()
                .unwrap_or_else(|| "not asked yet".into())),
        }
    }

    /// What is open.
    pub(crate) fn summary(&self, now: Instant, stale_after: Duration) -> Summary {
        let ready = self.leaders(now, stale_after).map(Leaders::complete);
        let Some((counts, age)) = self.counts(now, stale_after) else {
            let unasked = || "not asked yet".to_owned();
            return Summary {
                known: false,
                error: Some(self.counts_error.clone().unwrap_or_else(unasked)),
                age_seconds: None,
                ready,
                open: None,
                by_status: BTreeMap::new(),
                oldest: Vec::new(),
                services: BTreeMap::new(),
            };
        };
        let mut services: BTreeMap<String, ServiceSummary> = BTreeMap::new();
        for count in counts {
            let service = services.entry(count.service.clone()).or_default();
            service.open += count.count;
            service.open_over_10m += count.over_10m;
            service.oldest_seconds = service.oldest_seconds.max(count.oldest_seconds);
        }
        let of = |status| counts.iter().filter(move |count| count.status == status);
        let by_status = |status: Status| (status.name(), of(status).map(|count| count.count).sum());
        let oldest = |status| {
            let age_seconds = of(status)
                .map(|count| count.oldest_seconds)
                .reduce(f64::max)?;
            Some(Oldest {
                status,
                age_seconds,
            })
        };
        Summary {
            known: true,
            error: None,
            age_seconds: Some(age),
            ready,
            open: Some(counts.iter().map(|count| count.count).sum()),
            by_status: Status::OPEN.into_iter().map(by_status).collect(),
            oldest: Status::OPEN.into_iter().filter_map(oldest).collect(),
            services,
        }
    }
}

fn fresh<T>(
    answer: Option<&(T, Instant)>,
    now: Instant,
    stale_after: Duration,
) -> Option<&(T, Instant)> {
    answer.filter(|(_, at)| now.saturating_duration_since(*at) <= stale_after)
}
