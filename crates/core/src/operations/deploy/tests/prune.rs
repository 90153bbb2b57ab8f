//! What is deleted because nothing renders it any more, and what never is.

use super::*;
use crate::{
    faults::ledger::{Entry, Ledger},
    names::{ENVIRONMENT_LABEL, FIELD_MANAGER, INVENTORY},
};

#[test]
fn pruned_is_only_what_is_provably_ours_and_nobodys_data() {
    type Twist = fn(&mut Value);
    let table: [(&str, Twist); 13] = [
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
        ("written by us and not applied", |live| {
            live["metadata"]["managedFields"][0]["operation"] = json!("Update");
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
    assert_snapshot!(table.map(outcome).concat(), @"
    as applied: delete ConfigMap old until gone
    a CronJob: delete (orphaning dependents) CronJob old until gone
    a claim: # PersistentVolumeClaim old is no longer rendered and left alone: a PersistentVolumeClaim is never pruned
    a snapshot: # VolumeSnapshot old is no longer rendered and left alone: a VolumeSnapshot is never pruned
    a StatefulSet that takes its claims along: # StatefulSet old is no longer rendered and left alone: its claims would go with it
    owned: # ConfigMap old is no longer rendered and left alone: it has an owner
    not labelled: # ConfigMap old is no longer rendered and left alone: it does not carry the label longrun/rendered
    of another environment: # ConfigMap old is no longer rendered and left alone: its label longrun/environment is not restate
    in another namespace: # ConfigMap old is no longer rendered and left alone: it is not in the namespace restate
    cluster-scoped: # ConfigMap old is no longer rendered and left alone: it is not in the namespace restate
    applied by others: # ConfigMap old is no longer rendered and left alone: longrun is not one of its field managers
    written by us and not applied: # ConfigMap old is no longer rendered and left alone: longrun is not one of its field managers
    on its way out: # ConfigMap old is no longer rendered and left alone: it is already being deleted
    ");
}

#[test]
fn surplus_that_is_not_listed_or_lives_on_under_another_version_is_not_pruned() {
    let listed = Cluster::up_to_date().live("CronJob").clone();
    let twisted = |twist: fn(&mut Value)| {
        let mut object = listed.clone();
        object["apiVersion"] = json!("batch/v1beta1");
        twist(&mut object);
        object
    };
    let mut unlisted = listed.clone();
    unlisted["metadata"]["name"] = json!("unlisted");
    unlisted["metadata"]["uid"] = json!("unlisted-1");
    let by_its_place = twisted(|object| object["metadata"]["uid"] = json!("other-1"));
    let by_its_uid = twisted(|object| object["kind"] = json!("ScheduledJob"));
    for (surplus, is_listed) in [(unlisted, false), (by_its_place, true), (by_its_uid, true)] {
        let mut cluster = Cluster::up_to_date();
        if is_listed {
            let listed = ObjectRef::of(&surplus).unwrap();
            cluster.facts.inventory.push(listed);
        }
        cluster.facts.surplus.push(surplus);
        let plan = check(&cluster.facts);
        assert!(!plan.contains("delete"), "{plan}");
    }
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
    let write = |manager: &str, field: &str| {
        let mut cluster = Cluster::up_to_date();
        let inventory = cluster.facts.inventory_object.as_mut().unwrap();
        inventory["data"]["objects"] = json!("[]");
        inventory["metadata"]["managedFields"] = json!([
            {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": {"f:metadata": {}}},
            {"manager": manager, "operation": "Update", "fieldsV1": {field: {}}},
        ]);
        cluster.facts.inventory = listed(cluster.facts.inventory_object.as_ref().unwrap());
        let plan = planned(&cluster.facts);
        plan.steps[0].act.to_string()
    };
    let taken_back = "take over ConfigMap longrun-inventory";
    assert_eq!(write("kubectl-edit", "f:data"), taken_back);
    // Whoever labels it has not touched the list, and our own list need not be forced.
    let written = "update ConfigMap longrun-inventory";
    assert_eq!(write("kubectl-label", "f:metadata"), written);
    assert_eq!(write(FIELD_MANAGER, "f:data"), written);
}

#[test]
fn the_inventory_lists_what_may_exist_until_it_does_not() {
    let mut cluster = Cluster::up_to_date();
    let mut surplus = |name: &str, kind: &str| {
        let mut live = cluster.live("ConfigMap").clone();
        live["kind"] = json!(kind);
        live["metadata"]["name"] = json!(name);
        live["metadata"]["uid"] = json!(name);
        cluster.facts.inventory.push(ObjectRef::of(&live).unwrap());
        cluster.facts.surplus.push(live);
    };
    surplus("old", "ConfigMap");
    surplus("data", "PersistentVolumeClaim");
    cluster.of("ConfigMap").desired["metadata"]["name"] = json!("new");
    cluster.of("ConfigMap").live = None;
    cluster.dry_run();
    let steps = planned(&cluster.facts).steps;
    let lists = steps.iter().enumerate().filter_map(|(index, step)| {
        let Effect::Update { object, .. } = &step.act else {
            return None;
        };
        let Guard::Is { uid } = &step.guard else {
            panic!("{:?}", step.guard)
        };
        assert_eq!(uid.0, "inventory-1");
        let names: Vec<String> = listed(object)
            .into_iter()
            .map(|object| object.name)
            .collect();
        let of_interest = ["old", "data", "new", "restate"];
        let names = names.iter().filter(|name| of_interest.contains(&&***name));
        let names: Vec<&str> = names.map(String::as_str).collect();
        Some(format!("{index}: {}\n", names.join(" ")))
    });
    assert_snapshot!(lists.collect::<String>(), @r#"
    0: restate new old data
    3: restate new data
    "#);
}

#[test]
fn the_inventory_is_created_once_and_lists_what_belongs_to_the_environment() {
    let mut cluster = Cluster::with_namespace_only();
    let shared = cluster.of("ConfigMap").desired["metadata"]["labels"].as_object_mut();
    shared.unwrap().shift_remove(ENVIRONMENT_LABEL);
    let plan = planned(&cluster.facts);
    let created = plan.steps.iter().find_map(|step| match &step.act {
        Effect::Create { object } if object["metadata"]["name"] == INVENTORY => {
            Some((object, &step.guard))
        }
        _ => None,
    });
    let (inventory, guard) = created.unwrap();
    assert_eq!(*guard, Guard::Absent);
    assert_eq!(
        inventory["metadata"]["labels"][ENVIRONMENT_LABEL],
        "restate"
    );
    let kinds = listed(inventory).into_iter().map(|object| object.kind);
    let kinds: Vec<String> = kinds.collect();
    assert_eq!(kinds, ["Deployment", "StatefulSet", "CronJob", "Job"]);
}

#[test]
fn what_is_pruned_is_the_incarnation_that_was_judged() {
    let mut cluster = Cluster::up_to_date();
    let mut live = cluster.live("ConfigMap").clone();
    live["metadata"]["name"] = json!("old");
    live["metadata"]["uid"] = json!("old-1");
    cluster.facts.inventory.push(ObjectRef::of(&live).unwrap());
    cluster.facts.surplus.push(live.clone());
    let plan = planned(&cluster.facts);
    let deletes = |step: &&crate::plan::Step| matches!(step.act, Effect::Delete { .. });
    let guard = &plan.steps.iter().find(deletes).unwrap().guard;
    let expected = Guard::Unchanged {
        uid: Uid("old-1".into()),
        intent: crate::object::Digest::of(&intent(&live)),
    };
    assert_eq!(*guard, expected);
}

#[test]
fn the_last_fault_stays_until_all_have_ended() {
    let mut ledger = Ledger::default();
    let began = "2026-01-05T09:59:00Z".parse().unwrap();
    ledger.begin(Entry::begin("stop-services", "schedule", vec![], began));
    let fault = |name: &str| {
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {
            "name": name, "namespace": "restate", "uid": name}, "spec": {}})
    };
    let mut cluster = Cluster::up_to_date();
    cluster.facts.surplus.push(fault("fault-stop-services"));
    assert!(plan(target(), &cluster.facts, &options()).is_ok());

    cluster.facts.fault = ledger.in_the_way("restate");
    let refused = check(&cluster.facts);
    assert!(
        refused.contains("nothing was changed")
            && refused.contains("stop-services has not ended")
            && refused.contains("--from cronjob/fault-stop-services; then deploy without faults"),
        "{refused}"
    );

    let mut stays = cluster.facts.objects[0].clone();
    stays.desired = fault("fault-kill-restate");
    stays.live = Some(stays.desired.clone());
    cluster.facts.objects.push(stays);
    let other = plan(target(), &cluster.facts, &options());
    assert!(
        !format!("{other:?}").contains("Fault("),
        "another one can take it back: {other:?}"
    );
}
