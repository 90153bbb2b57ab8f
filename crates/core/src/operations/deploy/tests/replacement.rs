//! What cannot be changed in place: Jobs and claims.

use super::*;
use crate::plan::grown;

#[test]
fn a_failed_job_is_replaced() {
    let mut cluster = Cluster::up_to_date();
    let failed = json!({"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]});
    cluster.of("Job").observation.object.as_mut().unwrap()["status"] = failed;
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
    grow PersistentVolumeClaim target-restate-0
        spec.resources.requests.storage: "10Gi" → "20Gi"
    delete (orphaning dependents) StatefulSet restate until gone
    create StatefulSet restate
        spec.volumeClaimTemplates[0].spec.resources.requests.storage: "10Gi" → "20Gi"
    wait for StatefulSet restate until rolledOut
    wait for PersistentVolumeClaim target-restate-0 until grown
    wait for CronJob test until firstSuccess
    "#);
}

#[test]
fn a_growth_writes_nothing_but_the_size() {
    let claim = ObjectRef::namespaced("v1", "PersistentVolumeClaim", "restate", "target-restate-0");
    assert_eq!(
        grown(&claim, "20Gi")["spec"],
        json!({"resources": {"requests": {"storage": "20Gi"}}})
    );
}

#[test]
fn a_claim_that_stayed_behind_its_set_grows_alone() {
    let mut cluster = Cluster::up_to_date();
    cluster.facts.claims[0]["spec"]["resources"]["requests"]["storage"] = json!("8Gi");
    cluster.facts.claims[0]["status"]["capacity"]["storage"] = json!("8Gi");
    cluster.try_growths();
    assert_snapshot!(check(&cluster.facts), @r#"
    grow PersistentVolumeClaim target-restate-0
        spec.resources.requests.storage: "8Gi" → "10Gi"
    wait for StatefulSet restate until rolledOut
    wait for PersistentVolumeClaim target-restate-0 until grown
    wait for CronJob test until firstSuccess
    "#);
}

#[test]
fn a_growth_that_the_storage_class_does_not_allow_is_refused_before_anything_is_done() {
    let mut cluster = Cluster::up_to_date();
    cluster.resize("20Gi");
    let forbidden = "persistentvolumeclaims \"target-restate-0\" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize";
    cluster.facts.growths[0].dry_run = DryRun::Refused(Refusal::Other(forbidden.into()));
    assert_snapshot!(check(&cluster.facts), @r#"
    cannot deploy; nothing was changed
      - PersistentVolumeClaim target-restate-0 cannot grow: persistentvolumeclaims "target-restate-0" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize; set `allowVolumeExpansion: true` in its StorageClass, or take the size in the environment's file back
    "#);
}

#[test]
fn a_growth_that_has_not_come_is_no_nothing_to_do() {
    let mut cluster = Cluster::up_to_date();
    cluster.facts.claims[0]["status"]["capacity"]["storage"] = json!("5Gi");
    assert_snapshot!(check(&cluster.facts), @"wait for PersistentVolumeClaim target-restate-0 until grown");
    // A claim without a volume has nothing that could grow.
    cluster.facts.claims[0]["status"] = json!({"phase": "Pending"});
    assert_eq!(check(&cluster.facts), "nothing to do");
}

#[test]
fn a_claim_that_is_rendered_itself_is_waited_for_as_well() {
    let mut cluster = Cluster::up_to_date();
    let claim = |size: &str, has: Value| {
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "recorder", "namespace": "restate", "uid": "r"},
            "spec": {"resources": {"requests": {"storage": size}}}, "status": has})
    };
    let bound = json!({"phase": "Bound", "capacity": {"storage": "1Gi"}});
    cluster.facts.objects.push(Observed {
        desired: claim("2Gi", Value::Null),
        live: Some(claim("1Gi", bound.clone())),
        dry_run: DryRun::Accepted(claim("2Gi", bound)),
        observation: Observation::default(),
    });
    let plan = check(&cluster.facts);
    let lines: Vec<&str> = plan
        .lines()
        .filter(|line| line.contains("recorder"))
        .collect();
    assert_snapshot!(lines.join("\n"), @r#"
    update PersistentVolumeClaim recorder
    wait for PersistentVolumeClaim recorder until grown
    "#);
}

#[test]
fn a_claim_that_is_large_already_is_left_alone() {
    let mut cluster = Cluster::up_to_date();
    cluster.facts.claims[0]["spec"]["resources"]["requests"]["storage"] = json!("30Gi");
    cluster.facts.claims[0]["status"]["capacity"]["storage"] = json!("30Gi");
    cluster.resize("20Gi");
    let plan = check(&cluster.facts);
    assert!(!plan.contains("PersistentVolumeClaim"), "{plan}");
}

#[test]
fn a_claim_does_not_shrink() {
    let mut cluster = Cluster::up_to_date();
    cluster.resize("5Gi");
    assert_snapshot!(check(&cluster.facts), @r#"
    cannot deploy; nothing was changed
      - StatefulSet restate has an immutable field: StatefulSet.apps "restate" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas', … are forbidden; revert the change, or delete the object if its data may go
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
