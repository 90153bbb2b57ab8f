//! `cargo xtask local`, on the cluster that the tests run on. What up and down leave behind is tested
//! where the cluster is: in `crates/embedded`.

use crate::{house::House, run::Running, setting::setting};

#[test]
fn its_status_names_every_component() {
    let house = House::offline("local");
    let cluster = &setting().cluster;
    house
        .run(&["local", "status", "--name", cluster])
        .exits(0)
        .prints(&[
            "running for",
            "resident",
            "kubeconfig",
            "etcd",
            "kube-apiserver",
            "kubelet",
            "csi-driver",
        ]);
    let document = house
        .run(&["local", "status", "--name", cluster, "--output", "json"])
        .exits(0)
        .document();
    assert!(
        document["running"]["components"]
            .as_array()
            .is_some_and(|components| components.len() > 8),
        "{document}"
    );
}

#[test]
fn up_is_quick_when_it_runs() {
    let house = House::offline("up");
    house
        .run(&["local", "up", "--name", &setting().cluster, "--yes"])
        .exits(0)
        .takes_at_most(10);
}

#[test]
fn packages_are_named_before_any_is_installed() {
    let house = House::offline("packages");
    let mut command = house.command(&["local", "up", "--name", "nothing-here"]);
    command.env("PATH", house.path("no-programs"));
    Running::start(command).end().exits(2).says(&[
        "The embedded cluster needs these Debian packages: ",
        "buildah, mmdebstrap",
        "nothing was done",
        "answer with --yes",
    ]);
}

#[test]
fn a_cluster_that_is_down_is_said_to_be_down() {
    let house = House::offline("down");
    house
        .run(&["local", "status", "--name", "nothing-here"])
        .exits(0)
        .prints(&["is down"]);
    house
        .run(&["local", "down", "--name", "nothing-here"])
        .exits(0)
        .says(&["nothing to do"]);
    house
        .run(&["local", "status", "--name", "No Name"])
        .exits(2);
}

#[test]
fn data_is_not_deleted_in_a_pipe_without_a_yes() {
    let house = House::offline("data");
    let cluster = &setting().cluster;
    house
        .run(&["local", "down", "--name", cluster, "--delete-data"])
        .exits(2)
        .says(&[
            "every database and snapshot in it",
            "nothing was done",
            "--yes",
        ]);
    house
        .run(&["local", "status", "--name", cluster])
        .exits(0)
        .prints(&["running for"]);
}
