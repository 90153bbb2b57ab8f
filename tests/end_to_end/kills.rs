//! Operations on the database that are killed once at each of their steps, and gone on with: nothing is lost.
//! Each kill leaves a lease that has to expire, so that this takes minutes.

use nix::sys::signal::Signal;

use crate::{database::deployed, house::House, report::note, run::Running};

/// How many steps have begun, by the journal in the namespace.
fn begun(house: &House) -> usize {
    let journal = house.field("configmap/longrun-journal", "/data/journal");
    let journal: serde_json::Value =
        serde_json::from_str(journal.as_str().unwrap_or("{}")).expect("a journal");
    let entries = journal["entries"].as_array();
    entries.map_or(0, Vec::len)
}

/// Kills a run as soon as this many steps have begun; `false` when it came to its end before.
fn kill_at(house: &House, run: Running, steps: usize) -> bool {
    while begun(house) < steps {
        if run.has_ended() {
            run.end().exits(0);
            return false;
        }
    }
    run.signal(Signal::SIGKILL);
    // It may have come to its end in between.
    match run.end().code {
        None => true,
        ended => {
            assert_eq!(ended, Some(0));
            false
        }
    }
}

/// The operation is killed at every step, one after the other, and gone on with.
fn killed_at_every_step(house: &House, verb: &str, more: &[&str]) {
    let digest = house.digest(verb, more);
    let last = begun(house);
    let run = house.begin_data(verb, &[more, &["--approve", &digest]].concat());
    // The journal of the last operation is replaced first.
    house.until("it has begun", || {
        let now = begun(house);
        now != last && now > 0
    });
    let steps = {
        let operation = house.last_operation();
        operation["items"].as_array().expect("steps").len()
    };
    let mut kills = 0;
    let mut run = run;
    for step in begun(house)..=steps {
        if !kill_at(house, run, step) {
            note(format_args!(
                "{verb}: killed {kills} times over {steps} steps"
            ));
            return;
        }
        kills += 1;
        let operation = house.last_operation();
        let state = &operation["state"]["state"];
        // All was written, and only the last word was missing.
        if state == "done" {
            // Its lease is left, until somebody else takes it.
            house.deploy(&["--yes"]).exits(0);
            note(format_args!(
                "{verb}: killed {kills} times over {steps} steps"
            ));
            return;
        }
        if state == "open" {
            house.deploy(&["--yes"]).exits(2).says(&[
                "is not finished",
                "operation resume",
                "operation abort",
            ]);
        }
        run = house.begin_operation("resume");
    }
    run.end().exits(0);
    note(format_args!(
        "{verb}: killed {kills} times over {steps} steps"
    ));
}

#[test]
fn a_wipe_that_is_killed_at_every_step_loses_nothing() {
    let house = deployed("kills");
    (0..3).for_each(|_| house.increment());
    let fingerprint = house.fingerprint();
    killed_at_every_step(&house, "wipe", &[]);
    assert_ne!(house.fingerprint(), fingerprint);
    assert_eq!(house.counter(), 0);
    house.is_tidy();
    house.restore(&house.kept()).exits(0);
    assert_eq!(house.fingerprint(), fingerprint);
    assert_eq!(house.counter(), 3);
}

#[test]
fn a_restore_that_is_killed_at_every_step_loses_nothing() {
    let house = deployed("kills-back");
    (0..3).for_each(|_| house.increment());
    let fingerprint = house.fingerprint();
    house.wipe().exits(0);
    house.increment();
    killed_at_every_step(&house, "restore", &["-s", &house.kept()]);
    assert_eq!(house.fingerprint(), fingerprint);
    assert_eq!(house.counter(), 3);
    house.is_tidy();
}
