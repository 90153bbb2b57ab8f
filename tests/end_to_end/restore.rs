//! `restore` of snapshots that were taken while the node was written to.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use crate::{database::deployed, report::note};

/// How often it is done; `LONGRUN_ROUNDS=20` for more.
fn rounds() -> u64 {
    let asked = std::env::var("LONGRUN_ROUNDS").ok();
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(2)
}

#[test]
fn a_snapshot_of_a_node_that_is_written_to_opens_and_has_all_that_was_acknowledged() {
    let house = deployed("writer");
    // One Job checks each restore then, without a wait for the next minute.
    let suspend = r#"{"spec":{"suspend":true}}"#;
    house.kubectl(&["patch", "cronjob/test", "--type=merge", "--patch", suspend]);
    let (acknowledged, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    let pen = Mutex::new(());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) {
                let _held = pen.lock();
                // The node is away now and then.
                if house.try_increment() {
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        for round in 0..rounds() {
            let name = format!("round-{round}");
            let before = acknowledged.load(Ordering::SeqCst);
            house.until("something is written meanwhile", || {
                acknowledged.load(Ordering::SeqCst) > before + 5
            });
            let before = acknowledged.load(Ordering::SeqCst);
            let taken = house.data("snapshot", &["--name", &name, "--yes"]);
            // Nothing is written from here until it is read: what was lost would be made up for.
            let held = pen.lock();
            let after = acknowledged.load(Ordering::SeqCst);
            let restored = (taken.code == Some(0)).then(|| house.restore(&name));
            let is_restored = restored.as_ref().is_some_and(|ran| ran.code == Some(0));
            let counter = if is_restored { house.counter() } else { 0 };
            // Whoever fails must not leave the writer at work for ever. One may be written and not heard of.
            let is_whole = (before..=after + 1).contains(&counter);
            ended.store(!is_whole, Ordering::SeqCst);
            acknowledged.store(counter, Ordering::SeqCst);
            drop(held);
            taken.exits(0);
            restored.expect("it was taken").exits(0);
            assert!(
                is_whole,
                "round {round}: {counter}, not {before} to {after}"
            );
            note(format_args!(
                "round {round}: {before} to {after} were acknowledged, {counter} are there"
            ));
        }
        ended.store(true, Ordering::SeqCst);
    });
}

#[test]
fn a_database_grows_whoever_made_its_claim() {
    let house = deployed("larger");
    house.increment();
    house
        .data("snapshot", &["--name", "kept", "--yes"])
        .exits(0);
    let grows = |size: &str| {
        let claim = house.claim();
        let pod = house.field("pod/restate-0", "/metadata/uid");
        house.environment(&format!(
            "verification: {{replicas: 1}}\ntest: {{size: 20}}\nrestate: {{storage: {size}}}\n"
        ));
        house
            .deploy(&["--yes"])
            .exits(0)
            .says(&["grow PersistentVolumeClaim storage-restate-0"]);
        let capacity = house.field("pvc/storage-restate-0", "/status/capacity/storage");
        assert_eq!(capacity, size, "the deployment has waited for it");
        assert_eq!(house.claim(), claim);
        assert_eq!(house.field("pod/restate-0", "/metadata/uid"), pod);
        house.deploy(&["--yes"]).exits(0).says(&["nothing to do"]);
    };

    house.restore("kept").exits(0);
    grows("640Mi");
    let of = house.field("pvc/storage-restate-0", "/spec/dataSource/name");
    assert_eq!(of, "kept", "what the restore wrote of the claim is there");
    assert_eq!(house.counter(), 1);
    // Once more: the size is ours by now.
    grows("704Mi");

    house.wipe().exits(0);
    grows("768Mi");
    house.restore("kept").exits(0);
    assert_eq!(house.counter(), 1);
    let capacity = house.field("pvc/storage-restate-0", "/status/capacity/storage");
    assert_eq!(capacity, "768Mi", "a restore makes nothing smaller");
}
