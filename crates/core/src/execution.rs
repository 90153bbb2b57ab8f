//! Carries out an approved plan: look, ask the journal what comes next, write that down, look again, do it. Which
//! request comes next is decided by [`Execution`]; the loop sends it and passes the answer on. It is the same loop on a
//! real cluster and on the simulated one.

use alloc::string::String;
use core::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    journal::{Reason, Stored},
    object::Uid,
    plan::{Effect, Step},
    wait::{Observation, Warning},
};

mod decision;
mod store;
#[cfg(test)]
mod tests;

pub use decision::{Execution, Request};
pub use store::JournalStore;

/// What an execution needs of a cluster. Each method is one request, and decides nothing.
#[expect(
    async_fn_in_trait,
    reason = "callers name the type: whether its futures are Send is theirs to know"
)]
pub trait Cluster {
    /// The present time.
    fn time(&self) -> Time;

    /// Whether another operation may be at work. Without a lease the answer is always [`LeaseStatus::Held`].
    fn lease(&self) -> LeaseStatus;

    /// Whether somebody asked for an end.
    fn interrupted(&mut self) -> bool;

    /// What the step's guard and its wait need to see.
    async fn observe(&mut self, step: &Step) -> Result<Observation, RequestError>;

    /// Tries once to do the step's effect, on the object as it was seen just before. Answers its incarnation.
    async fn apply(&mut self, step: &Step, seen: &Observation)
    -> Result<Option<Uid>, RequestError>;

    /// The ConfigMap with the journal of an environment.
    async fn read_journal(&mut self, environment: &str) -> Result<Option<Value>, RequestError>;

    /// Tries once to write the journal, over exactly the version that was read.
    async fn write_journal(
        &mut self,
        stored: &Stored,
        over: Option<&Value>,
    ) -> Result<(), RequestError>;

    /// Ends when something about the step's object has changed, the lease is lost or somebody asked for an end, and
    /// after a short while at the latest.
    async fn wait(&mut self, step: &Step);

    /// A second before the next try, or less when the lease is lost or somebody asked for an end.
    async fn pause(&mut self);

    /// Gathers what a reader needs to find out why the plan stops, before anything is taken back: of the step that
    /// failed, or of what was seen last.
    async fn diagnose(&mut self, failed: Option<&Step>, seen: &Observation, since: Timestamp) {
        let _ = (failed, seen, since);
    }

    /// Takes what goes on.
    fn report(&mut self, progress: &Progress<'_>);
}

/// The time of a decision, by two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// By the API server's clock, by which every time in an object is written. It may be set.
    pub now: Timestamp,
    /// By a clock that nobody sets, from any beginning.
    pub elapsed: Duration,
}

impl Time {
    /// How long ago another one was, by the clock that says more: one stands still while the machine sleeps, and the
    /// other may be set.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let by_wall = self.now.duration_since(earlier.now).unsigned_abs();
        self.elapsed.saturating_sub(earlier.elapsed).max(by_wall)
    }
}

/// Whether a lease can be relied upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseStatus {
    /// Nobody else can be at work.
    Held,
    /// It could not be renewed lately, because the API server is silent or this machine slept: another may
    /// have begun. Nothing may be changed until it is held or lost.
    Overdue,
    /// Another has it, or it is gone, for this reason.
    Lost(String),
}

/// Why a request was not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The API server said no. Nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// The object is another version than the one that was seen (409). Nothing was changed.
    #[error("{0}")]
    Conflict(String),
    /// There was no answer, or one that may well be another in a moment. Whether it was done is not known.
    #[error("{0}")]
    Unanswered(String),
    /// It may have been done, and trying again does not help.
    #[error("{0}")]
    Unclear(String),
}

/// What is being done at this moment.
#[derive(Clone, Debug)]
pub enum Progress<'a> {
    /// A step's effect is being done.
    Step {
        /// Index of the step.
        index: usize,
        /// How many steps there are.
        of: usize,
        /// The step.
        step: &'a Step,
    },
    /// A step is done, and waits for what must hold before the next one.
    Waiting {
        /// Index of the step.
        index: usize,
        /// How many steps there are.
        of: usize,
        /// The step.
        step: &'a Step,
        /// What is waited for.
        cause: &'a str,
        /// Since when the step waits.
        since: Timestamp,
        /// The newest warning about it, if there is one.
        latest: Option<&'a Warning>,
    },
    /// A step has ended.
    Ended {
        /// Index of the step.
        index: usize,
        /// How many steps there are.
        of: usize,
        /// The step.
        step: &'a Step,
    },
    /// A step that was done is being taken back.
    Undoing {
        /// What takes it back.
        effect: &'a Effect,
    },
    /// Anything else that takes time, as a sentence: the API server does not answer, another operation
    /// holds the lease.
    Note(&'a str),
}

/// Carries out a plan to its end, or as far as it goes. Dropped in between, it has done what a killed driver has done;
/// the journal in `execution` says how far it came.
///
/// # Errors
/// Why the plan was not done to its end.
pub async fn execute(cluster: &mut impl Cluster, execution: &mut Execution) -> Result<(), Reason> {
    loop {
        if cluster.interrupted() {
            execution.interrupt();
        }
        match execution.next(&cluster.lease(), cluster.time()) {
            Request::Observe(step) => {
                let answer = cluster.observe(&step).await;
                execution.observed(answer, cluster.time());
            }
            Request::ReadJournal => {
                let environment = &execution.journal().plan().target.environment;
                let answer = cluster.read_journal(environment).await;
                execution.journal_read(answer, cluster.time());
            }
            Request::WriteJournal { stored, over } => {
                let answer = cluster.write_journal(&stored, over.as_ref()).await;
                execution.journal_written(answer, cluster.time());
            }
            Request::Apply { step, is_seen } => {
                cluster.report(&execution.applying(&step));
                let blank = Observation::default();
                let seen = if is_seen { execution.seen() } else { &blank };
                let answer = cluster.apply(&step, seen).await;
                execution.applied(answer, cluster.time());
            }
            Request::Wait { step, cause, since } => {
                cluster.report(&execution.waiting(&step, &cause, since));
                cluster.wait(&step).await;
            }
            Request::Pause { why } => {
                cluster.report(&Progress::Note(&why));
                cluster.pause().await;
            }
            Request::Diagnose { failed, since } => {
                let seen = execution.seen();
                cluster.diagnose(failed.as_ref(), seen, since).await;
            }
            Request::Ended { index } => {
                let steps = &execution.journal().plan().steps;
                if let Some(step) = steps.get(index) {
                    let of = steps.len();
                    cluster.report(&Progress::Ended { index, of, step });
                }
            }
            Request::End(end) => return end,
        }
    }
}
