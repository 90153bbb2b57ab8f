//! All that happened around a test, in the order in which it happened.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    attempt::{Said, hear},
    evidence::{Event, Evidence, Fault, Job, JobState, Pod},
    verdict::told,
};
use crate::known::Known;

/// What is this close to the test may belong to it.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// A test that fails may take this long: seven attempts of up to three minutes, and the pauses between them.
const LONGEST: SignedDuration = SignedDuration::from_mins(30);

/// The time of a test, with a margin on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Its begin.
    pub from: Timestamp,
    /// Its end; now, when the test is not over.
    pub to: Timestamp,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What kind of thing.
    pub kind: Kind,
    /// What.
    pub text: String,
}

/// What kind of thing happened. Of what happened in one second, causes are told before effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A fault was injected or healed.
    Fault,
    /// A pod or container of the node or the service ended or began.
    Restart,
    /// Kubernetes said something.
    Event,
    /// The test's Job began or ended.
    Job,
    /// An attempt began or ended.
    Attempt,
}

impl Window {
    /// The time of a test of which no more is known than its minute.
    #[must_use]
    pub fn of_minute(minute: Timestamp, now: Timestamp) -> Self {
        let to = minute.checked_add(LONGEST).unwrap_or(minute);
        Self {
            from: minute.checked_sub(MARGIN).unwrap_or(minute),
            to: to.min(now),
        }
    }

    /// `16:40:10`, with the day where it is another one: what is not seen to be over may be of yesterday.
    #[must_use]
    pub fn clock(&self, at: Timestamp) -> String {
        let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
        let same = [self.from, self.to]
            .into_iter()
            .any(|end| day(end) == day(at));
        let form = if same {
            "%H:%M:%S"
        } else {
            "%Y-%m-%d %H:%M:%S"
        };
        at.strftime(form).to_string()
    }
}

/// The window of a test, as of the time when it was looked at.
#[must_use]
pub(crate) fn window(job: &Job, at: Timestamp) -> Window {
    let from = job.started.unwrap_or(job.created).min(job.created);
    let to = job.ended.unwrap_or(at).max(from);
    Window {
        from: from.checked_sub(MARGIN).unwrap_or(from),
        to: to.checked_add(MARGIN).unwrap_or(to),
    }
}

/// What happened in the window, in order.
#[must_use]
pub fn timeline(evidence: &Evidence) -> Vec<Entry> {
    let window = window(&evidence.case.job, evidence.at);
    let mut entries = job(&evidence.case.job);
    entries.extend(attempts(evidence));
    let pods = evidence.pods.known();
    entries.extend(pods.into_iter().flatten().flat_map(restarts));
    if let Known::Value(events) = &evidence.events {
        // Each attempt is scheduled, pulled, created and started: that says nothing.
        let news = events
            .iter()
            .filter(|event| event.warning || event.reason == "Killing")
            .filter(|event| !is_its_end(event, &evidence.case.job));
        entries.extend(news.map(|event| {
            let times = if event.count > 1 {
                format!(" ({} times)", event.count)
            } else {
                String::new()
            };
            let text = format!(
                "{}: {}: {}{times}",
                event.about, event.reason, event.message
            );
            entry(event.at, Kind::Event, text)
        }));
    }
    entries.retain(|entry| (window.from..=window.to).contains(&entry.at));
    // Also one that began before and was still at work.
    let recorded = evidence.faults.known().into_iter().flatten().flatten();
    entries.extend(recorded.filter(|fault| fault.is_in(window)).flat_map(fault));
    entries.sort();
    entries.dedup();
    entries
}

/// How the Job ended is told by itself.
fn is_its_end(event: &Event, job: &Job) -> bool {
    let JobState::Failed { reason, .. } = &job.state else {
        return false;
    };
    event.reason == *reason && event.about == format!("Job {}", job.name)
}

fn entry(at: Timestamp, kind: Kind, text: String) -> Entry {
    Entry { at, kind, text }
}

fn job(job: &Job) -> Vec<Entry> {
    let began = job.started.unwrap_or(job.created);
    let mut entries: Vec<Entry> =
        [entry(began, Kind::Job, format!("Job {} begins", job.name))].into();
    let became = match &job.state {
        JobState::Running => None,
        JobState::Succeeded => Some("verified".to_string()),
        JobState::Failed { reason, message } => Some(format!("failed: {reason}: {message}")),
    };
    if let (Some(at), Some(became)) = (job.ended, became) {
        entries.push(entry(at, Kind::Job, format!("Job {} {became}", job.name)));
    }
    entries
}

fn attempts(evidence: &Evidence) -> Vec<Entry> {
    let heard = hear(&evidence.case);
    let numbered = (1..).zip(&heard);
    numbered
        .flat_map(|(number, heard)| {
            let begins = format!("attempt {number} begins, pod {}", heard.pod);
            let ends = heard.ended.map(|at| {
                let text = format!("attempt {number} ends: {}", in_words(&heard.said));
                entry(at, Kind::Attempt, text)
            });
            [Some(entry(heard.created, Kind::Attempt, begins)), ends]
        })
        .flatten()
        .collect()
}

/// What an attempt says, in a few words.
#[must_use]
pub fn in_words(said: &Said) -> String {
    match said {
        Said::Verified => "every counter is right".to_string(),
        Said::Wrong(off) => told(off),
        Said::Failed {
            command,
            code,
            message,
        } => format!("{command} {code}: {message}"),
        Said::Silent { why } => format!("no result: {why}"),
        Said::NotStarted { why } => format!("not started: {why}"),
        Said::Running => "at work".to_string(),
        Said::Unknown { why } => format!("unknown: {why}"),
    }
}

fn fault(fault: &Fault) -> Vec<Entry> {
    let name = &fault.name;
    let tell = |at, text| entry(at, Kind::Fault, text);
    let never = "its target was not seen to be healthy again";
    let (began, back) = match (fault.healed, fault.taken_back) {
        (Some(_), _) => (String::new(), String::new()),
        (None, Some(_)) => (String::new(), format!(": {never}")),
        (None, None) => (format!(", not seen to be over: {never}"), String::new()),
    };
    let taken_back = |at| tell(at, format!("fault {name} is taken back{back}"));
    let over = |at| {
        let text = format!("fault {name} is over: its target is healthy again");
        tell(at, text)
    };
    let mut entries: Vec<Entry> = [tell(fault.began, format!("fault {name}{began}"))].into();
    entries.extend(fault.taken_back.map(taken_back));
    entries.extend(fault.healed.map(over));
    entries
}

/// When a pod was made, and when a container of it was started again.
fn restarts(pod: &Pod) -> Vec<Entry> {
    let name = &pod.name;
    let mut entries: Vec<Entry> = [entry(
        pod.created,
        Kind::Restart,
        format!("Pod {name} is made"),
    )]
    .into();
    for container in &pod.containers {
        let what = format!("Pod {name}, container {}", container.name);
        if let Some(before) = &container.before {
            let text = format!(
                "{what} ends: exit code {}, {} (restart {})",
                before.exit, before.reason, container.restarts
            );
            entries.push(entry(before.at, Kind::Restart, text));
            let started = container.started;
            let again = |at| entry(at, Kind::Restart, format!("{what} starts again"));
            entries.extend(started.map(again));
        }
    }
    entries
}
