//! Every wait ends with its cause, and with the way on: these end within minutes and run side by side.

use crate::{
    house::House,
    run::Ran,
    templates::{Container, deployment, job},
};

const WORKLOAD: &str = "templates/only/deployment.yaml.hbs";

/// Deploys a workload that cannot run, then the same one made well.
fn fails_then_heals(test: &str, container: &Container<'_>, within: u64, causes: &[&str]) {
    let house = House::small(test);
    house.write(WORKLOAD, &deployment("only", container));
    gives_up(house.deploy(&["--yes"]), within, causes);
    // The way on is the same command: nothing has to be cleaned up by hand.
    house.write(WORKLOAD, &deployment("only", &Container::default()));
    house.deploy(&["--yes"]).exits(0);
}

fn gives_up(ran: Ran, within: u64, causes: &[&str]) -> Ran {
    ran.exits(3)
        .says(&[
            "gave up waiting",
            "changes are made and stay",
            "fix the cause and run the same command again",
        ])
        .says(causes)
        .takes_at_most(within)
}

#[test]
fn an_image_that_does_not_exist() {
    let container = Container {
        image: "localhost/longrun/none:1",
        ..Container::default()
    };
    fails_then_heals(
        "image",
        &container,
        120,
        &["container only: ", "ImagePull", "localhost/longrun/none:1"],
    );
}

#[test]
fn a_container_that_crashes() {
    let container = Container {
        shell: "echo the disk of this toaster is full; exit 7",
        settles: 5,
        ..Container::default()
    };
    fails_then_heals(
        "crash",
        &container,
        150,
        &["container only", "the disk of this toaster is full", "7"],
    );
}

#[test]
fn a_pod_that_fits_nowhere() {
    let container = Container {
        memory: "900Gi",
        ..Container::default()
    };
    fails_then_heals(
        "fit",
        &container,
        100,
        &["cannot be scheduled", "Insufficient memory"],
    );
}

#[test]
fn a_command_that_is_not_in_the_image() {
    let house = House::small("command");
    let wrong = deployment("only", &Container::default()).replace("/bin/sh", "/no/such/program");
    house.write(WORKLOAD, &wrong);
    gives_up(
        house.deploy(&["--yes"]),
        120,
        &["container only: ", "/no/such/program"],
    );
}

#[test]
fn a_job_that_fails() {
    let house = House::small("job");
    house.write(
        "templates/once/job.yaml.hbs",
        &job("once", "echo no such deployment; exit 3"),
    );
    gives_up(
        house.deploy(&["--yes"]),
        90,
        &["Job once", "BackoffLimitExceeded", "no such deployment"],
    );
    // A failed Job does not run again by itself: it is replaced, although its template is the same one.
    house.write("templates/once/job.yaml.hbs", &job("once", "exit 0"));
    house
        .deploy(&["--yes"])
        .exits(0)
        .says(&["delete Job once", "create Job once"]);
}

#[test]
fn a_quota_that_is_exceeded() {
    let house = House::small("quota");
    house.deploy(&["--yes"]).exits(0);
    house.apply(
        "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: small}\nspec: {hard: {pods: \"0\"}}\n",
        &[],
    );
    house.until("the quota is in force", || {
        house.field("resourcequota/small", "/status/hard/pods") == "0"
    });
    house.write(WORKLOAD, &deployment("only", &Container::default()));
    gives_up(
        house.deploy(&["--yes"]),
        100,
        &["exceeded quota: small", "pods=0"],
    );

    house.kubectl(&["delete", "resourcequota", "small"]);
    house.deploy(&["--yes"]).exits(0);
}

#[test]
fn a_quota_on_what_is_deployed_itself_is_refused_before_anything_is_changed() {
    let house = House::small("count");
    house.deploy(&["--yes"]).exits(0);
    house.apply(
        "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: none}\nspec: {hard: {count/deployments.apps: \"0\"}}\n",
        &[],
    );
    house.until("the quota is in force", || {
        house.field("resourcequota/none", "/status/hard/count~1deployments.apps") == "0"
    });
    house.write(WORKLOAD, &deployment("only", &Container::default()));
    house.deploy(&["--yes"]).exits(2).says(&[
        "Deployment only",
        "exceeded quota: none",
        "raise the quota",
        "nothing was changed",
    ]);
    assert_eq!(house.get("deployment/only"), None);
}
