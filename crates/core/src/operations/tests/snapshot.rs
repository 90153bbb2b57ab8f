//! Taking, listing and deleting snapshots.

use super::*;
use crate::{
    approval::{Ask, Demand},
    operations::snapshot::{Wish, delete, list, take},
};

fn wished(wish: &Wish) -> String {
    story(take(&target(), &facts(), &options(), wish))
}

#[test]
fn a_snapshot_of_the_running_node_is_one_step() {
    assert_snapshot!(wished(&Wish::default()), @"");
    let named = Wish {
        name: Some("mine".into()),
        no_wait: true,
        keep: true,
        ..Wish::default()
    };
    let plan = take(&target(), &facts(), &options(), &named).unwrap();
    assert_snapshot!(serde_json::to_string_pretty(&plan.steps[0].act).unwrap(), @"");
    assert_eq!(plan.steps[0].until, Wait::None);
}

#[test]
fn a_fenced_one_stops_the_node_only_until_it_is_cut() {
    let fenced = Wish {
        fence: true,
        ..Wish::default()
    };
    assert_snapshot!(wished(&fenced), @"");
}

#[test]
fn the_list_says_what_can_be_restored_and_what_is_needed() {
    let mut many = facts();
    let snapshots = many.snapshots.as_mut().unwrap();
    let (mut failing, _) = taken("failing", "2026-01-05T09:00:00Z", "before-wipe");
    failing["status"] = json!({"error": {"message": "busy"}, "readyToUse": false});
    failing["metadata"]["labels"]["longrun/source-claim-uid"] = json!("claim-0");
    let (restoring, content) = taken("restoring", "2026-01-05T08:00:00Z", "manual");
    let foreign = json!({"metadata": {"name": "foreign", "uid": "f"}});
    snapshots.extend([failing, restoring, foreign]);
    many.contents.push(content);
    many.claims.push(json!({"metadata": {"name": "copy"}, "status": {"phase": "Pending"},
        "spec": {"dataSource": {"kind": "VolumeSnapshot", "name": "restoring"}}}));
    let lines: Vec<String> = list(&many)
        .iter()
        .map(|listed| {
            format!(
                "{} ready {} of {:?} (exists {}) for {:?}, {:?}, used by {:?}, {:?}",
                listed.name,
                listed.ready,
                listed.source_uid.as_ref().map(|uid| &uid.0),
                listed.source_exists,
                listed.purpose,
                listed.error,
                listed.used_by,
                listed.handle
            )
        })
        .collect();
    assert_snapshot!(lines.join("\n"), @"");
}

#[test]
fn deleting_one_by_name_deletes_what_is_stored() {
    let plan = delete(&target(), &facts(), "kept");
    assert_snapshot!(story(plan.clone()), @"");
    let ask = Ask::new(plan.unwrap());
    assert_eq!(ask.demand(), Demand::Phrase("kept".to_string()));
}

#[test]
fn one_in_use_is_not_deleted_and_an_unknown_one_is_looked_for() {
    let mut used = facts();
    used.jobs
        .push(json!({"metadata": {"name": "attach-kept", "labels": {"longrun/attach": "kept"}}}));
    let refusals = [
        story(delete(&target(), &used, "kept")),
        story(delete(&target(), &facts(), "kep")),
    ];
    assert_snapshot!(refusals.join("\n"), @"");
}
