//! What is rendered for faults, and only where they are asked for.

use longrun_core::render;
use serde_json::{Value, json};

use crate::project::{objects, rendered, rendered_shared};

const COMPONENT: &str = "/metadata/labels/app.kubernetes.io~1component";

fn of_faults(environment: &str) -> Vec<Value> {
    let files = rendered(environment, "dev");
    let faults =
        objects(&files).filter(|object| object.pointer(COMPONENT) == Some(&json!("faults")));
    faults.cloned().collect()
}

fn kind<'a>(objects: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

#[test]
fn the_calm_twin_has_nothing_of_it() {
    assert_eq!(of_faults("restate"), Vec::<Value>::new());
    let files = rendered("restate", "dev").into_iter();
    // The recorder may read a ledger, there or not.
    let others = files.filter(|file| !file.path.contains("recorder/"));
    let text: String = others.map(|file| file.text).collect();
    assert!(
        !text.contains("longrun/chaos") && !text.contains("longrun-fault"),
        "{text}"
    );
}

#[test]
fn each_fault_has_a_minute_of_the_hour() {
    let found = of_faults("restate-chaos");
    let schedules: Vec<String> = kind(&found, "CronJob")
        .map(|object| {
            let name = object["metadata"]["name"].as_str().unwrap();
            format!("{} {name}", object["spec"]["schedule"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        schedules,
        [
            "0 * * * * fault-delete-restate",
            "7 * * * * fault-kill-services",
            "15 * * * * fault-freeze-restate",
            "22 * * * * fault-restart-services",
            "30 * * * * fault-kill-restate",
            "37 * * * * fault-stop-services",
            "45 * * * * fault-cut-network",
            "52 * * * * fault-kill-one-service",
        ]
    );
}

#[test]
fn a_runner_is_confined_once_at_a_time_and_told_to_stop_before_the_next_one() {
    let found = of_faults("restate-chaos");
    for object in kind(&found, "CronJob") {
        let spec = &object["spec"];
        assert_eq!(spec["concurrencyPolicy"], "Forbid", "{object}");
        assert_eq!(spec["startingDeadlineSeconds"], 30, "{object}");
        assert_eq!(spec.get("suspend"), None, "operations write it: {object}");
        let job = &spec["jobTemplate"]["spec"];
        assert_eq!(job["backoffLimit"], 0, "{object}");
        let pod = &job["template"]["spec"];
        let deadline = job["activeDeadlineSeconds"].as_u64().unwrap();
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert!(deadline + grace <= 7 * 60, "{object}");
        assert_eq!(pod["restartPolicy"], "Never", "{object}");
        assert_eq!(pod["serviceAccountName"], "longrun-faults", "{object}");
        let context = &pod["securityContext"];
        assert_eq!(context["runAsNonRoot"], true, "{object}");
        assert_eq!(context["runAsUser"], render::POD_USER, "{object}");
        assert_eq!(
            context["seccompProfile"]["type"], "RuntimeDefault",
            "{object}"
        );
        let container = &pod["containers"][0];
        let context = &container["securityContext"];
        assert_eq!(context["allowPrivilegeEscalation"], false, "{object}");
        assert_eq!(context["readOnlyRootFilesystem"], true, "{object}");
        assert_eq!(
            context["capabilities"],
            json!({"drop": ["ALL"]}),
            "{object}"
        );
        assert!(
            container["resources"]["limits"]["memory"].is_string(),
            "{object}"
        );
    }
}

/// Its rules name what they mean, and the account has its token from its pods alone.
#[test]
fn the_role_is_no_more_than_it_says() {
    let found = of_faults("restate-chaos");
    let role = kind(&found, "Role").next().unwrap();
    for rule in role["rules"].as_array().unwrap() {
        for field in ["apiGroups", "resources", "verbs"] {
            let all = rule[field].as_array().unwrap();
            assert!(!all.is_empty() && !all.contains(&json!("*")), "{rule}");
        }
        let verbs = rule["verbs"].as_array().unwrap();
        let writes = ["update", "patch"]
            .iter()
            .any(|verb| verbs.contains(&json!(verb)));
        assert!(!writes || rule["resourceNames"].is_array(), "{rule}");
    }
    let account = kind(&found, "ServiceAccount").next().unwrap();
    assert_eq!(account["automountServiceAccountToken"], false);
}

/// The admission policy is there before any runner is, in every namespace.
#[test]
fn the_admission_policy_belongs_to_the_cluster() {
    let files = rendered_shared("dev");
    let kinds: Vec<&Value> = objects(&files)
        .filter(|object| object["metadata"]["name"] == "longrun-faults")
        .map(|object| &object["kind"])
        .collect();
    assert_eq!(
        kinds,
        [
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding"
        ]
    );
    let policy = objects(&files).find(|object| object["kind"] == "ValidatingAdmissionPolicy");
    assert_eq!(policy.unwrap()["spec"]["failurePolicy"], "Fail");
}
