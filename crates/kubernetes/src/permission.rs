//! Which requests a plan comes to, and whether the user may make them. The API server is asked, and nothing is
//! tried to find out.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use longrun_core::{
    object::ObjectRef,
    operations::data::Permission,
    plan::{Effect, Guard, Plan},
};
use serde_json::json;

use crate::{
    client::{Client, IN_FLIGHT},
    failure::Failure,
    resource::plural,
};

/// What of this the user may not do.
///
/// # Errors
/// When the API server does not say.
pub async fn denied(client: &Client, needed: Vec<Permission>) -> Result<Vec<Permission>, Failure> {
    let answers: Vec<Option<Permission>> = stream::iter(needed)
        .map(|permission| async move {
            let may = client.may(&review(&permission)).await?;
            Ok::<_, Failure>((!may).then_some(permission))
        })
        .buffered(IN_FLIGHT)
        .try_collect()
        .await?;
    Ok(answers.into_iter().flatten().collect())
}

/// What it takes to run a command in a pod. A WebSocket begins as a GET (Kubernetes 1.36 asks for both).
#[must_use]
pub fn to_exec(namespace: &str) -> Vec<Permission> {
    ["create", "get"]
        .map(|verb| Permission {
            verb: verb.to_owned(),
            resource: "pods/exec".to_owned(),
            group: String::new(),
            namespace: Some(namespace.to_owned()),
        })
        .into()
}

/// What a plan takes, undos included; each once.
#[must_use]
pub fn to_carry_out(plan: &Plan) -> Vec<Permission> {
    let steps = plan.steps.iter();
    let effects = steps.flat_map(|step| [Some(&step.act), step.undo.as_ref()]);
    let requests: BTreeSet<(ObjectRef, &str)> = effects
        .flatten()
        .filter_map(|effect| Some((of_kind(effect)?, verbs(effect))))
        .flat_map(|(object, verbs)| verbs.iter().map(move |verb| (object.clone(), *verb)))
        .collect();
    let effects = requests.into_iter().map(|(object, verb)| Permission {
        verb: verb.to_owned(),
        resource: plural(&object.kind),
        group: match object.api_version.split_once('/') {
            Some((group, _)) => group.to_owned(),
            None => String::new(),
        },
        namespace: object.namespace,
    });
    effects.chain(to_look(plan)).collect()
}

/// What the gate asks for and no other look does: which pods had a claim, with those that are gone.
fn to_look(plan: &Plan) -> Option<Permission> {
    let mut steps = plan.steps.iter();
    let kept =
        steps.find(|step| matches!(&step.guard, Guard::Gate(gate) if gate.snapshot.is_some()))?;
    Some(Permission {
        verb: "watch".to_owned(),
        resource: "pods".to_owned(),
        group: String::new(),
        namespace: kept.act.object()?.namespace,
    })
}

/// The object without its name: permissions are seldom for one object.
fn of_kind(effect: &Effect) -> Option<ObjectRef> {
    let object = match effect {
        // What is labelled are the Jobs of the CronJob.
        Effect::Interrupt { object, .. } => ObjectRef {
            kind: "Job".to_owned(),
            ..object.clone()
        },
        effect => effect.object()?,
    };
    Some(ObjectRef {
        name: String::new(),
        ..object
    })
}

/// What the driver does for an effect.
fn verbs(effect: &Effect) -> &'static [&'static str] {
    match effect {
        // Server-side apply of what does not exist needs both (Kubernetes 1.36).
        Effect::Create { .. } | Effect::Snapshot { .. } => &["create", "patch"],
        Effect::Update { .. }
        | Effect::Suspend { .. }
        | Effect::Scale { .. }
        | Effect::Interrupt { .. }
        | Effect::Grow { .. }
        | Effect::RecordFinding { .. }
        | Effect::RecordNode { .. }
        | Effect::Reclaim { .. } => &["patch"],
        Effect::Delete { .. } | Effect::Discard { .. } => &["delete"],
        // To strike is for the runner of faults, whose Role says what each fault needs.
        Effect::Inject { .. } | Effect::Watch { .. } => &[],
    }
}

fn review(permission: &Permission) -> serde_json::Value {
    let resource = permission.resource.split_once('/');
    let (resource, subresource) = resource.unwrap_or((&permission.resource, ""));
    json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "verb": permission.verb,
            "resource": resource,
            "subresource": subresource,
            "group": permission.group,
            "namespace": permission.namespace,
        }},
    })
}

#[cfg(test)]
mod tests {
    use longrun_core::{
        gate::Gate,
        object::Uid,
        plan::{Propagation, Step, Target},
        wait::Wait,
    };

    use super::*;

    fn plan(snapshot: Option<ObjectRef>) -> Plan {
        let uid = || Uid("c".to_owned());
        let gate = Gate {
            claim: uid(),
            handle: "vol".to_owned(),
            set: ObjectRef::namespaced("apps/v1", "StatefulSet", "calm", "restate"),
            generation: None,
            since: None,
            reader: None,
            snapshot,
            made: None,
            source: None,
        };
        let act = Effect::Delete {
            object: ObjectRef::namespaced("v1", "PersistentVolumeClaim", "calm", "storage"),
            uid: uid(),
            propagation: Propagation::Background,
        };
        Plan {
            operation: "wipe".to_owned(),
            target: Target {
                cluster: "dev".to_owned(),
                kube_system: Uid("k".to_owned()),
                environment: "calm".to_owned(),
            },
            steps: vec![Step::new(act, Guard::Gate(gate), Wait::None)],
            loses: Vec::new(),
            notes: Vec::new(),
            generated: Vec::new(),
        }
    }

    #[test]
    fn whoever_deletes_a_claim_that_is_kept_watches_pods() {
        let snapshot = ObjectRef::namespaced("snapshot/v1", "VolumeSnapshot", "calm", "kept");
        let words = |plan: &Plan| -> Vec<String> {
            let takes = to_carry_out(plan).into_iter();
            let words = takes.map(|takes| format!("{} {}", takes.verb, takes.resource));
            words.collect()
        };
        let kept = words(&plan(Some(snapshot)));
        assert_eq!(kept, ["delete persistentvolumeclaims", "watch pods"]);
        assert_eq!(words(&plan(None)), ["delete persistentvolumeclaims"]);
    }
}
