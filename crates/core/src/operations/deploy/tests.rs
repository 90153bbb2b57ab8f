//! Plans as text: one line a step, its changes below it, `!` a loss, `#` a note.

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::*;
use crate::{
    approval::Ask,
    object::{Uid, intent, uid},
    plan::{Effect, Guard, Plan, Target},
};

mod world;

use world::{Cluster, image, label};

fn target() -> Target {
    Target {
        cluster: "dev".into(),
        kube_system: Uid("kube-system-1".into()),
        environment: "restate".into(),
    }
}

fn options() -> Options {
    Options {
        take_over: BTreeSet::new(),
        retain_class: "retain".into(),
        now: "2026-01-05T10:20:30Z".parse().unwrap(),
    }
}

fn planned(facts: &Facts) -> Plan {
    plan(target(), facts, &options()).unwrap()
}

fn check(facts: &Facts) -> String {
    let plan = match plan(target(), facts, &options()) {
        Ok(plan) => plan,
        Err(problems) => return problems.to_string(),
    };
    let steps = plan.steps.iter().map(|step| {
        let until = json!(step.until);
        let until = match until["until"].as_str() {
            None | Some("none") => String::new(),
            Some(until) => format!(" until {until}"),
        };
        let changes: Vec<String> = step
            .changes
            .iter()
            .map(|change| format!("    {change}\n"))
            .collect();
        format!("{}{until}\n{}", step.act, changes.concat())
    });
    let loses = plan.loses.iter().map(|loss| match loss {
        crate::plan::Loss::Disruption { what } => format!("! {what}\n"),
        other => format!("! {other:?}\n"),
    });
    let notes = plan.notes.iter().map(|note| format!("# {note}\n"));
    let text: String = steps.chain(loses).chain(notes).collect();
    if text.is_empty() {
        "nothing to do".into()
    } else {
        text
    }
}

#[test]
fn a_first_deployment_ends_with_the_tests() {
    assert_snapshot!(check(&Cluster::absent().facts), @r#"
    create Namespace restate until active
    create ConfigMap longrun-inventory
    create ConfigMap settings
    create Deployment verification
    create StatefulSet restate
    wait for Deployment verification until rolledOut
    wait for StatefulSet restate until rolledOut
    create Job discover
    wait for Job discover until complete
    create CronJob test
    wait for CronJob test until firstSuccess
    "#);
}

#[test]
fn a_first_deployment_is_the_same_plan_once_its_namespace_is_there() {
    let shown = planned(&Cluster::absent().facts);
    let approved = Ask::new(shown).typed("y").unwrap();
    let fresh = planned(&Cluster::with_namespace_only().facts);
    approved.renew(fresh, 1).unwrap();
}

#[test]
fn a_first_deployment_stops_when_something_else_appeared_in_its_namespace() {
    let approved = Ask::new(planned(&Cluster::absent().facts))
        .typed("y")
        .unwrap();
    let mut cluster = Cluster::with_namespace_only();
    let foreign = json!({"metadata": {"uid": "foreign"}, "kind": "ConfigMap"});
    cluster.of("ConfigMap").live = Some(foreign);
    assert!(approved.renew(planned(&cluster.facts), 1).is_err());
}

#[test]
fn nothing_to_do_when_all_is_as_rendered_and_runs() {
    assert_snapshot!(check(&Cluster::up_to_date().facts), @r#"nothing to do"#);
}

#[test]
fn what_does_not_run_yet_is_waited_for_and_needs_no_consent() {
    let mut cluster = Cluster::up_to_date();
    cluster.of("Deployment").sight.object.as_mut().unwrap()["status"]["availableReplicas"] =
        json!(1);
    assert_snapshot!(check(&cluster.facts), @r#"wait for Deployment verification until rolledOut"#);
    assert!(Ask::new(planned(&cluster.facts)).unneeded().is_ok());
}

#[test]
fn tests_that_never_succeeded_are_waited_for() {
    let mut cluster = Cluster::up_to_date();
    cluster.live("CronJob")["status"] = json!({});
    assert_snapshot!(check(&cluster.facts), @r#"wait for CronJob test until firstSuccess"#);
}

#[test]
fn a_changed_service_meets_no_running_test() {
    assert_snapshot!(check(&Cluster::with_new_service().facts), @r#"
    suspend CronJob test
    wait for CronJob test until drained
    update Deployment verification
        spec.template.spec.containers[service].image: "service:1" → "service:2"
    wait for Deployment verification until rolledOut
    delete Job discover until gone
    create Job discover
        spec.template.spec.containers[service].image: "service:1" → "service:2"
    wait for Job discover until complete
    update CronJob test
        spec.jobTemplate.spec.template.spec.containers[service].image: "service:1" → "service:2"
    resume CronJob test
    wait for CronJob test until firstSuccess
    ! the pods of Deployment verification restart
    ! Job discover is replaced
    "#);
}

#[test]
fn the_tests_are_updated_as_the_plan_itself_suspended_them() {
    let mut cluster = Cluster::with_new_service();
    let plan = planned(&cluster.facts);
    let update = |step: &&crate::plan::Step| matches!(&step.act, Effect::Update { object, .. } if object["kind"] == "CronJob");
    let guard = &plan.steps.iter().find(update).unwrap().guard;
    let live = cluster.live("CronJob");
    live["spec"]["suspend"] = json!(true);
    let expected = Guard::Unchanged {
        uid: uid(live).unwrap(),
        intent: crate::object::Digest::of(&intent(live)),
    };
    assert_eq!(*guard, expected);
}

#[test]
fn tests_that_an_interrupted_deployment_left_suspended_are_resumed() {
    let mut cluster = Cluster::up_to_date();
    cluster.suspend(OPERATIONS_MANAGER);
    assert_snapshot!(check(&cluster.facts), @r#"
    resume CronJob test
    wait for CronJob test until firstSuccess
    "#);
}

#[test]
fn an_interrupted_roll_goes_on_without_suspending_again() {
    let mut cluster = Cluster::with_new_service();
    cluster.suspend(OPERATIONS_MANAGER);
    let plan = check(&cluster.facts);
    assert!(!plan.contains("suspend CronJob"), "{plan}");
    assert!(
        plan.contains("wait for CronJob test until drained"),
        "{plan}"
    );
    assert!(plan.contains("resume CronJob test"), "{plan}");
}

#[test]
fn tests_that_a_person_suspended_stay_so() {
    let mut cluster = Cluster::with_new_service();
    cluster.suspend("kubectl-patch");
    assert_snapshot!(check(&cluster.facts), @r#"
    wait for CronJob test until drained
    update Deployment verification
        spec.template.spec.containers[service].image: "service:1" → "service:2"
    wait for Deployment verification until rolledOut
    delete Job discover until gone
    create Job discover
        spec.template.spec.containers[service].image: "service:1" → "service:2"
    wait for Job discover until complete
    update CronJob test
        spec.jobTemplate.spec.template.spec.containers[service].image: "service:1" → "service:2"
    ! the pods of Deployment verification restart
    ! Job discover is replaced
    # the tests are suspended by kubectl-patch and stay so; to resume them: kubectl -n restate patch cronjob test --type merge -p '{"spec":{"suspend":false}}'
    "#);
}

#[test]
fn a_persons_suspension_counts_beside_ours() {
    let mut cluster = Cluster::up_to_date();
    cluster.suspend(OPERATIONS_MANAGER);
    let fields = &mut cluster.live("CronJob")["metadata"]["managedFields"];
    fields.as_array_mut().unwrap().push(
        json!({"manager": "argo", "operation": "Apply", "fieldsV1": {"f:spec": {"f:suspend": {}}}}),
    );
    assert!(!planned(&cluster.facts).changes());
}

#[test]
fn another_cron_job_is_not_waited_for() {
    let mut cluster = Cluster::with_namespace_only();
    let mut chaos = cluster.of("CronJob").clone();
    chaos.desired["metadata"]["name"] = json!("zap");
    cluster.facts.objects.push(chaos);
    let plan = check(&cluster.facts);
    let last: Vec<&str> = plan.lines().rev().take(3).collect();
    assert_eq!(
        last,
        [
            "wait for CronJob test until firstSuccess",
            "create CronJob test",
            "create CronJob zap"
        ]
    );
}

#[test]
fn versions_of_restate() {
    let table = [
        ("1.6.2-aaa", "1.6.2-bbb"),
        ("1.6.2-aaa", "1.6.3-aaa"),
        ("1.6.3-aaa", "1.6.2-aaa"),
        ("1.6.2-aaa", "1.7.0-aaa"),
        ("1.6.2-aaa", "1.8.0-aaa"),
        ("1.7.0-aaa", "1.6.9-aaa"),
        ("1.7.0-aaa", "2.0.0-aaa"),
        ("1.7.0-aaa", "nightly"),
    ];
    let outcome = |(from, to): (&str, &str)| {
        let mut cluster = Cluster::up_to_date();
        let set = cluster.of("StatefulSet");
        set.live.as_mut().unwrap()["spec"]["template"] =
            image("restate", &format!("host:5000/restate:{from}"));
        set.desired["spec"]["template"] = image("restate", &format!("host:5000/restate:{to}"));
        cluster.dry_run();
        let text = check(&cluster.facts);
        let line = text
            .lines()
            .find(|line| line.contains("snapshot") || line.contains("Restate"));
        format!("{from} → {to}: {}\n", line.unwrap_or("rolled").trim())
    };
    assert_snapshot!(table.map(outcome).concat(), @r#"
    1.6.2-aaa → 1.6.2-bbb: rolled
    1.6.2-aaa → 1.6.3-aaa: snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
    1.6.3-aaa → 1.6.2-aaa: snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
    1.6.2-aaa → 1.7.0-aaa: snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
    1.6.2-aaa → 1.8.0-aaa: - Restate 1.6.2 cannot become 1.8.0: Restate supports upgrades to the next minor version only, one after the other
    1.7.0-aaa → 1.6.9-aaa: - Restate 1.7.0 cannot become 1.6.9: Restate does not read the files of a newer minor version; restore a snapshot from before the upgrade instead
    1.7.0-aaa → 2.0.0-aaa: - Restate 1.7.0 cannot become 2.0.0: Restate supports upgrades to the next minor version only, one after the other
    1.7.0-aaa → nightly: snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
    "#);
}

#[test]
fn a_failed_job_is_replaced() {
    let mut cluster = Cluster::up_to_date();
    let failed = json!({"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]});
    cluster.of("Job").sight.object.as_mut().unwrap()["status"] = failed;
    assert_snapshot!(check(&cluster.facts), @r#"
    delete Job discover until gone
    create Job discover
    wait for Job discover until complete
    wait for CronJob test until firstSuccess
    ! Job discover is replaced
    "#);
}

#[test]
fn a_grown_claim_keeps_its_data_and_the_set_its_pods() {
    let mut cluster = Cluster::up_to_date();
    cluster.resize("20Gi");
    assert_snapshot!(check(&cluster.facts), @r#"
    take over PersistentVolumeClaim target-restate-0
        spec.resources.requests.storage: "10Gi" → "20Gi"
    delete, keeping what it owns, StatefulSet restate until gone
    create StatefulSet restate
        spec.volumeClaimTemplates[0].spec.resources.requests.storage: "10Gi" → "20Gi"
    wait for StatefulSet restate until rolledOut
    wait for CronJob test until firstSuccess
    "#);
}

#[test]
fn a_claim_that_is_large_already_is_left_alone() {
    let mut cluster = Cluster::up_to_date();
    cluster.resize("20Gi");
    cluster.facts.claims[0]["spec"]["resources"]["requests"]["storage"] = json!("30Gi");
    let plan = check(&cluster.facts);
    assert!(!plan.contains("PersistentVolumeClaim"), "{plan}");
}

#[test]
fn a_claim_does_not_shrink() {
    let mut cluster = Cluster::up_to_date();
    cluster.resize("5Gi");
    assert_snapshot!(check(&cluster.facts), @r#"
    this cannot be deployed; nothing was changed
      - StatefulSet restate has a field that cannot be changed: StatefulSet.apps "restate" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas', … are forbidden; take the change back, or delete the object yourself if what it holds may go
    "#);
}

#[test]
fn a_set_that_is_invalid_otherwise_too_is_not_deleted() {
    let mut cluster = Cluster::up_to_date();
    cluster.resize("20Gi");
    let both = "StatefulSet.apps \"restate\" is invalid: [spec.template: Required value, spec: Forbidden: updates to statefulset spec for fields other than …]";
    cluster.of("StatefulSet").dry_run = DryRun::Refused(Refusal::Invalid(both.into()));
    assert!(plan(target(), &cluster.facts, &options()).is_err());
}

#[test]
fn pruned_is_only_what_is_provably_ours_and_nobodys_data() {
    type Twist = fn(&mut Value);
    let table: [(&str, Twist); 12] = [
        ("as applied", |_| {}),
        ("a CronJob", |live| live["kind"] = json!("CronJob")),
        ("a claim", |live| {
            live["kind"] = json!("PersistentVolumeClaim");
        }),
        ("a snapshot", |live| live["kind"] = json!("VolumeSnapshot")),
        ("a StatefulSet that takes its claims along", |live| {
            live["kind"] = json!("StatefulSet");
            live["spec"] =
                json!({"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}});
        }),
        ("owned", |live| {
            live["metadata"]["ownerReferences"] = json!([{"uid": "o"}]);
        }),
        ("not labelled", |live| {
            live["metadata"]["labels"] = json!({});
        }),
        ("of another environment", |live| {
            *label(live, ENVIRONMENT_LABEL) = json!("restate-chaos");
        }),
        ("in another namespace", |live| {
            live["metadata"]["namespace"] = json!("other");
        }),
        ("cluster-scoped", |live| {
            live["metadata"]
                .as_object_mut()
                .unwrap()
                .shift_remove("namespace");
        }),
        ("applied by others", |live| {
            live["metadata"]["managedFields"][0]["manager"] = json!("helm");
        }),
        ("on its way out", |live| {
            live["metadata"]["deletionTimestamp"] = json!("2026-01-05T10:00:00Z");
        }),
    ];
    let outcome = |(case, twist): (&str, Twist)| {
        let mut cluster = Cluster::up_to_date();
        let mut live = cluster.live("ConfigMap").clone();
        live["metadata"]["name"] = json!("old");
        live["metadata"]["uid"] = json!("old-1");
        twist(&mut live);
        cluster.facts.inventory.push(ObjectRef::of(&live).unwrap());
        cluster.facts.surplus.push(live);
        let text = check(&cluster.facts);
        let line = text
            .lines()
            .find(|line| line.contains("old") && !line.starts_with(' '));
        format!("{case}: {}\n", line.unwrap_or("?"))
    };
    assert_snapshot!(table.map(outcome).concat(), @r#"
    as applied: delete ConfigMap old until gone
    a CronJob: delete, keeping what it owns, CronJob old until gone
    a claim: # PersistentVolumeClaim old is rendered no more and left alone: a PersistentVolumeClaim is only deleted on purpose
    a snapshot: # VolumeSnapshot old is rendered no more and left alone: a VolumeSnapshot is only deleted on purpose
    a StatefulSet that takes its claims along: # StatefulSet old is rendered no more and left alone: its claims would be deleted with it
    owned: # ConfigMap old is rendered no more and left alone: it has an owner
    not labelled: # ConfigMap old is rendered no more and left alone: it does not carry the label longrun/rendered
    of another environment: # ConfigMap old is rendered no more and left alone: its label longrun/environment is not restate
    in another namespace: # ConfigMap old is rendered no more and left alone: it is not in the namespace restate
    cluster-scoped: # ConfigMap old is rendered no more and left alone: it is not in the namespace restate
    applied by others: # ConfigMap old is rendered no more and left alone: longrun is not among its field managers
    on its way out: # ConfigMap old is rendered no more and left alone: it is being deleted already
    "#);
}

#[test]
fn surplus_that_is_not_listed_or_lives_on_under_another_version_is_not_pruned() {
    let mut cluster = Cluster::up_to_date();
    let mut unlisted = cluster.live("ConfigMap").clone();
    unlisted["metadata"]["name"] = json!("unlisted");
    unlisted["metadata"]["uid"] = json!("unlisted-1");
    let mut moved = cluster.live("CronJob").clone();
    moved["apiVersion"] = json!("batch/v1beta1");
    cluster.facts.inventory.push(ObjectRef::of(&moved).unwrap());
    cluster.facts.surplus.extend([unlisted, moved]);
    let plan = check(&cluster.facts);
    assert!(!plan.contains("delete"), "{plan}");
}

#[test]
fn an_inventory_that_cannot_be_read_prunes_nothing() {
    let mut cluster = Cluster::up_to_date();
    cluster.facts.inventory_object.as_mut().unwrap()["data"]["objects"] = json!("[{");
    cluster.facts.inventory = listed(cluster.facts.inventory_object.as_ref().unwrap());
    let plan = check(&cluster.facts);
    assert!(
        plan.contains("# ConfigMap longrun-inventory cannot be read"),
        "{plan}"
    );
    assert!(!plan.contains("delete "), "{plan}");
}

#[test]
fn every_refusal_names_object_cause_and_way_on() {
    let mut cluster = Cluster::up_to_date();
    let refuse = |cluster: &mut Cluster, kind, refusal| {
        cluster.of(kind).dry_run = DryRun::Refused(refusal);
    };
    let (manager, field) = ("kubectl-edit".into(), ".data.value".into());
    let conflict = Refusal::Conflict(vec![Conflict { manager, field }]);
    refuse(&mut cluster, "ConfigMap", conflict);
    let forbidden = Refusal::Forbidden {
        verb: "patch".into(),
        resource: "cronjobs".into(),
        message: "User \"x\" cannot patch resource".into(),
    };
    refuse(&mut cluster, "CronJob", forbidden);
    let quota = "pods \"x\" is forbidden: exceeded quota: small, requested: cpu=2";
    refuse(&mut cluster, "StatefulSet", Refusal::Other(quota.into()));
    let immutable = "spec.selector: Invalid value: …: field is immutable";
    refuse(
        &mut cluster,
        "Deployment",
        Refusal::Invalid(immutable.into()),
    );
    refuse(
        &mut cluster,
        "Namespace",
        Refusal::Invalid("strict decoding error: unknown field \"x\"".into()),
    );
    let job = cluster.live("Job");
    job["metadata"]["deletionTimestamp"] = json!("2026-01-05T10:00:00Z");
    job["metadata"]["finalizers"] = json!(["example.com/hold"]);
    assert_snapshot!(check(&cluster.facts), @r#"
    this cannot be deployed; nothing was changed
      - no permission to patch CronJob test: User "x" cannot patch resource; grant it with a rule {apiGroups: ["batch"], resources: ["cronjobs"], verbs: [get, list, watch, create, patch, delete]}
      - Job discover is being deleted and held by example.com/hold: when it is gone, deploy again
      - StatefulSet restate is refused: pods "x" is forbidden: exceeded quota: small, requested: cpu=2; raise that quota, or ask for less in the environment's file
      - Deployment verification has a field that cannot be changed: spec.selector: Invalid value: …: field is immutable; take the change back, or delete the object yourself if what it holds may go
      - ConfigMap settings has fields that others own: .data.value (kubectl-edit); to take them over: --take-over ConfigMap/settings
      - Namespace restate is invalid: strict decoding error: unknown field "x"; correct its template or the environment's file
    "#);
    cluster.facts.namespace = Namespace::Terminating;
    assert_snapshot!(check(&cluster.facts), @r#"
    this cannot be deployed; nothing was changed
      - Namespace restate is being deleted and takes no objects: wait until it is gone (`kubectl get namespace restate -o yaml` says what holds it), then deploy again
    "#);
}

#[test]
fn fields_of_others_are_taken_over_only_where_it_was_said() {
    let mut cluster = Cluster::up_to_date();
    cluster.of("ConfigMap").desired["data"]["value"] = json!("2");
    cluster.dry_run();
    let mut options = options();
    options.take_over.insert("ConfigMap/settings".to_string());
    let plan = plan(target(), &cluster.facts, &options).unwrap();
    assert_eq!(
        plan.steps[0].act.to_string(),
        "take over ConfigMap settings"
    );
}

#[test]
fn a_status_never_moves_the_digest_and_an_intent_always_does() {
    let digest = |cluster: &Cluster| planned(&cluster.facts).digest();
    let before = digest(&Cluster::with_new_service());
    let mut later = Cluster::with_new_service();
    for observed in &mut later.facts.objects {
        let live = observed.live.as_mut().unwrap();
        live["status"]["lastScheduleTime"] = json!("2026-01-05T11:00:00Z");
        live["metadata"]["resourceVersion"] = json!("99");
        observed.sight.object = Some(live.clone());
    }
    let set = &mut later.of("StatefulSet").sight;
    set.object.as_mut().unwrap()["status"]["readyReplicas"] = json!(0);
    assert_eq!(digest(&later), before);
    later.live("Deployment")["spec"]["replicas"] = json!(7);
    assert_ne!(digest(&later), before);
}
