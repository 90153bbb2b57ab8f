//! What cannot be changed in place is replaced where nothing is lost by it, and refused by name elsewhere.

use crate::{
    house::House,
    templates::{Container, deployment, job},
};

#[test]
fn a_job_is_replaced_when_its_template_changes_and_only_then() {
    let house = House::small("job");
    let file = "templates/discover/job.yaml.hbs";
    house.write(file, &job("discover", "exit 0"));
    house.deploy(&["--yes"]).exits(0);
    let first = house.field("job/discover", "/metadata/uid");

    house.deploy(&["--yes"]).exits(0).says(&["nothing to do"]);
    assert_eq!(
        house.field("job/discover", "/metadata/uid"),
        first,
        "an unchanged Job stays"
    );

    house.write(file, &job("discover", "echo again; exit 0"));
    house.deploy(&["--yes"]).exits(0).says(&[
        "delete Job discover",
        "create Job discover",
        "Job discover is replaced",
    ]);
    assert_ne!(house.field("job/discover", "/metadata/uid"), first);
    assert_eq!(house.field("job/discover", "/status/succeeded"), 1);
}

#[test]
fn an_immutable_field_is_refused_by_its_name() {
    let house = House::small("immutable");
    let file = "templates/only/deployment.yaml.hbs";
    let made = deployment("only", &Container::default());
    house.write(file, &made);
    house.deploy(&["--yes"]).exits(0);
    let before = house.field("deployment/only", "/metadata/uid");

    let other = "    matchLabels:\n      app.kubernetes.io/component: only\n      app.kubernetes.io/name: only\n";
    house.write(
        file,
        &made.replace(
            "    matchLabels:\n      app.kubernetes.io/component: only\n",
            other,
        ),
    );
    house.deploy(&["--yes"]).exits(2).says(&[
        "nothing was changed",
        "Deployment only has an immutable field",
        "spec.selector",
        "revert the change",
    ]);
    assert_eq!(house.field("deployment/only", "/metadata/uid"), before);
}
