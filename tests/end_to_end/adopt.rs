//! `snapshot adopt`: what the storage keeps is found again, whoever deleted what stood for it.

use serde_json::Value;

use crate::{database::deployed, house::House};

/// What stands for nothing, of this environment.
fn orphans(house: &House) -> Vec<Value> {
    let mut snapshots = house.snapshots();
    snapshots.retain(|one| one["orphaned"] == true);
    snapshots
}

/// Uses the only stored snapshot again that nothing stands for.
fn adopt(house: &House, name: &str) {
    let found = orphans(house);
    let [orphan] = &found[..] else {
        panic!("{found:?}");
    };
    let content = orphan["content"].as_str().expect("a content");
    house
        .run(&["snapshot", "list", "-n", &house.name])
        .exits(0)
        .prints(&["ORPHANED", content, "snapshot adopt"]);
    let adopt = [
        "snapshot",
        "adopt",
        content,
        "--name",
        name,
        "-n",
        &house.name,
    ];
    house
        .run(&[&adopt[..], &["--yes"]].concat())
        .exits(0)
        .prints(&[&format!("VolumeSnapshot {name} is ready, UNVERIFIED")]);
    assert_eq!(orphans(house), [Value::Null; 0], "it stands for it again");
    let snapshots = house.snapshots();
    let adopted = snapshots.iter().find(|one| one["name"] == name);
    let adopted = adopted.expect("it is listed");
    assert_eq!(adopted["purpose"], "adopted");
    assert_eq!(adopted["ready"], true);
    assert_eq!(
        adopted["handle"], orphan["handle"],
        "it is the same stored snapshot"
    );
    house
        .run(&[&adopt[..], &["--yes"]].concat())
        .exits(2)
        .says(&["cannot be adopted"]);
}

#[test]
fn a_database_comes_back_although_its_snapshot_and_then_its_namespace_were_deleted() {
    let house = deployed("adopt");
    house.increment();
    let fingerprint = house.fingerprint();
    house.wipe().exits(0);
    let kept = house.kept();

    house.kubectl(&["delete", "volumesnapshot", &kept]);
    house
        .data("restore", &["-s", &kept])
        .exits(2)
        .says(&["has no VolumeSnapshot"]);
    adopt(&house, "found");
    house.restore("found").exits(0);
    assert_eq!(house.fingerprint(), fingerprint);
    assert_eq!(house.counter(), 1);
    // The restore kept what was there before, an empty database; it is not what is looked for.
    let other = house
        .snapshots()
        .iter()
        .find(|one| one["purpose"] == "before-restore")
        .and_then(|one| one["name"].as_str().map(ToOwned::to_owned))
        .expect("what was there before");
    let delete = ["snapshot", "delete", &other, "-n", &house.name];
    let dry = house.run(&[&delete[..], &["--dry-run"]].concat()).exits(0);
    let digest = dry.stdout.trim().rsplit(' ').next().expect("a digest");
    house
        .run(&[&delete[..], &["--approve", digest]].concat())
        .exits(0);

    house.kubectl(&["delete", "namespace", &house.name]);
    house.deploy(&["--yes"]).exits(0);
    assert_ne!(house.fingerprint(), fingerprint, "another database");
    adopt(&house, "found-again");
    house.restore("found-again").exits(0);
    assert_eq!(house.fingerprint(), fingerprint);
    assert_eq!(house.counter(), 1);
    house.is_tidy();
}
