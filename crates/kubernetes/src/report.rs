//! What the reader needs when a plan stops: what the pods say, their last lines and the latest warnings.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use longrun_core::{
    cluster::{ContainerStatus, Pod},
    object::ObjectRef,
    wait::Observation,
};
use serde::Serialize;

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
        Self { pods, warnings }
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
        Ok(())
    }
}

/// Pods that were over before, for example of earlier test Jobs, are not the cause.
fn is_news(pod: &Pod, since: Option<Timestamp>) -> bool {
    // Kubernetes writes whole seconds.
    let created = pod.metadata.created.as_second();
    !pod.has_ended() || since.is_none_or(|since| created >= since.as_second())
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

fn failing(pod: &Pod) -> impl Iterator<Item = Failing> {
    pod.all_statuses().filter_map(|status| {
        let now = &status.state;
        let previous = status.last_state.terminated.is_some() && now.terminated.is_none();
        Some(Failing {
            pod: pod.reference(),
            container: status.name.clone(),
            state: state(status)?,
            previous,
            has_run: previous || now.terminated.is_some() || now.running.is_some(),
        })
    })
}

/// What a container does, unless it runs and is ready, or has done its work.
fn state(status: &ContainerStatus) -> Option<String> {
    let with = |what: String, message: &str| match message.trim() {
        "" => what,
        message => format!("{what}: {message}"),
    };
    if let Some(waiting) = &status.state.waiting {
        return Some(format!("waiting: {}", waiting.words()));
    }
    if let Some(ended) = &status.state.terminated {
        let code = ended.exit_code;
        let reason = match ended.reason.as_str() {
            "" => "Error",
            reason => reason,
        };
        let what = format!("ended with exit code {code} ({reason})");
        return (code != 0).then(|| with(what, &ended.message));
    }
    if status.ready {
        return None;
    }
    Some(match &status.last_state.terminated {
        Some(ended) => format!(
            "runs again after exit code {}, and is not ready",
            ended.exit_code
        ),
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
    use longrun_core::cluster::View as _;
    use serde_json::{Value, json};

    use super::*;

    fn check(status: &Value) -> Vec<Failing> {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "a", "namespace": "n", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"containers": []},
            "status": {"containerStatuses": [status]},
        });
        failing(&Pod::read(&pod).unwrap()).collect()
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
        let running =
            json!({"name": "app", "ready": true, "restartCount": 0, "state": {"running": {}}});
        let done = json!({"name": "app", "ready": false, "restartCount": 0, "state": {"terminated": {"exitCode": 0}}});
        assert!(check(&running).is_empty() && check(&done).is_empty());
    }
}
