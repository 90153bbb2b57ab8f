//! What the project's own pods, Jobs and sets promise.

use longrun_core::render;
use serde_json::Value;

use crate::project::{objects, rendered};

fn pod_specs(object: &Value) -> Option<&Value> {
    object
        .pointer("/spec/jobTemplate/spec/template/spec")
        .or_else(|| object.pointer("/spec/template/spec"))
}

/// Pod Security "restricted", Kubernetes 1.36, and what it leaves open. The API server enforces the former
/// at admission; this says it before.
#[test]
fn every_pod_is_confined() {
    let mut seen = 0;
    for object in objects(&rendered("restate", "local")) {
        let Some(pod) = pod_specs(object) else {
            continue;
        };
        let title = &object["metadata"]["name"];
        assert_eq!(pod["automountServiceAccountToken"], false, "{title}");
        assert_eq!(pod["enableServiceLinks"], false, "{title}");
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{title}");
        assert_eq!(
            pod["securityContext"]["runAsUser"],
            render::POD_USER,
            "{title}"
        );
        assert_eq!(
            pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault",
            "{title}"
        );
        for volume in pod["volumes"].as_array().into_iter().flatten() {
            assert!(volume["emptyDir"].is_object(), "{title}: {volume}");
        }
        for container in pod["containers"].as_array().unwrap() {
            seen += 1;
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false, "{title}");
            assert_eq!(context["readOnlyRootFilesystem"], true, "{title}");
            assert_eq!(
                context["capabilities"]["drop"],
                serde_json::json!(["ALL"]),
                "{title}"
            );
            assert!(
                container["resources"]["limits"]["memory"].is_string(),
                "{title}"
            );
            assert!(
                container["resources"]["limits"].get("cpu").is_none(),
                "{title}"
            );
            assert!(
                container["resources"]["requests"]["cpu"].is_string(),
                "{title}"
            );
        }
    }
    assert_eq!(seen, 5, "node, observer, service, discover, test");
}

/// A field that operations change has no second owner; and nothing deletes a failed test's pods.
#[test]
fn templates_leave_out_what_is_not_theirs() {
    for object in objects(&rendered("restate", "dev")) {
        let spec = &object["spec"];
        match object["kind"].as_str().unwrap() {
            "CronJob" => {
                assert!(spec.get("suspend").is_none());
                assert_eq!(spec["startingDeadlineSeconds"], 30);
                let job = &spec["jobTemplate"]["spec"];
                assert!(
                    job.get("ttlSecondsAfterFinished").is_none()
                        && job.get("activeDeadlineSeconds").is_none()
                );
            }
            "StatefulSet" => {
                assert!(spec.get("replicas").is_none());
                assert_eq!(spec["podManagementPolicy"], "Parallel");
            }
            "Job" => assert!(spec.get("ttlSecondsAfterFinished").is_none()),
            _ => {}
        }
    }
}

/// Both environments, with four tests each under way, leave most of two processors to be used.
#[test]
fn requests_fit_on_two_processors() {
    let millis = |text: &str| {
        text.strip_suffix('m').map_or_else(
            || text.parse::<u32>().unwrap() * 1000,
            |m| m.parse().unwrap(),
        )
    };
    let mut sum = 0;
    for environment in ["restate", "restate-chaos"] {
        for object in objects(&rendered(environment, "local")) {
            let Some(pod) = pod_specs(object) else {
                continue;
            };
            let pods = match object["kind"].as_str() {
                Some("CronJob") => 4,
                _ => object["spec"]["replicas"].as_u64().unwrap_or(1),
            };
            for container in pod["containers"].as_array().unwrap() {
                sum += u32::try_from(pods).unwrap()
                    * millis(container["resources"]["requests"]["cpu"].as_str().unwrap());
            }
        }
    }
    assert!(sum <= 500, "{sum}m");
}
