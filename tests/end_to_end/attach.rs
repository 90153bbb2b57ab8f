//! `attach`: what lives as long as the command, and nothing that outlives it.

use nix::sys::signal::Signal;

use crate::{
    house::House,
    run::{Ran, Running},
};

/// A whole environment with one snapshot, `kept`.
pub(crate) fn house(test: &str) -> House {
    let house = House::whole(test);
    house.deploy(&["--yes"]).exits(0);
    house
        .run(&["snapshot", "-n", &house.name, "--name", "kept", "--yes"])
        .exits(0);
    house
}

fn arguments<'a>(house: &'a House, more: &[&'a str]) -> Vec<&'a str> {
    [&["attach", "-n", &house.name, "-s", "kept"], more].concat()
}

pub(crate) fn attached(house: &House, more: &[&str]) -> Running {
    let run = Running::start(house.command(&arguments(house, more)));
    run.hears("a copy of kept is at /target");
    run
}

/// What an attachment is made of, as far as it is there.
fn left(house: &House) -> String {
    let labelled = "--selector=longrun/attach=kept";
    house.kubectl(&["get", "jobs,pods,pvc", labelled, "--output", "name"])
}

pub(crate) fn in_pod(house: &House, command: &str) -> Result<String, String> {
    house.try_kubectl(&["exec", "kept", "--", "sh", "-c", command])
}

#[track_caller]
fn ended(house: &House, ran: Ran) {
    ran.exits(0)
        .says(&["the pod and its claim are gone; the snapshot stays"]);
    assert_eq!(left(house), "", "all is gone when the command ends");
    assert!(house.get("volumesnapshot/kept").is_some());
}

#[test]
fn a_snapshot_is_looked_into_and_every_end_leaves_nothing() {
    let house = house("attach");

    let run = attached(&house, &[]);
    let marker = in_pod(&house, "cat db/.cluster-marker").expect("busybox is the default");
    assert!(marker.contains("cluster_name"), "{marker}");
    let refused = in_pod(&house, "touch db/note").expect_err("read-only");
    assert!(refused.contains("Read-only file system"), "{refused}");
    house
        .run(&arguments(&house, &[]))
        .exits(2)
        .says(&["the snapshot kept is attached already, by ", "process "]);
    run.signal(Signal::SIGTERM);
    ended(&house, run.end());

    let run = attached(&house, &["--writable"]);
    in_pod(&house, "touch db/note").expect("writable");
    run.signal(Signal::SIGHUP);
    ended(&house, run.end());

    let mut run = Running::start_at_terminal(&house.command(&arguments(&house, &[])));
    run.hears("a copy of kept is at /target");
    run.types("\x03");
    ended(&house, run.end());
}

#[test]
fn an_attachment_outlives_a_minute_and_not_its_killed_command() {
    let house = house("attach-kill");
    let run = attached(&house, &[]);
    let deadline = || {
        let field = house.field("job/attach-kept", "/spec/activeDeadlineSeconds");
        field.as_i64().unwrap_or_default()
    };
    // Only a heartbeat moves it there.
    house.until("it was kept alive for more than a minute", || {
        deadline() > 125
    });
    assert!(in_pod(&house, "true").is_ok());
    run.signal(Signal::SIGKILL);
    assert_eq!(run.end().code, None);
    house.until("nothing of it is left", || left(&house).is_empty());
    assert!(house.get("volumesnapshot/kept").is_some());
}

#[test]
fn an_attachment_ends_with_its_time_and_says_when_it_was_taken_away() {
    let house = house("attach-end");
    let run = attached(&house, &["--ttl", "70s"]);
    ended(&house, run.end().says(&["its time is over (--ttl)"]));

    let run = attached(&house, &[]);
    house.kubectl(&["delete", "job/attach-kept", "--cascade=foreground"]);
    run.end().exits(3).says(&["the attachment is over"]);
    assert_eq!(left(&house), "");
}

#[test]
fn what_cannot_be_attached_changes_nothing() {
    let house = house("attach-not");
    house
        .run(&["attach", "-n", &house.name, "-s", "other"])
        .exits(2)
        .says(&["has no VolumeSnapshot other", "there are: kept"]);
    house
        .run(&arguments(&house, &["--dry-run"]))
        .exits(0)
        .prints(&["nothing was changed"]);
    assert_eq!(left(&house), "");
}
