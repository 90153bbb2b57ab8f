//! Gathers what an operation on the database is planned on: the claim and its volume, what holds them, their
//! snapshots, and what runs on them.

use longrun_core::{
    faults::ledger::Ledger,
    journal::{NotTaken, Stored},
    names::{CLAIM, JOURNAL, LEDGER, NODE, SNAPSHOT_API},
    object::ObjectRef,
    operations::data::Facts,
};
use serde_json::Value;

use crate::{
    client::Client,
    failure::Failure,
    lease,
    owned_objects::mounting,
    resource::Collection,
    volumes::{contents, served_snapshots, volume_of},
};

/// Why there are no facts. An operation is never planned on half of them.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The API server did not say.
    #[error("cannot read the state of the cluster; nothing was changed: {0}")]
    Failure(#[from] Failure),
    /// The journal of the last operation cannot be read.
    #[error("nothing was changed: {0}")]
    Journal(#[from] NotTaken),
}

/// The facts about an environment's database.
///
/// # Errors
/// When anything remains unknown.
pub async fn observe_data(client: &Client, environment: &str) -> Result<Facts, DataError> {
    let list = |version: &str, kind: &str| {
        let collection = Collection::in_namespace(version, kind, environment);
        async move { client.list(&collection, "").await }
    };
    let classes = Collection {
        api_version: SNAPSHOT_API.to_owned(),
        kind: "VolumeSnapshotClass".to_owned(),
        namespace: None,
    };
    let set = ObjectRef::namespaced("apps/v1", "StatefulSet", environment, NODE);
    let ledger = ObjectRef::namespaced("v1", "ConfigMap", environment, LEDGER);
    let (set, pods, claims, snapshots, classes, cron_jobs, jobs, journal, ledger, at_work) = tokio::try_join!(
        client.get(&set),
        client.views(environment, ""),
        list("v1", "PersistentVolumeClaim"),
        served_snapshots(client, environment),
        client.list(&classes, ""),
        list("batch/v1", "CronJob"),
        list("batch/v1", "Job"),
        stored_journal(client, environment),
        client.get(&ledger),
        lease::at_work(client, environment),
    )?;
    let claim = claims
        .iter()
        .find(|claim| name(claim) == Some(CLAIM))
        .cloned();
    let volume = async {
        match &claim {
            Some(claim) => volume_of(client, claim).await,
            None => Ok(None),
        }
    };
    let bound = snapshots.as_deref().unwrap_or_default();
    let (volume, contents) = tokio::try_join!(volume, contents(client, bound))?;
    Ok(Facts {
        mounts: mounting(&pods, CLAIM),
        stored: journal.as_ref().map(Stored::read).transpose()?,
        claim,
        volume,
        set,
        claims,
        snapshots,
        contents,
        classes,
        cron_jobs,
        jobs,
        at_work,
        fault: Ledger::read(ledger.as_ref()).in_the_way(environment),
        denied: Vec::new(),
    })
}

/// The ConfigMap that holds the journal of the last operation on data.
pub(crate) async fn stored_journal(
    client: &Client,
    environment: &str,
) -> Result<Option<Value>, Failure> {
    let journal = ObjectRef::namespaced("v1", "ConfigMap", environment, JOURNAL);
    client.get(&journal).await
}

/// The journal of the last operation on data.
///
/// # Errors
/// When the API server does not say, or the journal is not what this program wrote.
pub async fn last_operation(
    client: &Client,
    environment: &str,
) -> Result<Option<Stored>, DataError> {
    let journal = stored_journal(client, environment).await?;
    Ok(journal.as_ref().map(Stored::read).transpose()?)
}

fn name(object: &Value) -> Option<&str> {
    object.pointer("/metadata/name")?.as_str()
}
