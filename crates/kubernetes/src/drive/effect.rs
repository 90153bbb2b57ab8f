//! One effect, done: the only place from which a cluster is changed on behalf of a plan.

use longrun_core::{
    journal::moved,
    names::{
        FIELD_MANAGER, FOUND_LABEL, INTERRUPTED_LABEL, NOTES_MANAGER, OPENED_BY_ANNOTATION,
        OPERATIONS_MANAGER,
    },
    object::{ObjectRef, Uid, uid},
    operations::deploy::grown,
    plan::{Effect, Finding, Guard, Policy},
    version::ImageVersion,
    wait::Observation,
};
use serde_json::{Value, json};

use crate::{
    client::{Apply, Client},
    failure::Failure,
};

/// How often a write is prepared anew because somebody wrote in between. Controllers write status often.
const ATTEMPTS: u32 = 10;

/// Why an effect is not done.
pub(super) enum Trouble {
    /// It will not be done; nothing was changed.
    Refused(String),
    /// It is not tried again, and may have been done.
    Unclear(String),
    /// It may be tried again. Whether it was done is not known.
    Passing(Failure),
}

impl Trouble {
    pub(super) fn into_words(self) -> String {
        match self {
            Self::Refused(cause) | Self::Unclear(cause) => cause,
            Self::Passing(failure) => failure.words(),
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        if failure.is_passing() {
            Self::Passing(failure)
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

/// Does an effect. `seen` is what was seen of its object a moment ago.
pub(super) async fn perform(
    client: &Client,
    effect: &Effect,
    guard: &Guard,
    seen: &Observation,
) -> Result<Option<Uid>, Trouble> {
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
            write(client, object, how, guard, seen).await
        }
        Effect::Delete {
            object,
            uid,
            propagation,
        } => match client.delete(object, uid, *propagation).await {
            Ok(()) => Ok(Some(uid.clone())),
            Err(failure) if failure.code() == 404 => Ok(Some(uid.clone())),
            Err(failure) => Err(failure.into()),
        },
        Effect::Suspend { object, suspend } => self::suspend(client, object, *suspend).await,
        Effect::Scale { object, replicas } => scale(client, object, *replicas).await,
        Effect::Interrupt { operation, .. } => interrupt(client, operation, seen).await,
        Effect::Grow { object, storage } => {
            write(client, &grown(object, storage), AS_OPERATION, guard, seen).await
        }
        Effect::Reclaim { object, policy, .. } => {
            let object = reclaimed(object, *policy);
            let how = AS_OPERATION;
            write(client, &object, how, guard, seen).await
        }
        Effect::RecordFinding {
            object,
            uid,
            finding,
        } => record(client, object, uid.as_ref(), *finding).await,
        Effect::RecordNode { object, image } => record_node(client, object, image).await,
        Effect::Inject { object, action } => super::inject::inject(client, object, action).await,
        // The journal makes a deletion of it.
        Effect::Discard { .. } | Effect::Watch { .. } => Ok(None),
    }
}

/// An apply that is meant as a creation would silently adopt an object that appeared meanwhile.
async fn create(
    client: &Client,
    object: &Value,
    seen: &Observation,
) -> Result<Option<Uid>, Trouble> {
    if seen.object.is_some() {
        return Err(Trouble::Refused("it appeared meanwhile".to_owned()));
    }
    Ok(uid(&client.apply(object, RENDERED).await?))
}

/// Applies onto exactly the incarnation and version that was compared with the guard.
async fn write(
    client: &Client,
    object: &Value,
    how: Apply<'_>,
    guard: &Guard,
    seen: &Observation,
) -> Result<Option<Uid>, Trouble> {
    let Some(reference) = ObjectRef::of(object) else {
        return Err(Trouble::Refused("it has no name".to_owned()));
    };
    let mut observation = seen.clone();
    for _ in 0..ATTEMPTS {
        if let Some(moved) = moved(guard, &observation) {
            return Err(Trouble::Refused(moved));
        }
        let Some(there) = &observation.object else {
            return Err(Trouble::Refused("it was deleted meanwhile".to_owned()));
        };
        let mut object = object.clone();
        for field in ["uid", "resourceVersion"] {
            object["metadata"][field] = there["metadata"][field].clone();
        }
        match client.apply(&object, how).await {
            Ok(applied) => return Ok(uid(&applied)),
            Err(failure) if failure.code() != 409 => return Err(failure.into()),
            Err(failure) if is_field_conflict(&failure) => {
                return Err(Trouble::Refused(format!(
                    "{}; to take the fields over: --take-over {}/{}",
                    failure.words(),
                    reference.kind,
                    reference.name
                )));
            }
            Err(_) => observation.object = client.get(&reference).await?,
        }
    }
    Err(Trouble::Refused(format!(
        "somebody writes it all the time: {ATTEMPTS} attempts met another version each"
    )))
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

/// Applies fields of operations onto an object that must exist.
async fn operate(
    client: &Client,
    reference: &ObjectRef,
    mut object: Value,
    how: Apply<'_>,
) -> Result<Value, Trouble> {
    let Some(there) = client.get(reference).await? else {
        return Err(Trouble::Refused("it does not exist".to_owned()));
    };
    // Without it, an apply onto an object that was deleted meanwhile would try to create one.
    object["metadata"]["uid"] = there["metadata"]["uid"].clone();
    Ok(client.apply(&object, how).await?)
}

/// Taken while something is suspended, and given up on resuming, so that its default (Kubernetes 1.36:
/// `CronJob.spec.suspend` is false) comes back.
async fn suspend(
    client: &Client,
    reference: &ObjectRef,
    suspend: bool,
) -> Result<Option<Uid>, Trouble> {
    let mut object = named(reference);
    if suspend {
        object["spec"] = json!({"suspend": true});
    }
    let applied = operate(client, reference, object, AS_OPERATION).await?;
    let is_suspended = applied.pointer("/spec/suspend") == Some(&Value::Bool(true));
    if is_suspended != suspend {
        return Err(Trouble::Refused(
            "somebody else holds spec.suspend at true, and it stays suspended".to_owned(),
        ));
    }
    Ok(uid(&applied))
}

async fn scale(
    client: &Client,
    reference: &ObjectRef,
    replicas: u64,
) -> Result<Option<Uid>, Trouble> {
    let mut object = named(reference);
    object["spec"] = json!({"replicas": replicas});
    Ok(uid(&operate(client, reference, object, AS_OPERATION).await?))
}

async fn record_node(
    client: &Client,
    reference: &ObjectRef,
    image: &str,
) -> Result<Option<Uid>, Trouble> {
    let mut object = named(reference);
    let version = ImageVersion::of(image).to_string();
    object["metadata"]["annotations"] = json!({OPENED_BY_ANNOTATION: version});
    Ok(uid(&operate(client, reference, object, AS_NOTE).await?))
}

/// Labels what runs. What has ended and is gone meanwhile needs no label.
async fn interrupt(
    client: &Client,
    operation: &str,
    seen: &Observation,
) -> Result<Option<Uid>, Trouble> {
    for reference in seen.running() {
        let mut job = named(&reference);
        job["metadata"]["labels"] = json!({INTERRUPTED_LABEL: operation});
        match operate(client, &reference, job, AS_OPERATION).await {
            Err(Trouble::Passing(failure)) => return Err(Trouble::Passing(failure)),
            Ok(_) => {}
            Err(refused) => {
                if client.get(&reference).await?.is_some() {
                    return Err(refused);
                }
            }
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
) -> Result<Option<Uid>, Trouble> {
    let there = client.get(reference).await?;
    if read.is_none() || there.as_ref().and_then(uid).as_ref() != read {
        return Err(Trouble::Refused(
            "it is not the one that was read any more".to_owned(),
        ));
    }
    let mut object = named(reference);
    object["metadata"]["labels"] = json!({FOUND_LABEL: finding.word()});
    Ok(uid(&operate(client, reference, object, AS_OPERATION).await?))
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
async fn is_claim(client: &Client, snapshot: &Value, expected: &Uid) -> Result<(), Trouble> {
    let text = |pointer: &str| snapshot.pointer(pointer).and_then(Value::as_str);
    let (Some(namespace), Some(name)) = (
        text("/metadata/namespace"),
        text("/spec/source/persistentVolumeClaimName"),
    ) else {
        return Err(Trouble::Refused("it names no claim".to_owned()));
    };
    let claim = ObjectRef::namespaced("v1", "PersistentVolumeClaim", namespace, name);
    match client.get(&claim).await?.as_ref().and_then(uid) {
        Some(found) if found == *expected => Ok(()),
        Some(found) => Err(Trouble::Refused(format!(
            "the claim {name} was recreated meanwhile: the plan was for UID {expected}, it is {found}"
        ))),
        None => Err(Trouble::Refused(format!(
            "the claim {name} does not exist any more"
        ))),
    }
}
