//! Kubernetes' rules for NetworkPolicies, one by one.

use longrun_core::network::{Network, Place, Pod, Port, pods};
use serde_json::{Value, json};

fn pod(namespace: &str, component: &str) -> Pod {
    Pod {
        title: component.to_owned(),
        namespace: namespace.to_owned(),
        labels: [("component".to_owned(), component.to_owned())].into(),
        ports: [Port {
            number: 8080,
            protocol: "TCP".to_owned(),
            name: Some("http".to_owned()),
        }]
        .into(),
    }
}

fn policy(spec: &Value) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "a"}, "spec": spec})
}

/// Whether client, in the namespace that is given, reaches TCP 8080 of server in namespace `a`.
fn reaches(specs: &[Value], namespace: &str) -> bool {
    let objects: Vec<Value> = specs.iter().map(policy).collect();
    let mut network = Network::new(&objects).unwrap();
    network.add_namespace("a", [].into());
    network.add_namespace("b", [("team".to_owned(), "b".to_owned())].into());
    let (client, server) = (pod(namespace, "client"), pod("a", "server"));
    network.lets_through(Place::Pod(&client), Place::Pod(&server), 8080, "TCP")
}

#[test]
fn pods_are_open_until_a_policy_selects_them() {
    assert!(reaches(&[], "a"));
    assert!(reaches(
        &[
            json!({"podSelector": {"matchLabels": {"component": "other"}}, "policyTypes": ["Ingress"]})
        ],
        "a"
    ));
    assert!(!reaches(
        &[json!({"podSelector": {}, "policyTypes": ["Ingress"]})],
        "a"
    ));
    assert!(
        !reaches(
            &[json!({"podSelector": {}, "policyTypes": ["Egress"]})],
            "a"
        ),
        "both ends count"
    );
    assert!(
        reaches(
            &[json!({"podSelector": {}, "policyTypes": ["Egress"]})],
            "b"
        ),
        "only in its own namespace"
    );
}

#[test]
fn without_types_a_policy_governs_ingress_and_what_it_has_rules_for() {
    assert!(!reaches(&[json!({"podSelector": {}})], "b"));
    let server_may_leave =
        json!({"podSelector": {"matchLabels": {"component": "client"}}, "egress": []});
    assert!(!reaches(&[server_may_leave], "a"));
}

#[test]
fn policies_add_up() {
    let deny = json!({"podSelector": {}, "policyTypes": ["Ingress"]});
    for (rule, from_a, from_b) in [
        (json!({}), true, true),
        (json!({"from": [], "ports": []}), true, true),
        (json!({"from": [{"podSelector": {}}]}), true, false),
        (
            json!({"from": [{"podSelector": {"matchLabels": {"component": "other"}}}]}),
            false,
            false,
        ),
        (json!({"from": [{"namespaceSelector": {}}]}), true, true),
        (
            json!({"from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}}]}),
            false,
            true,
        ),
        (
            json!({"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "b"}}, "podSelector": {"matchLabels": {"component": "client"}}}]}),
            false,
            true,
        ),
        (
            json!({"from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}, "podSelector": {"matchLabels": {"component": "other"}}}]}),
            false,
            false,
        ),
        (
            json!({"from": [{"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Exists"}]}}]}),
            false,
            true,
        ),
        (
            json!({"from": [{"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}}]}),
            true,
            false,
        ),
        (
            json!({"from": [{"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["b"]}]}}]}),
            true,
            false,
        ),
        (
            json!({"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}),
            false,
            false,
        ),
        (json!({"ports": [{"port": 8080}]}), true, true),
        (
            json!({"ports": [{"port": 8080, "protocol": "UDP"}]}),
            false,
            false,
        ),
        (json!({"ports": [{"port": 8081}]}), false, false),
        (
            json!({"ports": [{"port": 8000, "endPort": 8080}]}),
            true,
            true,
        ),
        (
            json!({"ports": [{"port": 8000, "endPort": 8079}]}),
            false,
            false,
        ),
        (json!({"ports": [{"port": "http"}]}), true, true),
        (json!({"ports": [{"port": "admin"}]}), false, false),
        (json!({"ports": [{}]}), true, true),
    ] {
        let open =
            json!({"podSelector": {"matchLabels": {"component": "server"}}, "ingress": [rule]});
        let specs = [deny.clone(), open];
        assert_eq!(reaches(&specs, "a"), from_a, "from a: {rule}");
        assert_eq!(reaches(&specs, "b"), from_b, "from b: {rule}");
    }
}

#[test]
fn addresses_are_in_blocks_or_not() {
    let server = pod("a", "server");
    let to = |cidr: &str, except: &[&str], address: &str| {
        let block = json!({"cidr": cidr, "except": except});
        let objects = [policy(
            &json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": block}]}]}),
        )];
        let address = address.parse().unwrap();
        Network::new(&objects).unwrap().lets_through(
            Place::Pod(&server),
            Place::Address(address),
            443,
            "TCP",
        )
    };
    assert!(to("10.0.0.0/8", &[], "10.255.0.1"));
    assert!(!to("10.0.0.0/8", &[], "11.0.0.1"));
    assert!(!to("10.0.0.0/8", &["10.96.0.0/16"], "10.96.0.1"));
    assert!(to("0.0.0.0/0", &[], "203.0.113.7"));
    assert!(!to("0.0.0.0/0", &[], "2001:db8::1"));
    assert!(to("::/0", &[], "2001:db8::1"));
    assert!(to("2001:db8::/32", &[], "2001:db8:1::1"));
    assert!(to("10.1.2.3/32", &[], "10.1.2.3"));
    assert!(!to("10.1.2.3/32", &[], "10.1.2.4"));
    assert!(!to("10.0.0.0/33", &[], "10.0.0.0"), "unreadable");
}

#[test]
fn pods_come_from_workloads() {
    let template = json!({"metadata": {"labels": {"component": "test"}}, "spec": {"containers": [
        {"name": "c", "ports": [{"containerPort": 8080, "name": "http"}, {"containerPort": 53, "protocol": "UDP"}]},
    ]}});
    let objects = [
        json!({"kind": "CronJob", "metadata": {"name": "test", "namespace": "a"}, "spec": {"jobTemplate": {"spec": {"template": template}}}}),
        json!({"kind": "Service", "metadata": {"name": "s", "namespace": "a"}, "spec": {}}),
    ];
    let pods = pods(&objects);
    assert_eq!(pods.len(), 1);
    assert_eq!(pods[0].title, "CronJob test");
    assert_eq!(pods[0].labels["component"], "test");
    assert_eq!(pods[0].ports.len(), 2);
}
