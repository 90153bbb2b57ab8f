//! The doors of the project's own network policies, and that nothing else is open.

use longrun_core::network::{Network, Place, Pod, Port, pods};
use serde_json::Value;

use crate::project::{objects, rendered};

/// A port that no container declares: whoever listens there is not to be reached either.
const UNDECLARED: u16 = 1;

/// Both environments side by side on a cluster that collects metrics.
#[test]
fn every_door_and_no_other() {
    insta::assert_snapshot!(matrix("dev"));
}

/// On the embedded cluster, names are resolved on the node, whose address is not known beforehand.
#[test]
fn every_door_of_the_embedded_cluster() {
    insta::assert_snapshot!(matrix("local"));
}

/// Who may connect to what: every pod to every port of every other, and to and from what is no pod. What is
/// not in the table is refused.
fn matrix(cluster: &str) -> String {
    let (calm, chaos) = (
        rendered("restate", cluster),
        rendered("restate-chaos", cluster),
    );
    let mut network = Network::new(objects(&calm).chain(objects(&chaos))).unwrap();
    network.add_namespace("kube-system", [].into());
    network.add_namespace("prometheus", [].into());
    let mut pods = pods(objects(&calm).chain(objects(&chaos)));
    assert_eq!(
        pods.len(),
        2 * 5 + 8,
        "node, service, discover, test and recorder, twice, and eight faults"
    );
    pods.extend([
        // What copies are fetched from.
        outsider(
            "an attachment",
            "restate",
            ("app.kubernetes.io/component", "attach"),
            9093,
            "TCP",
        ),
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
    for pod in &mut pods {
        pod.ports.insert(Port {
            number: UNDECLARED,
            protocol: "TCP".to_owned(),
            name: None,
        });
    }
    // Both ends' policies are asked: the address is where a connection goes to, or comes from.
    let addresses = [
        ("API server", "10.100.0.1", 443, "TCP"),
        ("DNS on the node", "10.0.0.10", 53, "UDP"),
        ("metadata of the instance", "169.254.169.254", 80, "TCP"),
        ("the internet", "203.0.113.7", 443, "TCP"),
    ];
    let name = |pod: &Pod| format!("{}/{}", pod.namespace, pod.title);
    let is_ours = |pod: &Pod| pod.namespace.starts_with("restate");
    let mut open = String::new();
    let mut refused = 0;
    let mut connect =
        |from: (&str, Place<'_>), to: (&str, Place<'_>), port: u16, protocol: &str| {
            if network.lets_through(from.1, to.1, port, protocol) {
                open += &format!("{} → {}:{port} {protocol}\n", from.0, to.0);
            } else {
                refused += 1;
            }
        };
    for (index, from) in pods.iter().enumerate() {
        let from_name = name(from);
        let from_end = (from_name.as_str(), Place::Pod(from));
        for (_, to) in pods.iter().enumerate().filter(|(to, _)| *to != index) {
            // What others do among themselves is not ours to say.
            if !is_ours(from) && !is_ours(to) {
                continue;
            }
            for port in &to.ports {
                connect(
                    from_end,
                    (&name(to), Place::Pod(to)),
                    port.number,
                    &port.protocol,
                );
            }
        }
        if !is_ours(from) {
            continue;
        }
        for (title, address, port, protocol) in addresses {
            let address = (title, Place::Address(address.parse().unwrap()));
            connect(from_end, address, port, protocol);
            for port in &from.ports {
                connect(address, from_end, port.number, &port.protocol);
            }
        }
    }
    format!("{open}\nrefused: {refused}")
}

fn outsider(
    title: &str,
    namespace: &str,
    (label, value): (&str, &str),
    port: u16,
    protocol: &str,
) -> Pod {
    Pod {
        title: title.to_owned(),
        namespace: namespace.to_owned(),
        labels: [(label.to_owned(), value.to_owned())].into(),
        ports: [Port {
            number: port,
            protocol: protocol.to_owned(),
            name: None,
        }]
        .into(),
    }
}

/// What the end of a network fault puts back is what was rendered.
#[test]
fn the_service_door_says_what_its_rules_are() {
    let files = rendered("restate-chaos", "dev");
    let door = objects(&files).find(|object| object["metadata"]["name"] == "allow-service");
    let door = door.unwrap();
    let said = door["metadata"]["annotations"]["longrun/rules"].as_str();
    let said: Value = serde_json::from_str(said.unwrap()).unwrap();
    assert_eq!(said["ingress"], door["spec"]["ingress"]);
    assert_eq!(said["egress"], door["spec"]["egress"]);
    assert_eq!(said.as_object().unwrap().len(), 2);
}

/// A network fault empties `allow-service`: node and service are apart, and everything else stays.
#[test]
fn emptying_the_service_door_cuts_node_from_service_only() {
    let files = rendered("restate-chaos", "dev");
    let reachable = |cut: bool| {
        let mut objects: Vec<Value> = objects(&files).cloned().collect();
        for object in objects
            .iter_mut()
            .filter(|object| cut && object["metadata"]["name"] == "allow-service")
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
