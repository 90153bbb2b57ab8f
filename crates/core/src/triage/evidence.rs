//! What is known of a failed test: facts as they were found, and why others were not. Nothing here is judged,
//! so that rules that are written later can judge it again.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;

use crate::{known::Known, object::Uid, plan::Target};

/// The format in which evidence is written. A reader of a later one reads all before it.
pub const FORMAT: u32 = 1;

/// All that is known of one test Job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// [`FORMAT`] of the day.
    #[serde(deserialize_with = "known_format")]
    pub format: u32,
    /// When it was gathered, by the API server's clock.
    pub at: Timestamp,
    /// Where.
    pub target: Target,
    /// The Job and its attempts.
    pub case: Case,
    /// The other failed test Jobs that the environment kept.
    pub others: Known<Vec<Case>>,
    /// The same Job in the other environments of the cluster.
    pub twins: Vec<Twin>,
    /// The pods of the node and of the service.
    pub pods: Known<Vec<Pod>>,
    /// The Events of the namespace. Kubernetes keeps them for an hour.
    pub events: Known<Vec<Event>>,
    /// The ledger of faults; nothing when there is none, so that none was ever recorded.
    pub faults: Known<Option<Vec<Fault>>>,
    /// The invocations of the program that had not completed, the oldest first.
    pub invocations: Known<Vec<Invocation>>,
    /// The counters of the program in the database; one that was never incremented is not among them.
    pub counters: Known<BTreeMap<u32, u64>>,
    /// Where logs and metrics are looked at: name → template of an address.
    pub links: BTreeMap<String, String>,
}

impl Evidence {
    /// The program that the node is to be asked about. Where the Job does not say, that is noted.
    pub fn program_to_ask_about(&mut self) -> Option<String> {
        let program = self.case.job.program.clone();
        if program.is_none() {
            let why = "the Job does not say which program it ran".to_string();
            self.answered(Err(why.clone()), Err(why));
        }
        program
    }

    /// Takes the node's answers: rows of `sys_invocation` and of `state`, or why there are none.
    pub fn answered(&mut self, open: Result<Vec<Value>, String>, kept: Result<Vec<Value>, String>) {
        self.invocations = open.and_then(|rows| invocations(&rows)).into();
        self.counters = kept.and_then(|rows| counters(&rows)).into();
    }
}

/// A test Job and the pods that ran it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Case {
    /// The Job.
    pub job: Job,
    /// Its pods that are still there, in whatever order they were found.
    pub attempts: Known<Vec<Attempt>>,
}

/// A test Job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its name, which is the seed.
    pub name: String,
    /// Its incarnation.
    pub uid: Uid,
    /// When it was made.
    pub created: Timestamp,
    /// When its controller began with it.
    pub started: Option<Timestamp>,
    /// When it was over.
    pub ended: Option<Timestamp>,
    /// What became of it.
    pub state: JobState,
    /// How many pods its controller counts (Kubernetes 1.36: `active`, `succeeded` and `failed` together).
    pub pods: u64,
    /// How many of them have failed.
    #[serde(default)]
    pub failed: u64,
    /// The id of the program that it ran, as its template says.
    pub program: Option<String>,
    /// The operation that interrupted it.
    pub interrupted: Option<String>,
}

/// What became of a Job, in the words of its conditions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum JobState {
    /// It is not over.
    Running,
    /// It verified.
    Succeeded,
    /// It was given up.
    Failed {
        /// `BackoffLimitExceeded`, …
        reason: String,
        /// The controller's sentence.
        message: String,
    },
}

/// One pod of a Job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The pod.
    pub pod: String,
    /// When it was made.
    pub created: Timestamp,
    /// When its container started; absent when it never did.
    pub started: Option<Timestamp>,
    /// When its container ended.
    pub ended: Option<Timestamp>,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`
    pub phase: String,
    /// The container's exit code.
    pub exit: Option<i64>,
    /// Why it ended, or what it waits for: `OOMKilled`, `Evicted: …`, `ErrImagePull: …`.
    pub reason: Option<String>,
    /// What the container wrote.
    pub log: Known<Vec<String>>,
}

/// The Job of the same name in another environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Twin {
    /// The environment.
    pub environment: String,
    /// The Job there; nothing when it is not there (any more).
    pub case: Known<Option<Case>>,
}

/// A pod of the node or of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// The pod.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// Its containers.
    pub containers: Vec<Container>,
}

/// A container of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Its name.
    pub name: String,
    /// What it runs.
    #[serde(default)]
    pub image: Option<String>,
    /// How often it was started again since the pod was made. Kubernetes tells the time of the last one only.
    pub restarts: u64,
    /// When its present instance started.
    pub started: Option<Timestamp>,
    /// How the instance before it ended.
    pub before: Option<Ended>,
}

/// How an instance of a container ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Its exit code.
    pub exit: i64,
    /// `Error`, `OOMKilled`, …
    pub reason: String,
}

/// An Event, as Kubernetes has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When it was seen last.
    pub at: Timestamp,
    /// `Pod restate-0`
    pub about: String,
    /// `Killing`, …
    pub reason: String,
    /// The sentence.
    pub message: String,
    /// How often it was seen.
    pub count: u64,
    /// Whether Kubernetes calls it a warning.
    pub warning: bool,
}

/// A fault that was injected, as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// `kill-restate`, …
    pub name: String,
    /// When it was injected, or when that began.
    pub began: Timestamp,
    /// When one that stays until it is taken back was taken back.
    #[serde(default)]
    pub taken_back: Option<Timestamp>,
    /// When its target was seen to be healthy again.
    pub healed: Option<Timestamp>,
}

/// An invocation that has not completed, as the node's SQL has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// `inv_…`
    pub id: String,
    /// Service, key and handler: `interpreter/117-v1-s300-all-test-1/run`.
    pub target: String,
    /// `pending`, `backing-off`, `paused`, …
    pub status: String,
    /// Whole seconds since it was created: fractions do not survive being written.
    #[serde(deserialize_with = "whole_seconds")]
    pub age_seconds: u64,
    /// How often it was tried again.
    #[serde(default)]
    pub retry_count: u64,
    /// Why its last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
}

/// The service whose objects hold the counters of programs, and the name of the counter in their state. The key
/// of an object is its target, a `-` and the program's id.
pub const COUNTERS: (&str, &str) = ("interpreter", "counter");

/// The counters among rows of the node's table `state`, by target.
fn counters(rows: &[Value]) -> Result<BTreeMap<u32, u64>, String> {
    let counter = |row: &Value| {
        let key = row.get("service_key")?.as_str()?;
        let (target, _) = key.split_once('-')?;
        let value = row.get("value_utf8")?.as_str()?;
        Some((target.parse().ok()?, value.parse().ok()?))
    };
    let counters = rows
        .iter()
        .map(|row| counter(row).ok_or_else(|| format!("this is no counter: {row}")));
    counters.collect()
}

/// The invocations among rows of the node's table `sys_invocation`.
fn invocations(rows: &[Value]) -> Result<Vec<Invocation>, String> {
    let invocation = |row: &Value| Invocation::deserialize(row).map_err(|error| error.to_string());
    rows.iter().map(invocation).collect()
}

fn whole_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    // Below zero, where clocks were set, it is nothing.
    f64::deserialize(deserializer).map(|seconds| seconds as u64)
}

fn known_format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let format = u32::deserialize(deserializer)?;
    if (1..=FORMAT).contains(&format) {
        Ok(format)
    } else {
        Err(D::Error::custom(format!(
            "this evidence has format {format}; this program reads 1 to {FORMAT}: use the version that wrote it, or a newer one"
        )))
    }
}

/// Evidence as it is kept, with a line break at the end.
///
/// # Errors
/// Never, as far as is known: every value has a JSON form.
pub fn write(evidence: &Evidence) -> Result<String, String> {
    serde_json::to_string_pretty(evidence)
        .map(|text| text + "\n")
        .map_err(|error| error.to_string())
}

/// Evidence that was kept.
///
/// # Errors
/// When the text is none, or of a later format.
pub fn read(text: &str) -> Result<Evidence, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
