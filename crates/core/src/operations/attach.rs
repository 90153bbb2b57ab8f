//! A pod with a copy of a snapshot, for as long as a command keeps it alive.
//!
//! A guardian owns the claim and the pod: a Job without pods, whose deadline the command's heartbeat moves.
//! When the command dies, the Job fails by its deadline, its time to live deletes it, and the garbage
//! collector takes what it owns (Kubernetes 1.36: `activeDeadlineSeconds` is mutable, and the Job
//! controller looks again when it changes).

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    data::{Facts, Options},
    database::possible,
    refusal::{Refusal, Refusals},
    snapshot::{is_name, restorable},
    volume_replacement::{clear_away, restored_claim, template},
};
use crate::{
    cluster::{Job, View as _},
    gate::{is_going, name, text},
    names::{
        ATTACH, ATTACH_LABEL, COMPONENT_LABEL, ENVIRONMENT_LABEL, FIELD_MANAGER, HOLDER_ANNOTATION,
        MANAGED_BY_LABEL, NAME_LABEL, WRITABLE_ANNOTATION,
    },
    object::{ObjectRef, Uid, uid},
    plan::{Effect, Guard, Plan, Propagation, Step, Target},
    wait::Wait,
};

/// How often the command moves the deadline.
pub const HEARTBEAT: SignedDuration = SignedDuration::from_secs(15);

/// How long the attachment outlives its last heartbeat.
const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// The container to look around in: the first one, and the one that kubectl takes.
const LOOK: &str = "busybox";

/// The container that a copy is streamed from: it has the programs of the workload.
pub(super) const COPY: &str = "copy";

/// Which container kubectl takes when none is named.
const DEFAULT_ANNOTATION: &str = "kubectl.kubernetes.io/default-container";

/// Where the copy is mounted.
pub(super) const TARGET: &str = "/target";

/// How an attachment is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Of which snapshot.
    pub snapshot: String,
    /// The copy may be written to. The snapshot is not touched.
    pub writable: bool,
    /// How long it lives at most.
    pub longest: SignedDuration,
    /// Who asks, for others who find it.
    pub who: String,
}

/// The guardian's deadline in seconds since its start, for a heartbeat that long after it.
#[must_use]
pub fn deadline(elapsed: SignedDuration, longest: SignedDuration) -> i64 {
    elapsed.saturating_add(LEASE).min(longest).as_secs().max(1)
}

/// The plan of an attachment. It is taken back by deleting the guardian; see [`guardian`].
///
/// # Errors
/// Everything that speaks against it.
pub fn plan(
    target: &Target,
    facts: &Facts,
    options: &Options,
    wish: &Wish,
) -> Result<Plan, Refusals> {
    let mut against = possible(facts);
    let snapshot =
        restorable(target, facts, &wish.snapshot).map_err(|refusal| against.push(refusal));
    if !is_name(&wish.snapshot) {
        let name = wish.snapshot.clone();
        against.push(Refusal::Name { name });
    }
    against.extend(attached(target, facts, &wish.snapshot));
    against.extend(in_the_way(facts, &wish.snapshot));
    let like = facts.claim.as_ref().or_else(|| template(options));
    let (Ok(snapshot), Some(like), []) = (snapshot, like, &against[..]) else {
        return Err(Refusals(against));
    };
    let mut steps = delete_temporary(target, facts);
    steps.extend([
        made(guardian_manifest(target, options, wish), Wait::None)
            .why("owns the claim and the pod; ends when this command has been gone for a minute"),
        made(
            owned(target, wish, claim(target, wish, snapshot, like)),
            Wait::None,
        ),
        made(owned(target, wish, pod(target, options, wish)), Wait::Ready)
            .why("starting it makes the storage provision the copy"),
    ]);
    Ok(Plan {
        operation: "attach".to_string(),
        target: target.clone(),
        steps,
        loses: Vec::new(),
        notes: vec![format!(
            "kubectl -n {} exec -it {} -- sh",
            target.environment, wish.snapshot
        )],
        generated: Vec::new(),
    })
}

/// The plan that ends an attachment: the guardian goes when all that it owns has gone.
#[must_use]
pub fn end(target: &Target, snapshot: &str, uid: Uid) -> Plan {
    let act = Effect::Delete {
        object: guardian(target, snapshot),
        uid: uid.clone(),
        propagation: Propagation::Foreground,
    };
    let step = Step::new(act, Guard::None, Wait::Gone { uid });
    Plan {
        operation: "detach".to_string(),
        target: target.clone(),
        steps: vec![step.why("the pod and the claim go before it")],
        loses: Vec::new(),
        notes: Vec::new(),
        generated: Vec::new(),
    }
}

/// An attachment that somebody else keeps alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Present {
    pub(super) by: String,
    pub(super) writable: bool,
}

pub(super) fn present(target: &Target, facts: &Facts, snapshot: &str) -> Option<Present> {
    let own = guardian(target, snapshot);
    let mut alive = guardians(facts).filter(|job| !has_ended(job));
    let job = alive.find(|job| name(job) == own.name)?;
    let annotation = |name: &str| {
        let annotations = job.pointer("/metadata/annotations")?;
        annotations.get(name)?.as_str()
    };
    Some(Present {
        by: annotation(HOLDER_ANNOTATION)
            .unwrap_or("somebody")
            .to_string(),
        writable: annotation(WRITABLE_ANNOTATION) == Some("true"),
    })
}

/// What the name of a guardian begins with.
pub(super) const PREFIX: &str = "attach-";

/// The guardian of an attachment.
#[must_use]
pub fn guardian(target: &Target, snapshot: &str) -> ObjectRef {
    let name = format!("{PREFIX}{snapshot}");
    ObjectRef::namespaced("batch/v1", "Job", &target.environment, &name)
}

/// Guardians that have ended and are still there: nobody comes back for them.
fn delete_temporary(target: &Target, facts: &Facts) -> Vec<Step> {
    guardians(facts)
        .filter(|job| has_ended(job) && !is_going(job))
        .filter_map(|job| {
            let uid = uid(job)?;
            let object = ObjectRef::namespaced("batch/v1", "Job", &target.environment, name(job));
            Some(clear_away(object, uid).why("left by a killed command"))
        })
        .collect()
}

fn attached(target: &Target, facts: &Facts, snapshot: &str) -> Option<Refusal> {
    Some(Refusal::Attached {
        name: snapshot.to_string(),
        by: present(target, facts, snapshot)?.by,
        environment: target.environment.clone(),
    })
}

/// The claim of the attachment has the snapshot's name, unless a claim has it that is no attachment.
fn in_the_way(facts: &Facts, snapshot: &str) -> Option<Refusal> {
    let claim = facts.claims.iter().find(|claim| name(claim) == snapshot)?;
    let labels = claim.pointer("/metadata/labels");
    let is_ours = labels.is_some_and(|labels| labels.get(ATTACH_LABEL).is_some());
    (!is_ours).then(|| Refusal::Exists {
        kind: "PersistentVolumeClaim",
        name: snapshot.to_string(),
    })
}

fn guardians(facts: &Facts) -> impl Iterator<Item = &Value> {
    facts.jobs.iter().filter(|job| {
        let labels = job.pointer("/metadata/labels");
        labels.is_some_and(|labels| labels.get(ATTACH_LABEL).is_some())
    })
}

fn has_ended(job: &Value) -> bool {
    Job::read(job).is_ok_and(|job| job.is_over())
}

fn made(object: Value, until: Wait) -> Step {
    let undo = ObjectRef::of(&object).map(|object| Effect::Discard {
        object,
        propagation: Propagation::Foreground,
    });
    Step {
        undo,
        ..Step::new(Effect::Create { object }, Guard::Absent, until)
    }
}

fn labels(target: &Target, wish: &Wish) -> Value {
    json!({
        NAME_LABEL: ATTACH,
        COMPONENT_LABEL: ATTACH,
        MANAGED_BY_LABEL: FIELD_MANAGER,
        ENVIRONMENT_LABEL: target.environment,
        ATTACH_LABEL: wish.snapshot,
    })
}

fn guardian_manifest(target: &Target, options: &Options, wish: &Wish) -> Value {
    let own = guardian(target, &wish.snapshot);
    let mut annotations = json!({HOLDER_ANNOTATION: wish.who});
    if wish.writable {
        annotations[WRITABLE_ANNOTATION] = json!("true");
    }
    let mut pod = security(options);
    pod["restartPolicy"] = json!("Never");
    pod["containers"] = json!([{"name": "none", "image": options.busybox_image}]);
    json!({
        "apiVersion": own.api_version,
        "kind": own.kind,
        "metadata": {
            "name": own.name,
            "namespace": target.environment,
            "labels": labels(target, wish),
            "annotations": annotations,
        },
        "spec": {
            "parallelism": 0,
            "activeDeadlineSeconds": deadline(SignedDuration::ZERO, wish.longest),
            "ttlSecondsAfterFinished": 0,
            "template": {"metadata": {"labels": labels(target, wish)}, "spec": pod},
        },
    })
}

/// The plan does not know the guardian's UID: the journal fills it in.
fn owned(target: &Target, wish: &Wish, mut object: Value) -> Value {
    let own = guardian(target, &wish.snapshot);
    object["metadata"]["labels"] = labels(target, wish);
    object["metadata"]["ownerReferences"] = json!([{
        "apiVersion": own.api_version,
        "kind": own.kind,
        "name": own.name,
        "controller": false,
        "blockOwnerDeletion": true,
    }]);
    object
}

fn claim(target: &Target, wish: &Wish, snapshot: &Value, like: &Value) -> Value {
    let (namespace, name) = (&target.environment, &wish.snapshot);
    let mut claim = restored_claim(namespace, name, name, like);
    let size = text(snapshot, "/status/restoreSize");
    if !size.is_empty() {
        claim["spec"]["resources"]["requests"]["storage"] = json!(size);
    }
    claim
}

fn pod(target: &Target, options: &Options, wish: &Wish) -> Value {
    let mut spec = security(options);
    spec["restartPolicy"] = json!("Never");
    spec["terminationGracePeriodSeconds"] = json!(1);
    spec["volumes"] = json!([{
        "name": "target",
        "persistentVolumeClaim": {"claimName": wish.snapshot},
    }]);
    spec["containers"] = json!([
        container(LOOK, &options.busybox_image, !wish.writable, options),
        container(COPY, &options.verification_image, true, options),
    ]);
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": wish.snapshot,
            "namespace": target.environment,
            "annotations": {DEFAULT_ANNOTATION: LOOK},
        },
        "spec": spec,
    })
}

/// A container that waits for others to run something in it.
fn container(name: &str, image: &str, read_only: bool, options: &Options) -> Value {
    let node = options
        .set
        .pointer("/spec/template/spec/containers/0/securityContext");
    json!({
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        // Process 1 ignores what it does not handle, and the pod would take its whole grace period to go.
        "command": ["sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait; done"],
        "workingDir": TARGET,
        "securityContext": node,
        "resources": {
            "requests": {"cpu": "10m", "memory": "16Mi"},
            "limits": {"memory": "256Mi"},
        },
        "volumeMounts": [{"name": "target", "mountPath": TARGET, "readOnly": read_only}],
    })
}

/// As whom the node's pod runs: a read-only copy is not given to anybody else.
fn security(options: &Options) -> Value {
    let context = options.set.pointer("/spec/template/spec/securityContext");
    json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "securityContext": context,
    })
}
