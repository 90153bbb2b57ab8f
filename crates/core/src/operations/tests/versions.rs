//! Which node opens what a wipe or a restore puts in the place of the database.

use super::*;
use crate::{
    approval::{Ask, Demand},
    operations::{
        restore,
        snapshot::{Wish, take},
        wipe::{self, Copy},
    },
    plan::Effect,
};

const KEY: &str = "82a934cde840";

/// A node of one version runs.
fn running(version: &str) -> Facts {
    let image = format!("localhost/longrun/restate:{version}-{KEY}");
    let mut set = options().set;
    set["metadata"] = json!({"name": "restate", "uid": "set-1",
        "managedFields": [{"manager": "longrun", "fieldsV1": {"f:spec": {"f:template": {}}}}]});
    set["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
    Facts {
        set: Some(set),
        ..facts()
    }
}

/// The environment's file asks for another one.
fn wanted(version: &str) -> Options {
    let mut options = options();
    options.set["apiVersion"] = json!("apps/v1");
    options.set["metadata"] = json!({"name": "restate", "namespace": "restate"});
    options.set["spec"]["template"]["spec"]["containers"][0]["image"] =
        json!(format!("localhost/longrun/restate:{version}-{KEY}"));
    options
}

fn note(object: &mut Value, opened_by: &str) {
    object["metadata"]["annotations"] = json!({"longrun/opened-by": opened_by});
}

fn kept(facts: &mut Facts) -> &mut Value {
    &mut facts.snapshots.as_mut().unwrap()[0]
}

/// What a plan does from the deletion of the claim until services are registered, and what it says of nodes.
fn told(planned: Result<Plan, Refusals>) -> String {
    let plan = match planned {
        Ok(plan) => plan,
        Err(refusals) => return refusals.to_string(),
    };
    let from = format!("delete PersistentVolumeClaim {CLAIM} ");
    let steps = plan.steps.iter().map(|step| {
        let changes: Vec<String> = step
            .changes
            .iter()
            .map(|change| format!("    {change}\n"))
            .collect();
        format!("{}{}", line(step), changes.concat())
    });
    let steps = steps
        .skip_while(|line| !line.starts_with(&from))
        .take_while(|line| !line.contains("discover"));
    let loses = plan.loses.iter().map(|loss| format!("! {loss:?}\n"));
    let notes = plan.notes.iter().filter(|note| note.contains("Restate "));
    let notes = notes.map(|note| format!("note: {note}\n"));
    steps.chain(loses).chain(notes).collect()
}

#[test]
fn the_way_back_after_an_upgrade_is_one_plan() {
    let mut facts = running("1.7.12");
    note(kept(&mut facts), "1.6.2");
    let plan = restore::plan(&target(), &facts, &wanted("1.6.2"), "kept");
    assert_snapshot!(told(plan), @r#"
    delete PersistentVolumeClaim storage-restate-0 until Gone
    update StatefulSet restate
        spec.template.spec.containers[restate].image: "localhost/longrun/restate:1.7.12-82a934cde840" → "localhost/longrun/restate:1.6.2-82a934cde840"
        metadata.namespace: (none) → "restate"
        apiVersion: (none) → "apps/v1"
    create PersistentVolumeClaim storage-restate-0
    create Job storage-restate-0-20260105-100000-restored until Verified; undo: delete Job storage-restate-0-20260105-100000-restored
    delete Job storage-restate-0-20260105-100000-restored
    start StatefulSet restate until RolledOut
    note Restate 1.6.2 as the node of PersistentVolumeClaim storage-restate-0; may fail
    ! Database { claim: Uid("claim-1") }
    note: the copy is opened by Restate 1.6.2, as the environment's file says (localhost/longrun/restate:1.6.2-82a934cde840); the node is 1.7.12 at present
    "#);
}

#[test]
fn the_copy_says_who_has_opened_it_until_the_node_has() {
    let mut facts = running("1.6.2");
    note(kept(&mut facts), "1.6.1");
    let plan = restore::plan(&target(), &facts, &wanted("1.6.2"), "kept").unwrap();
    let copy = plan.steps.iter().find_map(|step| match &step.act {
        Effect::Create { object } if object["metadata"]["name"] == CLAIM => Some(object),
        _ => None,
    });
    let annotations = &copy.unwrap()["metadata"]["annotations"];
    assert_eq!(*annotations, json!({"longrun/opened-by": "1.6.1"}));
}

#[test]
fn a_snapshot_is_judged_by_the_node_that_has_opened_it() {
    let outcome = |opened_by: Option<&str>, node: &str| {
        let mut facts = running("1.7.12");
        match opened_by {
            Some(opened_by) => note(kept(&mut facts), opened_by),
            None => drop(kept(&mut facts)["metadata"]["annotations"].take()),
        }
        // Nothing is lost otherwise.
        facts.claim = None;
        facts.volume = None;
        facts.mounts.clear();
        let opened_by = opened_by.unwrap_or("nobody has noted it");
        let plan = restore::plan(&target(), &facts, &wanted(node), "kept");
        let outcome = match plan {
            Ok(plan) => format!("{:?}", Ask::new(plan).demand()),
            Err(refusals) => refusals.to_string(),
        };
        format!("{opened_by} → {node}: {outcome}\n")
    };
    let table = [
        (Some("1.6.2"), "1.6.2"),
        (Some("1.6.2"), "1.7.12"),
        (Some("1.7.12"), "1.7.9"),
        (Some("1.7.12"), "1.6.2"),
        (Some("1.8.0"), "1.8.0-rc.1"),
        (Some("1.6.2"), "1.8.0"),
        (Some("1.6.2"), "main"),
        (Some("main-82a934cde840"), "1.7.12"),
        (None, "1.7.12"),
    ];
    let table = table.map(|(opened_by, node)| outcome(opened_by, node));
    assert_snapshot!(table.concat(), @r#"
    1.6.2 → 1.6.2: Yes
    1.6.2 → 1.7.12: Yes
    1.7.12 → 1.7.9: Yes
    1.7.12 → 1.6.2: cannot do this; nothing was changed
      - the snapshot kept is of a database that Restate 1.7.12 has opened, and the environment's file says 1.6.2: Restate supports the way back only to the minor version before, and only while no feature of the newer one was used, which cannot be told here; to restore it with the node that it is of, set `restate.image` to 1.7.12
    1.8.0 → 1.8.0-rc.1: cannot do this; nothing was changed
      - the snapshot kept is of a database that Restate 1.8.0 has opened, and the environment's file says 1.8.0-rc.1: Restate supports the way back only to the minor version before, and only while no feature of the newer one was used, which cannot be told here; to restore it with the node that it is of, set `restate.image` to 1.8.0
    1.6.2 → 1.8.0: cannot do this; nothing was changed
      - the snapshot kept is of a database that Restate 1.6.2 has opened, and the environment's file says 1.8.0: Restate supports upgrades to the next minor version only, one after the other; to restore it with the node that it is of, set `restate.image` to 1.6.2
    1.6.2 → main: Phrase("dev/restate")
    main-82a934cde840 → 1.7.12: Phrase("dev/restate")
    nobody has noted it → 1.7.12: Phrase("dev/restate")
    "#);
    assert!(table[0].ends_with(&format!("{:?}\n", Demand::Yes)));
}

#[test]
fn an_empty_database_is_for_the_node_of_the_file_whatever_ran_before() {
    let plan = wipe::plan(
        &target(),
        &running("1.7.12"),
        &wanted("1.6.2"),
        Copy::Verified,
    );
    assert_snapshot!(told(plan), @r#"
    delete PersistentVolumeClaim storage-restate-0 until Gone
    update StatefulSet restate
        spec.template.spec.containers[restate].image: "localhost/longrun/restate:1.7.12-82a934cde840" → "localhost/longrun/restate:1.6.2-82a934cde840"
        metadata.namespace: (none) → "restate"
        apiVersion: (none) → "apps/v1"
    start StatefulSet restate until RolledOut
    note Restate 1.6.2 as the node of PersistentVolumeClaim storage-restate-0; may fail
    ! Database { claim: Uid("claim-1") }
    note: the empty database is opened by Restate 1.6.2, as the environment's file says (localhost/longrun/restate:1.6.2-82a934cde840); the node is 1.7.12 at present
    "#);
    let same = wipe::plan(&target(), &running("1.7.12"), &wanted("1.7.12"), Copy::None);
    assert_snapshot!(told(same), @r#"
    delete PersistentVolumeClaim storage-restate-0 until Gone
    start StatefulSet restate until RolledOut
    note Restate 1.7.12 as the node of PersistentVolumeClaim storage-restate-0; may fail
    ! OnlyCopy { claim: Uid("claim-1") }
    note: the empty database is opened by Restate 1.7.12, as the environment's file says (localhost/longrun/restate:1.7.12-82a934cde840)
    "#);
}

#[test]
fn a_template_that_somebody_wrote_to_is_taken_over_and_claim_templates_stay() {
    let mut facts = running("1.7.12");
    let set = facts.set.as_mut().unwrap();
    set["metadata"]["managedFields"]
        .as_array_mut()
        .unwrap()
        .push(json!({"manager": "kubectl-set", "fieldsV1": {"f:spec": {"f:template": {}}}}));
    let mut options = wanted("1.6.2");
    let storage = "/spec/volumeClaimTemplates/0/spec/resources/requests/storage";
    *options.set.pointer_mut(storage).unwrap() = json!("20Gi");
    let plan = wipe::plan(&target(), &facts, &options, Copy::None).unwrap();
    let update = plan.steps.iter().find_map(|step| match &step.act {
        Effect::Update { object, force } => Some((object, *force)),
        _ => None,
    });
    let (object, force) = update.unwrap();
    assert!(force);
    assert_eq!(object.pointer(storage), Some(&json!("10Gi")));
}

#[test]
fn every_snapshot_says_who_has_opened_what_it_holds() {
    let of = |facts: &Facts| {
        let fence = Wish {
            fence: true,
            ..Wish::default()
        };
        let plans = [
            take(&target(), facts, &options(), &Wish::default()).unwrap(),
            take(&target(), facts, &options(), &fence).unwrap(),
            wipe::plan(&target(), facts, &options(), Copy::Verified).unwrap(),
            restore::plan(&target(), facts, &options(), "kept").unwrap(),
        ];
        let steps = plans.iter().flat_map(|plan| &plan.steps);
        let snapshots = steps.filter_map(|step| match &step.act {
            Effect::Snapshot { object, .. } => Some(object),
            _ => None,
        });
        let pointer = "/metadata/annotations/longrun~1opened-by";
        let notes: Vec<Option<Value>> = snapshots
            .map(|object| object.pointer(pointer).cloned())
            .collect();
        assert_eq!(notes.len(), 6);
        assert!(notes.iter().all(|note| *note == notes[0]), "{notes:?}");
        notes[0].clone()
    };
    let mut facts = running("1.6.2");
    assert_eq!(of(&facts), Some(json!("1.6.2")), "what runs");
    note(facts.claim.as_mut().unwrap(), "1.7.12");
    assert_eq!(of(&facts), Some(json!("1.7.12")), "a newer one before");
    note(facts.claim.as_mut().unwrap(), "1.6.1");
    assert_eq!(of(&facts), Some(json!("1.6.2")), "not noted yet");
    assert_eq!(of(&super::facts()), None, "nobody knows");
}
