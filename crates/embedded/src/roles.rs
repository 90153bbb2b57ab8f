//! What the cluster's own components may do, where Kubernetes has no role for
//! them. Taken from each component's documentation, less what is not used here.

use serde_json::{Value, json};

/// API group, resources, verbs; `|` separates.
type Rule = (&'static str, &'static str, &'static str);

const READ: &str = "get|list|watch";
const EVENTS: Rule = ("", "events", "get|list|watch|create|update|patch");

/// A component's user is `longrun:` and its name.
const ROLES: [(&str, &[Rule]); 6] = [
    (
        "coredns",
        &[
            ("", "services|namespaces", "list|watch"),
            ("discovery.k8s.io", "endpointslices", "list|watch"),
        ],
    ),
    (
        "csi-provisioner",
        &[
            EVENTS,
            (
                "",
                "persistentvolumes",
                "get|list|watch|create|patch|delete",
            ),
            ("", "persistentvolumeclaims", "get|list|watch|update"),
            ("", "nodes|pods", READ),
            (
                "storage.k8s.io",
                "storageclasses|csinodes|volumeattachments|volumeattributesclasses",
                READ,
            ),
            (
                "snapshot.storage.k8s.io",
                "volumesnapshots|volumesnapshotcontents",
                "get|list",
            ),
        ],
    ),
    (
        "csi-resizer",
        &[
            EVENTS,
            ("", "persistentvolumes", "get|list|watch|patch"),
            ("", "persistentvolumeclaims|pods", READ),
            ("", "persistentvolumeclaims/status", "patch"),
            (
                "storage.k8s.io",
                "storageclasses|volumeattributesclasses",
                READ,
            ),
        ],
    ),
    (
        "csi-snapshotter",
        &[
            EVENTS,
            // Those that a class names, for the driver.
            ("", "secrets", "get"),
            ("snapshot.storage.k8s.io", "volumesnapshotclasses", READ),
            (
                "snapshot.storage.k8s.io",
                "volumesnapshotcontents",
                "get|list|watch|update|patch",
            ),
            (
                "snapshot.storage.k8s.io",
                "volumesnapshotcontents/status",
                "update|patch",
            ),
        ],
    ),
    (
        "network-policies",
        &[
            ("", "pods|namespaces", "list|watch"),
            ("networking.k8s.io", "networkpolicies", "list|watch"),
        ],
    ),
    (
        "snapshot-controller",
        &[
            EVENTS,
            ("", "persistentvolumes|nodes", READ),
            ("", "persistentvolumeclaims", "get|list|watch|update"),
            ("snapshot.storage.k8s.io", "volumesnapshotclasses", READ),
            (
                "snapshot.storage.k8s.io",
                "volumesnapshots",
                "get|list|watch|create|update|patch|delete",
            ),
            (
                "snapshot.storage.k8s.io",
                "volumesnapshotcontents",
                "get|list|watch|create|update|patch|delete",
            ),
            (
                "snapshot.storage.k8s.io",
                "volumesnapshots/status|volumesnapshotcontents/status",
                "update|patch",
            ),
        ],
    ),
];

/// A list of roles and their bindings, for `kubectl apply`.
pub(crate) fn objects() -> Value {
    let mut items: Vec<Value> = ROLES
        .iter()
        .flat_map(|(component, rules)| {
            [role(component, rules), binding(component, &name(component))]
        })
        .collect();
    // For logs and exec: Kubernetes has the role but does not bind it.
    items.push(binding("apiserver", "system:kubelet-api-admin"));
    json!({ "apiVersion": "v1", "kind": "List", "items": items })
}

fn name(component: &str) -> String {
    format!("longrun:{component}")
}

fn role(component: &str, rules: &[Rule]) -> Value {
    let split = |text: &str| text.split('|').map(String::from).collect::<Vec<_>>();
    let rules: Vec<Value> = rules
        .iter()
        .map(|(group, resources, verbs)| {
            json!({ "apiGroups": [group], "resources": split(resources), "verbs": split(verbs) })
        })
        .collect();
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": name(component) },
        "rules": rules,
    })
}

fn binding(component: &str, role: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": name(component) },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name(component) }],
    })
}
