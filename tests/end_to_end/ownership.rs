//! A field that another manager owns is never taken in silence.

use crate::{house::House, templates::config_map};

const NOTE: &str = "templates/note/configmap.yaml.hbs";

/// A house whose note somebody else has rewritten, as `kubectl patch` and another tool would.
fn rewritten(test: &str, by: &[&str]) -> House {
    let house = House::small(test);
    house.write(NOTE, &config_map("note", "one"));
    house.write(
        "templates/other/configmap.yaml.hbs",
        &config_map("other", "one"),
    );
    house.deploy(&["--yes"]).exits(0);
    let theirs = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\ndata: {text: theirs}\n";
    house.apply(theirs, by);
    house
}

#[test]
fn another_managers_field_is_refused_by_name_and_taken_over_on_demand() {
    let house = rewritten(
        "owned",
        &[
            "--server-side",
            "--force-conflicts",
            "--field-manager",
            "gitops",
        ],
    );
    // Another object's change does not get through either: a deployment is whole.
    house.write(
        "templates/other/configmap.yaml.hbs",
        &config_map("other", "two"),
    );

    for arguments in [&["--yes"][..], &["--yes", "--take-over", "ConfigMap/other"]] {
        house.deploy(arguments).exits(2).says(&[
            "nothing was changed",
            "ConfigMap note has fields owned by other managers: .data.text (gitops)",
            "--take-over ConfigMap/note",
        ]);
    }
    assert_eq!(house.field("configmap/note", "/data/text"), "theirs");
    assert_eq!(house.field("configmap/other", "/data/text"), "one");

    house
        .deploy(&["--yes", "--take-over", "ConfigMap/note"])
        .exits(0)
        .says(&["take over ConfigMap note", "data.text"]);
    assert_eq!(house.field("configmap/note", "/data/text"), "one");
    assert_eq!(house.field("configmap/other", "/data/text"), "two");
    house.diff().exits(0);
}

#[test]
fn a_hand_at_kubectl_is_another_manager_too() {
    let house = rewritten(
        "hand",
        &[
            "--server-side",
            "--force-conflicts",
            "--field-manager",
            "kubectl-edit",
        ],
    );
    house.diff().says(&["kubectl-edit", ".data.text"]);
    house
        .deploy(&["--yes"])
        .exits(2)
        .says(&[".data.text (kubectl-edit)"]);
    assert_eq!(house.field("configmap/note", "/data/text"), "theirs");
}

#[test]
fn a_manager_that_wants_the_same_is_no_conflict() {
    let house = House::small("same");
    house.write(NOTE, &config_map("note", "one"));
    house.deploy(&["--yes"]).exits(0);
    let same = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\ndata: {text: one}\n";
    house.apply(same, &["--server-side", "--field-manager", "gitops"]);
    house.deploy(&["--yes"]).exits(0).says(&["nothing to do"]);
}

#[test]
fn what_appeared_at_our_place_is_not_adopted_in_silence() {
    let house = House::small("appeared");
    house.deploy(&["--yes"]).exits(0);
    house.write(NOTE, &config_map("note", "one"));
    let mut prompt = house.begin_at_terminal();
    prompt.hears("[y/N]");
    house.kubectl(&["create", "configmap", "note", "--from-literal", "mine=yes"]);
    prompt.types("y\n");
    prompt
        .end()
        .exits(2)
        .says(&["the cluster changed while the plan waited"]);
    assert_eq!(
        house.field("configmap/note", "/data/text"),
        serde_json::Value::Null
    );
}
