//! A blow, struck: signals by way of the sidecar, deletions, and fields that only operations write.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use longrun_core::{
    faults::{Blow, Marked, RULES_ANNOTATION, Signal},
    object::{ObjectRef, Uid, uid},
    operations::deploy::OPERATIONS_MANAGER,
};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use super::effect::Trouble;
use crate::{
    client::{Client, IN_FLIGHT},
    exec::Ended,
    failure::Failure,
};

/// The sidecar that shares its processes with the node.
const OBSERVER: &str = "observer";

/// The program in it that finds and signals a process.
const VERIFICATION: &str = "/usr/local/bin/verification";

/// How long a signal may take.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) async fn strike(
    client: &Client,
    object: &ObjectRef,
    blow: &Blow,
) -> Result<Option<Uid>, Trouble> {
    match blow {
        Blow::Signal {
            signal: which,
            process,
        } => signal(client, object, *which, process).await.map(|()| None),
        Blow::End { pods, grace } => end(client, object, pods, *grace).await.map(|()| None),
        Blow::Scale { replicas } => write(client, object, &json!({"replicas": replicas})).await,
        Blow::Restart { at } => {
            let annotations = json!({"kubectl.kubernetes.io/restartedAt": at});
            let spec = json!({"template": {"metadata": {"annotations": annotations}}});
            write(client, object, &spec).await
        }
        Blow::Shut => write(client, object, &json!({"ingress": [], "egress": []})).await,
        Blow::Open => write(client, object, &rules(client, object).await?).await,
    }
}

/// A lost answer to a signal is no answer: it may be sent twice, and the second one is as good as the first.
async fn signal(
    client: &Client,
    pod: &ObjectRef,
    signal: Signal,
    process: &str,
) -> Result<(), Trouble> {
    let namespace = pod.namespace.as_deref().unwrap_or_default();
    let command = [VERIFICATION, "signal", signal.word(), process];
    let (stdin, mut stdout, exec) = client
        .exec(namespace, &pod.name, OBSERVER, &command)
        .await?;
    let mut said = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stdout.read_to_end(&mut said)).await;
    drop(stdin);
    match exec.end(PATIENCE).await {
        Ok(()) => Ok(()),
        Err(ended @ (Ended::Code { .. } | Ended::NotRun { .. })) => {
            Err(Trouble::Refused(ended.to_string()))
        }
        Err(ended @ Ended::Unknown { .. }) => {
            let late = if read.is_err() {
                "it took too long; "
            } else {
                ""
            };
            Err(Trouble::Passing(Failure::NoAnswer {
                asked: format!("send SIG{} to {process} in {pod}", signal.word()),
                server: client.server().to_owned(),
                cause: format!("{late}{ended}"),
            }))
        }
    }
}

/// Side by side, so that all end at once. One that is gone already needs no end.
async fn end(
    client: &Client,
    owner: &ObjectRef,
    pods: &[Marked],
    grace: Option<u32>,
) -> Result<(), Trouble> {
    let namespace = owner.namespace.as_deref().unwrap_or_default();
    stream::iter(pods)
        .map(|pod| async move {
            let reference = ObjectRef::namespaced("v1", "Pod", namespace, &pod.name);
            match client.end(&reference, &pod.uid, grace).await {
                Err(failure) if !matches!(failure.code(), 404 | 409) => Err(Trouble::from(failure)),
                _ => Ok(()),
            }
        })
        .buffer_unordered(IN_FLIGHT)
        .try_collect()
        .await
}

async fn write(client: &Client, object: &ObjectRef, spec: &Value) -> Result<Option<Uid>, Trouble> {
    let patch = json!({"spec": spec});
    let written = client.merge(object, &patch, OPERATIONS_MANAGER).await?;
    Ok(uid(&written))
}

/// The rules that were rendered, whatever the policy's are at present.
async fn rules(client: &Client, policy: &ObjectRef) -> Result<Value, Trouble> {
    let Some(live) = client.get(policy).await? else {
        return Err(Trouble::Refused("it does not exist".to_owned()));
    };
    let annotations = live.pointer("/metadata/annotations");
    let text = annotations.and_then(|all| all.get(RULES_ANNOTATION)?.as_str());
    let rules = text.and_then(|text| serde_json::from_str(text).ok());
    rules.ok_or_else(|| {
        Trouble::Refused(format!(
            "its annotation {RULES_ANNOTATION} does not say what its rules are; `deploy` puts them back"
        ))
    })
}
