//! Stopped at any point, the same command goes on from there.

use nix::sys::signal::Signal;

use crate::{
    house::House,
    run::Running,
    templates::{Container, config_map, deployment},
};

/// A deployment that takes a while: two workloads, of which each becomes available only after seconds.
fn slow(test: &str) -> House {
    let house = House::small(test);
    house.write(
        "templates/note/configmap.yaml.hbs",
        &config_map("note", "one"),
    );
    for name in ["early", "late"] {
        let slowly = deployment(name, &Container::default())
            .replace("  replicas: 1\n", "  replicas: 1\n  minReadySeconds: 4\n");
        house.write(&format!("templates/{name}/deployment.yaml.hbs"), &slowly);
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

/// Runs until it has begun and something is there, and is then sent a signal.
fn stopped(house: &House, at: &str, signal: Signal) -> Running {
    let run = house.begin(&["--yes"]);
    // The namespace is made before the lease can be had; what else is there may be from an earlier run.
    let begun = || at.starts_with("namespace/") || !holder(house).is_empty();
    house.until(&format!("it has begun and {at} is there"), || {
        begun() && house.try_kubectl(&["get", at]).is_ok()
    });
    run.signal(signal);
    run
}

#[test]
fn an_interrupted_first_deployment_goes_on() {
    let house = slow("interrupt");
    let namespace = format!("namespace/{}", house.name);
    // Which step is under way when the signal arrives is left to chance; what is said holds for all.
    for (at, signal) in [
        (namespace.as_str(), Signal::SIGINT),
        ("configmap/longrun-inventory", Signal::SIGTERM),
        ("deployment/early", Signal::SIGHUP),
    ] {
        let ran = stopped(&house, at, signal).end();
        if ran.code == Some(0) {
            continue;
        }
        ran.exits(3)
            .says(&["interrupted", "run the same command again"])
            .takes_at_most(60);
    }
    converges(&house);
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
    let killed = stopped(&house, "deployment/early", Signal::SIGKILL).end();
    assert_eq!(killed.code, None);
    assert_ne!(holder(&house), "", "nobody gave the lease back");

    let next = house.deploy(&["--yes"]).exits(0).says(&[
        "holds the lease since",
        "it is taken over when nothing is heard of them",
    ]);
    assert!(
        next.took.as_secs() >= 10,
        "a lease is believed for its whole duration: {next}"
    );
    converges(&house);
}
