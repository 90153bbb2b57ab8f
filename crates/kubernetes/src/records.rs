//! What the recorder needs of the API server besides evidence, and the way in which others read the recorder.

use std::time::Duration;

use longrun_core::{
    approval::{Ask, Refused},
    faults::Pause,
    names::{CLAIM, LEDGER, OPERATIONS_MANAGER, PAUSE, RECORDER, port},
    object::ObjectRef,
    operations::{
        data::Facts,
        snapshot::{Limits, Withheld, failure_name, on_failure},
    },
    plan::Target,
    records::{Entry, Wanted, pause},
};
use serde_json::Value;

use crate::{
    client::Client,
    data::{DataError, last_operation},
    drive::drive,
    failure::Failure,
    lease,
    progress::Progress,
    resource::encode,
    volumes::served_snapshots,
};

/// It answers from memory and from its own disk.
const PATIENCE: Duration = Duration::from_secs(15);

/// How often a pause is written anew because somebody wrote in between.
const ATTEMPTS: u32 = 5;

/// What the recorder of an environment answers; nothing when it has no answer to this.
///
/// # Errors
/// When there is none, it does not answer, or the API server does not let through to it.
pub async fn recorded(
    client: &Client,
    environment: &str,
    question: &str,
) -> Result<Option<String>, Failure> {
    let asked = format!("ask the recorder of {environment}");
    let namespace = encode(environment);
    let uri = format!(
        "/api/v1/namespaces/{namespace}/services/{RECORDER}:{}/proxy/{question}",
        port::RECORDER
    );
    match client.read(&asked, &uri, PATIENCE).await {
        Ok(text) => Ok(Some(text)),
        Err(failure) if failure.code() == 404 && !is_missing(&failure) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Whether it is the API server that has found nothing: it says of which kind, and the recorder does not.
fn is_missing(failure: &Failure) -> bool {
    let details = failure.status().and_then(|status| status.details.as_ref());
    details.is_some_and(|details| details.kind == "services")
}

/// The ledger of faults; nothing where none was ever written.
///
/// # Errors
/// When the API server does not say.
pub async fn fault_ledger(client: &Client, environment: &str) -> Result<Option<Value>, Failure> {
    let ledger = ObjectRef::namespaced("v1", "ConfigMap", environment, LEDGER);
    client.get(&ledger).await
}

/// Pauses chaos because of a failure, unless it is paused for long enough. What was written is answered.
///
/// # Errors
/// When the API server does not say, or does not take it.
pub async fn pause_chaos(
    client: &Client,
    environment: &str,
    wanted: Wanted,
    failed: &Entry,
) -> Result<Option<Pause>, Failure> {
    let reference = ObjectRef::namespaced("v1", "ConfigMap", environment, PAUSE);
    let mut attempts = 1;
    loop {
        let there = client.get(&reference).await?;
        let present = there
            .as_ref()
            .and_then(|there| Pause::read(Some(there)).ok().flatten());
        let Some(pause) = pause(wanted, failed, present.as_ref(), client.now()) else {
            return Ok(None);
        };
        let object = pause.manifest(environment);
        // Whoever wrote in between may have paused for longer.
        let written = client.write_over(there.as_ref(), object, OPERATIONS_MANAGER);
        match written.await {
            Ok(_) => return Ok(Some(pause)),
            Err(failure) if failure.code() == 409 && attempts < ATTEMPTS => attempts += 1,
            Err(failure) => return Err(failure),
        }
    }
}

/// Why no snapshot was taken.
#[derive(Debug, thiserror::Error)]
pub enum NoSnapshot {
    /// It is not to be taken.
    #[error(transparent)]
    Withheld(#[from] Withheld),
    /// The policy does not cover it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The API server does not say.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// Whether an operation is not finished is not known.
    #[error(transparent)]
    Unknown(#[from] DataError),
    /// It was begun, and not done.
    #[error("{0}")]
    Stopped(String),
}

/// Takes a snapshot because a test failed, within the limits that the policy of this name sets. Its name is
/// answered, also when it was there already.
///
/// # Errors
/// Why none was taken.
pub async fn snapshot_failure(
    client: &Client,
    target: &Target,
    job: &str,
    class: &str,
    limits: Limits,
    policy: &str,
) -> Result<String, NoSnapshot> {
    let environment = target.environment.as_str();
    let claim = ObjectRef::namespaced("v1", "PersistentVolumeClaim", environment, CLAIM);
    let seen = async {
        let (claim, snapshots, at_work) = tokio::try_join!(
            client.get(&claim),
            served_snapshots(client, environment),
            lease::at_work(client, environment),
        )?;
        Ok::<_, NoSnapshot>((claim, snapshots, at_work))
    };
    let stored = async { Ok(last_operation(client, environment).await?) };
    let ((claim, snapshots, at_work), stored) = tokio::try_join!(seen, stored)?;
    let facts = Facts {
        claim,
        snapshots,
        stored,
        at_work,
        ..Facts::default()
    };
    let name = failure_name(job);
    let planned = on_failure(target, job, &facts, class, limits, client.now());
    let plan = match planned {
        Err(Withheld::Taken(name)) => return Ok(name),
        planned => planned?,
    };
    let approved = Ask::new(plan).standing(policy)?;
    // No lease: as a snapshot that a person takes of the running node, it begins only where nobody minds it.
    let silent = |_: &Progress<'_>| {};
    drive(client, approved, None, &silent, std::future::pending())
        .await
        .map_err(|stopped| NoSnapshot::Stopped(stopped.to_string()))?;
    Ok(name)
}

#[cfg(test)]
mod tests;
