//! A fault out of turn: a Job from its CronJob's template, as `kubectl create job --from` makes it.

use std::time::Duration;

use jiff::Timestamp;
use longrun_core::{
    approval::Approved,
    cluster::{Job, Pod},
    faults::{
        Fault,
        ledger::{Entry, Ledger, OpenFault},
    },
    names::{FAULTS, LEDGER, OPERATIONS_MANAGER},
    object::{ObjectRef, uid},
};
use serde_json::{Value, json};

use super::rotation::cron_job;
use crate::{client::Client, failure::Failure};

/// How often is looked how far it is.
const LOOK: Duration = Duration::from_secs(1);

/// A fault that was asked for, and the Job that injects it.
#[derive(Clone, Debug)]
pub struct Triggered {
    /// The Job.
    pub job: ObjectRef,
    fault: &'static str,
}

/// How a fault that was asked for ended.
#[derive(Clone, Debug)]
pub struct Followed {
    /// What the ledger says; nothing where it was not begun.
    pub entry: Option<Entry>,
    /// A fault that its runner left.
    pub open: Option<OpenFault>,
    /// Why it was not begun, or what the runner said last.
    pub said: String,
}

/// The name of a Job that injects a fault out of turn.
#[must_use]
pub fn by_hand(fault: &Fault, now: Timestamp) -> String {
    format!("{}-by-hand-{}", fault.cron_job(), now.strftime("%H%M%S"))
}

/// Makes the Job of that name. What it does was approved as a plan; the runner makes the same one from what it finds.
///
/// # Errors
/// When there is no such CronJob, or the API server refuses.
pub async fn trigger(
    client: &Client,
    approved: &Approved,
    fault: &'static Fault,
    name: &str,
    by: &str,
) -> Result<Triggered, Failure> {
    let environment = &approved.plan().target.environment;
    let place = cron_job(environment, fault);
    let live = client.get(&place).await?;
    let Some((live, owner)) = live.as_ref().and_then(|live| Some((live, uid(live)?))) else {
        return Err(Failure::Unreadable {
            asked: format!("trigger {}", fault.name),
            cause: format!("{place} does not exist: deploy the environment first"),
        });
    };
    let mut spec = live
        .pointer("/spec/jobTemplate/spec")
        .cloned()
        .unwrap_or_default();
    let containers = spec
        .pointer_mut("/template/spec/containers")
        .and_then(Value::as_array_mut);
    let runner = containers.and_then(|containers| {
        let mut containers = containers.iter_mut();
        containers.find(|container| container["name"] == FAULTS)
    });
    if let Some(arguments) = runner.and_then(|runner| runner["args"].as_array_mut()) {
        arguments.push(format!("--by={by}").into());
    }
    let job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": environment,
            "labels": live.pointer("/spec/jobTemplate/metadata/labels"),
            "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
            "ownerReferences": [{
                "apiVersion": "batch/v1", "kind": "CronJob", "name": place.name, "uid": owner,
                "controller": true,
            }],
        },
        "spec": spec,
    });
    client.create(&job, OPERATIONS_MANAGER).await?;
    Ok(Triggered {
        job: ObjectRef::namespaced("batch/v1", "Job", environment, name),
        fault: fault.name,
    })
}

impl Triggered {
    /// Follows it to its end.
    ///
    /// # Errors
    /// When the API server does not say.
    pub async fn follow(&self, client: &Client, say: &dyn Fn(&str)) -> Result<Followed, Failure> {
        let environment = self.job.namespace.as_deref().unwrap_or_default();
        let began = client.now();
        loop {
            let ledger = ObjectRef::namespaced("v1", "ConfigMap", environment, LEDGER);
            let (job, ledger) =
                tokio::try_join!(client.view::<Job>(&self.job), client.get(&ledger))?;
            let ledger = Ledger::read(ledger.as_ref());
            let second = jiff::SignedDuration::from_secs(5);
            let entry = ledger
                .last(self.fault)
                .filter(|entry| entry.began.duration_since(began) > -second);
            say(&stage(entry));
            let ended = job.as_ref().is_none_or(Job::is_over);
            if ended {
                let said = self.said(client).await.unwrap_or_default();
                return Ok(Followed {
                    entry: entry.cloned(),
                    open: ledger.in_the_way(environment),
                    said,
                });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The last line of the runner.
    async fn said(&self, client: &Client) -> Result<String, Failure> {
        let environment = self.job.namespace.as_deref().unwrap_or_default();
        let query = format!(
            "labelSelector=batch.kubernetes.io%2Fjob-name%3D{}",
            self.job.name
        );
        let pods = client.views::<Pod>(environment, &query).await?;
        let Some(pod) = pods.first() else {
            return Ok(String::new());
        };
        let name = &pod.metadata.name;
        let uri = format!(
            "/api/v1/namespaces/{environment}/pods/{name}/log?container={FAULTS}&tailLines=1"
        );
        let asked = format!("read the log of {name}");
        let text = client.read(&asked, &uri, Duration::from_secs(10)).await?;
        Ok(in_words(text.trim()))
    }
}

/// The runner's last line is how it ended, as JSON, or an error.
fn in_words(line: &str) -> String {
    let ran: Option<Value> = serde_json::from_str(line).ok();
    let said = |key| Some(ran.as_ref()?.get(key)?.as_str()?.to_owned());
    said("skipped")
        .or_else(|| said("note"))
        .unwrap_or_else(|| line.to_owned())
}

fn stage(entry: Option<&Entry>) -> String {
    match entry {
        None => "its runner starts".to_owned(),
        Some(Entry {
            outcome: Some(_), ..
        }) => "it has ended".to_owned(),
        Some(Entry {
            healed: Some(_), ..
        }) => "its target recovers".to_owned(),
        Some(Entry {
            injected: Some(_), ..
        }) => "the fault is at work".to_owned(),
        Some(_) => "it is about to be injected".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Ran;

    #[test]
    fn what_the_runner_said_is_told_in_words() {
        let ran = |skipped: Option<&str>, note: Option<&str>| {
            let ran = Ran {
                fault: "kill-restate",
                environment: "restate".to_owned(),
                outcome: None,
                skipped: skipped.map(str::to_owned),
                healed_earlier: Vec::new(),
                held_seconds: None,
                recovery_seconds: None,
                note: note.map(str::to_owned),
            };
            serde_json::to_string(&ran).unwrap()
        };
        for (line, words) in [
            (ran(Some("it is paused"), None), "it is paused"),
            (ran(None, Some("it does not answer")), "it does not answer"),
            ("error: no way".to_owned(), "error: no way"),
            (String::new(), ""),
        ] {
            assert_eq!(in_words(&line), words);
        }
    }
}
