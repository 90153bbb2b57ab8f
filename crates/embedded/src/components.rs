//! The components: a table of what runs, with which arguments, when it counts
//! as running, and what it needs first.

use std::net::Ipv4Addr;

use crate::STORAGE_DRIVER;
use crate::certificates::FRONT_PROXY;
use crate::images::PINNED;
use crate::inside::{CONTAINERD, STATE, VOLUMES};
use crate::record::{Kind, Settings};

/// Addresses of pods. Clusters do not see each other's, so all have the same.
pub(crate) const PODS: &str = "10.244.0.0/22";
/// Addresses of Services.
pub(crate) const SERVICES: &str = "10.96.0.0/16";
/// The API server's port, on the node's address.
pub(crate) const API_PORT: u16 = 6443;
/// The kubelet's directory, also the storage driver's.
pub(crate) const KUBELET: &str = "/var/lib/kubelet";

/// When a component counts as running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Check {
    /// The API server, asked as administrator for this path, says 200.
    Api(&'static str),
    /// A request without encryption to this port of localhost says 200.
    Http(u16, &'static str),
    /// Somebody listens on this port of localhost.
    Port(u16),
    /// Somebody listens on this socket.
    Socket(String),
    /// It has ended well: a task.
    Ended,
}

/// A row of the table.
#[derive(Debug, Clone)]
pub(crate) struct Component {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// In the directory of programs; a component of Kubernetes is named by its
    /// first argument, as all of them are one program.
    pub(crate) program: &'static str,
    pub(crate) arguments: Vec<String>,
    pub(crate) check: Check,
    /// Rows that must be running, done or met before this one starts.
    pub(crate) after: &'static [&'static str],
    /// The row whose restart this one must follow.
    pub(crate) follows: Option<&'static str>,
}

impl Component {
    fn service(name: &'static str, arguments: Vec<String>, check: Check) -> Self {
        Self {
            name,
            kind: Kind::Service,
            program: name,
            arguments,
            check,
            after: &[],
            follows: None,
        }
    }

    fn of_kubernetes(name: &'static str, mut arguments: Vec<String>, check: Check) -> Self {
        arguments.insert(0, name.into());
        Self {
            program: "kubernetes",
            ..Self::service(name, arguments, check)
        }
    }

    fn task(name: &'static str, program: &'static str, arguments: &[&str]) -> Self {
        Self {
            kind: Kind::Task,
            program,
            ..Self::service(
                name,
                arguments.iter().map(ToString::to_string).collect(),
                Check::Ended,
            )
        }
    }

    fn after(self, after: &'static [&'static str]) -> Self {
        Self { after, ..self }
    }

    fn following(self, name: &'static str) -> Self {
        Self {
            follows: Some(name),
            ..self
        }
    }
}

/// `--name=value` for each pair.
fn flags(pairs: &[(&str, &str)]) -> Vec<String> {
    pairs
        .iter()
        .map(|(name, value)| format!("--{name}={value}"))
        .collect()
}

fn key(file: &str) -> String {
    format!("{STATE}/pki/{file}")
}

fn file(name: &str) -> String {
    format!("{STATE}/configuration/{name}")
}

fn kubeconfig(component: &str) -> String {
    file(&format!("{component}.kubeconfig"))
}

/// All rows, in the order in which they start; they stop the other way round.
pub(crate) fn table(settings: &Settings) -> Vec<Component> {
    let node = settings.subnet.node();
    let mut all = control_plane(node);
    all.extend(node_components(&settings.name, node));
    all.extend(storage(&settings.name));
    all
}

fn control_plane(node: Ipv4Addr) -> Vec<Component> {
    vec![
        Component::of_kubernetes("etcd", etcd(), Check::Http(2381, "/health")),
        Component::of_kubernetes("kube-apiserver", api_server(node), Check::Api("/readyz"))
            .after(&["etcd"]),
        Component::task(
            "roles",
            "kubernetes",
            &[
                "kubectl",
                "--kubeconfig",
                &kubeconfig("admin"),
                "apply",
                "--server-side",
                "--force-conflicts",
                "--filename",
                &file("roles.json"),
            ],
        )
        .after(&["kube-apiserver"]),
        Component::of_kubernetes(
            "kube-controller-manager",
            controller_manager(),
            Check::Port(10257),
        )
        .after(&["kube-apiserver"]),
        Component::of_kubernetes(
            "kube-scheduler",
            with_kubeconfig(
                "kube-scheduler",
                &[("leader-elect", "false"), ("bind-address", "127.0.0.1")],
            ),
            Check::Port(10259),
        )
        .after(&["kube-apiserver"]),
    ]
}

/// The database holds what `up` can lose at worst in a power failure of the
/// machine, never at a crash of a process: hence no fsync.
fn etcd() -> Vec<String> {
    let mut arguments = flags(&[
        ("data-dir", "/var/lib/etcd"),
        ("listen-client-urls", "https://127.0.0.1:2379"),
        ("advertise-client-urls", "https://127.0.0.1:2379"),
        ("listen-peer-urls", "https://127.0.0.1:2380"),
        ("initial-advertise-peer-urls", "https://127.0.0.1:2380"),
        ("initial-cluster", "default=https://127.0.0.1:2380"),
        ("listen-metrics-urls", "http://127.0.0.1:2381"),
        ("log-level", "warn"),
    ]);
    for prefix in ["", "peer-"] {
        arguments.extend(flags(&[
            (&format!("{prefix}cert-file"), &key("etcd.crt")),
            (&format!("{prefix}key-file"), &key("etcd.key")),
            (&format!("{prefix}trusted-ca-file"), &key("etcd-ca.crt")),
            (&format!("{prefix}client-cert-auth"), "true"),
        ]));
    }
    arguments.push("--unsafe-no-fsync".into());
    arguments
}

fn api_server(node: Ipv4Addr) -> Vec<String> {
    flags(&[
        ("advertise-address", &node.to_string()),
        ("allow-privileged", "true"),
        ("anonymous-auth", "false"),
        ("authorization-mode", "Node,RBAC"),
        ("client-ca-file", &key("ca.crt")),
        ("enable-admission-plugins", "NodeRestriction"),
        ("etcd-cafile", &key("etcd-ca.crt")),
        ("etcd-certfile", &key("apiserver-etcd.crt")),
        ("etcd-keyfile", &key("apiserver-etcd.key")),
        ("etcd-servers", "https://127.0.0.1:2379"),
        ("kubelet-certificate-authority", &key("ca.crt")),
        ("kubelet-client-certificate", &key("apiserver-kubelet.crt")),
        ("kubelet-client-key", &key("apiserver-kubelet.key")),
        // Otherwise logs and exec look for the node's name in a DNS.
        ("kubelet-preferred-address-types", "InternalIP"),
        ("profiling", "false"),
        ("proxy-client-cert-file", &key("front-proxy.crt")),
        ("proxy-client-key-file", &key("front-proxy.key")),
        ("requestheader-allowed-names", FRONT_PROXY),
        ("requestheader-client-ca-file", &key("front-proxy-ca.crt")),
        ("requestheader-extra-headers-prefix", "X-Remote-Extra-"),
        ("requestheader-group-headers", "X-Remote-Group"),
        ("requestheader-username-headers", "X-Remote-User"),
        ("secure-port", &API_PORT.to_string()),
        (
            "service-account-issuer",
            "https://kubernetes.default.svc.cluster.local",
        ),
        ("service-account-key-file", &key("service-accounts.pub")),
        (
            "service-account-signing-key-file",
            &key("service-accounts.key"),
        ),
        ("service-cluster-ip-range", SERVICES),
        ("tls-cert-file", &key("apiserver.crt")),
        ("tls-private-key-file", &key("apiserver.key")),
    ])
}

fn controller_manager() -> Vec<String> {
    with_kubeconfig(
        "kube-controller-manager",
        &[
            ("bind-address", "127.0.0.1"),
            ("cluster-signing-cert-file", &key("ca.crt")),
            ("cluster-signing-key-file", &key("ca.key")),
            // Otherwise it makes a directory in /usr.
            ("flex-volume-plugin-dir", "/var/lib/kubelet/volume-plugins"),
            ("leader-elect", "false"),
            ("profiling", "false"),
            ("root-ca-file", &key("ca.crt")),
            (
                "service-account-private-key-file",
                &key("service-accounts.key"),
            ),
            ("use-service-account-credentials", "true"),
        ],
    )
}

/// Flags of a component that asks the API server who its own callers are.
fn with_kubeconfig(component: &str, more: &[(&str, &str)]) -> Vec<String> {
    let path = kubeconfig(component);
    let mut arguments = flags(&[
        ("kubeconfig", &path),
        ("authentication-kubeconfig", &path),
        ("authorization-kubeconfig", &path),
    ]);
    arguments.extend(flags(more));
    arguments
}

fn node_components(name: &str, address: Ipv4Addr) -> Vec<Component> {
    vec![
        Component::service(
            "containerd",
            flags(&[("config", &file("containerd.toml"))]),
            Check::Socket(CONTAINERD.into()),
        ),
        Component::task(
            "pause-image",
            "ctr",
            &[
                "--address",
                CONTAINERD,
                "--namespace",
                "k8s.io",
                "images",
                "import",
                "--local",
                "--label",
                PINNED,
                &file("pause.tar"),
            ],
        )
        .after(&["containerd"]),
        Component::of_kubernetes(
            "kube-proxy",
            flags(&[("config", &file("kube-proxy.json"))]),
            Check::Http(10256, "/livez"),
        )
        .after(&["kube-apiserver"]),
        Component::of_kubernetes(
            "network-policies",
            flags(&[
                ("kubeconfig", &kubeconfig("network-policies")),
                ("hostname-override", name),
                ("cluster-cidr", PODS),
                ("healthz-bind-address", "127.0.0.1:10258"),
            ]),
            Check::Http(10258, "/"),
        )
        .after(&["roles", "containerd"])
        .following("containerd"),
        Component::of_kubernetes(
            "kubelet",
            flags(&[
                ("config", &file("kubelet.json")),
                ("hostname-override", name),
                ("kubeconfig", &kubeconfig("kubelet")),
                // Otherwise it is found by the default route, which is not there.
                ("node-ip", &address.to_string()),
                ("root-dir", KUBELET),
            ]),
            Check::Http(10248, "/healthz"),
        )
        .after(&["kube-apiserver", "pause-image", "network-policies"]),
        Component::service(
            "coredns",
            ["-conf".into(), file("Corefile")].into(),
            Check::Http(8181, "/ready"),
        )
        .after(&["roles"]),
    ]
}

fn storage(name: &str) -> Vec<Component> {
    let socket = format!("{KUBELET}/plugins/{STORAGE_DRIVER}/csi.sock");
    let beside_driver = |component: &'static str, port: u16, more: &[(&str, &str)]| {
        let mut arguments = flags(&[
            ("kubeconfig", &kubeconfig(component)),
            ("csi-address", &socket),
            ("timeout", "60s"),
            ("retry-interval-max", "5s"),
            ("kube-api-qps", "200"),
            ("kube-api-burst", "400"),
            ("http-endpoint", &format!("127.0.0.1:{port}")),
        ]);
        arguments.extend(flags(more));
        // A lost connection to the driver ends it, at its next call.
        Component::service(component, arguments, Check::Http(port, "/metrics"))
            .following("csi-driver")
    };
    vec![
        Component::service(
            "csi-driver",
            flags(&[
                ("name", STORAGE_DRIVER),
                ("kubelet-root", KUBELET),
                ("data", VOLUMES),
                ("node", name),
            ]),
            Check::Socket(socket.clone()),
        )
        .after(&["kubelet"]),
        beside_driver(
            "csi-provisioner",
            9811,
            &[("extra-create-metadata", "true")],
        )
        .after(&["csi-driver", "roles"]),
        beside_driver("csi-resizer", 9812, &[]).after(&["csi-driver", "roles"]),
        Component {
            kind: Kind::Condition,
            ..Component::service(
                "snapshot-definitions",
                Vec::new(),
                Check::Api("/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents?limit=1"),
            )
        }
        .after(&["kube-apiserver"]),
        beside_driver("csi-snapshotter", 9813, &[]).after(&[
            "csi-driver",
            "roles",
            "snapshot-definitions",
        ]),
        Component::service(
            "snapshot-controller",
            flags(&[
                ("kubeconfig", &kubeconfig("snapshot-controller")),
                ("retry-interval-max", "5s"),
                ("http-endpoint", "127.0.0.1:9814"),
            ]),
            Check::Http(9814, "/metrics"),
        )
        .after(&["roles", "snapshot-definitions"]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Subnet;

    fn settings() -> Settings {
        Settings {
            name: "mine".into(),
            subnet: Subnet::first(),
            programs: "/cache/embedded/0".into(),
            runc: "/usr/sbin/runc".into(),
        }
    }

    #[test]
    fn every_row_comes_after_what_it_needs() {
        let mut before = Vec::new();
        for row in table(&settings()) {
            for needed in row.after.iter().chain(&row.follows) {
                assert!(before.contains(needed), "{} needs {needed}", row.name);
            }
            before.push(row.name);
        }
    }

    #[test]
    fn the_command_lines() {
        let lines: Vec<String> = table(&settings())
            .iter()
            .filter(|row| row.kind != Kind::Condition)
            .map(|row| {
                format!(
                    "{}: {} {}",
                    row.name,
                    row.program,
                    row.arguments.join("\n    ")
                )
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
