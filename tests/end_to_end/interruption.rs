//! Stopped at any point, the same command goes on from there.

use nix::sys::signal::Signal;

use crate::{
    house::House,
    run::{Ran, Running, led_by},
    templates::{Container, config_map, deployment},
};

const NOTE: &str = "templates/note/configmap.yaml.hbs";

/// A deployment that takes a while: two workloads, of which each becomes available only after seconds.
fn slow(test: &str) -> House {
    let house = House::small(test);
    house.write(NOTE, &config_map("note", "one"));
    for name in ["early", "late"] {
        let slowly = Container {
            settles: 8,
            ..Container::default()
        };
        house.write(
            &format!("templates/{name}/deployment.yaml.hbs"),
            &deployment(name, &slowly),
        );
    }
    house
}

fn converges(house: &House) {
    house.deploy(&["--yes"]).exits(0);
    for deployment in ["deployment/early", "deployment/late"] {
        assert_eq!(
            house.field(deployment, "/status/availableReplicas"),
            1,
            "{deployment}"
        );
    }
    assert_eq!(house.field("configmap/note", "/data/text"), "one");
    house.deploy(&["--yes"]).exits(0).says(&["nothing to do"]);
}

/// Who holds the lease; nobody is an empty name.
fn holder(house: &House) -> String {
    let holder = house.field("lease/longrun", "/spec/holderIdentity");
    holder.as_str().unwrap_or_default().to_owned()
}

/// A first deployment that runs until something is there, and is then sent a signal.
fn stopped(house: &House, at: &str, signal: Signal) -> Ran {
    let run = house.begin(&["--yes"]);
    house.until(&format!("{at} is there"), || {
        house.try_kubectl(&["get", at]).is_ok()
    });
    run.signal(signal);
    run.end()
}

/// Which step is under way when the signal arrives is left to chance; what is said holds for all.
fn goes_on(house: &House, at: &str, signal: Signal) {
    stopped(house, at, signal)
        .exits(3)
        .says(&["interrupted", "run the same command again"])
        .takes_at_most(60);
    converges(house);
}

#[test]
fn an_interrupted_first_deployment_goes_on() {
    let house = slow("interrupt");
    goes_on(&house, &format!("namespace/{}", house.name), Signal::SIGINT);
    goes_on(
        &slow("terminate"),
        "configmap/longrun-inventory",
        Signal::SIGTERM,
    );
    goes_on(&slow("hang-up"), "deployment/early", Signal::SIGHUP);
}

#[test]
fn what_was_started_to_outlive_its_terminal_does() {
    let house = slow("nohup");
    let deploy = house.command(&["deploy", "-n", &house.name, "--yes"]);
    let run = Running::start(led_by(&["nohup"], &deploy));
    house.until("it waits", || {
        house.try_kubectl(&["get", "deployment/early"]).is_ok()
    });
    run.signal(Signal::SIGHUP);
    run.end().exits(0);
}

#[test]
fn ctrl_c_at_a_terminal_ends_a_wait_and_gives_the_lease_back() {
    let house = slow("key");
    let mut run =
        Running::start_at_terminal(&house.command(&["deploy", "-n", &house.name, "--yes"]));
    house.until("it waits", || {
        house.try_kubectl(&["get", "deployment/late"]).is_ok()
    });
    run.types("\x03");
    run.end().exits(3).says(&[
        "it was interrupted",
        "changes are made and stay",
        "run the same command again",
    ]);
    assert_eq!(holder(&house), "", "the lease is free");
    converges(&house);
}

#[test]
fn a_killed_deployment_is_taken_over_when_its_lease_has_expired() {
    let house = slow("kill");
    let killed = stopped(&house, "deployment/early", Signal::SIGKILL);
    assert_eq!(killed.code, None);
    assert_ne!(holder(&house), "", "nobody gave the lease back");

    // However far the killed one came, there is something left to do.
    house.write(NOTE, &config_map("note", "two"));
    let next = house.deploy(&["--yes"]).exits(0).says(&[
        "holds the lease since",
        "it is taken over after no sign of them",
    ]);
    assert!(
        next.took.as_secs() >= 10,
        "a lease is believed for its whole duration: {next}"
    );
    house.write(NOTE, &config_map("note", "one"));
    converges(&house);
}
