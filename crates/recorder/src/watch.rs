//! The work: look at the Jobs, write down what became of them, and see to what a failure sets off.

use std::time::{Duration, Instant};

use longrun_core::{
    object::Uid,
    plan::Target,
    records::{Entry, JobTracker, Outcome, SetOff, Task, missing},
    triage::{Evidence, Job},
};
use longrun_kubernetes::{
    Client, evidence_alone, fault_ledger, pause_chaos, snapshot_failure, test_jobs,
};
use longrun_restate::one_line;
use tokio::time::{MissedTickBehavior, interval};

use crate::{Recorder, arguments::Arguments, error::Trouble, node};

/// How often it looks. A Job that succeeded is there for three minutes, the pods of one that failed for longer.
const EVERY: Duration = Duration::from_secs(5);

/// What a snapshot of a failure is approved by.
const POLICY: &str = "recorder.onFailure.snapshot";

/// Looks for ever. What is known has its result.
pub(crate) async fn watch(
    client: &Client,
    arguments: &Arguments,
    recorder: &Recorder,
    known: Vec<Uid>,
) {
    let mut watch = Watch {
        client,
        arguments,
        recorder,
        target: arguments.target(),
        known: JobTracker::new(known),
    };
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        recorder.looked(watch.look().await);
    }
}

struct Watch<'a> {
    client: &'a Client,
    arguments: &'a Arguments,
    recorder: &'a Recorder,
    target: Target,
    known: JobTracker,
}

impl Watch<'_> {
    /// One look. What does not work is tried again at the next one; it keeps nothing else from being done.
    async fn look(&mut self) -> Result<(), Trouble> {
        let jobs = test_jobs(self.client, &self.arguments.environment).await?;
        let mut trouble = self.copy_faults().await.err();
        let now = Some(Instant::now());
        self.recorder.looks.send_modify(|looks| looks.last = now);
        for task in self.known.look(&jobs) {
            let done = match task {
                Task::Gather(job) => self.gather(&job).await,
                Task::Fail(job) => self.fail(&job).await,
                Task::Record(entry) => self.record(entry).await,
            };
            trouble = trouble.or(done.err());
        }
        let now = self.client.now();
        let tidied = self
            .recorder
            .files
            .work("deleting old results", move |store| store.tidy(now));
        trouble
            .map_or(Ok(()), Err)
            .and(tidied.await.map_err(Trouble::Old))
    }

    async fn copy_faults(&self) -> Result<(), Trouble> {
        let ledger = fault_ledger(self.client, &self.arguments.environment).await?;
        let Some(ledger) = ledger else { return Ok(()) };
        let now = self.client.now();
        self.recorder
            .files
            .work("copying the ledger of faults", move |store| {
                store.copy_faults(&ledger, now)
            })
            .await
            .map_err(Trouble::Ledger)
    }

    /// Reads what a test that goes on has left so far.
    async fn gather(&mut self, job: &Job) -> Result<(), Trouble> {
        // The node is asked at the end: until then invocations of a test are open as they should be.
        let kept = match self.evidence(job).await? {
            Some(evidence) => Some(self.keep(evidence).await?),
            None => None,
        };
        // What could not be read now is read at the next look.
        if kept.as_ref().is_none_or(|kept| missing(kept).is_none()) {
            self.known.gathered(job);
        }
        Ok(())
    }

    /// Evidence first: a result without it would never be looked at again.
    async fn fail(&mut self, job: &Job) -> Result<(), Trouble> {
        let Some(mut evidence) = self.evidence(job).await? else {
            // It went between two requests. What was gathered of it before is kept.
            let mut entry = Entry::of(job, Outcome::Failed);
            entry.snapshot = self.snapshot_of(job);
            entry.signature = Some("its evidence was gone before it was read".to_owned());
            return self.record(entry).await;
        };
        node::ask(&self.arguments.node, &mut evidence).await;
        let mut entry = Entry::failed(&evidence.case);
        let is_fresh = entry.is_fresh(self.client.now());
        match self.keep(evidence).await {
            Ok(kept) => {
                entry = Entry::failed(&kept.case);
                if is_fresh {
                    self.set_off(job, &entry).await;
                    // A node that does not answer may be the cause: its logs are there when it does again.
                    if let Some(why) = missing(&kept) {
                        tracing::debug!(job = job.name, why, "not all of it could be read yet");
                        return Ok(());
                    }
                }
            }
            Err(trouble) if is_fresh => return Err(trouble),
            // The result is worth more than what does not fit.
            Err(trouble) => tracing::error!("{}", one_line(&trouble)),
        }
        entry.snapshot = self.snapshot_of(job);
        tracing::info!(
            job = job.name,
            signature = entry.signature,
            snapshot = entry.snapshot,
            "a test has failed"
        );
        self.record(entry).await
    }

    async fn evidence(&self, job: &Job) -> Result<Option<Evidence>, Trouble> {
        Ok(evidence_alone(self.client, &self.target, job).await?)
    }

    /// Keeps evidence together with what was kept before.
    async fn keep(&self, evidence: Evidence) -> Result<Evidence, Trouble> {
        let job = evidence.case.job.name.clone();
        let files = &self.recorder.files;
        let kept = files.work("writing evidence", |store| store.keep(evidence));
        let kept = kept.await;
        let (kept, gone) = kept.map_err(|source| Trouble::Evidence { job, source })?;
        warn_of(&gone);
        Ok(kept)
    }

    async fn record(&mut self, entry: Entry) -> Result<(), Trouble> {
        let (job, uid) = (entry.job.clone(), entry.uid.clone());
        let files = &self.recorder.files;
        let gone = files.work("writing a result", |store| store.record(entry));
        let gone = gone
            .await
            .map_err(|source| Trouble::Result { job, source })?;
        warn_of(&gone);
        self.known.recorded(&uid);
        Ok(())
    }

    /// A failure whose logs cannot be read yet is looked at again and again.
    async fn set_off(&mut self, job: &Job, failed: &Entry) {
        if self.known.set_off(&job.uid).is_some() {
            return;
        }
        let snapshot = self.snapshot(job).await;
        self.pause(failed).await;
        self.known.has_set_off(&job.uid, SetOff { snapshot });
    }

    /// The snapshot that a failure has set off.
    fn snapshot_of(&self, job: &Job) -> Option<String> {
        self.known.set_off(&job.uid)?.snapshot.clone()
    }

    /// What cannot be done now is not worth doing later: the database goes on.
    async fn snapshot(&self, job: &Job) -> Option<String> {
        let (class, limits) = self.arguments.snapshots()?;
        let taken =
            snapshot_failure(self.client, &self.target, &job.name, class, limits, POLICY).await;
        match taken {
            Ok(name) => Some(name),
            Err(why) => {
                tracing::warn!("no snapshot is taken because of {}: {why}", job.name);
                None
            }
        }
    }

    async fn pause(&self, failed: &Entry) {
        let Some(wanted) = self.arguments.pause() else {
            return;
        };
        let environment = &self.arguments.environment;
        match pause_chaos(self.client, environment, wanted, failed).await {
            Ok(Some(pause)) => {
                tracing::info!("chaos is paused until {}: {}", pause.until, pause.reason);
            }
            Ok(None) => {}
            Err(failure) => tracing::warn!("chaos is not paused: {failure}"),
        }
    }
}

fn warn_of(gone: &[String]) {
    for gone in gone {
        tracing::warn!("there was no room: the evidence of {gone} was let go");
    }
}
