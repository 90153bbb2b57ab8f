//! What the reader needs when a plan stops: what the pods say, their last lines and the latest warnings.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use longrun_core::{object::ObjectRef, wait::Observation};
use serde::Serialize;
use serde_json::Value;

use crate::client::Client;

/// More than this nobody reads.
const PODS: usize = 3;
const LINES: usize = 15;
const WARNINGS: usize = 8;

const PATIENCE: Duration = Duration::from_secs(5);

/// What was found around the step that did not work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The containers that do not run as they should.
    pub pods: Vec<PodReport>,
    /// The latest warnings, newest first: when, about what, the reason and the text.
    pub warnings: Vec<String>,
    /// What could not be taken back, and why.
    pub not_undone: Vec<String>,
}

/// A container that does not run as it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodReport {
    /// The pod.
    pub pod: String,
    /// Its container.
    pub container: String,
    /// What it does instead: `waiting: CrashLoopBackOff: back-off 10s …`
    pub state: String,
    /// The lines are those of the instance before the present one.
    pub previous: bool,
    /// The last lines that it wrote, or why there are none.
    pub log: Vec<String>,
}

impl Report {
    /// Asks for the logs of what does not run. What cannot be had is left out or said, and is no error: the
    /// cause that stopped the plan is the news.
    pub(crate) async fn gather(
        client: &Client,
        seen: &Observation,
        since: Option<Timestamp>,
    ) -> Self {
        let mut pods = Vec::new();
        for failing in seen
            .pods
            .iter()
            .filter(|pod| is_news(pod, since))
            .flat_map(failing)
            .take(PODS)
        {
            pods.push(with_log(client, failing).await);
        }
        let mut warnings: Vec<String> = seen
            .warnings
            .iter()
            .filter(|warning| since.is_none_or(|since| warning.last >= since))
            .map(|warning| {
                format!(
                    "{} {}: {}: {}",
                    warning.last.strftime("%H:%M:%SZ"),
                    warning.about,
                    warning.reason,
                    warning.message
                )
            })
            .collect();
        warnings.dedup();
        warnings.truncate(WARNINGS);
        Self {
            pods,
            warnings,
            not_undone: Vec::new(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for pod in &self.pods {
            let instance = if pod.previous {
                " before it exited"
            } else {
                ""
            };
            writeln!(
                f,
                "Pod {}, container {}: {}",
                pod.pod, pod.container, pod.state
            )?;
            if !pod.log.is_empty() {
                writeln!(f, "  its last lines{instance}:")?;
            }
            for line in &pod.log {
                writeln!(f, "    {line}")?;
            }
        }
        if !self.warnings.is_empty() {
            writeln!(f, "latest warnings:")?;
        }
        for warning in &self.warnings {
            writeln!(f, "  {warning}")?;
        }
        for effect in &self.not_undone {
            writeln!(f, "could not be taken back: {effect}")?;
        }
        Ok(())
    }
}

/// Pods that were over before, for example of earlier test Jobs, are not the cause.
fn is_news(pod: &Value, since: Option<Timestamp>) -> bool {
    let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str);
    let over = matches!(text("/status/phase"), Some("Succeeded" | "Failed"));
    let created = text("/metadata/creationTimestamp").and_then(|time| time.parse().ok());
    // Kubernetes writes whole seconds.
    let early = |since: Timestamp, created: Timestamp| created.as_second() < since.as_second();
    !(over
        && since
            .zip(created)
            .is_some_and(|(since, created)| early(since, created)))
}

/// A container that fails, before its log is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Failing {
    pod: ObjectRef,
    container: String,
    state: String,
    previous: bool,
    /// A container that has never run has no log.
    has_run: bool,
}

fn failing(pod: &Value) -> impl Iterator<Item = Failing> {
    let reference = ObjectRef::of(pod);
    ["/status/initContainerStatuses", "/status/containerStatuses"]
        .into_iter()
        .filter_map(|pointer| pod.pointer(pointer)?.as_array())
        .flatten()
        .filter_map(move |status| {
            let container = status.get("name")?.as_str()?.to_owned();
            let state = state(status)?;
            let has = |pointer: &str| status.pointer(pointer).is_some();
            let previous = has("/lastState/terminated") && !has("/state/terminated");
            Some(Failing {
                pod: reference.clone()?,
                container,
                state,
                previous,
                has_run: previous || has("/state/terminated") || has("/state/running"),
            })
        })
}

/// What a container does, unless it runs and is ready, or has done its work.
fn state(status: &Value) -> Option<String> {
    let text = |pointer: &str| {
        let text = status.pointer(pointer).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    };
    let with = |what: String, message: Option<&str>| match message {
        Some(message) => format!("{what}: {}", message.trim()),
        None => what,
    };
    let exit = |pointer: &str| status.pointer(pointer).and_then(Value::as_i64);
    if let Some(reason) = text("/state/waiting/reason") {
        let what = format!("waiting: {reason}");
        return Some(with(what, text("/state/waiting/message")));
    }
    if let Some(code) = exit("/state/terminated/exitCode") {
        let reason = text("/state/terminated/reason").unwrap_or("Error");
        let what = format!("ended with exit code {code} ({reason})");
        return (code != 0).then(|| with(what, text("/state/terminated/message")));
    }
    let ready = status.get("ready").and_then(Value::as_bool) == Some(true);
    if ready {
        return None;
    }
    Some(match exit("/lastState/terminated/exitCode") {
        Some(code) => format!("runs again after exit code {code}, and is not ready"),
        None => "runs, and is not ready".to_owned(),
    })
}

async fn with_log(client: &Client, failing: Failing) -> PodReport {
    let Failing {
        pod,
        container,
        state,
        previous,
        has_run,
    } = failing;
    let uri = format!(
        "{}/log?container={container}&tailLines={LINES}&previous={previous}",
        crate::resource::path(&pod)
    );
    let log = if has_run {
        match client.read("read the log", &uri, PATIENCE).await {
            Ok(text) => text.lines().map(str::to_owned).collect(),
            Err(failure) => vec![format!("(no log: {})", failure.words())],
        }
    } else {
        Vec::new()
    };
    PodReport {
        pod: pod.name,
        container,
        state,
        previous,
        log,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(status: &Value) -> Vec<Failing> {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "a", "namespace": "n"},
            "status": {"containerStatuses": [status]},
        });
        failing(&pod).collect()
    }

    #[test]
    fn a_crashed_container_is_asked_for_the_log_of_before() {
        let found = check(&json!({
            "name": "app", "ready": false, "restartCount": 2,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}},
            "lastState": {"terminated": {"exitCode": 3}},
        }));
        assert_eq!(found[0].state, "waiting: CrashLoopBackOff: back-off 20s");
        assert!(found[0].previous && found[0].has_run);
    }

    #[test]
    fn an_image_that_does_not_exist_has_no_log() {
        let found = check(&json!({
            "name": "app", "ready": false, "restartCount": 0, "lastState": {},
            "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}},
        }));
        assert!(!found[0].has_run);
    }

    #[test]
    fn a_failed_attempt_of_a_job_has_its_own_log() {
        let found = check(&json!({
            "name": "app", "ready": false, "restartCount": 0, "lastState": {},
            "state": {"terminated": {"exitCode": 1, "reason": "Error"}},
        }));
        assert_eq!(found[0].state, "ended with exit code 1 (Error)");
        assert!(!found[0].previous && found[0].has_run);
    }

    #[test]
    fn what_runs_or_has_done_its_work_is_not_mentioned() {
        let running = json!({"name": "app", "ready": true, "state": {"running": {}}});
        let done = json!({"name": "app", "ready": false, "state": {"terminated": {"exitCode": 0}}});
        assert!(check(&running).is_empty() && check(&done).is_empty());
    }
}
