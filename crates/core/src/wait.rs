//! When a step's object is where it should be, why it is not yet, and when to give up. One table for
//! every operation. Each wait ends with a cause.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    cluster::{Definition, Event, Finding, Job, Namespace, Pod, View, Workload},
    object::{ObjectRef, Uid},
};

mod grown;
mod job;
mod pods;
mod renewed;
mod rollout;
mod snapshot;

pub use renewed::Before;

/// What must hold before the next step begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "until")]
pub enum Wait {
    /// Nothing: the write itself is enough.
    None,
    /// A namespace that is not being deleted.
    Active,
    /// A custom resource definition that is served.
    Established,
    /// A Deployment or StatefulSet that runs what its template says, and only that.
    RolledOut,
    /// A Job that has succeeded.
    Complete,
    /// A CronJob of which a Job that was made after the step began has succeeded. The journal leaves out the
    /// others, which prove nothing.
    FirstSuccess,
    /// The incarnation is gone.
    Gone {
        /// Which incarnation.
        uid: Uid,
    },
    /// A `VolumeSnapshot` that is ready to be restored. Reads [`Observation::contents`].
    SnapshotReady,
    /// A `VolumeSnapshot` whose point in time is fixed: what is written from now on is not in it. Reads
    /// [`Observation::contents`].
    SnapshotCut,
    /// No test runs and no invocation is open in the environment.
    Drained,
    /// No test of the CronJob runs, or they have had their time: the step ends then all the same. Reads
    /// [`Observation::jobs`].
    Ended,
    /// A StatefulSet without pods, and no pod at all that mounts the claim. Reads [`Observation::mounts`].
    Stopped {
        /// The claim.
        claim: ObjectRef,
    },
    /// A Job that has succeeded in reading volumes, which takes as long as it takes. Reads [`Observation::pods`].
    Verified,
    /// A claim that is as large as it asks to be. Reads the object and [`Observation::warnings`].
    Grown,
    /// A pod that is ready. Reads the object and [`Observation::warnings`].
    Ready,
    /// Nothing but time: a fault is at work.
    Held {
        /// How much.
        seconds: u32,
    },
    /// A Deployment or StatefulSet with all its pods ready, of which none is as it was before a fault. Reads
    /// [`Observation::pods`].
    Renewed {
        /// What the fault hits.
        before: Vec<Before>,
        /// How many seconds it may take.
        within: u32,
    },
}

/// What was seen of a step's object and what belongs to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// The object itself, if it exists.
    pub object: Option<Value>,
    /// The pods that it owns, directly or not.
    pub pods: Vec<Pod>,
    /// The Jobs that it owns.
    pub jobs: Vec<Job>,
    /// Warnings about the object and what it owns, newest first.
    pub warnings: Vec<Warning>,
    /// Invocations that are not completed; `None` when it is not known.
    pub open_invocations: Option<Counted>,
    /// Every pod of the namespace that names the claim in question as a volume, finished ones too: they
    /// hold it as well. The claim in question is the step's object, or the one its wait names.
    pub mounts: Vec<Pod>,
    /// The version of the list of the namespace's pods, where that was read: what happened to pods since can be asked
    /// for with it, as long as the API server remembers.
    pub pods_version: Option<String>,
    /// The pods that have named a [`Gate`](crate::gate::Gate)'s claim since [`Gate::since`](crate::gate::Gate::since),
    /// with those that have gone; `None` when the API server does not remember, or was not asked.
    pub visitors: Option<Vec<Pod>>,
    /// The `PersistentVolume` of the claim in question.
    pub volume: Option<Value>,
    /// The claim that the volume in question names, or that the node in question has, if it exists: for
    /// [`Guard::Bound`](crate::plan::Guard::Bound) and [`Guard::Node`](crate::plan::Guard::Node).
    pub claim: Option<Value>,
    /// The StatefulSet that a [`Gate`](crate::gate::Gate) names.
    pub set: Option<Value>,
    /// The `VolumeSnapshot`s of the namespace.
    pub snapshots: Vec<Value>,
    /// The `VolumeSnapshotContent`s that the snapshots in question are bound to.
    pub contents: Vec<Value>,
}

impl Observation {
    /// The Jobs that have not ended and are not marked as interrupted yet: what
    /// [`Effect::Interrupt`](crate::plan::Effect::Interrupt) labels.
    #[must_use]
    pub fn running(&self) -> Vec<ObjectRef> {
        self.jobs
            .iter()
            .filter(|job| !job.is_over() && job.interrupted().is_none())
            .map(Job::reference)
            .collect()
    }

    /// Some of the pods, with the warnings.
    fn of<'a>(&'a self, pods: &'a [&'a Pod]) -> pods::Seen<'a> {
        pods::Seen {
            pods,
            warnings: &self.warnings,
        }
    }
}

/// A number that was read at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// How many.
    pub count: u64,
    /// When they were counted.
    pub at: Timestamp,
}

/// A Kubernetes Event of type Warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// When it was last seen.
    pub last: Timestamp,
    /// What it is about: `Pod restate-0`.
    pub about: String,
    /// `FailedCreate`, …
    pub reason: String,
    /// The text.
    pub message: String,
}

impl From<&Event> for Warning {
    fn from(event: &Event) -> Self {
        Self {
            last: event.last(),
            about: event.title(),
            reason: event.reason.clone(),
            message: event.message().to_string(),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.about, self.reason, self.message)
    }
}

/// Where a wait stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitStatus {
    /// What was waited for holds.
    Met,
    /// Not yet.
    Pending {
        /// Why, for the reader; it changes when there is progress.
        cause: String,
    },
    /// Not yet, and it looks bad: it may pass by itself, but rarely does.
    Unhealthy {
        /// What is wrong.
        cause: String,
    },
    /// It will not happen.
    Failed {
        /// Why.
        cause: String,
    },
}

impl Wait {
    /// How long a bad state must hold before it counts: until then it may pass. Storages try again for a
    /// while before they give up.
    #[must_use]
    pub fn bad_holds(&self) -> SignedDuration {
        match self {
            Self::SnapshotReady | Self::SnapshotCut => SignedDuration::from_mins(10),
            Self::Grown => SignedDuration::from_mins(2),
            _ => SignedDuration::from_secs(30),
        }
    }

    /// How long what was seen may stand still. Snapshots of large volumes take hours and report nothing on
    /// the way; tests begin by their schedule.
    #[must_use]
    pub fn patience(&self, observation: &Observation) -> Option<SignedDuration> {
        let least = SignedDuration::from_mins(4);
        match self {
            Self::SnapshotReady
            | Self::SnapshotCut
            | Self::Ended
            | Self::Held { .. }
            | Self::Renewed { .. } => None,
            Self::Drained | Self::Grown => Some(SignedDuration::from_mins(10)),
            Self::Verified => Some(SignedDuration::from_mins(30)),
            Self::FirstSuccess => Some(least + job::pause(observation.object.as_ref())),
            _ => Some(least),
        }
    }

    /// After how long the step ends even if what it waits for does not hold.
    #[must_use]
    pub fn grace(&self) -> Option<SignedDuration> {
        match self {
            Self::Ended => Some(SignedDuration::from_mins(5)),
            Self::Held { seconds } => Some(SignedDuration::from_secs((*seconds).into())),
            _ => None,
        }
    }

    /// How long it may take in all, however much moves meanwhile.
    #[must_use]
    pub fn bound(&self) -> Option<SignedDuration> {
        match self {
            // Invocations come and go: their number moves without getting anywhere.
            Self::Drained => Some(SignedDuration::from_mins(15)),
            Self::SnapshotReady | Self::SnapshotCut => Some(SignedDuration::from_hours(12)),
            Self::Renewed { within, .. } => Some(SignedDuration::from_secs((*within).into())),
            _ => None,
        }
    }

    /// What a person can do about a wait that was given up, where it is not obvious.
    #[must_use]
    pub fn way_on(&self) -> Option<&'static str> {
        (*self == Self::Drained).then_some(
            "inspect the open invocations, or accept mixed versions of the service: deploy --no-drain",
        )
    }

    /// What was found by whoever read a snapshot and did not find what it looked for, as far as it can be told.
    #[must_use]
    pub fn finding(&self, observation: &Observation) -> Option<Finding> {
        (*self == Self::Verified)
            .then(|| job::finding(observation))
            .flatten()
    }

    /// Where the wait stands by what was seen, for a step that began then.
    #[must_use]
    pub fn assess(&self, observation: &Observation, began: Timestamp) -> WaitStatus {
        if let Self::Gone { uid } = self {
            return gone(observation, uid);
        }
        if *self == Self::None {
            return WaitStatus::Met;
        }
        if *self == Self::Drained {
            return drained(observation, began);
        }
        if *self == Self::Ended {
            return ended(observation);
        }
        if let Self::Held { seconds } = self {
            return not_yet(format!("the fault has been active for {seconds} s"));
        }
        let Some(object) = &observation.object else {
            return not_yet("it does not exist");
        };
        match self {
            Self::Active => read(object, active),
            Self::Established => read(object, established),
            Self::RolledOut => read(object, |set| rollout::assess(set, observation, began)),
            Self::Complete => read(object, |job| job::complete(job, observation, began)),
            Self::FirstSuccess => read(object, |cron_job| {
                job::first_success(cron_job, observation, began)
            }),
            Self::SnapshotReady => snapshot::ready(object, observation),
            Self::SnapshotCut => snapshot::cut(object, observation),
            Self::Stopped { claim } => read(object, |set| stopped(set, claim, observation)),
            Self::Verified => read(object, |job| job::verified(job, observation, began)),
            Self::Grown => grown::assess(object, observation, began),
            Self::Ready => read(object, |pod| pods::ready(pod, observation, began)),
            Self::Renewed { before, .. } => read(object, |set| {
                renewed::assess(set, before, observation, began)
            }),
            Self::None | Self::Gone { .. } | Self::Drained | Self::Ended | Self::Held { .. } => {
                WaitStatus::Met
            }
        }
    }
}

/// An object that cannot be read is not where it should be, as far as anybody knows.
fn read<T: View>(object: &Value, assess: impl FnOnce(&T) -> WaitStatus) -> WaitStatus {
    match T::read(object) {
        Ok(view) => assess(&view),
        Err(unreadable) => WaitStatus::Unhealthy {
            cause: unreadable.to_string(),
        },
    }
}

fn not_yet(cause: impl Into<String>) -> WaitStatus {
    WaitStatus::Pending {
        cause: cause.into(),
    }
}

fn gone(observation: &Observation, uid: &Uid) -> WaitStatus {
    match &observation.object {
        Some(object) if crate::object::uid(object).as_ref() == Some(uid) => {
            let finalizers: Vec<&str> = object
                .pointer("/metadata/finalizers")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            if finalizers.is_empty() {
                not_yet("it is still there")
            } else {
                not_yet(format!("waiting for finalizers: {}", finalizers.join(", ")))
            }
        }
        _ => WaitStatus::Met,
    }
}

/// A count from before the tests paused, or from before the last one ended, says nothing: what it did not
/// see may have begun since.
fn drained(observation: &Observation, began: Timestamp) -> WaitStatus {
    let running = observation.jobs.iter().filter(|job| !job.is_over()).count();
    let ends = observation.jobs.iter().filter_map(Job::ended);
    let quiet_since = ends.chain([began]).max();
    match (running, observation.open_invocations) {
        (0, Some(Counted { at, .. })) if Some(at) < quiet_since => {
            not_yet("open invocations have not been counted since the last test ended")
        }
        (0, Some(Counted { count: 0, .. })) => WaitStatus::Met,
        (0, Some(Counted { count, .. })) => not_yet(format!("{count} invocations are open")),
        (0, None) => not_yet("the observer does not report how many invocations are open"),
        (running, _) => not_yet(format!("{running} tests are running")),
    }
}

fn ended(observation: &Observation) -> WaitStatus {
    match observation.running().len() {
        0 => WaitStatus::Met,
        running => not_yet(format!("{running} tests are running")),
    }
}

fn stopped(set: &Workload, claim: &ObjectRef, observation: &Observation) -> WaitStatus {
    if let Some(unseen) = rollout::unseen(set) {
        return not_yet(unseen);
    }
    if set.spec.replicas != 0 {
        return WaitStatus::Failed {
            cause: "another client scaled it up again".to_string(),
        };
    }
    let mounts = observation.mounts.iter();
    let mounts: Vec<&str> = mounts.map(|pod| pod.metadata.name.as_str()).collect();
    match (mounts.is_empty(), set.status.replicas) {
        (true, 0) => WaitStatus::Met,
        (true, pods) => not_yet(format!("{pods} of its pods remain")),
        (false, _) => not_yet(format!("{claim} is mounted by {}", mounts.join(", "))),
    }
}

fn active(namespace: &Namespace) -> WaitStatus {
    match namespace.phase() {
        Some("Terminating") => WaitStatus::Failed {
            cause: "the namespace is being deleted".to_string(),
        },
        Some(_) => WaitStatus::Met,
        None => not_yet("the namespace has no phase yet"),
    }
}

fn established(definition: &Definition) -> WaitStatus {
    let conditions = definition.conditions();
    if let Some(refused) = conditions.failing("NamesAccepted") {
        return WaitStatus::Failed {
            cause: refused.words(),
        };
    }
    match conditions.holding("Established") {
        Some(_) => WaitStatus::Met,
        None => not_yet("the API server does not serve it yet"),
    }
}

struct Condition {
    holds: bool,
    message: String,
}

fn condition(object: &Value, kind: &str) -> Option<Condition> {
    let condition = object
        .pointer("/status/conditions")?
        .as_array()?
        .iter()
        .find(|condition| condition.get("type").and_then(Value::as_str) == Some(kind))?;
    let text = |field| {
        condition
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    Some(Condition {
        holds: text("status") == "True",
        message: match (text("reason"), text("message")) {
            (reason, "") => reason.to_string(),
            ("", message) => message.to_string(),
            (reason, message) => format!("{reason}: {message}"),
        },
    })
}

#[cfg(test)]
mod tests;
