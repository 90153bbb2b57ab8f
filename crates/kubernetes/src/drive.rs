//! Carries out an approved plan on a real cluster. What to ask of it is decided by [`Execution`]; here are only the
//! requests.

use std::pin::{Pin, pin};

use futures::{FutureExt as _, future::Fuse};
use jiff::Timestamp;
use longrun_core::{
    execution::{
        Cluster, Execution, JournalStore, LeaseStatus, Progress, RequestError, Time, execute,
    },
    journal::{Journal, Stored},
    object::Uid,
    plan::{Effect, Step},
    wait::Observation,
};
use serde_json::Value;

use crate::{
    client::Client, clock::Moment, history::PodHistory, lease::Lease, observation::observation,
    progress::OnProgress, report::Report, volumes::kept_by,
};

mod change_watcher;
mod effect;
mod inject;
mod journal;
mod stopped;
#[cfg(test)]
mod tests;

use change_watcher::ChangeWatcher;
pub use stopped::Stopped;

/// How long after a failed request the next one is sent.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// Carries out an approved plan to its end. When `interrupted` becomes ready, no further step is begun, and what
/// can be taken back is taken back. Without a lease, other operations may be at work: that is for plans whose
/// steps none of them minds.
///
/// # Errors
/// When the plan cannot be done to its end: why, how far it came, and what the reader needs to know.
pub async fn drive(
    client: &Client,
    journal: impl Into<JournalStore>,
    lease: Option<&Lease>,
    progress: OnProgress<'_>,
    interrupted: impl Future<Output = ()>,
) -> Result<Journal, Box<Stopped>> {
    let mut execution = Execution::new(journal);
    let mut cluster = ApiServer {
        client,
        lease,
        progress,
        began: Moment::now(),
        interrupted: pin!(interrupted.fuse()),
        is_interrupted: false,
        changes: None,
        pods: PodHistory::default(),
        report: Report::default(),
    };
    let end = execute(&mut cluster, &mut execution).await;
    let report = cluster.report;
    let store = execution.into_store();
    let is_kept = store.is_kept();
    let journal = store.into_journal();
    let Err(reason) = end else {
        return Ok(journal);
    };
    // What became of the snapshot that the plan took is told as it is now.
    Err(Box::new(Stopped {
        reason,
        kept: kept_by(client, &journal).await,
        journal,
        is_kept,
        report,
    }))
}

/// A real cluster, as one plan is carried out on it.
struct ApiServer<'a, I> {
    client: &'a Client,
    lease: Option<&'a Lease>,
    progress: OnProgress<'a>,
    began: Moment,
    interrupted: Pin<&'a mut Fuse<I>>,
    is_interrupted: bool,
    /// What is watched while a step waits, and for which.
    changes: Option<(Effect, ChangeWatcher)>,
    /// From the beginning of a comparison until the claim is gone.
    pods: PodHistory,
    report: Report,
}

impl<I: Future<Output = ()>> Cluster for ApiServer<'_, I> {
    fn time(&self) -> Time {
        Time {
            now: self.client.now(),
            elapsed: self.began.at_least_ago(),
        }
    }

    fn lease(&self) -> LeaseStatus {
        self.lease.map_or(LeaseStatus::Held, Lease::standing)
    }

    fn interrupted(&mut self) -> bool {
        self.is_interrupted |= self.interrupted.as_mut().now_or_never().is_some();
        self.is_interrupted
    }

    async fn observe(&mut self, step: &Step) -> Result<Observation, RequestError> {
        if step.needs_pod_history()
            && let Some(object) = step.act.object()
            && let Some(namespace) = &object.namespace
        {
            self.pods.follow(self.client, namespace).await;
        }
        let seen = observation(self.client, step, &self.pods).await;
        seen.map_err(|failure| match failure.is_passing() {
            true => RequestError::Unanswered(failure.to_string()),
            false => RequestError::Refused(failure.to_string()),
        })
    }

    async fn apply(
        &mut self,
        step: &Step,
        seen: &Observation,
    ) -> Result<Option<Uid>, RequestError> {
        effect::perform(self.client, &step.act, seen).await
    }

    async fn read_journal(&mut self, environment: &str) -> Result<Option<Value>, RequestError> {
        journal::read(self.client, environment).await
    }

    async fn write_journal(
        &mut self,
        stored: &Stored,
        over: Option<&Value>,
    ) -> Result<(), RequestError> {
        journal::write(self.client, stored, over).await
    }

    async fn wait(&mut self, step: &Step) {
        if self
            .changes
            .as_ref()
            .is_none_or(|(watched, _)| *watched != step.act)
        {
            let watcher = ChangeWatcher::for_step(self.client, step);
            self.changes = Some((step.act.clone(), watcher));
        }
        let Some((_, changes)) = &mut self.changes else {
            return;
        };
        tokio::select! {
            () = changes.changed() => {}
            () = until_lost(self.lease) => {}
            () = self.interrupted.as_mut() => self.is_interrupted = true,
        }
    }

    async fn pause(&mut self) {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = until_lost(self.lease) => {}
            () = self.interrupted.as_mut() => self.is_interrupted = true,
        }
    }

    async fn diagnose(&mut self, failed: Option<&Step>, seen: &Observation, since: Timestamp) {
        // What stopped it may be younger than what was seen of its pods.
        let again = match failed {
            Some(step) => observation(self.client, step, &self.pods).await.ok(),
            None => None,
        };
        let seen = again.as_ref().unwrap_or(seen);
        self.report = Report::gather(self.client, seen, Some(since)).await;
    }

    fn report(&mut self, progress: &Progress<'_>) {
        if let Progress::Ended { .. } = progress {
            self.changes = None;
        }
        (self.progress)(progress);
    }
}

async fn until_lost(lease: Option<&Lease>) {
    match lease {
        Some(lease) => lease.until_lost().await,
        None => std::future::pending().await,
    }
}
