//! Whether an object is on the cluster as it is wanted: then applying it changes nothing, and the API server
//! need not be asked what it would make of it.

use alloc::borrow::ToOwned;

use serde_json::{Map, Value};

/// Whether a server-side apply of `desired` by a field manager would leave `live` as it is: what the
/// manager owns of it is all of `desired`, and nothing else. Whoever changes a field takes it over
/// (Kubernetes 1.36: server-side apply), so that what is owned is as it was applied.
///
/// Says no where it cannot tell: when a list is in another order, or a value was written in another form
/// (`1000m` for `1`).
#[must_use]
pub fn is_applied(live: &Value, desired: &Value, manager: &str) -> bool {
    let entries = live.pointer("/metadata/managedFields");
    let entries = entries.and_then(Value::as_array).into_iter().flatten();
    let mut ours = entries.filter(|entry| {
        entry.get("manager").and_then(Value::as_str) == Some(manager)
            && entry.get("operation").and_then(Value::as_str) == Some("Apply")
    });
    // A second entry is of another version of the API or of a subresource.
    let (Some(entry), None) = (ours.next(), ours.next()) else {
        return false;
    };
    entry.get("subresource").is_none()
        && entry.get("apiVersion") == desired.get("apiVersion")
        && entry
            .get("fieldsV1")
            .is_some_and(|owned| is_same(owned, live, &without_name(desired)))
}

/// Who owns a field, by its path in `fieldsV1`.
pub(crate) fn managers<'a>(live: &'a Value, field: &'static str) -> impl Iterator<Item = &'a str> {
    let entries = live.pointer("/metadata/managedFields");
    let entries = entries.and_then(Value::as_array).into_iter().flatten();
    entries
        .filter(move |entry| {
            let fields = entry.get("fieldsV1");
            fields.is_some_and(|fields| fields.pointer(field).is_some())
        })
        .filter_map(|entry| entry.get("manager")?.as_str())
}

/// An object without what nobody owns.
fn without_name(object: &Value) -> Value {
    let mut fields = object.as_object().map_or_else(Map::new, ToOwned::to_owned);
    for field in ["apiVersion", "kind"] {
        fields.shift_remove(field);
    }
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["name", "namespace"] {
            metadata.shift_remove(field);
        }
        if metadata.is_empty() {
            fields.shift_remove("metadata");
        }
    }
    Value::Object(fields)
}

/// Whether the owned part of `live` is `desired` (structured-merge-diff v6: a path is `f:` and a field,
/// `k:` and the keys of a list's item, `v:` and a set's value; `.` is the thing itself, and what has no
/// paths below is owned whole).
fn is_same(owned: &Value, live: &Value, desired: &Value) -> bool {
    let Some(owned) = owned.as_object() else {
        return false;
    };
    let paths = || owned.iter().filter(|(path, _)| *path != ".");
    if paths().next().is_none() {
        return live == desired;
    }
    match (live, desired) {
        (Value::Object(live), Value::Object(desired)) => {
            paths().count() == desired.len()
                && paths().all(|(path, below)| {
                    let key = path.strip_prefix("f:").unwrap_or_default();
                    match (live.get(key), desired.get(key)) {
                        (Some(live), Some(desired)) => is_same(below, live, desired),
                        _ => false,
                    }
                })
        }
        (Value::Array(live), Value::Array(desired)) => {
            let is_at = |path: &str, item: &Value| match path.split_at_checked(2) {
                Some(("k:", keys)) => serde_json::from_str::<Map<_, _>>(keys)
                    .is_ok_and(|keys| keys.iter().all(|(key, value)| item.get(key) == Some(value))),
                Some(("v:", value)) => {
                    serde_json::from_str::<Value>(value).is_ok_and(|value| value == *item)
                }
                _ => false,
            };
            let mut wanted = desired.iter();
            let all_there = live
                .iter()
                .filter_map(|item| Some((item, paths().find(|(path, _)| is_at(path, item))?.1)))
                .all(|(item, below)| {
                    wanted
                        .next()
                        .is_some_and(|wanted| is_same(below, item, wanted))
                });
            all_there && wanted.next().is_none()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn desired() -> Value {
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "here", "labels": {"a.b/c": "d"}},
            "spec": {
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"spec": {
                    "containers": [
                        {"name": "web", "image": "web:1", "ports": [{"containerPort": 80}], "args": ["a", "b"]},
                        {"name": "log", "image": "log:1"},
                    ],
                    "volumes": [{"name": "tmp", "emptyDir": {}}],
                }},
            },
        })
    }

    /// As the API server keeps it: with defaults, with a container that another manager has added, and
    /// with paths in alphabetical order.
    fn live() -> Value {
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "web",
                "namespace": "here",
                "uid": "1",
                "labels": {"a.b/c": "d", "theirs": "yes"},
                "finalizers": ["ours", "theirs"],
                "managedFields": [
                    {"manager": "kubectl", "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:theirs": {}}},
                    }},
                    {"manager": "longrun", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:a.b/c": {}}},
                        "f:spec": {
                            "f:selector": {},
                            "f:template": {"f:spec": {
                                "f:containers": {
                                    "k:{\"name\":\"log\"}": {".": {}, "f:image": {}, "f:name": {}},
                                    "k:{\"name\":\"web\"}": {
                                        ".": {},
                                        "f:args": {},
                                        "f:image": {},
                                        "f:name": {},
                                        "f:ports": {
                                            "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}},
                                        },
                                    },
                                },
                                "f:volumes": {"k:{\"name\":\"tmp\"}": {".": {}, "f:emptyDir": {}, "f:name": {}}},
                            }},
                        },
                    }},
                ],
            },
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"spec": {
                    "containers": [
                        {"name": "web", "image": "web:1", "ports": [{"containerPort": 80, "protocol": "TCP"}], "args": ["a", "b"]},
                        {"name": "theirs", "image": "mesh:1"},
                        {"name": "log", "image": "log:1", "imagePullPolicy": "Always"},
                    ],
                    "volumes": [{"name": "tmp", "emptyDir": {}}],
                }},
            },
            "status": {"replicas": 1},
        })
    }

    #[test]
    fn what_others_and_the_server_have_added_is_no_difference() {
        assert!(is_applied(&live(), &desired(), "longrun"));
    }

    #[test]
    fn every_change_of_what_is_wanted_is_one() {
        let containers = "/spec/template/spec/containers";
        let changes = [
            ("/metadata/labels/a.b~1c", json!("e")),
            ("/metadata/labels", json!({"a.b/c": "d", "new": "label"})),
            ("/metadata/labels", json!({})),
            // Theirs already, and not ours yet.
            ("/metadata/labels", json!({"a.b/c": "d", "theirs": "yes"})),
            ("/spec/selector/matchLabels", json!({"app": "other"})),
            ("/spec/template/spec/containers/0/image", json!("web:2")),
            ("/spec/template/spec/containers/0/args", json!(["b", "a"])),
            (
                "/spec/template/spec/containers/0/ports/0",
                json!({"containerPort": 80, "name": "http"}),
            ),
            (
                "/spec/template/spec/volumes/0",
                json!({"name": "tmp", "emptyDir": {"medium": "Memory"}}),
            ),
            ("/spec/template/spec/volumes", json!([])),
            (
                containers,
                json!([desired().pointer(containers).unwrap()[0]]),
            ),
            (
                containers,
                json!([
                    desired().pointer(containers).unwrap()[1],
                    desired().pointer(containers).unwrap()[0]
                ]),
            ),
            (
                "/spec/template/spec/volumes",
                json!([{"name": "tmp", "emptyDir": {}}, {"name": "new", "emptyDir": {}}]),
            ),
            ("/apiVersion", json!("apps/v2")),
        ];
        for (pointer, value) in changes {
            let mut wanted = desired();
            *wanted.pointer_mut(pointer).unwrap() = value.clone();
            assert!(
                !is_applied(&live(), &wanted, "longrun"),
                "{pointer}: {value}"
            );
        }
        let mut wanted = desired();
        wanted["spec"]["replicas"] = json!(1);
        assert!(
            !is_applied(&live(), &wanted, "longrun"),
            "a field that the server had a default for"
        );
    }

    #[test]
    fn a_field_that_somebody_has_taken_over_is_a_difference() {
        let mut taken = live();
        taken["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web:1");
        taken
            .pointer_mut("/metadata/managedFields/1/fieldsV1/f:spec/f:template/f:spec/f:containers/k:{\"name\":\"web\"}")
            .and_then(Value::as_object_mut)
            .unwrap()
            .shift_remove("f:image");
        assert!(!is_applied(&taken, &desired(), "longrun"));
    }

    #[test]
    fn without_one_clear_record_nothing_is_known() {
        assert!(
            !is_applied(&live(), &desired(), "kubectl"),
            "an update is no apply"
        );
        let mut twice = live();
        let entries = twice["metadata"]["managedFields"].as_array_mut().unwrap();
        entries.push(json!({"manager": "longrun", "operation": "Apply", "apiVersion": "apps/v1beta1", "fieldsV1": {}}));
        assert!(
            !is_applied(&twice, &desired(), "longrun"),
            "two versions of the API"
        );
        let mut stripped = live();
        stripped["metadata"]["managedFields"] = json!([]);
        assert!(
            !is_applied(&stripped, &desired(), "longrun"),
            "somebody removed it"
        );
    }

    #[test]
    fn the_values_of_a_set_are_told_apart() {
        let wanted = |finalizers: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "finalizers": finalizers}});
        let mut live = wanted(json!(["theirs", "a", "b"]));
        live["metadata"]["managedFields"] = json!([{"manager": "longrun", "operation": "Apply", "apiVersion": "v1",
            "fieldsV1": {"f:metadata": {"f:finalizers": {"v:\"a\"": {}, "v:\"b\"": {}}}}}]);
        assert!(is_applied(&live, &wanted(json!(["a", "b"])), "longrun"));
        assert!(!is_applied(&live, &wanted(json!(["a"])), "longrun"));
        assert!(!is_applied(
            &live,
            &wanted(json!(["a", "theirs"])),
            "longrun"
        ));
    }
}
