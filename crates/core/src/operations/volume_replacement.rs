//! What every operation that stops the node is made of: silence, a fence, a kept and verified copy, another
//! volume, and the way back to what ran before. A wipe puts an empty volume in the place of the present
//! one, a restore a copy of a snapshot.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde_json::{Value, json};

use super::{
    data::{Facts, Options},
    database::{DatabaseVolume, Node, admission, claim_ref, denied, node, strangers},
    opening::{node_image, told},
    refusal::Refusal,
    snapshot::default_name,
    suspension,
};
use crate::{
    applied::managers,
    change::{Change, asked},
    cluster,
    gate::{Database, Incarnation, name},
    journal::Admission,
    names::{DISCOVER, ENVIRONMENT_LABEL, FIELD_MANAGER, TEST},
    object::{ObjectRef, Uid, intent, uid},
    plan::{Effect, Guard, Loss, Plan, Propagation, Step, Target},
    version::ImageVersion,
    wait::Wait,
};

mod cleanup;
mod keep;
mod reader;

pub(super) use cleanup::{
    clear_away, close, delete_temporary, discard, is_empty, is_temporary, left,
};
pub(super) use keep::{restored_claim, size, template};

/// An operation that stops the node for a while.
pub(super) struct VolumeReplacement<'a> {
    pub(super) operation: &'static str,
    pub(super) target: &'a Target,
    pub(super) facts: &'a Facts,
    pub(super) options: &'a Options,
    node: Node,
    admission: Admission,
    /// What everything that it makes is named after.
    pub(super) stamp: String,
}

impl<'a> VolumeReplacement<'a> {
    /// Everything that any such operation needs; the reasons against it are added to `against`.
    pub(super) fn new(
        operation: &'static str,
        target: &'a Target,
        facts: &'a Facts,
        options: &'a Options,
        against: &mut Vec<Refusal>,
    ) -> Option<Self> {
        against.extend(denied(facts));
        against.extend(strangers(facts));
        against.extend(facts.fault.clone().map(Refusal::Fault));
        let admission = admission(operation, facts).map_err(|refusal| against.push(refusal));
        let node = node(target, facts).map_err(|refusal| against.push(refusal));
        Some(Self {
            operation,
            target,
            facts,
            options,
            node: node.ok()?,
            admission: admission.ok()?,
            stamp: default_name(&claim_ref(target).name, options.now),
        })
    }

    /// No new test begins, and those that run have had their time.
    pub(super) fn silence(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = self
            .cron_jobs()
            .filter(|(_, _, live)| cluster::suspended_by(live).is_none())
            .map(|(object, uid, live)| {
                suspension::suspend(object, uid, live)
                    .why("no new tests or faults; they would only fail without the node")
            })
            .collect();
        if let Some((object, uid, _)) = self.test() {
            steps.push(
                Step::watch(object.clone(), Wait::Ended)
                    .why("running tests may end, for up to 5 minutes"),
            );
            let act = Effect::Interrupt {
                object,
                operation: self.operation.to_string(),
            };
            steps.push(
                Step::new(act, Guard::Is { uid }, Wait::None)
                    .why("tests that still run are interrupted, which is no failure of Restate"),
            );
        }
        steps
    }

    /// From here on nothing is written, until the node is started again: with the database that it had, if it had one.
    pub(super) fn stop(&self, database: Database) -> Step {
        let claim = claim_ref(self.target);
        let has_database = database.incarnation != Incarnation::Absent;
        let guard = self.node(Some(database));
        let stop = Step::new(self.scale(0), guard, Wait::Stopped { claim })
            .why("the fence: nothing writes to the database from here on");
        let set = self.facts.set.as_ref();
        let replicas = set.and_then(|set| set.pointer("/spec/replicas")?.as_u64());
        // One that an unfinished operation stopped would make an empty claim before that one makes its own.
        match (self.admission, replicas) {
            (Admission::Supersedes, Some(0)) => stop,
            // Without a claim it does not run, and would make an empty one.
            _ if !has_database => stop,
            _ => stop.undo(self.scale(self.replicas())),
        }
    }

    /// The node that is started next is the one of the environment's file. Only when the claim is gone: what it held
    /// was opened by the one that runs.
    pub(super) fn change_node(&self) -> Option<Step> {
        let live = self.facts.set.as_ref()?;
        let (running, image) = (node_image(live)?, self.image()?);
        if ImageVersion::of(running) == ImageVersion::of(image) {
            return None;
        }
        let guard = Guard::Is {
            uid: self.node.uid.clone(),
        };
        let (live, mut object) = (intent(live), self.options.set.clone());
        let mut changes = asked(&live, &object);
        // They cannot be changed: a deployment makes the set anew for that.
        let is_fixed = |change: &Change| change.path.starts_with("spec.volumeClaimTemplates");
        if changes.iter().any(is_fixed) {
            object["spec"]["volumeClaimTemplates"] = live["spec"]["volumeClaimTemplates"].clone();
            changes.retain(|change| !is_fixed(change));
        }
        let force = self.facts.set.as_ref().is_some_and(is_shared);
        let act = Effect::Update { object, force };
        let step = Step::new(act, guard, Wait::None);
        Some(
            Step { changes, ..step }
                .why("the new volume is for the node of the environment's file"),
        )
    }

    /// The image of the node, by the environment's file.
    pub(super) fn image(&self) -> Option<&'a str> {
        node_image(&self.options.set)
    }

    /// Which node that is, and which one runs.
    pub(super) fn told(&self, what: &str) -> Option<String> {
        let running = self.facts.set.as_ref().and_then(node_image);
        Some(told(what, self.image()?, running))
    }

    /// Noted for whoever deploys another version later.
    pub(super) fn record_node(&self) -> Option<Step> {
        let (object, image) = (claim_ref(self.target), self.image()?.to_string());
        let act = Effect::RecordNode { object, image };
        let step = Step::new(act, Guard::None, Wait::None).soft();
        Some(step.why("an older version is not to open it later"))
    }

    /// The node runs again, and every partition has a leader: with this database, or with an empty one.
    pub(super) fn start(&self, database: Option<Database>) -> Step {
        let guard = self.node(database);
        Step::new(self.scale(self.replicas()), guard, Wait::RolledOut)
            .why("the replicas of the environment's file")
    }

    fn node(&self, database: Option<Database>) -> Guard {
        let uid = self.node.uid.clone();
        match database {
            Some(database) => Guard::Node { uid, database },
            None => Guard::Is { uid },
        }
    }

    pub(super) fn on_claim(&self, incarnation: Incarnation) -> Database {
        Database {
            claim: claim_ref(self.target),
            incarnation,
            volume: None,
        }
    }

    /// The present database, whose volume is kept.
    pub(super) fn kept(&self, database: &DatabaseVolume) -> Database {
        Database {
            volume: Some(database.volume.name.clone()),
            ..self.on_claim(Incarnation::Is(database.claim_uid.clone()))
        }
    }

    fn scale(&self, replicas: u64) -> Effect {
        Effect::Scale {
            object: self.node.set.clone(),
            replicas,
        }
    }

    fn replicas(&self) -> u64 {
        let replicas = self.options.set.pointer("/spec/replicas");
        replicas.and_then(Value::as_u64).unwrap_or(1)
    }

    /// The services are registered with the new database.
    pub(super) fn register(&self) -> Vec<Step> {
        let live = self.facts.jobs.iter().find(|job| name(job) == DISCOVER);
        let deletion = live.and_then(uid).map(|uid| {
            let object =
                ObjectRef::namespaced("batch/v1", "Job", &self.target.environment, DISCOVER);
            let gone = Wait::Gone { uid: uid.clone() };
            let propagation = Propagation::Background;
            let act = Effect::Delete {
                object,
                uid,
                propagation,
            };
            Step::new(act, Guard::None, gone).why("a Job runs once")
        });
        let object = self.options.discover.clone();
        let creation = Step::new(Effect::Create { object }, Guard::Absent, Wait::Complete)
            .why("the new database has no services registered");
        deletion.into_iter().chain([creation]).collect()
    }

    /// What was suspended runs again: by this operation, or by an earlier one that did not come to it.
    pub(super) fn resume(&self) -> Vec<Step> {
        self.cron_jobs()
            .filter(|(_, _, live)| cluster::suspended_by(live).is_none() || cluster::is_left(live))
            .map(|(object, uid, _)| suspension::resume(object, uid))
            .collect()
    }

    /// A test that began afterwards. Where a person keeps the tests suspended, one Job does.
    pub(super) fn prove(&self) -> Option<Step> {
        let (object, owner, live) = self.test()?;
        let step = if self.is_test_suspended() {
            let object = self.single_test(&owner, live);
            Step::new(Effect::Create { object }, Guard::Absent, Wait::Complete)
        } else {
            Step::watch(object, Wait::FirstSuccess)
        };
        Some(
            step.soft()
                .why("whatever its result, the operation is done then"),
        )
    }

    fn is_test_suspended(&self) -> bool {
        self.test().is_some_and(|(_, _, live)| {
            cluster::suspended_by(live).is_some() && !cluster::is_left(live)
        })
    }

    /// The Job that the CronJob's controller would make of the present minute, or of the next free one: the
    /// seed of a test's program is in its name.
    fn single_test(&self, owner: &Uid, cron_job: &Value) -> Value {
        let template = cron_job.pointer("/spec/jobTemplate");
        let labels = template.and_then(|template| template.pointer("/metadata/labels"));
        let spec = template.and_then(|template| template.get("spec"));
        json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": self.single_test_name(),
                "namespace": self.target.environment,
                "labels": labels,
                "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
                "ownerReferences": [{
                    "apiVersion": "batch/v1",
                    "kind": "CronJob",
                    "name": TEST,
                    "uid": owner,
                    "controller": true,
                }],
            },
            "spec": spec,
        })
    }

    fn single_test_name(&self) -> String {
        let minute = self.options.now.as_second() / 60;
        let taken = |name: &str| self.facts.jobs.iter().any(|job| self::name(job) == name);
        (minute..)
            .map(|minute| format!("{TEST}-{minute}"))
            .find(|name| !taken(name))
            .unwrap_or_default()
    }

    /// The CronJobs of the environment.
    fn cron_jobs(&self) -> impl Iterator<Item = (ObjectRef, Uid, &'a Value)> {
        let environment = &self.target.environment;
        self.facts
            .cron_jobs
            .iter()
            .filter(move |live| {
                let labels = live.pointer("/metadata/labels");
                let label = labels.and_then(|labels| labels.get(ENVIRONMENT_LABEL)?.as_str());
                label == Some(environment.as_str())
            })
            .filter_map(move |live| {
                let name = name(live);
                let object = ObjectRef::namespaced("batch/v1", "CronJob", environment, name);
                Some((object, uid(live)?, live))
            })
    }

    fn test(&self) -> Option<(ObjectRef, Uid, &'a Value)> {
        self.cron_jobs().find(|(object, _, _)| object.name == TEST)
    }

    /// The plan, and with it the end of an earlier operation whose place it takes.
    pub(super) fn plan(
        &self,
        mut steps: Vec<Step>,
        loses: Vec<Loss>,
        mut notes: Vec<String>,
    ) -> Plan {
        if self.admission == Admission::Supersedes
            && let Some(stored) = &self.facts.stored
        {
            steps.extend(left(&stored.journal));
            notes.push(format!(
                "the {} that is not finished is closed, and what it left is cleared away; if this is taken back, that is not finished again",
                stored.journal.plan().operation
            ));
        }
        let Facts { jobs, claims, .. } = self.facts;
        steps.splice(0..0, delete_temporary(self.target, jobs, claims));
        if let Some((_, _, live)) = self.test()
            && self.is_test_suspended()
        {
            let by = cluster::suspended_by(live).unwrap_or_default();
            notes.push(format!(
                "the tests are suspended by {by} and stay so: one Job checks at the end"
            ));
        }
        Plan {
            operation: self.operation.to_string(),
            target: self.target.clone(),
            steps,
            loses,
            notes,
            generated: [self.stamp.clone(), self.single_test_name()].into(),
        }
    }
}

/// Whether another manager owns a part of the pod's template, `kubectl set image` for example.
fn is_shared(set: &Value) -> bool {
    managers(set, "/f:spec/f:template").any(|manager| manager != FIELD_MANAGER)
}
