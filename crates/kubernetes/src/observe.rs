//! Gathers what a deployment is planned on: every object as it is and as the API server would make it, and
//! what earlier deployments left. All requests of a kind go side by side over a few connections.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use longrun_core::{
    applied::is_applied,
    cluster,
    faults::ledger::Ledger,
    journal::Stored,
    names::{FIELD_MANAGER, INVENTORY, JOURNAL, OPERATIONS_MANAGER, TEMPORARY_LABEL},
    object::{ObjectRef, Uid, uid},
    operations::deploy::{
        DryRun, Facts, Growth, Namespace, Observed, listed, needs_snapshots, smaller,
    },
    plan::grown,
    wait::Observation,
};
use serde_json::Value;

use crate::{
    client::{Apply, Client, IN_FLIGHT},
    failure::Failure,
    owned_objects::{OwnedObjects, WORKLOADS},
    records::fault_ledger,
    refusal,
    resource::Collection,
    volumes::{kept_by, served_snapshots},
};

/// Why there are no facts. A deployment is never planned on half of them.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// A rendered object is not one.
    #[error("an object without apiVersion, kind or name cannot be deployed: {0}")]
    NotAnObject(String),
    /// The API server did not say.
    #[error("cannot read the state of the cluster; nothing was changed: {0}")]
    Failure(#[from] Failure),
}

/// The facts about these objects and the environment that they belong to.
///
/// # Errors
/// When anything remains unknown.
pub async fn observe(
    client: &Client,
    environment: &str,
    desired: Vec<Value>,
    take_over: &BTreeSet<String>,
) -> Result<Facts, ObserveError> {
    let desired = desired
        .into_iter()
        .map(|object| match ObjectRef::of(&object) {
            Some(reference) => Ok((reference, object)),
            None => Err(ObserveError::NotAnObject(object.to_string())),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let references: BTreeSet<ObjectRef> = desired
        .iter()
        .map(|(reference, _)| reference.clone())
        .collect();

    let journal = ObjectRef::namespaced("v1", "ConfigMap", environment, JOURNAL);
    let (
        namespace,
        (inventory_object, inventory),
        journal,
        ledger,
        (claims, growths),
        temporary,
        lists,
        mut objects,
    ) = tokio::try_join!(
        namespace(client, environment),
        inventory(client, environment),
        client.get(&journal),
        fault_ledger(client, environment),
        async {
            let claims = claims(client, environment, &desired).await?;
            let growths = growths(client, &desired, &claims).await?;
            Ok::<_, Failure>((claims, growths))
        },
        temporary(client, environment),
        owned_objects(client, &references),
        objects(client, &desired, take_over),
    )?;
    for observed in &mut objects {
        observed.observation = observation(observed.live.as_ref(), &lists)?;
    }
    let unfinished = journal.as_ref().and_then(|live| {
        let stored = Stored::read(live).ok()?;
        stored.journal.state().is_unfinished().then_some(stored)
    });
    let kept = match &unfinished {
        Some(stored) => kept_by(client, &stored.journal).await,
        None => None,
    };
    let snapshots = if needs_snapshots(&objects, &claims) {
        served_snapshots(client, environment).await?
    } else {
        None
    };
    let surplus = surplus(client, &inventory, &references, &objects).await?;
    Ok(Facts {
        namespace,
        objects,
        inventory,
        inventory_object,
        surplus,
        claims,
        growths,
        snapshots: snapshots.unwrap_or_default(),
        temporary,
        journal,
        kept,
        fault: Ledger::read(ledger.as_ref()).in_the_way(environment),
    })
}

async fn namespace(client: &Client, name: &str) -> Result<Namespace, Failure> {
    let reference = ObjectRef::whole("v1", "Namespace", name);
    Ok(match client.view::<cluster::Namespace>(&reference).await? {
        None => Namespace::Absent,
        Some(namespace) if namespace.is_terminating() => Namespace::Terminating,
        Some(_) => Namespace::Active,
    })
}

async fn inventory(
    client: &Client,
    environment: &str,
) -> Result<(Option<Value>, Vec<ObjectRef>), Failure> {
    let reference = ObjectRef::namespaced("v1", "ConfigMap", environment, INVENTORY);
    let object = client.get(&reference).await?;
    let inventory = object.as_ref().map(listed).unwrap_or_default();
    Ok((object, inventory))
}

/// The claims that the environment's StatefulSets make from their templates (`<template>-<set>-<ordinal>`).
async fn claims(
    client: &Client,
    environment: &str,
    desired: &[(ObjectRef, Value)],
) -> Result<Vec<Value>, Failure> {
    let prefixes: Vec<String> = desired
        .iter()
        .filter(|(reference, _)| reference.kind == "StatefulSet")
        .flat_map(|(reference, object)| {
            let templates = object.pointer("/spec/volumeClaimTemplates");
            let templates = templates.and_then(Value::as_array).into_iter().flatten();
            templates.filter_map(|template| {
                let template = template.pointer("/metadata/name")?.as_str()?;
                Some(format!("{template}-{}-", reference.name))
            })
        })
        .collect();
    if prefixes.is_empty() {
        return Ok(Vec::new());
    }
    let collection = Collection::in_namespace("v1", "PersistentVolumeClaim", environment);
    let mut claims = client.list(&collection, "").await?;
    claims.retain(|claim| {
        let name = claim.pointer("/metadata/name").and_then(Value::as_str);
        prefixes.iter().any(|prefix| {
            let ordinal = name.and_then(|name| name.strip_prefix(prefix));
            ordinal.is_some_and(|ordinal| ordinal.parse::<u32>().is_ok())
        })
    });
    Ok(claims)
}

/// What the API server would say to the growth of the claims that are smaller than they are rendered.
async fn growths(
    client: &Client,
    desired: &[(ObjectRef, Value)],
    claims: &[Value],
) -> Result<Vec<Growth>, Failure> {
    let smaller = smaller(desired.iter().map(|(_, object)| object), claims);
    let growing = smaller
        .into_iter()
        .filter_map(|(claim, storage)| Some((ObjectRef::of(claim)?, claim, storage)));
    stream::iter(growing)
        .map(|(reference, claim, storage)| async move {
            let how = Apply {
                manager: OPERATIONS_MANAGER,
                force: true,
                dry_run: true,
            };
            let applied = client.apply(&grown(&reference, storage), how).await;
            Ok(Growth {
                claim: claim.clone(),
                storage: storage.to_owned(),
                dry_run: refusal::dry_run(applied)?,
            })
        })
        .buffered(IN_FLIGHT)
        .try_collect()
        .await
}

/// What operations on data make to delete it again.
async fn temporary(client: &Client, environment: &str) -> Result<Vec<Value>, Failure> {
    let selector = format!("labelSelector={TEMPORARY_LABEL}");
    let list = |version: &str, kind: &str| {
        let collection = Collection::in_namespace(version, kind, environment);
        let selector = &selector;
        async move { client.list(&collection, selector).await }
    };
    let (jobs, claims) =
        tokio::try_join!(list("batch/v1", "Job"), list("v1", "PersistentVolumeClaim"))?;
    Ok(jobs.into_iter().chain(claims).collect())
}

/// The lists of every namespace in which a workload is wanted.
async fn owned_objects(
    client: &Client,
    references: &BTreeSet<ObjectRef>,
) -> Result<BTreeMap<String, OwnedObjects>, Failure> {
    let namespaces: BTreeSet<&String> = references
        .iter()
        .filter(|reference| WORKLOADS.contains(&reference.kind.as_str()))
        .filter_map(|reference| reference.namespace.as_ref())
        .collect();
    stream::iter(namespaces)
        .map(|namespace| async move {
            Ok((
                namespace.clone(),
                OwnedObjects::read(client, namespace).await?,
            ))
        })
        .buffer_unordered(IN_FLIGHT)
        .try_collect()
        .await
}

/// Each object as it is, and as the API server would make it; it is asked only about what is not as it is
/// wanted already, since a dry run costs it several times as much as a look.
async fn objects(
    client: &Client,
    desired: &[(ObjectRef, Value)],
    take_over: &BTreeSet<String>,
) -> Result<Vec<Observed>, Failure> {
    stream::iter(desired)
        .map(|(reference, object)| async move {
            let live = client.get(reference).await?;
            let dry_run = match &live {
                Some(live) if is_applied(live, object, FIELD_MANAGER) => {
                    DryRun::Accepted(live.clone())
                }
                _ => {
                    let how = Apply {
                        manager: FIELD_MANAGER,
                        force: take_over
                            .contains(&format!("{}/{}", reference.kind, reference.name)),
                        dry_run: true,
                    };
                    refusal::dry_run(client.apply(object, how).await)?
                }
            };
            Ok(Observed {
                desired: object.clone(),
                live,
                dry_run,
                observation: Observation::default(),
            })
        })
        .buffered(IN_FLIGHT)
        .try_collect()
        .await
}

fn observation(
    live: Option<&Value>,
    lists: &BTreeMap<String, OwnedObjects>,
) -> Result<Observation, Failure> {
    let owned_objects = live
        .filter(|object| {
            let kind = object.get("kind").and_then(Value::as_str);
            kind.is_some_and(|kind| WORKLOADS.contains(&kind))
        })
        .and_then(|object| lists.get(object.pointer("/metadata/namespace")?.as_str()?));
    match owned_objects {
        Some(owned_objects) => Ok(owned_objects.observation(live.cloned())?),
        None => Ok(Observation {
            object: live.cloned(),
            ..Observation::default()
        }),
    }
}

/// The live state of what the inventory lists and nothing renders any more.
async fn surplus(
    client: &Client,
    inventory: &[ObjectRef],
    desired: &BTreeSet<ObjectRef>,
    objects: &[Observed],
) -> Result<Vec<Value>, Failure> {
    // An object that is rendered in another version of its API is the same object.
    let kept: BTreeSet<Uid> = objects
        .iter()
        .filter_map(|observed| uid(observed.live.as_ref()?))
        .collect();
    let gone = inventory
        .iter()
        .filter(|reference| !desired.contains(*reference));
    let live: Vec<Option<Value>> = stream::iter(gone)
        .map(|reference| client.get(reference))
        .buffered(IN_FLIGHT)
        .try_collect()
        .await?;
    Ok(live
        .into_iter()
        .flatten()
        .filter(|object| uid(object).is_none_or(|uid| !kept.contains(&uid)))
        .collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::server::Server;

    #[tokio::test]
    async fn the_api_server_is_asked_only_about_what_is_not_as_it_is_wanted() {
        let wanted = |name: &str| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "restate"},
                "data": {"a": "wanted"}})
        };
        let server = Server::new();
        for (name, value) in [("same", "wanted"), ("other", "changed")] {
            let mut live = wanted(name);
            live["data"]["a"] = json!(value);
            live["metadata"]["managedFields"] = json!([{"manager": FIELD_MANAGER, "operation": "Apply",
                "apiVersion": "v1", "fieldsV1": {"f:data": {"f:a": {}}}}]);
            server.put(live);
        }
        let objects = ["same", "other", "new"].map(wanted);
        let facts = observe(
            &server.client(),
            "restate",
            objects.to_vec(),
            &BTreeSet::new(),
        )
        .await
        .unwrap();
        let asked = ["other", "new"]
            .map(|name| format!("PATCH /api/v1/namespaces/restate/configmaps/{name}"));
        assert_eq!(server.writes(), asked);
        let merged = facts
            .objects
            .iter()
            .map(|observed| match &observed.dry_run {
                DryRun::Accepted(object) => object["data"]["a"].clone(),
                other => panic!("{other:?}"),
            });
        assert!(merged.eq(["wanted"; 3]));
    }
}
