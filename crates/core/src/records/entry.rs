//! The result of one test Job, as one line says it.

use alloc::string::{String, ToString};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    known::Known,
    object::Uid,
    triage::{Case, Job, JobState, RECORDED, signature},
};

/// Why nothing is known of the end of a Job.
pub const GONE: &str = "it was deleted before its end was seen";

/// How long after its end a failure still says something about the present state.
const FRESH: SignedDuration = SignedDuration::from_mins(10);

/// What became of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It verified.
    Succeeded,
    /// No attempt verified.
    Failed,
    /// An operation stopped the node under it: it is neither a failure nor a success.
    Interrupted,
    /// It was seen, and its end was not.
    Unknown,
}

impl Outcome {
    /// Every outcome there is.
    pub const ALL: [Self; 4] = [
        Self::Succeeded,
        Self::Failed,
        Self::Interrupted,
        Self::Unknown,
    ];

    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Unknown => "unknown",
        }
    }

    /// What became of a Job; `None` while it is not over. Whatever became of an interrupted one says nothing.
    #[must_use]
    pub fn of(job: &Job) -> Option<Self> {
        match (&job.state, &job.interrupted) {
            (JobState::Running, _) => None,
            (_, Some(_)) => Some(Self::Interrupted),
            (JobState::Succeeded, None) => Some(Self::Succeeded),
            (JobState::Failed { .. }, None) => Some(Self::Failed),
        }
    }
}

/// The result of one test Job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its name, which is the seed.
    pub job: String,
    /// Its incarnation.
    pub uid: Uid,
    /// The id of the program that it ran, as its template says.
    pub program: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When its controller began with it.
    pub started: Option<Timestamp>,
    /// When it was over.
    pub ended: Option<Timestamp>,
    /// What became of it.
    pub outcome: Outcome,
    /// How many pods it took.
    pub attempts: u64,
    /// By what a failure is known, or why its end is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The operation that interrupted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<String>,
    /// The snapshot that was taken because it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
}

impl Entry {
    /// The result of a Job that is over, without what its attempts said.
    #[must_use]
    pub fn of(job: &Job, outcome: Outcome) -> Self {
        Self {
            job: job.name.clone(),
            uid: job.uid.clone(),
            program: job.program.clone(),
            created: job.created,
            started: job.started,
            ended: job.ended,
            outcome,
            attempts: job.pods,
            signature: None,
            interrupted: job.interrupted.clone(),
            snapshot: None,
        }
    }

    /// The result of a failed Job.
    #[must_use]
    pub fn failed(case: &Case) -> Self {
        Self {
            signature: Some(signature(case)),
            ..Self::of(&case.job, Outcome::Failed)
        }
    }

    /// What is left to say of a Job that is gone.
    #[must_use]
    pub fn gone(job: &Job) -> Self {
        match (Outcome::of(job), &job.interrupted) {
            (Some(outcome), _) => Self::of(job, outcome),
            (None, Some(_)) => Self::of(job, Outcome::Interrupted),
            (None, None) => Self {
                signature: Some(GONE.to_string()),
                ..Self::of(job, Outcome::Unknown)
            },
        }
    }

    /// Whether it failed a moment ago, so that the database and the faults are still as they were for it. A
    /// recorder that comes back after hours finds failures of which neither says anything any more.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.outcome == Outcome::Failed
            && self
                .ended
                .is_some_and(|ended| now.duration_since(ended) <= FRESH)
    }
}

impl From<Entry> for Case {
    /// As much of a Job as its result says, for what compares.
    fn from(entry: Entry) -> Self {
        let state = match entry.outcome {
            Outcome::Succeeded => JobState::Succeeded,
            Outcome::Failed => JobState::Failed {
                reason: RECORDED.to_string(),
                message: entry.signature.unwrap_or_default(),
            },
            Outcome::Interrupted | Outcome::Unknown => JobState::Running,
        };
        Self {
            job: Job {
                name: entry.job,
                uid: entry.uid,
                created: entry.created,
                started: entry.started,
                ended: entry.ended,
                state,
                pods: entry.attempts,
                failed: match entry.outcome {
                    Outcome::Failed => entry.attempts,
                    _ => entry.attempts.saturating_sub(1),
                },
                program: entry.program,
                interrupted: entry.interrupted,
            },
            attempts: Known::Unknown("nothing but its result is at hand".to_string()),
        }
    }
}
