//! Where the API server keeps an object: paths without a discovery round trip.

use longrun_core::object::ObjectRef;

/// The objects of one kind, in one namespace or in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Collection {
    /// `v1`, `apps/v1`, …
    pub(crate) api_version: String,
    /// `Pod`, …
    pub(crate) kind: String,
    /// Absent for cluster-scoped kinds.
    pub(crate) namespace: Option<String>,
}

impl Collection {
    pub(crate) fn in_namespace(api_version: &str, kind: &str, namespace: &str) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: Some(namespace.to_owned()),
        }
    }

    pub(crate) fn of(object: &ObjectRef) -> Self {
        Self {
            api_version: object.api_version.clone(),
            kind: object.kind.clone(),
            namespace: object.namespace.clone(),
        }
    }

    pub(crate) fn path(&self) -> String {
        let root = if self.api_version.contains('/') {
            "apis"
        } else {
            "api"
        };
        let version = &self.api_version;
        let kinds = plural(&self.kind);
        match &self.namespace {
            Some(namespace) => {
                let namespace = encode(namespace);
                format!("/{root}/{version}/namespaces/{namespace}/{kinds}")
            }
            None => format!("/{root}/{version}/{kinds}"),
        }
    }
}

/// The path of one object.
pub(crate) fn path(object: &ObjectRef) -> String {
    format!("{}/{}", Collection::of(object).path(), encode(&object.name))
}

/// What a kind is called in paths and in rules of Roles: English plurals in lower case.
pub(crate) fn plural(kind: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    let vowel_before_y = ["ay", "ey", "iy", "oy", "uy"];
    if kind == "endpoints" {
        kind
    } else if kind.ends_with('y') && !vowel_before_y.iter().any(|end| kind.ends_with(end)) {
        format!("{}ies", &kind[..kind.len() - 1])
    } else if ["s", "x", "z", "ch", "sh"]
        .iter()
        .any(|end| kind.ends_with(end))
    {
        format!("{kind}es")
    } else {
        format!("{kind}s")
    }
}

/// Percent-encodes what has a meaning in a path or a query. Names of RBAC objects may hold a colon.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_plurals_that_the_api_server_serves() {
        // As `kubectl api-resources` of Kubernetes 1.36 lists them.
        let served = [
            ("ConfigMap", "configmaps"),
            ("CSIDriver", "csidrivers"),
            ("CustomResourceDefinition", "customresourcedefinitions"),
            ("Endpoints", "endpoints"),
            ("EndpointSlice", "endpointslices"),
            ("Ingress", "ingresses"),
            ("Gateway", "gateways"),
            ("NetworkPolicy", "networkpolicies"),
            ("PodDisruptionBudget", "poddisruptionbudgets"),
            ("PriorityClass", "priorityclasses"),
            ("StorageClass", "storageclasses"),
            ("ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
            ("VolumeSnapshotClass", "volumesnapshotclasses"),
        ];
        for (kind, expected) in served {
            assert_eq!(plural(kind), expected);
        }
    }

    #[test]
    fn paths_follow_group_and_scope() {
        let check = |api_version: &str, kind: &str, namespace: Option<&str>, name: &str| {
            path(&ObjectRef {
                api_version: api_version.to_owned(),
                kind: kind.to_owned(),
                namespace: namespace.map(str::to_owned),
                name: name.to_owned(),
            })
        };
        assert_eq!(
            check("v1", "Namespace", None, "restate"),
            "/api/v1/namespaces/restate"
        );
        assert_eq!(
            check("v1", "Pod", Some("restate"), "restate-0"),
            "/api/v1/namespaces/restate/pods/restate-0"
        );
        assert_eq!(
            check("apps/v1", "StatefulSet", Some("restate"), "restate"),
            "/apis/apps/v1/namespaces/restate/statefulsets/restate"
        );
        assert_eq!(
            check(
                "rbac.authorization.k8s.io/v1",
                "ClusterRole",
                None,
                "system:x"
            ),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:x"
        );
    }

    #[test]
    fn a_name_cannot_leave_its_place() {
        assert_eq!(encode("../secrets?x=1"), "..%2Fsecrets%3Fx%3D1");
    }
}
