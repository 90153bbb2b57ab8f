//! What the project's own objects promise: every choice that is fixed from day one, by name.

use longrun_core::render;
use serde_json::{Value, json};

use crate::project::{objects, rendered};

/// An object of `restate`, as it is on a shared cluster.
fn object(kind: &str, name: &str) -> Value {
    objects(&rendered("restate", "dev"))
        .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("there is no {kind} {name}"))
        .clone()
}

/// An object says exactly this at these places; `null` where nothing may be.
pub(crate) fn says(kind: &str, name: &str, promises: &[(&str, Value)]) {
    let object = object(kind, name);
    for (pointer, promised) in promises {
        let found = object.pointer(pointer).unwrap_or(&Value::Null);
        assert_eq!(found, promised, "{kind} {name}: {pointer}");
    }
}

fn pod_specs(object: &Value) -> Option<&Value> {
    object
        .pointer("/spec/jobTemplate/spec/template/spec")
        .or_else(|| object.pointer("/spec/template/spec"))
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers"]
        .into_iter()
        .flat_map(|list| pod[list].as_array().into_iter().flatten())
}

/// The environment variables of a container that are given as texts.
fn variables(container: &Value) -> impl Iterator<Item = (&str, &str)> {
    let list = container["env"].as_array().into_iter().flatten();
    list.filter_map(|variable| Some((variable["name"].as_str()?, variable["value"].as_str()?)))
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
        let asks = title == "recorder";
        assert_eq!(pod["automountServiceAccountToken"], asks, "{title}");
        assert_eq!(pod["enableServiceLinks"], false, "{title}");
        for shared in ["hostNetwork", "hostPID", "hostIPC"] {
            assert!(pod.get(shared).is_none(), "{title}: {shared}");
        }
        let context = &pod["securityContext"];
        assert_eq!(context["runAsNonRoot"], true, "{title}");
        assert_eq!(context["runAsUser"], render::POD_USER, "{title}");
        assert_eq!(
            context["seccompProfile"]["type"], "RuntimeDefault",
            "{title}"
        );
        for volume in pod["volumes"].as_array().into_iter().flatten() {
            let own = volume["persistentVolumeClaim"]["claimName"] == *title;
            assert!(own || volume["emptyDir"].is_object(), "{title}: {volume}");
        }
        for container in containers(pod) {
            seen += 1;
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false, "{title}");
            assert_eq!(context["readOnlyRootFilesystem"], true, "{title}");
            assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}), "{title}");
            let resources = &container["resources"];
            assert!(resources["limits"]["memory"].is_string(), "{title}");
            assert!(resources["limits"].get("cpu").is_none(), "{title}");
            assert!(resources["requests"]["cpu"].is_string(), "{title}");
            assert!(resources["requests"]["memory"].is_string(), "{title}");
        }
    }
    assert_eq!(seen, 6, "node, observer, service, discover, test, recorder");
    says(
        "Namespace",
        "restate",
        &[(
            "/metadata/labels/pod-security.kubernetes.io~1enforce",
            json!("restricted"),
        )],
    );
}

/// One pod has a token, and so one role is there; each has an account of its own, so that one can get a role without
/// the others.
#[test]
fn no_pod_but_the_recorder_may_ask_the_api_server_for_anything() {
    let files = rendered("restate", "dev");
    let mut accounts = Vec::new();
    for object in objects(&files) {
        let kind = object["kind"].as_str().unwrap();
        assert!(
            !kind.contains("Role") || object["metadata"]["name"] == "recorder",
            "{object}"
        );
        if let Some(pod) = pod_specs(object) {
            accounts.push(pod["serviceAccountName"].as_str().unwrap());
        }
    }
    accounts.sort_unstable();
    assert_eq!(
        accounts,
        ["discover", "recorder", "restate", "test", "verification"]
    );
    for account in accounts {
        let token = [("/automountServiceAccountToken", json!(false))];
        says("ServiceAccount", account, &token);
    }
}

/// Whose an object is and what it belongs to can be told of everything, pods and claims included.
#[test]
fn every_label_set_says_environment_and_component() {
    fn label_sets<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
        let children: Vec<&Value> = match value {
            Value::Object(fields) => {
                found.extend(fields.get("metadata").map(|metadata| &metadata["labels"]));
                fields.values().collect()
            }
            Value::Array(items) => items.iter().collect(),
            _ => return,
        };
        for child in children {
            label_sets(child, found);
        }
    }
    for object in objects(&rendered("restate-chaos", "dev")) {
        let mut found = Vec::new();
        label_sets(object, &mut found);
        let component = &found[0]["app.kubernetes.io/component"];
        for labels in &found {
            assert!(component.is_string(), "{object}");
            assert_eq!(&labels["app.kubernetes.io/component"], component);
            assert_eq!(&labels["app.kubernetes.io/name"], component);
            assert_eq!(labels["app.kubernetes.io/managed-by"], "longrun");
            assert_eq!(labels["longrun/environment"], "restate-chaos");
        }
        let expected = match object["kind"].as_str().unwrap() {
            "Deployment" | "Job" => 2,
            "CronJob" | "StatefulSet" => 3,
            _ => 1,
        };
        assert_eq!(found.len(), expected, "{object}");
    }
}

#[test]
fn the_node() {
    says(
        "StatefulSet",
        "restate",
        &[
            // Operations stop and start it.
            ("/spec/replicas", Value::Null),
            ("/spec/podManagementPolicy", json!("Parallel")),
            (
                "/spec/persistentVolumeClaimRetentionPolicy",
                json!({"whenDeleted": "Retain", "whenScaled": "Retain"}),
            ),
            ("/spec/template/spec/shareProcessNamespace", json!(true)),
            // A minute of its own, and then some.
            (
                "/spec/template/spec/terminationGracePeriodSeconds",
                json!(75),
            ),
            ("/spec/template/spec/containers/0/name", json!("restate")),
            ("/spec/template/spec/containers/1/name", json!("observer")),
            ("/spec/template/spec/containers/2", Value::Null),
            (
                "/spec/template/spec/containers/0/startupProbe/httpGet/path",
                json!("/restate/health"),
            ),
            (
                "/spec/template/spec/containers/0/readinessProbe/httpGet/path",
                json!("/restate/health"),
            ),
            // A node that hangs is a finding.
            (
                "/spec/template/spec/containers/0/livenessProbe",
                Value::Null,
            ),
            // Every partition has a leader.
            (
                "/spec/template/spec/containers/1/readinessProbe/httpGet",
                json!({"path": "/ready", "port": "observer"}),
            ),
            (
                "/spec/template/spec/containers/0/volumeMounts/0",
                json!({"name": "storage", "mountPath": "/target"}),
            ),
            (
                "/spec/template/spec/containers/1/volumeMounts",
                json!([{"name": "storage", "mountPath": "/target", "readOnly": true}]),
            ),
            (
                "/spec/volumeClaimTemplates/0/metadata/name",
                json!("storage"),
            ),
            (
                "/spec/volumeClaimTemplates/0/spec/storageClassName",
                json!("longrun-gp3"),
            ),
        ],
    );
    let set = object("StatefulSet", "restate");
    let variables: Vec<_> = variables(&set["spec"]["template"]["spec"]["containers"][0]).collect();
    for wanted in [
        ("RESTATE_BASE_DIR", "/target"),
        ("RESTATE_NODE_NAME", "db"),
        ("RESTATE_SHUTDOWN_TIMEOUT", "1m"),
        ("RESTATE_LOG_FORMAT", "json"),
        ("DO_NOT_TRACK", "1"),
    ] {
        assert!(variables.contains(&wanted), "{wanted:?}");
    }
    says(
        "Service",
        "restate",
        &[(
            "/spec/selector",
            json!({"app.kubernetes.io/component": "restate"}),
        )],
    );
}

/// What the template gives cannot be given by an environment as well.
#[test]
fn no_setting_is_given_twice() {
    let set = object("StatefulSet", "restate");
    let node = &set["spec"]["template"]["spec"]["containers"][0];
    let given: Vec<&str> = variables(node)
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("RESTATE_"))
        .collect();
    assert_eq!(given.len(), 8);
    for name in given {
        let text = format!("name: a\ncluster: dev\nrestate: {{settings: {{{name}: x}}}}\n");
        let error = longrun_core::inputs::parse_environment("a.yaml", &text).unwrap_err();
        assert_eq!(error.message, format!("`{name}` would appear twice"));
    }
}

#[test]
fn the_service() {
    let selected = json!({"matchLabels": {"app.kubernetes.io/component": "verification"}});
    let spread = |key: &str| json!({"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selected});
    says(
        "Deployment",
        "verification",
        &[
            ("/spec/replicas", json!(3)),
            ("/spec/selector", selected.clone()),
            (
                "/spec/template/spec/topologySpreadConstraints",
                json!([
                    spread("kubernetes.io/hostname"),
                    spread("topology.kubernetes.io/zone")
                ]),
            ),
            // 3 s until nothing new comes, and up to 10 s for what runs.
            (
                "/spec/template/spec/containers/0/lifecycle/preStop/sleep/seconds",
                json!(3),
            ),
            (
                "/spec/template/spec/terminationGracePeriodSeconds",
                json!(20),
            ),
            // The service itself speaks HTTP/2 only.
            (
                "/spec/template/spec/containers/0/readinessProbe/httpGet",
                json!({"path": "/ready", "port": "health"}),
            ),
        ],
    );
    says(
        "PodDisruptionBudget",
        "verification",
        &[
            ("/spec/maxUnavailable", json!(1)),
            ("/spec/selector", selected),
        ],
    );
    says(
        "Service",
        "verification",
        &[("/spec/ports/0/appProtocol", json!("kubernetes.io/h2c"))],
    );
}

#[test]
fn the_jobs() {
    says(
        "CronJob",
        "test",
        &[
            ("/spec/schedule", json!("* * * * *")),
            ("/spec/timeZone", json!("Etc/UTC")),
            ("/spec/concurrencyPolicy", json!("Allow")),
            ("/spec/failedJobsHistoryLimit", json!(10)),
            ("/spec/successfulJobsHistoryLimit", json!(3)),
            ("/spec/jobTemplate/spec/backoffLimit", json!(6)),
            (
                "/spec/jobTemplate/spec/template/spec/restartPolicy",
                json!("Never"),
            ),
            // The whole id of the program; its seed is the name of the Job.
            (
                "/spec/jobTemplate/spec/template/spec/containers/0/args/0",
                json!("v1-s300-all-$(TEST_JOB)"),
            ),
            (
                "/spec/jobTemplate/spec/template/spec/containers/0/env/0/valueFrom/fieldRef/fieldPath",
                json!("metadata.labels['batch.kubernetes.io/job-name']"),
            ),
        ],
    );
    says(
        "Job",
        "discover",
        &[("/spec/template/spec/restartPolicy", json!("Never"))],
    );
    let files = rendered("restate", "dev");
    for object in objects(&files) {
        let spec = &object["spec"];
        let job = match object["kind"].as_str().unwrap() {
            "CronJob" => {
                // Operations pause it, and what was missed meanwhile does not start at once.
                assert!(spec.get("suspend").is_none(), "{object}");
                assert_eq!(spec["startingDeadlineSeconds"], 30, "{object}");
                &spec["jobTemplate"]["spec"]
            }
            "Job" => spec,
            _ => continue,
        };
        // Nothing deletes the pods of a failed one, and with them the logs.
        for deletes in ["ttlSecondsAfterFinished", "activeDeadlineSeconds"] {
            assert!(job.get(deletes).is_none(), "{object}");
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
                // No two faults at a time.
                Some("CronJob")
                    if object["metadata"]["labels"]["app.kubernetes.io/component"] == "faults" =>
                {
                    u64::from(object["metadata"]["name"] == "fault-kill-restate")
                }
                Some("CronJob") => 4,
                _ => object["spec"]["replicas"].as_u64().unwrap_or(1),
            };
            for container in containers(pod) {
                sum += u32::try_from(pods).unwrap()
                    * millis(container["resources"]["requests"]["cpu"].as_str().unwrap());
            }
        }
    }
    assert!(sum <= 500, "{sum}m");
}
