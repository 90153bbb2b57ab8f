//! `cargo xtask deploy` and `diff`: from nothing to tests that pass, and back to it after somebody's hand.

use crate::house::House;

#[test]
fn an_environment_runs_from_nothing_and_stays() {
    let house = House::whole("first");

    let first = house.deploy(&["--yes"]).exits(0).says(&[
        "create Namespace",
        "(checked locally)",
        "then wait for",
        "runs, and a test has verified",
    ]);
    // The closing screen says what runs.
    first.prints(&[
        "restate ",
        "2/2 containers ready",
        "verification   1/1 ready",
        "every minute",
        "verified, 1 attempt",
    ]);

    house
        .deploy(&["--yes"])
        .exits(0)
        .says(&["nothing to do"])
        .takes_at_most(15);
    house.diff().exits(0).prints(&["nothing to do"]);
    house
        .deploy(&["--dry-run"])
        .exits(0)
        .prints(&["nothing is to be done"]);
    status_shows(&house);
    what_a_hand_removed_comes_back(&house);
}

/// Both forms of `status` tell the same.
fn status_shows(house: &House) {
    house.run(&["status", "-n", &house.name]).exits(0).prints(&[
        &format!("/{}\n", house.name),
        "restate        1/1 ready, Running, 2/2 containers ready",
        "operation      none",
        "0 failed",
        "drift          none",
    ]);
    let document = house
        .run(&["status", "-n", &house.name, "--output", "json"])
        .exits(0)
        .document();
    assert_eq!(document[0]["environment"], house.name.as_str());
    let running = &document[0]["running"];
    assert_eq!(running["node"]["pods"]["ready"], 1, "{running}");
    assert_eq!(running["service"]["ready"], 1, "{running}");
    assert_eq!(running["suspended"], false, "{running}");
    assert!(
        running["tests"][0]["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("test-")),
        "{running}"
    );
}

/// A field that is ours and that somebody took away is shown by its name, and put back.
fn what_a_hand_removed_comes_back(house: &House) {
    let port = r#"[{"op": "remove", "path": "/spec/ports/0/appProtocol"}]"#;
    house.kubectl(&[
        "patch",
        "service",
        "verification",
        "--type",
        "json",
        "--patch",
        port,
    ]);
    house.kubectl(&["delete", "networkpolicy", "allow-admin"]);

    house.diff().exits(1).prints(&[
        "update Service verification",
        "appProtocol",
        "kubernetes.io/h2c",
        "create NetworkPolicy allow-admin",
    ]);
    house.run(&["status", "-n", &house.name]).exits(0).prints(&[
        "not as rendered: NetworkPolicy allow-admin, Service verification",
        "cargo xtask diff -n",
    ]);
    house.deploy(&["--yes"]).exits(0);
    assert_eq!(
        house.field("service/verification", "/spec/ports/0/appProtocol"),
        "kubernetes.io/h2c"
    );
    house.diff().exits(0);
}

#[test]
fn a_dry_run_changes_nothing() {
    let house = House::small("dry");
    let dry = house.deploy(&["--dry-run"]).exits(0);
    let plan = format!("+ create Namespace {}", house.name);
    let ran = dry.prints(&[&plan, "nothing was changed", "--approve"]);
    // As a document it has the digest that approves it.
    let document = house
        .deploy(&["--dry-run", "--output", "json"])
        .exits(0)
        .document();
    let digest = document["digest"].as_str().expect("a digest");
    let short = ran.stdout.trim().rsplit(' ').next().expect("a digest");
    assert!(digest.starts_with(short), "{digest} is not {short}");
    let difference = house.run(&["diff", "-n", &house.name, "--output", "json"]);
    assert_eq!(difference.exits(1).document()["digest"], digest);
    assert_eq!(house.get(&format!("namespace/{}", house.name)), None);
}

#[test]
fn what_is_not_deployed_is_said_to_be_absent() {
    let house = House::small("absent");
    house
        .run(&["status", "-n", &house.name])
        .exits(0)
        .prints(&["is not deployed", "cargo xtask deploy -n"]);
    let document = house
        .run(&["status", "-n", &house.name, "--output", "json"])
        .exits(0)
        .document();
    assert_eq!(document[0]["running"], serde_json::Value::Null);
    house.diff().exits(1).prints(&["create Namespace"]);

    // A cluster that does not answer hides no other.
    house.environment_out_of_reach();
    let all = house.run(&["status"]).exits(2);
    all.prints(&["is not deployed", "gone/elsewhere  UNKNOWN:"])
        .says(&["1 of 2 environments could not be read"]);
}
