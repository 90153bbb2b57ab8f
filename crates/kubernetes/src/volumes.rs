//! Claims, what holds them, and their snapshots, as they are in the cluster.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use longrun_core::{
    journal::Journal,
    names::SNAPSHOT_API,
    object::ObjectRef,
    operations::snapshot::{Kept, StoredSnapshots, kept, taken},
};
use serde_json::Value;

use crate::{
    client::{Client, IN_FLIGHT},
    failure::Failure,
    resource::Collection,
};

/// The `PersistentVolume` that a claim has.
pub(crate) async fn volume_of(client: &Client, claim: &Value) -> Result<Option<Value>, Failure> {
    match text(claim, "/spec/volumeName") {
        Some(name) => {
            client
                .get(&ObjectRef::whole("v1", "PersistentVolume", name))
                .await
        }
        None => Ok(None),
    }
}

/// The claim that a `PersistentVolume` names.
pub(crate) async fn claim_of(client: &Client, volume: &Value) -> Result<Option<Value>, Failure> {
    let (Some(namespace), Some(name)) = (
        text(volume, "/spec/claimRef/namespace"),
        text(volume, "/spec/claimRef/name"),
    ) else {
        return Ok(None);
    };
    let claim = ObjectRef::namespaced("v1", "PersistentVolumeClaim", namespace, name);
    client.get(&claim).await
}

/// The `VolumeSnapshot`s of a namespace and the contents that they are bound to.
pub(crate) async fn snapshots(
    client: &Client,
    namespace: &str,
) -> Result<(Vec<Value>, Vec<Value>), Failure> {
    let served = served_snapshots(client, namespace).await?;
    let snapshots = served.unwrap_or_default();
    let contents = contents(client, &snapshots).await?;
    Ok((snapshots, contents))
}

/// The `VolumeSnapshot`s of a namespace; `None` where the cluster does not serve them.
pub(crate) async fn served_snapshots(
    client: &Client,
    namespace: &str,
) -> Result<Option<Vec<Value>>, Failure> {
    let collection = Collection::in_namespace(SNAPSHOT_API, "VolumeSnapshot", namespace);
    client.list_served(&collection, "").await
}

/// The contents that snapshots are bound to, as far as they exist.
pub(crate) async fn contents(client: &Client, snapshots: &[Value]) -> Result<Vec<Value>, Failure> {
    let found: Vec<Option<Value>> = stream::iter(snapshots)
        .map(|snapshot| content(client, snapshot))
        .buffered(IN_FLIGHT)
        .try_collect()
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// The content that one snapshot is bound to.
pub(crate) async fn content(client: &Client, snapshot: &Value) -> Result<Option<Value>, Failure> {
    match text(snapshot, "/status/boundVolumeSnapshotContentName") {
        Some(name) => {
            let content = ObjectRef::whole(SNAPSHOT_API, "VolumeSnapshotContent", name);
            client.get(&content).await
        }
        None => Ok(None),
    }
}

/// Every `VolumeSnapshot` and every content of the cluster.
///
/// # Errors
/// When the API server does not say: both are for whoever may list them in the whole cluster.
pub async fn stored_snapshots(client: &Client) -> Result<StoredSnapshots, Failure> {
    let list = |kind: &str| {
        let collection = Collection {
            api_version: SNAPSHOT_API.to_owned(),
            kind: kind.to_owned(),
            namespace: None,
        };
        async move { client.list(&collection, "").await }
    };
    // The contents first: one that is bound meanwhile is no orphan.
    let contents = list("VolumeSnapshotContent").await?;
    let snapshots = list("VolumeSnapshot").await?;
    Ok(StoredSnapshots {
        snapshots,
        contents,
    })
}

/// The snapshot that an operation took of the present database, as it is now.
pub async fn kept_by(client: &Client, journal: &Journal) -> Option<Kept> {
    let environment = &journal.plan().target.environment;
    let reference =
        ObjectRef::namespaced(SNAPSHOT_API, "VolumeSnapshot", environment, taken(journal)?);
    let seen = async {
        let snapshot = client.get(&reference).await?;
        let content = match &snapshot {
            Some(snapshot) => content(client, snapshot).await?,
            None => None,
        };
        Ok::<_, Failure>((snapshot, content))
    };
    match seen.await {
        Ok((snapshot, content)) => kept(journal, Some((snapshot.as_slice(), content.as_slice()))),
        Err(_) => kept(journal, None),
    }
}

fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}
