//! What is deleted because nothing renders it any more, and what never is.

use super::*;

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
fn an_inventory_that_somebody_edited_is_taken_back() {
    let mut cluster = Cluster::up_to_date();
    let inventory = cluster.facts.inventory_object.as_mut().unwrap();
    inventory["data"]["objects"] = json!("[]");
    inventory["metadata"]["managedFields"] = json!([
        {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": {"f:metadata": {}}},
        {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:data": {"f:objects": {}}}},
    ]);
    cluster.facts.inventory = listed(cluster.facts.inventory_object.as_ref().unwrap());
    let plan = check(&cluster.facts);
    assert!(
        plan.starts_with("take over ConfigMap longrun-inventory"),
        "{plan}"
    );
}
