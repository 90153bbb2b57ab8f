//! An action, carried out: signals by way of the sidecar, deletions, and fields that only operations write.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use longrun_core::{
    execution::RequestError,
    names::{OBSERVER, OPERATIONS_MANAGER, RULES_ANNOTATION, VERIFICATION_PROGRAM},
    object::{ObjectRef, Uid, uid},
    plan::{FaultAction, PodTarget, Signal},
};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::{
    client::{Client, IN_FLIGHT},
    exec::Ended,
    failure::Failure,
};

/// How long a signal may take.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) async fn inject(
    client: &Client,
    object: &ObjectRef,
    action: &FaultAction,
) -> Result<Option<Uid>, RequestError> {
    match action {
        FaultAction::Signal {
            signal: which,
            process,
        } => signal(client, object, *which, process).await.map(|()| None),
        FaultAction::End { pods, grace } => end(client, object, pods, *grace).await.map(|()| None),
        FaultAction::Scale { replicas } => {
            write(client, object, &json!({"replicas": replicas})).await
        }
        FaultAction::Restart { at } => {
            let annotations = json!({"kubectl.kubernetes.io/restartedAt": at});
            let spec = json!({"template": {"metadata": {"annotations": annotations}}});
            write(client, object, &spec).await
        }
        FaultAction::Shut => write(client, object, &json!({"ingress": [], "egress": []})).await,
        FaultAction::Open => write(client, object, &rules(client, object).await?).await,
    }
}

/// An action that was answered with what makes no sense may have been done.
fn of_action(failure: Failure) -> RequestError {
    match failure {
        Failure::Unreadable { .. } => RequestError::Unclear(failure.words()),
        _ => failure.into(),
    }
}

/// A command that says how it ended has done nothing; one that was itself ended by a signal says nothing.
fn of_command(ended: &Ended) -> RequestError {
    match ended {
        Ended::Code { code: ..128, .. } => RequestError::Refused(ended.to_string()),
        Ended::Code { .. } | Ended::NotRun { .. } | Ended::Unknown { .. } => {
            RequestError::Unclear(ended.to_string())
        }
    }
}

/// A lost answer to a signal is no answer: it may be sent twice, and the second one is as good as the first.
async fn signal(
    client: &Client,
    pod: &ObjectRef,
    signal: Signal,
    process: &str,
) -> Result<(), RequestError> {
    let namespace = pod.namespace.as_deref().unwrap_or_default();
    let command = [VERIFICATION_PROGRAM, "signal", signal.word(), process];
    let (stdin, mut stdout, exec) = client
        .exec(namespace, &pod.name, OBSERVER, &command)
        .await
        .map_err(of_action)?;
    let mut said = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stdout.read_to_end(&mut said)).await;
    drop(stdin);
    match exec.end(PATIENCE).await {
        Ok(()) => Ok(()),
        Err(ended @ Ended::Unknown { .. }) => {
            let late = if read.is_err() {
                "it took too long; "
            } else {
                ""
            };
            Err(RequestError::Unanswered(format!("{late}{ended}")))
        }
        Err(ended) => Err(of_command(&ended)),
    }
}

/// Side by side, so that all end at once. One that is gone already needs no end.
async fn end(
    client: &Client,
    owner: &ObjectRef,
    pods: &[PodTarget],
    grace: Option<u32>,
) -> Result<(), RequestError> {
    let namespace = owner.namespace.as_deref().unwrap_or_default();
    let ended: Result<(), RequestError> = stream::iter(pods)
        .map(|pod| async move {
            let reference = ObjectRef::namespaced("v1", "Pod", namespace, &pod.name);
            match client.end(&reference, &pod.uid, grace).await {
                Err(failure) if !matches!(failure.code(), 404 | 409) => Err(of_action(failure)),
                _ => Ok(()),
            }
        })
        .buffer_unordered(IN_FLIGHT)
        .try_collect()
        .await;
    match ended {
        // The others may be gone.
        Err(RequestError::Refused(cause)) if pods.len() > 1 => Err(RequestError::Unclear(cause)),
        ended => ended,
    }
}

async fn write(
    client: &Client,
    object: &ObjectRef,
    spec: &Value,
) -> Result<Option<Uid>, RequestError> {
    let patch = json!({"spec": spec});
    let written = client.merge(object, &patch, OPERATIONS_MANAGER).await;
    let written = written.map_err(of_action)?;
    Ok(uid(&written))
}

/// The rules that were rendered, whatever the policy's are at present.
async fn rules(client: &Client, policy: &ObjectRef) -> Result<Value, RequestError> {
    let Some(live) = client.get(policy).await? else {
        return Err(RequestError::Refused("it does not exist".to_owned()));
    };
    let annotations = live.pointer("/metadata/annotations");
    let text = annotations.and_then(|all| all.get(RULES_ANNOTATION)?.as_str());
    let rules = text.and_then(|text| serde_json::from_str(text).ok());
    rules.ok_or_else(|| {
        RequestError::Refused(format!(
            "its annotation {RULES_ANNOTATION} does not say what its rules are; `deploy` puts them back"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_command_that_says_how_it_ended_has_struck_nothing() {
        let said = String::new;
        let code = |code| Ended::Code { code, said: said() };
        let cause = "error dialing backend".to_owned();
        for (ended, refused) in [
            (code(1), true),
            (code(127), true),
            (code(137), false),
            (
                Ended::NotRun {
                    cause,
                    said: said(),
                },
                false,
            ),
            (Ended::Unknown { said: said() }, false),
        ] {
            let trouble = of_command(&ended);
            let is_refused = matches!(trouble, RequestError::Refused(_));
            assert_eq!(is_refused, refused, "{ended}");
        }
    }
}
