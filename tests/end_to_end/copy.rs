//! `copy`: all of it or a failure, from a snapshot or from the node while it runs.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use crate::{attach, house::House, run::Running};

fn copying<'a>(house: &'a House, to: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let to = to.to_str().expect("a path");
    [&["copy", "-n", &house.name, to], more].concat()
}

fn nothing_is_attached(house: &House) {
    let labelled = "--selector=longrun/attach=kept";
    let left = house.kubectl(&["get", "jobs,pods,pvc", labelled, "--output", "name"]);
    assert_eq!(left, "");
}

#[test]
fn a_snapshot_is_copied_and_nothing_is_overwritten() {
    let house = attach::house("copy");
    let to = house.path("db");
    let json = ["-s", "kept", "--output", "json"];
    let ran = house.run(&copying(&house, &to, &json)).exits(0);
    assert!(!ran.stderr.contains("by exec"), "{ran}");
    let document = ran.document();
    assert_eq!(document["consistent"], true, "{document}");
    assert!(to.join(".cluster-marker").is_file());
    assert!(!house.path("db.partial").exists());
    assert!(house.path("db.manifest").is_file());
    nothing_is_attached(&house);
    house
        .run(&copying(&house, &to, &["-s", "kept"]))
        .exits(2)
        .says(&["is not empty, and a copy overwrites nothing"]);
    nothing_is_attached(&house);
}

#[test]
fn where_no_door_can_be_opened_it_comes_by_exec() {
    let house = attach::house("copy-exec");
    let attached = attach::attached(&house, &[]);
    // Somebody who looks around in the pod listens where the sender would.
    let mut kubectl = house.namespaced();
    let listening = "nc -l -p 9093";
    kubectl.args(["exec", "kept", "--", "sh", "-c", listening]);
    let listener = Running::start(kubectl);
    house.until("the port is taken", || {
        attach::in_pod(&house, "netstat -ln").is_ok_and(|ports| ports.contains(":9093 "))
    });
    let to = house.path("db");
    let ran = house.run(&copying(&house, &to, &["-s", "kept"])).exits(0);
    ran.says(&["it takes longer by exec", "cannot answer at 0.0.0.0:9093"]);
    assert!(to.join(".cluster-marker").is_file());
    listener.signal(Signal::SIGKILL);
    drop(listener.end());
    attached.signal(Signal::SIGTERM);
    attached.end().exits(0);
}

#[test]
fn a_copy_that_was_killed_goes_on() {
    let house = attach::house("copy-cut");
    let to = house.path("db");
    let partial = house.path("db.partial");
    // Enough to be in the middle of it.
    let fill = "head -c 300000000 /dev/urandom > /target/db/filler && sync";
    house.kubectl(&["exec", "restate-0", "-c", "restate", "--", "sh", "-c", fill]);
    house
        .run(&["snapshot", "-n", &house.name, "--name", "large", "--yes"])
        .exits(0);
    let run = Running::start(house.command(&copying(&house, &to, &["-s", "large"])));
    let is_begun = || {
        let filler = std::fs::metadata(partial.join("filler"));
        filler.is_ok_and(|filler| filler.len() > 10_000_000)
    };
    // It does not stay there for long.
    let began = Instant::now();
    while !is_begun() {
        assert!(began.elapsed() < Duration::from_secs(120), "it never began");
        std::thread::sleep(Duration::from_millis(2));
    }
    run.signal(Signal::SIGINT);
    run.end().exits(3).says(&[
        "it was interrupted",
        "db.partial has",
        "it fetches only what is missing",
    ]);
    assert!(!to.exists());
    let json = ["-s", "large", "--output", "json"];
    let document = house.run(&copying(&house, &to, &json)).exits(0).document();
    let kept = document["kept"].as_u64().expect("bytes");
    assert!(kept > 10_000_000, "{document}");
    assert_eq!(document["consistent"], true);
}

#[test]
fn a_file_that_changes_under_a_live_copy_is_named() {
    let house = attach::house("copy-live");
    let to = house.path("db");
    // One file changes all the time, and another takes a while to be read.
    let writer = "dd if=/dev/urandom of=/target/db/large bs=1M count=64 && \
        for i in $(seq 1 600); do echo $i >> /target/db/moving; sleep 0.05; done";
    let mut kubectl = house.namespaced();
    kubectl.args([
        "exec",
        "restate-0",
        "-c",
        "restate",
        "--",
        "sh",
        "-c",
        writer,
    ]);
    let writing = Running::start(kubectl);
    let moving = [
        "exec",
        "restate-0",
        "-c",
        "restate",
        "--",
        "ls",
        "/target/db/moving",
    ];
    house.until("the writer writes", || house.try_kubectl(&moving).is_ok());
    let ran = house
        .run(&copying(&house, &to, &["--live", "--output", "json"]))
        .exits(0)
        .says(&["consistent: false", "moving"]);
    assert_eq!(ran.document()["consistent"], false);
    writing.signal(Signal::SIGKILL);
    writing.end();
}
