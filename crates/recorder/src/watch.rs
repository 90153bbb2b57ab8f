//! The work: look at the Jobs, write down what became of them, and see to what a failure sets off.

use std::time::Duration;

use longrun_core::{
    plan::Target,
    records::{Entry, JobTracker, SetOff, Task, missing},
    triage::{Evidence, Job},
};
use longrun_kubernetes::{
    Client, evidence_alone, fault_ledger, pause_chaos, snapshot_failure, test_jobs,
};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{Shared, arguments::Arguments, locked, node};

/// How often it looks. A Job that succeeded is there for three minutes, the pods of one that failed for longer.
const EVERY: Duration = Duration::from_secs(5);

/// What a snapshot of a failure is approved by.
const POLICY: &str = "recorder.onFailure.snapshot";

/// Looks for ever.
pub(crate) async fn watch(client: &Client, arguments: &Arguments, shared: &Shared) {
    let recorded: Vec<_> = locked(shared).store.known(client.now()).collect();
    let mut watch = Watch {
        client,
        arguments,
        shared,
        target: arguments.target(),
        known: JobTracker::new(recorded),
    };
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let trouble = watch.look().await.err();
        let mut recorder = locked(shared);
        if let Some(trouble) = &trouble
            && recorder.trouble.as_ref() != Some(trouble)
        {
            tracing::warn!("{trouble}");
        }
        if trouble.is_none() && recorder.trouble.is_some() {
            tracing::info!("what did not work works again");
        }
        recorder.trouble = trouble;
    }
}

struct Watch<'a> {
    client: &'a Client,
    arguments: &'a Arguments,
    shared: &'a Shared,
    target: Target,
    known: JobTracker,
}

impl Watch<'_> {
    /// One look. What does not work is tried again at the next one; it keeps nothing else from being done.
    async fn look(&mut self) -> Result<(), String> {
        let environment = &self.arguments.environment;
        let jobs = test_jobs(self.client, environment)
            .await
            .map_err(|failure| failure.to_string())?;
        let mut trouble = self.copy_faults().await.err();
        locked(self.shared).looked = Some(Instant::now());
        for task in self.known.look(&jobs) {
            let done = match task {
                Task::Gather(job) => self.gather(&job).await,
                Task::Fail(job) => self.fail(&job).await,
                Task::Record(entry) => self.record(entry),
            };
            trouble = trouble.or(done.err());
        }
        let now = self.client.now();
        let tidied = locked(self.shared).store.tidy(now);
        let tidied = tidied.map_err(|error| format!("what is old cannot be let go: {error}"));
        match trouble {
            Some(trouble) => Err(trouble),
            None => tidied,
        }
    }

    async fn copy_faults(&self) -> Result<(), String> {
        let ledger = fault_ledger(self.client, &self.arguments.environment)
            .await
            .map_err(|failure| failure.to_string())?;
        let Some(ledger) = ledger else { return Ok(()) };
        locked(self.shared)
            .store
            .copy_faults(&ledger, self.client.now())
            .map_err(|error| format!("the ledger of faults is not copied: {error}"))
    }

    /// Reads what a test that goes on has left so far.
    async fn gather(&mut self, job: &Job) -> Result<(), String> {
        // The node is asked at the end: until then invocations of a test are open as they should be.
        let kept = match self.evidence(job).await? {
            Some(evidence) => Some(self.keep(evidence)?),
            None => None,
        };
        // What could not be read now is read at the next look.
        if kept.as_ref().is_none_or(|kept| missing(kept).is_none()) {
            self.known.gathered(job);
        }
        Ok(())
    }

    /// Evidence first: a result without it would never be looked at again.
    async fn fail(&mut self, job: &Job) -> Result<(), String> {
        let Some(mut evidence) = self.evidence(job).await? else {
            // It went between two requests. What was gathered of it before is kept.
            let mut entry = Entry::of(job, longrun_core::records::Outcome::Failed);
            entry.snapshot = self.snapshot_of(job);
            entry.signature = Some("its evidence was gone before it was read".to_owned());
            return self.record(entry);
        };
        node::ask(&self.arguments.node, &mut evidence).await;
        let mut entry = Entry::failed(&evidence.case);
        let is_fresh = entry.is_fresh(self.client.now());
        match self.keep(evidence) {
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
            Err(why) if is_fresh => return Err(why),
            // The result is worth more than what does not fit.
            Err(why) => tracing::error!("{why}"),
        }
        entry.snapshot = self.snapshot_of(job);
        tracing::info!(
            job = job.name,
            signature = entry.signature,
            snapshot = entry.snapshot,
            "a test has failed"
        );
        self.record(entry)
    }

    async fn evidence(&self, job: &Job) -> Result<Option<Evidence>, String> {
        evidence_alone(self.client, &self.target, job)
            .await
            .map_err(|failure| failure.to_string())
    }

    /// Keeps evidence together with what was kept before.
    fn keep(&self, evidence: Evidence) -> Result<Evidence, String> {
        let job = evidence.case.job.name.clone();
        let kept = locked(self.shared).store.keep(evidence);
        let (kept, gone) =
            kept.map_err(|error| format!("the evidence of {job} is not kept: {error}"))?;
        for gone in gone {
            tracing::warn!("there was no room: the evidence of {gone} was let go");
        }
        Ok(kept)
    }

    fn record(&mut self, entry: Entry) -> Result<(), String> {
        let (job, uid) = (entry.job.clone(), entry.uid.clone());
        let gone = locked(self.shared).store.record(entry);
        let gone = gone.map_err(|error| format!("the result of {job} is not written: {error}"))?;
        for gone in gone {
            tracing::warn!("there was no room: the evidence of {gone} was let go");
        }
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
