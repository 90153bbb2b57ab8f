//! What a look at the Jobs that are there asks for. Kubernetes keeps three that succeeded and ten that failed, so
//! whoever looks every few seconds sees each of them while it is there.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::{Entry, Outcome};
use crate::{
    object::Uid,
    triage::{Job, minute},
};

/// The Jobs that are known.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Those whose result is written down.
    recorded: BTreeSet<Uid>,
    /// Those that were seen and are not over, with how many attempts had failed when their evidence was gathered.
    open: BTreeMap<Uid, (Job, u64)>,
}

/// What is to be done about a Job.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// It goes on after an attempt that did not verify: its log is read before it is gone.
    Gather(Job),
    /// It has failed: its evidence is kept, and then its result.
    Fail(Job),
    /// Its result is written down.
    Record(Entry),
}

impl Known {
    /// With the results that are written down already.
    #[must_use]
    pub fn new(recorded: impl IntoIterator<Item = Uid>) -> Self {
        Self {
            recorded: recorded.into_iter().collect(),
            open: BTreeMap::new(),
        }
    }

    /// What is to be done about the Jobs that are there, and about those that are not any more.
    #[must_use]
    pub fn look(&mut self, jobs: &[Job]) -> Vec<Task> {
        let tests: Vec<&Job> = jobs
            .iter()
            .filter(|job| minute(&job.name).is_ok())
            .collect();
        let there: BTreeSet<&Uid> = tests.iter().map(|job| &job.uid).collect();
        // What is gone does not come back.
        self.recorded.retain(|uid| there.contains(uid));
        let gone = self
            .open
            .values()
            .filter(|(job, _)| !there.contains(&job.uid));
        let mut tasks: Vec<Task> = gone
            .map(|(job, _)| Task::Record(Entry::gone(job)))
            .collect();
        for job in tests {
            if self.recorded.contains(&job.uid) {
                continue;
            }
            let (seen, gathered) = self
                .open
                .entry(job.uid.clone())
                .or_insert_with(|| (job.clone(), 0));
            *seen = job.clone();
            match Outcome::of(job) {
                Some(Outcome::Failed) => tasks.push(Task::Fail(job.clone())),
                Some(outcome) => tasks.push(Task::Record(Entry::of(job, outcome))),
                None if job.failed > *gathered && job.interrupted.is_none() => {
                    tasks.push(Task::Gather(job.clone()));
                }
                None => {}
            }
        }
        tasks
    }

    /// The evidence of a Job that goes on was kept.
    pub fn gathered(&mut self, job: &Job) {
        if let Some((_, gathered)) = self.open.get_mut(&job.uid) {
            *gathered = job.failed;
        }
    }

    /// The result of a Job is written down.
    pub fn recorded(&mut self, uid: &Uid) {
        self.open.remove(uid);
        self.recorded.insert(uid.clone());
    }
}
