//! One effect, done: the only place from which a cluster is changed on behalf of a plan.

use longrun_core::{
    execution::RequestError,
    names::{
        FIELD_MANAGER, FOUND_LABEL, INTERRUPTED_LABEL, NOTES_MANAGER, OPENED_BY_ANNOTATION,
        OPERATIONS_MANAGER,
    },
    object::{ObjectRef, Uid, uid},
    plan::{Effect, Finding, Policy, grown},
    version::ImageVersion,
    wait::Observation,
};
use serde_json::{Value, json};

use crate::{
    client::{Apply, Client},
    failure::Failure,
};

impl From<Failure> for RequestError {
    fn from(failure: Failure) -> Self {
        if failure.is_passing() {
            Self::Unanswered(failure.words())
        } else if failure.code() == 409 {
            Self::Conflict(failure.words())
        } else {
            Self::Refused(failure.words())
        }
    }
}

/// What every rendered object is applied with.
const RENDERED: Apply<'static> = Apply {
    manager: FIELD_MANAGER,
    force: false,
    dry_run: false,
};

/// The fields of which operations are the one writer: templates leave them out. They are taken over whoever
/// wrote them by hand.
const AS_OPERATION: Apply<'static> = Apply {
    manager: OPERATIONS_MANAGER,
    force: true,
    dry_run: false,
};

/// What is noted has no other writer.
const AS_NOTE: Apply<'static> = Apply {
    manager: NOTES_MANAGER,
    ..AS_OPERATION
};

/// Tries once to do an effect. `seen` is what was seen of its object a moment ago.
pub(super) async fn perform(
    client: &Client,
    effect: &Effect,
    seen: &Observation,
) -> Result<Option<Uid>, RequestError> {
    match effect {
        Effect::Create { object } => create(client, object, seen).await,
        Effect::Snapshot { object, claim } => {
            is_claim(client, object, claim).await?;
            create(client, object, seen).await
        }
        Effect::Update { object, force } => {
            let how = Apply {
                force: *force,
                ..RENDERED
            };
            write(client, object, how, seen).await
        }
        Effect::Delete {
            object,
            uid,
            propagation,
        } => {
            let version = seen.object.as_ref().and_then(version);
            match client.delete(object, uid, version, *propagation).await {
                Ok(()) => Ok(Some(uid.clone())),
                Err(failure) if failure.code() == 404 => Ok(Some(uid.clone())),
                Err(failure) => Err(failure.into()),
            }
        }
        Effect::Suspend { object, suspend } => self::suspend(client, object, *suspend, seen).await,
        Effect::Scale { object, replicas } => scale(client, object, *replicas, seen).await,
        Effect::Interrupt { operation, .. } => interrupt(client, operation, seen).await,
        Effect::Grow { object, storage } => {
            write(client, &grown(object, storage), AS_OPERATION, seen).await
        }
        Effect::Reclaim { object, policy, .. } => {
            let object = reclaimed(object, *policy);
            write(client, &object, AS_OPERATION, seen).await
        }
        Effect::RecordFinding {
            object,
            uid,
            finding,
        } => record(client, object, uid.as_ref(), *finding).await,
        Effect::RecordNode { object, image } => record_node(client, object, image, seen).await,
        Effect::Inject { object, action } => super::inject::inject(client, object, action).await,
        // The journal makes a deletion of it.
        Effect::Discard { .. } | Effect::Watch { .. } => Ok(None),
    }
}

/// An apply that is meant as a creation would silently adopt an object that appeared since it was looked for. No object
/// has version 1: Kubernetes 1.36 creates one that does not exist all the same (201), and refuses to touch one that does
/// (409). Version 0 would mean whichever there is.
async fn create(
    client: &Client,
    object: &Value,
    seen: &Observation,
) -> Result<Option<Uid>, RequestError> {
    if seen.object.is_some() {
        return Err(RequestError::Refused("it appeared meanwhile".to_owned()));
    }
    let mut object = object.clone();
    object["metadata"]["resourceVersion"] = json!("1");
    Ok(uid(&client.apply(&object, RENDERED).await?))
}

fn version(object: &Value) -> Option<&str> {
    object.pointer("/metadata/resourceVersion")?.as_str()
}

/// Applies onto exactly the incarnation and version that was seen, and compared with the guard.
async fn write(
    client: &Client,
    object: &Value,
    how: Apply<'_>,
    seen: &Observation,
) -> Result<Option<Uid>, RequestError> {
    let Some(reference) = ObjectRef::of(object) else {
        return Err(RequestError::Refused("it has no name".to_owned()));
    };
    let Some(there) = &seen.object else {
        return Err(RequestError::Refused(
            "it has been deleted in the meantime".to_owned(),
        ));
    };
    let mut object = object.clone();
    for field in ["uid", "resourceVersion"] {
        object["metadata"][field] = there["metadata"][field].clone();
    }
    match client.apply(&object, how).await {
        Ok(applied) => Ok(uid(&applied)),
        Err(failure) if is_field_conflict(&failure) => Err(RequestError::Refused(format!(
            "{}; to take the fields over: --take-over {}/{}",
            failure.words(),
            reference.kind,
            reference.name
        ))),
        Err(failure) => Err(failure.into()),
    }
}

fn is_field_conflict(failure: &Failure) -> bool {
    let details = failure.status().and_then(|status| status.details.as_ref());
    details.is_some_and(|details| {
        let mut causes = details.causes.iter();
        causes.any(|cause| cause.reason == "FieldManagerConflict")
    })
}

/// An object of which nothing is said yet, as an operation writes it.
fn named(reference: &ObjectRef) -> Value {
    json!({
        "apiVersion": reference.api_version,
        "kind": reference.kind,
        "metadata": {"name": reference.name, "namespace": reference.namespace},
    })
}

/// Applies fields of operations onto an object that must exist: the incarnation that was seen, or whichever there is
/// where nothing was looked at.
async fn operate(
    client: &Client,
    reference: &ObjectRef,
    mut object: Value,
    how: Apply<'_>,
    seen: Option<&Value>,
) -> Result<Value, RequestError> {
    let there = match seen {
        Some(seen) => Some(seen["metadata"]["uid"].clone()),
        None => client
            .get(reference)
            .await?
            .map(|mut live| live["metadata"]["uid"].take()),
    };
    let Some(uid) = there else {
        return Err(RequestError::Refused("it does not exist".to_owned()));
    };
    // Without it, an apply onto an object that was deleted meanwhile would try to create one.
    object["metadata"]["uid"] = uid;
    Ok(client.apply(&object, how).await?)
}

/// Set while something is suspended, and given up on resuming, so that its default (Kubernetes 1.36:
/// `CronJob.spec.suspend` is false) comes back.
async fn suspend(
    client: &Client,
    reference: &ObjectRef,
    suspend: bool,
    seen: &Observation,
) -> Result<Option<Uid>, RequestError> {
    let mut object = named(reference);
    if suspend {
        object["spec"] = json!({"suspend": true});
    }
    let seen = seen.object.as_ref();
    let applied = operate(client, reference, object, AS_OPERATION, seen).await?;
    let is_suspended = applied.pointer("/spec/suspend") == Some(&Value::Bool(true));
    if is_suspended != suspend {
        return Err(RequestError::Refused(
            "another manager sets spec.suspend to true, and it stays suspended".to_owned(),
        ));
    }
    Ok(uid(&applied))
}

async fn scale(
    client: &Client,
    reference: &ObjectRef,
    replicas: u64,
    seen: &Observation,
) -> Result<Option<Uid>, RequestError> {
    let mut object = named(reference);
    object["spec"] = json!({"replicas": replicas});
    let seen = seen.object.as_ref();
    Ok(uid(
        &operate(client, reference, object, AS_OPERATION, seen).await?
    ))
}

async fn record_node(
    client: &Client,
    reference: &ObjectRef,
    image: &str,
    seen: &Observation,
) -> Result<Option<Uid>, RequestError> {
    let mut object = named(reference);
    let version = ImageVersion::of(image).to_string();
    object["metadata"]["annotations"] = json!({OPENED_BY_ANNOTATION: version});
    let seen = seen.object.as_ref();
    Ok(uid(
        &operate(client, reference, object, AS_NOTE, seen).await?
    ))
}

/// Labels what runs. What has ended and is gone meanwhile needs no label.
async fn interrupt(
    client: &Client,
    operation: &str,
    seen: &Observation,
) -> Result<Option<Uid>, RequestError> {
    for reference in seen.running() {
        let mut job = named(&reference);
        job["metadata"]["labels"] = json!({INTERRUPTED_LABEL: operation});
        match operate(client, &reference, job, AS_OPERATION, None).await {
            Err(refused @ (RequestError::Refused(_) | RequestError::Conflict(_))) => {
                if client.get(&reference).await?.is_some() {
                    return Err(refused);
                }
            }
            Err(unknown) => return Err(unknown),
            Ok(_) => {}
        }
    }
    Ok(seen.object.as_ref().and_then(uid))
}

/// A label on exactly the incarnation that was read.
async fn record(
    client: &Client,
    reference: &ObjectRef,
    read: Option<&Uid>,
    finding: Finding,
) -> Result<Option<Uid>, RequestError> {
    let there = client.get(reference).await?;
    if read.is_none() || there.as_ref().and_then(uid).as_ref() != read {
        return Err(RequestError::Refused(
            "another one has replaced it since it was read".to_owned(),
        ));
    }
    let mut object = named(reference);
    object["metadata"]["labels"] = json!({FOUND_LABEL: finding.word()});
    let there = there.as_ref();
    Ok(uid(&operate(
        client,
        reference,
        object,
        AS_OPERATION,
        there,
    )
    .await?))
}

/// What becomes of stored data has another name in each of the two kinds that stand for it.
fn reclaimed(reference: &ObjectRef, policy: Policy) -> Value {
    let field = match &*reference.kind {
        "PersistentVolume" => "persistentVolumeReclaimPolicy",
        _ => "deletionPolicy",
    };
    let mut object = named(reference);
    object["spec"] = json!({field: policy.word()});
    object
}

/// A snapshot is of one incarnation of a claim; its manifest only says the claim's name.
async fn is_claim(client: &Client, snapshot: &Value, expected: &Uid) -> Result<(), RequestError> {
    let text = |pointer: &str| snapshot.pointer(pointer).and_then(Value::as_str);
    let (Some(namespace), Some(name)) = (
        text("/metadata/namespace"),
        text("/spec/source/persistentVolumeClaimName"),
    ) else {
        return Err(RequestError::Refused("it names no claim".to_owned()));
    };
    let claim = ObjectRef::namespaced("v1", "PersistentVolumeClaim", namespace, name);
    match client.get(&claim).await?.as_ref().and_then(uid) {
        Some(found) if found == *expected => Ok(()),
        Some(found) => Err(RequestError::Refused(format!(
            "the claim {name} has been recreated in the meantime: the plan is for UID {expected}, it is {found}"
        ))),
        None => Err(RequestError::Refused(format!(
            "the claim {name} does not exist any more"
        ))),
    }
}
