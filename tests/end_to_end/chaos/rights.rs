//! What the ServiceAccount of the runner can do: asked as that account, without doing it.

use super::with_faults;

#[test]
fn the_runner_may_do_what_its_faults_need_and_nothing_else() {
    let house = with_faults(
        "rights",
        "kill-restate, kill-services, stop-services, cut-network",
    );
    let account = format!("system:serviceaccount:{}:longrun-faults", house.name);
    let tries = |arguments: &[&str]| {
        // First: behind `--` it would be a command's.
        let said = house.try_kubectl(&[&["--as", &account], arguments].concat());
        said.err().unwrap_or_default()
    };
    let refused = |arguments: &[&str], why: &str| {
        let said = tries(arguments);
        assert!(said.contains(why), "{arguments:?}: {said:?}");
    };
    house.apply(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: somebodys}, data: {a: b}}",
        &[],
    );
    let of_test = "app.kubernetes.io/component=test";
    let test_pods = || house.kubectl(&["get", "pods", "-l", of_test, "--output", "name"]);
    house.until("a test has a pod", || !test_pods().trim().is_empty());
    let test_pod = test_pods().lines().next().expect("a pod").to_owned();
    let dry = "--dry-run=server";
    refused(
        &["delete", &test_pod, dry],
        "deletes pods of the node and of the services only",
    );
    refused(
        &[
            "delete",
            "pod/restate-0",
            "--grace-period=0",
            "--force",
            dry,
        ],
        "a forced deletion removes the pod",
    );
    refused(
        &["exec", "restate-0", "-c", "observer", "--", "/bin/true"],
        "runs nothing but a signal to restate-server",
    );
    refused(
        &[
            "exec",
            "restate-0",
            "-c",
            "restate",
            "--",
            "/usr/local/bin/verification",
            "signal",
            "KILL",
            "restate-server",
        ],
        "runs nothing but a signal to restate-server",
    );
    let image = r#"{"spec": {"template": {"spec": {"serviceAccountName": "restate"}}}}"#;
    refused(
        &["patch", "deployment/verification", "--patch", image, dry],
        "scales and rolls the services",
    );
    refused(
        &[
            "patch",
            "networkpolicy/allow-service",
            "--patch",
            r#"{"spec": {"podSelector": {"matchExpressions": null}}}"#,
            "--type=merge",
            dry,
        ],
        "shuts and opens the service door",
    );
    for more in [
        r#"{"spec": {"ingress": [{}], "egress": [{}]}}"#,
        r#"{"spec": {"policyTypes": ["Ingress"]}}"#,
        r#"{"metadata": {"finalizers": ["longrun.dev/stays"]}}"#,
    ] {
        refused(
            &[
                "patch",
                "networkpolicy/allow-service",
                "--patch",
                more,
                "--type=merge",
                dry,
            ],
            "shuts and opens the service door",
        );
    }
    for more in [
        r#"{"spec": {"paused": true}}"#,
        r#"{"metadata": {"finalizers": ["longrun.dev/stays"]}}"#,
    ] {
        refused(
            &["patch", "deployment/verification", "--patch", more, dry],
            "scales and rolls the services",
        );
    }
    refused(
        &["create", "configmap", "another", dry],
        "writes its ledger and no other",
    );
    for forbidden in [
        &["delete", "statefulset/restate", dry][..],
        &["delete", "pvc/storage-restate-0", dry],
        &["delete", "configmap/somebodys", dry],
        &["get", "secrets"],
        &["get", "pods", "--namespace", "kube-system"],
        &[
            "patch",
            "networkpolicy/default-deny",
            "--patch",
            "{}",
            "--type=merge",
            dry,
        ],
        &["scale", "statefulset/restate", "--replicas=0"],
    ] {
        refused(forbidden, "orbidden");
    }
    assert_eq!(tries(&["delete", "pod/restate-0", dry]), "");
    let annotation = r#"{"spec": {"replicas": 0}}"#;
    assert_eq!(
        tries(&[
            "patch",
            "deployment/verification",
            "--patch",
            annotation,
            dry
        ]),
        ""
    );
    let shut = r#"{"spec": {"ingress": [], "egress": []}}"#;
    let rules = house.field(
        "networkpolicy/allow-service",
        "/metadata/annotations/longrun~1rules",
    );
    let open = format!("{{\"spec\": {}}}", rules.as_str().expect("rules"));
    for allowed in [shut, &open] {
        assert_eq!(
            tries(&[
                "patch",
                "networkpolicy/allow-service",
                "--patch",
                allowed,
                "--type=merge",
                dry
            ]),
            ""
        );
    }
}
