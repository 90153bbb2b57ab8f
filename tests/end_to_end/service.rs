//! The service changes under running tests: they pause, what is open is drained, then it rolls, is
//! registered again, and the tests go on. Two versions behind one address would mix in one journal.

use serde_json::Value;

use crate::house::{House, project};

const DEPLOYMENT: &str = "templates/verification/deployment.yaml.hbs";

/// The test Jobs, each with its name and whether it has failed.
fn failed(house: &House) -> Vec<String> {
    let failed = |job: &&Value| {
        let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
        conditions
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "Failed" && condition["status"] == "True")
    };
    let jobs = house.list("jobs");
    jobs.iter()
        .filter(failed)
        .filter_map(|job| Some(job["metadata"]["name"].as_str()?.to_owned()))
        .collect()
}

#[test]
fn a_changed_service_rolls_while_no_test_runs() {
    let house = House::whole("service");
    house.copy_all_templates();
    house.deploy(&["--yes"]).exits(0);
    let pods = || {
        house.kubectl(&[
            "get",
            "pods",
            "-l",
            "app.kubernetes.io/component=verification",
            "-o",
            "name",
        ])
    };
    let before = pods();
    let discover = house.field("job/discover", "/metadata/uid");

    let changed = project(DEPLOYMENT).replace(
        "          image: {{quote image.verification}}\n",
        "          image: {{quote image.verification}}\n          env: [{name: CHANGED, value: \"1\"}]\n",
    );
    assert_ne!(changed, project(DEPLOYMENT));
    house.write(DEPLOYMENT, &changed);

    let ran = house.deploy(&["--yes"]).exits(0).says(&[
        "suspend CronJob test",
        "update Deployment verification",
        "resume CronJob test",
        "the pods of Deployment verification restart",
        "runs, and a test has verified",
    ]);
    let place = |what: &str| ran.stderr.find(what).unwrap_or(usize::MAX);
    assert!(
        place("suspend CronJob test") < place("update Deployment verification"),
        "{ran}"
    );
    assert!(
        place("update Deployment verification") < place("resume CronJob test"),
        "{ran}"
    );

    assert_ne!(pods(), before, "the pods are new ones");
    assert_ne!(
        house.field("job/discover", "/metadata/uid"),
        discover,
        "the new service is registered"
    );
    assert_ne!(
        house.field("cronjob/test", "/spec/suspend"),
        true,
        "tests go on"
    );
    assert_eq!(
        failed(&house),
        Vec::<String>::new(),
        "no test failed over it"
    );
    house.deploy(&["--yes"]).exits(0).says(&["nothing to do"]);

    tests_that_a_person_suspended_stay_suspended(&house);
}

fn tests_that_a_person_suspended_stay_suspended(house: &House) {
    house.kubectl(&[
        "patch",
        "cronjob",
        "test",
        "--type",
        "merge",
        "--patch",
        r#"{"spec": {"suspend": true}}"#,
    ]);
    house.diff().exits(0);
    house.write(DEPLOYMENT, &project(DEPLOYMENT));
    house
        .deploy(&["--yes"])
        .exits(0)
        .says(&["the tests stay suspended, as kubectl-patch left them"]);
    assert_eq!(house.field("cronjob/test", "/spec/suspend"), true);
}
