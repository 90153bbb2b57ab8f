//! What the API server refuses becomes a sentence with a way on, and no plan.

use super::*;
use crate::names::OPERATIONS_MANAGER;

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
    cannot deploy; nothing was changed
      - no permission to patch CronJob test: User "x" cannot patch resource; grant it with a rule {apiGroups: ["batch"], resources: ["cronjobs"], verbs: [get, list, watch, create, patch, delete]}
      - Job discover is being deleted and blocked by example.com/hold: deploy again when it is gone
      - the API server refuses StatefulSet restate: pods "x" is forbidden: exceeded quota: small, requested: cpu=2; raise the quota, or request less in the environment's file
      - Deployment verification has an immutable field: spec.selector: Invalid value: …: field is immutable; revert the change, or delete the object if its data may go
      - ConfigMap settings has fields owned by other managers: .data.value (kubectl-edit); to take them over: --take-over ConfigMap/settings
      - Namespace restate is invalid: strict decoding error: unknown field "x"; correct its template or the environment's file
    "#);
    cluster.facts.namespace = Namespace::Terminating;
    assert_snapshot!(check(&cluster.facts), @"
    cannot deploy; nothing was changed
      - Namespace restate is being deleted and accepts no objects: wait until it is gone (`kubectl get namespace restate -o yaml` shows what blocks it), then deploy again
    ");
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
fn what_is_to_be_taken_over_must_be_there() {
    let cluster = Cluster::up_to_date();
    let mut options = options();
    options.take_over.insert("Configmap/settings".to_string());
    let problems = plan(target(), &cluster.facts, &options).unwrap_err();
    assert_snapshot!(problems, @r#"
    cannot deploy; nothing was changed
      - --take-over Configmap/settings: this environment has no such object; write KIND/NAME as in the plan
    "#);
}

/// A fault whose runner was killed leaves a field as the fault has it. Where somebody else is in the way as well,
/// nothing is taken from anybody.
#[test]
fn what_an_operation_of_ours_wrote_last_is_put_back() {
    let mut cluster = Cluster::up_to_date();
    cluster.live("Deployment")["spec"]["replicas"] = json!(0);
    let conflict = |manager: &str| Conflict {
        manager: manager.into(),
        field: ".spec.replicas".into(),
    };
    let refused = |conflicts| DryRun::Refused(Refusal::Conflict(conflicts));
    cluster.of("Deployment").dry_run = refused(vec![conflict(OPERATIONS_MANAGER)]);
    let plan = planned(&cluster.facts);
    let step = &plan.steps[0];
    assert_eq!(step.act.to_string(), "take over Deployment verification");
    assert_eq!(step.changes[0].path, "spec.replicas");
    let both = vec![conflict(OPERATIONS_MANAGER), conflict("kubectl-scale")];
    cluster.of("Deployment").dry_run = refused(both);
    assert!(check(&cluster.facts).contains("fields owned by other managers"));
}
