//! Templates and code agree on names: what the code looks for is rendered under that name.

use std::collections::BTreeSet;

use longrun_core::names::{
    CHAOS_LABEL, CLAIM, COMPONENT_LABEL, DISCOVER, FAULTS, FAULTS_ACCOUNT, LEASE, LEDGER, NODE,
    OBSERVER, PAUSE, RECORDER, RULES_ANNOTATION, SERVICE, SERVICE_POLICY, TEST,
};
use serde_json::Value;

use crate::project::{objects, rendered};

fn find<'a>(all: &'a [Value], kind: &str, name: &str) -> &'a Value {
    all.iter()
        .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("no {kind} {name} is rendered"))
}

fn names(list: &Value) -> BTreeSet<&str> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|item| item["name"].as_str()).collect()
}

#[test]
fn what_the_code_looks_for_is_rendered_under_that_name() {
    let all: Vec<Value> = objects(&rendered("restate-chaos", "local"))
        .cloned()
        .collect();
    for (kind, name, pod, containers) in [
        ("StatefulSet", NODE, "/spec/template", &[NODE, OBSERVER][..]),
        ("Deployment", SERVICE, "/spec/template", &[SERVICE]),
        ("Deployment", RECORDER, "/spec/template", &[RECORDER]),
        ("Job", DISCOVER, "/spec/template", &[DISCOVER]),
        ("CronJob", TEST, "/spec/jobTemplate/spec/template", &[TEST]),
    ] {
        let template = find(&all, kind, name).pointer(pod).unwrap();
        let wanted: BTreeSet<&str> = containers.iter().copied().collect();
        assert_eq!(names(&template["spec"]["containers"]), wanted, "{name}");
        assert_eq!(template["metadata"]["labels"][COMPONENT_LABEL], name);
    }
    let set = find(&all, "StatefulSet", NODE);
    let template = &set["spec"]["volumeClaimTemplates"][0]["metadata"]["name"];
    let made = format!("{}-{NODE}-0", template.as_str().unwrap());
    assert_eq!(made, CLAIM);
    let policy = find(&all, "NetworkPolicy", SERVICE_POLICY);
    let rules = &policy["metadata"]["annotations"][RULES_ANNOTATION];
    let rules: Value = serde_json::from_str(rules.as_str().unwrap()).unwrap();
    assert_eq!(rules["ingress"], policy["spec"]["ingress"]);
    assert_eq!(rules["egress"], policy["spec"]["egress"]);
    let account = find(&all, "ServiceAccount", FAULTS_ACCOUNT);
    assert_eq!(account["metadata"]["labels"][COMPONENT_LABEL], FAULTS);
    let environment = all.iter().find(|object| object["kind"] == "Namespace");
    assert_eq!(
        environment.unwrap()["metadata"]["labels"][CHAOS_LABEL],
        "true"
    );
}

#[test]
fn the_recorder_may_read_what_it_is_written_in() {
    let all: Vec<Value> = objects(&rendered("restate-chaos", "local"))
        .cloned()
        .collect();
    let rules = &find(&all, "Role", RECORDER)["rules"];
    let rules = rules.as_array().unwrap().iter();
    let named: BTreeSet<&str> = rules
        .flat_map(|rule| rule["resourceNames"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    let known = BTreeSet::from([CLAIM, LEASE, LEDGER, PAUSE]);
    assert!(
        named.contains(LEDGER) && named.is_subset(&known),
        "{named:?}"
    );
}
