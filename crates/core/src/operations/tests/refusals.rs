//! Bad input: all reasons at once, each with the way on.

use super::*;
use crate::{
    approval::Ask,
    journal::{Journal, Stored},
    operations::{
        data::Permission,
        restore,
        snapshot::{Wish, take},
        wipe::{self, Copy},
    },
};

fn wiped(twist: impl FnOnce(&mut Facts)) -> String {
    let mut facts = facts();
    twist(&mut facts);
    story(wipe::plan(&target(), &facts, &options(), Copy::Verified))
}

fn restored(twist: impl FnOnce(&mut Facts)) -> String {
    let mut facts = facts();
    twist(&mut facts);
    story(restore::plan(&target(), &facts, &options(), "kept"))
}

fn snapshot(facts: &mut Facts) -> &mut Value {
    &mut facts.snapshots.as_mut().unwrap()[0]
}

#[test]
fn what_a_wipe_refuses() {
    let stories = [
        wiped(|facts| {
            facts.snapshots = None;
            facts.classes.clear();
        }),
        wiped(|facts| {
            facts.classes.remove(0);
            facts.classes[0]["deletionPolicy"] = json!("Delete");
        }),
        wiped(|facts| facts.classes[1]["driver"] = json!("ebs.csi.aws.com")),
        wiped(|facts| {
            facts.denied.push(Permission {
                verb: "create".into(),
                resource: "volumesnapshots".into(),
                group: "snapshot.storage.k8s.io".into(),
                namespace: Some("restate".into()),
            });
        }),
        wiped(|facts| {
            facts.set = None;
            facts.claim = None;
        }),
        wiped(|facts| facts.claim = Some(claim("Pending"))),
        wiped(|facts| {
            let claim = facts.claim.as_mut().unwrap();
            claim["metadata"]["deletionTimestamp"] = json!("2026-01-05T09:00:00Z");
        }),
        wiped(|facts| {
            let spec = &mut facts.volume.as_mut().unwrap()["spec"];
            spec.as_object_mut().unwrap().shift_remove("csi");
        }),
        wiped(|facts| facts.mounts.push(json!({"metadata": {"name": "debug"}}))),
        wiped(|facts| snapshot(facts)["status"]["readyToUse"] = json!(false)),
    ];
    assert_snapshot!(stories.join("\n"), @"");
}

#[test]
fn what_a_restore_refuses() {
    let stories = [
        restored(|facts| facts.snapshots.as_mut().unwrap().clear()),
        restored(|facts| {
            snapshot(facts)["spec"]["source"]["persistentVolumeClaimName"] = json!("other");
        }),
        restored(|facts| {
            snapshot(facts)["metadata"]["labels"]["longrun/environment"] = json!("restate-chaos");
        }),
        restored(|facts| {
            snapshot(facts)["status"] =
                json!({"readyToUse": false, "error": {"message": "no space left"}});
        }),
        restored(|facts| {
            snapshot(facts)["metadata"]["deletionTimestamp"] = json!("2026-01-05T09:00:00Z");
        }),
        restored(|facts| facts.contents.clear()),
        restored(|facts| snapshot(facts)["status"]["restoreSize"] = json!("20Gi")),
    ];
    assert_snapshot!(stories.join("\n"), @"");
}

#[test]
fn what_a_snapshot_refuses() {
    let named = |name: &str| {
        let wish = Wish {
            name: Some(name.into()),
            ..Wish::default()
        };
        story(take(&target(), &facts(), &options(), &wish))
    };
    assert_snapshot!([named("kept"), named("No Name"), named("a.b")].join("\n"), @"");
}

#[test]
fn an_operation_that_is_not_finished_leaves_room_for_nothing_else() {
    let plan = wipe::plan(&target(), &facts(), &options(), Copy::Verified).unwrap();
    let approved = Ask::new(plan).typed("dev/restate").unwrap();
    let mut begun = facts();
    begun.stored = Some(Stored::begin(Journal::open(approved), None));
    let fenced = Wish {
        fence: true,
        ..Wish::default()
    };
    let refused = story(restore::plan(&target(), &begun, &options(), "kept"));
    assert_snapshot!(refused, @"");
    for other in [
        story(wipe::plan(&target(), &begun, &options(), Copy::Verified)),
        story(take(&target(), &begun, &options(), &fenced)),
    ] {
        assert!(other.contains("is not finished"), "{other}");
    }
    assert!(take(&target(), &begun, &options(), &Wish::default()).is_ok());
}
