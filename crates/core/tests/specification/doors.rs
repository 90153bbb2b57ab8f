//! The doors of the project's own network policies, and that nothing else is open.

use longrun_core::network::{Network, Place, Pod, Port, pods};
use serde_json::Value;

use crate::project::{objects, rendered};

/// Who may connect to what, both environments side by side on a cluster that collects metrics. What is not
/// in the table is refused.
#[test]
fn every_door_and_no_other() {
    let (calm, chaos) = (rendered("restate", "dev"), rendered("restate-chaos", "dev"));
    let mut network = Network::new(objects(&calm).chain(objects(&chaos))).unwrap();
    network.add_namespace("kube-system", [].into());
    network.add_namespace("prometheus", [].into());
    let outsider =
        |title: &str, namespace: &str, label: (&str, &str), port: u16, protocol: &str| Pod {
            title: title.to_owned(),
            namespace: namespace.to_owned(),
            labels: [(label.0.to_owned(), label.1.to_owned())].into(),
            ports: [Port {
                number: port,
                protocol: protocol.to_owned(),
                name: None,
            }]
            .into(),
        };
    let mut pods = pods(objects(&calm).chain(objects(&chaos)));
    assert_eq!(pods.len(), 8, "node, service, discover and test, twice");
    pods.extend([
        // Somebody's pod for looking around: no door names it, so the default holds.
        outsider("a stranger", "restate", ("app", "stranger"), 8000, "TCP"),
        outsider("DNS", "kube-system", ("k8s-app", "kube-dns"), 53, "UDP"),
        outsider("DNS", "kube-system", ("k8s-app", "kube-dns"), 53, "TCP"),
        outsider(
            "metrics collector",
            "prometheus",
            ("app.kubernetes.io/name", "prometheus"),
            9090,
            "TCP",
        ),
        outsider(
            "a neighbour",
            "prometheus",
            ("app.kubernetes.io/name", "grafana"),
            3000,
            "TCP",
        ),
    ]);
    let addresses = [
        ("API server", "10.100.0.1", 443),
        ("metadata of the instance", "169.254.169.254", 80),
        ("the internet", "203.0.113.7", 443),
    ];

    let mut open = String::new();
    let mut refused = 0;
    for from in &pods {
        let name = |pod: &Pod| format!("{}/{}", pod.namespace, pod.title);
        for to in pods.iter().filter(|to| *to != from) {
            for port in &to.ports {
                if network.lets_through(
                    Place::Pod(from),
                    Place::Pod(to),
                    port.number,
                    &port.protocol,
                ) {
                    // What others do among themselves is not ours to say.
                    if from.namespace.starts_with("restate") || to.namespace.starts_with("restate")
                    {
                        open += &format!(
                            "{} → {}:{} {}\n",
                            name(from),
                            name(to),
                            port.number,
                            port.protocol
                        );
                    }
                } else {
                    refused += 1;
                }
            }
        }
        for (title, address, port) in addresses {
            let address = Place::Address(address.parse().unwrap());
            if from.namespace.starts_with("restate")
                && network.lets_through(Place::Pod(from), address, port, "TCP")
            {
                open += &format!("{} → {title}:{port}\n", name(from));
            }
            for to in from
                .ports
                .iter()
                .filter(|_| from.namespace.starts_with("restate"))
            {
                if network.lets_through(address, Place::Pod(from), to.number, &to.protocol) {
                    open += &format!("{title} → {}:{}\n", name(from), to.number);
                }
            }
        }
    }
    insta::assert_snapshot!(format!("{open}\nrefused between pods: {refused}"));
}

/// A network fault empties `service-door`: node and service are apart, and everything else stays.
#[test]
fn emptying_the_service_door_cuts_node_from_service_only() {
    let files = rendered("restate-chaos", "dev");
    let reachable = |cut: bool| {
        let mut objects: Vec<Value> = objects(&files).cloned().collect();
        for object in objects
            .iter_mut()
            .filter(|object| cut && object["metadata"]["name"] == "service-door")
        {
            object["spec"] = serde_json::json!({"podSelector": object["spec"]["podSelector"], "policyTypes": ["Ingress", "Egress"]});
        }
        let network = Network::new(&objects).unwrap();
        let pods = pods(&objects);
        let mut open = Vec::new();
        for from in &pods {
            for to in pods.iter().filter(|to| *to != from) {
                for port in &to.ports {
                    if network.lets_through(
                        Place::Pod(from),
                        Place::Pod(to),
                        port.number,
                        &port.protocol,
                    ) {
                        open.push((from.title.clone(), to.title.clone(), port.number));
                    }
                }
            }
        }
        open
    };
    let (whole, cut) = (reachable(false), reachable(true));
    let lost: Vec<_> = whole
        .into_iter()
        .filter(|door| !cut.contains(door))
        .collect();
    assert_eq!(
        lost,
        [(
            "StatefulSet restate".to_owned(),
            "Deployment verification".to_owned(),
            9080
        )]
    );
}
