//! What a look at the Jobs that are there asks for. Kubernetes keeps three that succeeded and ten that failed, so
//! whoever looks every few seconds sees each of them while it is there.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use super::{Entry, Outcome};
use crate::{
    object::Uid,
    triage::{Job, minute},
};

/// The Jobs that are known.
#[derive(Clone, Debug, Default)]
pub struct JobTracker {
    /// Those whose result is written down.
    recorded: BTreeSet<Uid>,
    /// Those that were seen and whose result is not written down.
    open: BTreeMap<Uid, Open>,
}

/// A Job whose result is not written down.
#[derive(Clone, Debug)]
struct Open {
    job: Job,
    /// How many attempts had failed when its evidence was gathered.
    gathered: u64,
    set_off: Option<SetOff>,
}

/// What a failure has set off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetOff {
    /// The snapshot that was taken.
    pub snapshot: Option<String>,
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

impl JobTracker {
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
            .filter(|open| !there.contains(&open.job.uid));
        let mut tasks: Vec<Task> = gone
            .map(|open| Task::Record(Entry::gone(&open.job)))
            .collect();
        for job in tests {
            if self.recorded.contains(&job.uid) {
                continue;
            }
            let open = self.open.entry(job.uid.clone()).or_insert_with(|| Open {
                job: job.clone(),
                gathered: 0,
                set_off: None,
            });
            open.job = job.clone();
            match Outcome::of(job) {
                Some(Outcome::Failed) => tasks.push(Task::Fail(job.clone())),
                Some(outcome) => tasks.push(Task::Record(Entry::of(job, outcome))),
                None if job.failed > open.gathered && job.interrupted.is_none() => {
                    tasks.push(Task::Gather(job.clone()));
                }
                None => {}
            }
        }
        tasks
    }

    /// The evidence of a Job that goes on was kept.
    pub fn gathered(&mut self, job: &Job) {
        if let Some(open) = self.open.get_mut(&job.uid) {
            open.gathered = job.failed;
        }
    }

    /// What a failure that is not written down yet has set off. That is asked for once: a second time would undo
    /// what a person did meanwhile, such as ending the pause.
    #[must_use]
    pub fn set_off(&self, job: &Uid) -> Option<&SetOff> {
        self.open.get(job)?.set_off.as_ref()
    }

    /// A failure has set this off.
    pub fn has_set_off(&mut self, job: &Uid, what: SetOff) {
        if let Some(open) = self.open.get_mut(job) {
            open.set_off = Some(what);
        }
    }

    /// The result of a Job is written down.
    pub fn recorded(&mut self, uid: &Uid) {
        self.open.remove(uid);
        self.recorded.insert(uid.clone());
    }
}
