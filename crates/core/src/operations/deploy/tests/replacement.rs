//! What cannot be changed in place: Jobs, claims, and Restate's files under another version.

use super::*;

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
    1.7.0-aaa → 1.6.9-aaa: - Restate 1.7.0 cannot become 1.6.9: Restate supports the way back only to the minor version before, and only while no feature of the newer one was used, which cannot be told here; restore a snapshot from before the upgrade instead
    1.7.0-aaa → 2.0.0-aaa: - Restate 1.7.0 cannot become 2.0.0: Restate supports upgrades to the next minor version only, one after the other
    1.7.0-aaa → nightly: snapshot VolumeSnapshot target-restate-0-20260105-102030 until snapshotReady
    "#);
}

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
