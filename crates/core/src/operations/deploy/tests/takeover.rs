//! What an operation on data left behind: a deployment makes it whole and closes it.

use super::*;
use crate::{
    gate::{Database, Incarnation, Release},
    journal::{Journal, Next, Stored},
    names::{JOURNAL, OPERATIONS_MANAGER},
    plan::{Policy, Propagation, Step},
    wait::{Observation, Wait},
};

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(second).unwrap()
}

/// A journal with so many of its steps done: a Job is made, the claim deleted, the Job deleted.
fn journal(done: usize) -> Stored {
    let job = ObjectRef::namespaced("batch/v1", "Job", "restate", "check");
    let claim = ObjectRef::namespaced("v1", "PersistentVolumeClaim", "restate", "data");
    let propagation = Propagation::Background;
    let uid = || Uid("claim-1".into());
    let made = json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "check", "namespace": "restate"}});
    let discard = Effect::Discard {
        object: job,
        propagation,
    };
    let delete = Effect::Delete {
        object: claim,
        uid: uid(),
        propagation,
    };
    let steps = vec![
        Step::new(Effect::Create { object: made }, Guard::Absent, Wait::None).undo(discard.clone()),
        Step::new(delete, Guard::Is { uid: uid() }, Wait::None),
        Step::new(discard, Guard::None, Wait::None),
    ];
    let plan = Plan {
        operation: "wipe".into(),
        target: target(),
        steps,
        loses: vec![],
        notes: vec![],
        generated: vec![],
    };
    let mut journal = Journal::open(Ask::new(plan).piped(true, None).unwrap());
    for uid in ["none", "claim-1", "job-1"].into_iter().take(done) {
        let seen = Observation {
            object: (uid != "none").then(|| json!({"metadata": {"uid": uid}})),
            ..Observation::default()
        };
        assert!(matches!(journal.next(&seen, at(0)), Next::Do(_)));
        journal.acted(Some(Uid("job-1".into())), at(0));
        assert_eq!(journal.next(&Observation::default(), at(0)), Next::Look);
    }
    Stored::begin(journal, None, at(0))
}

fn with_journal(stored: &Stored) -> Cluster {
    let mut cluster = Cluster::up_to_date();
    let mut live = stored.manifest();
    live["metadata"]["uid"] = json!("journal-1");
    cluster.facts.journal = Some(live);
    cluster
}

/// The node is stopped, and the rendered set does not say how many there are.
fn stop(cluster: &mut Cluster, manager: &str) {
    let set = cluster.of("StatefulSet");
    let desired = set.desired["spec"].as_object_mut().unwrap();
    desired.shift_remove("replicas");
    let live = cluster.live("StatefulSet");
    live["spec"]["replicas"] = json!(0);
    live["metadata"]["managedFields"] = json!([{"manager": manager, "operation": "Apply",
        "fieldsV1": {"f:spec": {"f:replicas": {}}}}]);
    cluster.dry_run();
}

#[test]
fn an_operation_past_its_point_of_no_return_is_made_whole_and_closed() {
    let mut cluster = with_journal(&journal(2));
    stop(&mut cluster, "nobody");
    cluster.facts.temporary = vec![temporary("batch/v1", "Job")];
    assert_snapshot!(check(&cluster.facts), @r#"
    delete Job check until gone
    start StatefulSet restate until rolledOut
    delete Job discover until gone
    create Job discover
    wait for Job discover until complete
    wait for CronJob test until firstSuccess
    take over ConfigMap longrun-journal
    ! Job discover is replaced
    "#);
    let plan = planned(&cluster.facts);
    let Some(Step {
        act: Effect::Update { object, .. },
        guard: Guard::Is { uid },
        ..
    }) = plan.steps.last()
    else {
        panic!("{:?}", plan.steps.last())
    };
    assert_eq!(
        (object["metadata"]["name"].as_str(), &*uid.0),
        (Some(JOURNAL), "journal-1")
    );
    let closed = Stored::read(object).unwrap().journal.state();
    assert_eq!(closed.to_string(), "was closed by a deploy");
}

#[test]
fn a_stopped_set_that_is_made_anew_is_not_started_as_the_old_one() {
    let mut cluster = with_journal(&journal(2));
    stop(&mut cluster, "nobody");
    cluster.resize("20Gi");
    let plan = check(&cluster.facts);
    assert!(plan.contains("create StatefulSet restate"), "{plan}");
    assert!(!plan.contains("start StatefulSet restate"), "{plan}");
}

/// A wipe that stopped the node and kept its volume, and was taken back when somebody had deleted the claim.
fn without_its_database() -> Stored {
    let set = ObjectRef::namespaced("apps/v1", "StatefulSet", "restate", "restate");
    let claim = ObjectRef::namespaced(
        "v1",
        "PersistentVolumeClaim",
        "restate",
        "storage-restate-0",
    );
    let volume = ObjectRef::whole("v1", "PersistentVolume", "pv-1");
    let uid = |uid: &str| Uid(uid.into());
    let scale = |replicas| Effect::Scale {
        object: set.clone(),
        replicas,
    };
    let database = Database {
        claim: claim.clone(),
        incarnation: Incarnation::Is(uid("claim-1")),
        volume: Some("pv-1".into()),
    };
    let node = Guard::Node {
        uid: uid("set-1"),
        database,
    };
    let release = Release {
        volume: uid("pv-1"),
        claim: uid("claim-1"),
        handle: "vol".into(),
        snapshot: None,
        made: None,
        watched: false,
    };
    let reclaim = Effect::Reclaim {
        object: volume,
        uid: uid("pv-1"),
        policy: Policy::Delete,
    };
    let delete = Effect::Delete {
        object: claim,
        uid: uid("claim-1"),
        propagation: Propagation::Background,
    };
    let plan = Plan {
        operation: "wipe".into(),
        target: target(),
        steps: vec![
            Step::new(scale(0), node, Wait::None).undo(scale(1)),
            Step::new(
                delete,
                Guard::Is {
                    uid: uid("claim-1"),
                },
                Wait::None,
            ),
            Step::new(reclaim, Guard::Release(release), Wait::None).soft(),
        ],
        loses: vec![],
        notes: vec![],
        generated: vec![],
    };
    let mut journal = Journal::open(Ask::new(plan).piped(true, None).unwrap());
    let seen = |claim: Option<Value>| Observation {
        object: Some(json!({"metadata": {"uid": "set-1"}})),
        claim,
        ..Observation::default()
    };
    let live = json!({"metadata": {"uid": "claim-1"}});
    assert!(matches!(
        journal.next(&seen(Some(live)), at(0)),
        Next::Do(_)
    ));
    journal.acted(None, at(0));
    journal.interrupt("Ctrl-C".into());
    assert_eq!(journal.next(&seen(None), at(1)), Next::Look);
    Stored::begin(journal, None, at(2))
}

#[test]
fn a_deployment_says_that_it_begins_anew_and_releases_nothing_that_was_never_compared() {
    let mut cluster = with_journal(&without_its_database());
    stop(&mut cluster, "longrun-operations");
    assert_snapshot!(check(&cluster.facts), @r#"
    start StatefulSet restate until rolledOut
    delete Job discover until gone
    create Job discover
    wait for Job discover until complete
    wait for CronJob test until firstSuccess
    take over ConfigMap longrun-journal
    ! Job discover is replaced
    # the database is not the one from before a wipe: PersistentVolumeClaim storage-restate-0 was deleted meanwhile; unless it is brought back first, an empty one begins; to bring it back: its volume is kept; when PersistentVolumeClaim storage-restate-0 is gone, the next one of that name gets it: kubectl patch pv pv-1 --type=merge --patch='{"spec":{"claimRef":{"uid":null,"resourceVersion":null}}}', then cargo xtask deploy -n restate --cluster dev
    "#);
}

#[test]
fn what_can_still_be_taken_back_is_not_taken_over() {
    for open in [0, 1] {
        let refused = check(&with_journal(&journal(open)).facts);
        assert!(refused.contains("operation abort"), "{refused}");
    }
    let mut unreadable = with_journal(&journal(2));
    unreadable.facts.journal.as_mut().unwrap()["data"]["epoch"] = json!("x");
    let refused = check(&unreadable.facts);
    assert!(refused.contains("cannot be read"), "{refused}");
}

#[test]
fn what_is_over_is_left_alone() {
    let superseded = journal(2).superseded("restore");
    for stored in [journal(3), superseded] {
        assert_eq!(check(&with_journal(&stored).facts), "nothing to do");
    }
}

fn temporary(version: &str, kind: &str) -> Value {
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": "check", "namespace": "restate",
        "uid": format!("{kind}-9"), "labels": {"longrun/temporary": "wipe"}}})
}

#[test]
fn what_a_killed_operation_left_goes_whatever_became_of_its_journal() {
    let mut cluster = Cluster::up_to_date();
    cluster.facts.temporary = vec![
        temporary("v1", "PersistentVolumeClaim"),
        temporary("batch/v1", "Job"),
    ];
    let plan = planned(&cluster.facts);
    assert!(plan.steps[..2].iter().all(|step| step.soft));
    assert_snapshot!(check(&cluster.facts), @r#"
    delete Job check until gone
    delete PersistentVolumeClaim check until gone
    wait for CronJob test until firstSuccess
    "#);
    for object in &mut cluster.facts.temporary {
        object["metadata"]["deletionTimestamp"] = json!("now");
    }
    assert_eq!(check(&cluster.facts), "nothing to do", "it goes already");
}

/// The claim of the database is to be made of a snapshot.
fn of_a_snapshot(phase: &str) -> Cluster {
    let mut cluster = Cluster::up_to_date();
    let claim = &mut cluster.facts.claims[0];
    claim["spec"]["dataSource"] = json!({"kind": "VolumeSnapshot", "name": "s"});
    claim["status"]["phase"] = json!(phase);
    cluster
}

#[test]
fn a_claim_of_a_snapshot_that_is_gone_is_replaced_by_an_empty_one() {
    let mut cluster = of_a_snapshot("Pending");
    assert_snapshot!(check(&cluster.facts), @r#"
    delete PersistentVolumeClaim target-restate-0 until gone
    delete Job discover until gone
    create Job discover
    wait for Job discover until complete
    wait for CronJob test until firstSuccess
    ! Job discover is replaced
    # target-restate-0 was to be made of VolumeSnapshot s, which is gone: it holds nothing, and an empty database takes its place; to go back to a snapshot instead: cargo xtask restore -n restate --cluster dev -s SNAPSHOT
    "#);
    let plan = planned(&cluster.facts);
    let live = &cluster.facts.claims[0];
    let guard = Guard::Unchanged {
        uid: Uid("claim-1".into()),
        intent: crate::object::Digest::of(&intent(live)),
    };
    assert_eq!(plan.steps[0].guard, guard, "a volume would be a change");
    let going = json!({"metadata": {"name": "s", "deletionTimestamp": "now"}});
    cluster.facts.snapshots = vec![going];
    assert!(check(&cluster.facts).contains("delete PersistentVolumeClaim"));
}

#[test]
fn a_claim_that_may_still_hold_something_stays() {
    type Twist = fn(&mut Facts);
    let twists: [(&str, Twist); 5] = [
        ("Bound", |_| {}),
        ("Lost", |_| {}),
        ("Pending", |facts| {
            facts.snapshots = vec![json!({"metadata": {"name": "s"}})];
        }),
        ("Pending", |facts| {
            facts.claims[0]["spec"]["volumeName"] = json!("pv");
        }),
        ("Pending", |facts| {
            facts.claims[0]["spec"]["dataSource"]["kind"] = json!("PersistentVolumeClaim");
        }),
    ];
    for (index, (phase, twist)) in twists.into_iter().enumerate() {
        let mut cluster = of_a_snapshot(phase);
        twist(&mut cluster.facts);
        assert_eq!(check(&cluster.facts), "nothing to do", "twist {index}");
    }
}

#[test]
fn a_node_that_a_person_stopped_stays_so() {
    let starts = |replicas: Option<u64>, manager| {
        let mut cluster = Cluster::up_to_date();
        stop(&mut cluster, manager);
        if let Some(replicas) = replicas {
            cluster.of("StatefulSet").desired["spec"]["replicas"] = json!(replicas);
            cluster.dry_run();
        }
        let steps = planned(&cluster.facts).steps;
        steps
            .into_iter()
            .find(|step| matches!(step.act, Effect::Scale { .. }))
    };
    let start = starts(None, OPERATIONS_MANAGER).unwrap();
    assert_eq!(start.act.to_string(), "start StatefulSet restate");
    let uid = Uid("StatefulSet-1".into());
    assert_eq!(start.guard, Guard::Is { uid });
    assert_eq!(starts(None, "kubectl-scale"), None);
    assert_eq!(
        starts(Some(0), OPERATIONS_MANAGER),
        None,
        "it is rendered so"
    );
    let mut running = Cluster::up_to_date();
    stop(&mut running, OPERATIONS_MANAGER);
    running.live("StatefulSet")["spec"]["replicas"] = json!(1);
    running.dry_run();
    assert_eq!(check(&running.facts), "nothing to do");
}

#[test]
fn other_cron_jobs_that_an_operation_left_suspended_are_resumed() {
    let resumes = |manager| {
        let mut cluster = Cluster::up_to_date();
        cluster.suspend(manager);
        let mut chaos = cluster.of("CronJob").clone();
        for object in [&mut chaos.desired, chaos.live.as_mut().unwrap()] {
            object["metadata"]["name"] = json!("chaos");
        }
        let desired = ObjectRef::of(&chaos.desired).unwrap();
        cluster.facts.inventory.push(desired);
        cluster.facts.objects.push(chaos);
        let plan = check(&cluster.facts);
        ["chaos", "test"].map(|name| plan.matches(&format!("resume CronJob {name}")).count())
    };
    assert_eq!(resumes(OPERATIONS_MANAGER), [1, 1]);
    assert_eq!(resumes("kubectl-patch"), [0, 0]);
}
