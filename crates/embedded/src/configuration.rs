//! The texts of all configuration files, and the kubeconfigs.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::components::{API_PORT, KUBELET, PODS};
use crate::images::{PAUSE, pause_archive};
use crate::inside::{CONTAINERD, PROGRAMS, STATE};
use crate::places::Directories;
use crate::record::{self, Settings};
use crate::{Error, cgroups, files, roles};

/// Components that reach the API server by a kubeconfig of their own.
const CLIENTS: [&str; 11] = [
    "admin",
    "coredns",
    "csi-provisioner",
    "csi-resizer",
    "csi-snapshotter",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubelet",
    "network-policies",
    "snapshot-controller",
];

/// The supervisor's own file.
pub(crate) const SETTINGS: &str = "supervisor.json";

/// Writes everything that components read, and the user's kubeconfig. The
/// certificates must be there.
pub(crate) fn write(directories: &Directories, settings: &Settings) -> Result<(), Error> {
    let directory = directories.configuration();
    let put = |name: &str, content: &[u8]| files::write(&directory.join(name), content);
    let put_json = |name: &str, value: &Value| record::save(&directory.join(name), value);
    record::save(&directory.join(SETTINGS), settings)?;
    put("containerd.toml", containerd(&settings.runc).as_bytes())?;
    put("Corefile", corefile(settings).as_bytes())?;
    put("resolv.conf", b"")?;
    put("pause.tar", &pause_archive(&settings.programs)?)?;
    put_json("cni/10-longrun.conflist", &cni())?;
    put_json("kubelet.json", &kubelet(settings))?;
    put_json("kube-proxy.json", &kube_proxy(settings))?;
    put_json("roles.json", &roles::objects())?;
    for client in CLIENTS {
        put_json(&format!("{client}.kubeconfig"), &inner_kubeconfig(client))?;
    }
    record::save(
        &directories.kubeconfig(),
        &user_kubeconfig(directories, settings)?,
    )
}

fn containerd(runc: &Path) -> String {
    format!(
        r#"version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
# The first makes a directory in /opt, the other ones have no use here.
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.erofs",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
address = "{CONTAINERD}"

[debug]
level = "warn"

# Tells network-policies the address of a pod before its first process starts.
[plugins."io.containerd.nri.v1.nri"]
plugin_path = "/run/nri/plugins"
plugin_config_path = "/run/nri/conf.d"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE}"

[plugins."io.containerd.cri.v1.runtime"]
# Root may lack CAP_SYS_RESOURCE, and then no sandbox would start.
restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".containerd]
default_runtime_name = "runc"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
runtime_path = "{PROGRAMS}/containerd-shim-runc-v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "{runc}"
SystemdCgroup = false

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{PROGRAMS}"]
conf_dir = "{STATE}/configuration/cni"
"#,
        runc = runc.display(),
    )
}

fn cni() -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "longrun",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "pods",
                "isGateway": true,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni",
                    "ranges": [[{ "subnet": PODS }]],
                    "routes": [{ "dst": "0.0.0.0/0" }],
                },
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    })
}

fn kubelet(settings: &Settings) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": format!("{STATE}/pki/ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroups::root(&settings.name),
        "clusterDNS": [settings.subnet.node()],
        "clusterDomain": "cluster.local",
        "containerLogMaxFiles": 3,
        "containerLogMaxSize": "10Mi",
        "containerRuntimeEndpoint": format!("unix://{CONTAINERD}"),
        "enableDebuggingHandlers": true,
        // Absolute values: a share of a large disk is much, and what lies on
        // it is mostly not the cluster's.
        "evictionHard": {
            "imagefs.available": "1Gi",
            "memory.available": "100Mi",
            "nodefs.available": "1Gi",
            "nodefs.inodesFree": "1%",
        },
        "failCgroupV1": false,
        "failSwapOn": false,
        // Images are imported and could not be pulled again.
        "imageGCHighThresholdPercent": 100,
        "maxPods": 200,
        "resolvConf": format!("{STATE}/configuration/resolv.conf"),
        "serializeImagePulls": false,
        "tlsCertFile": format!("{STATE}/pki/kubelet-server.crt"),
        "tlsPrivateKeyFile": format!("{STATE}/pki/kubelet-server.key"),
        // Its default is in /usr.
        "volumePluginDir": format!("{KUBELET}/volume-plugins"),
    })
}

fn kube_proxy(settings: &Settings) -> Value {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": { "kubeconfig": format!("{STATE}/configuration/kube-proxy.kubeconfig") },
        "clusterCIDR": PODS,
        // These limits are the machine's, not the namespace's.
        "conntrack": { "maxPerCore": 0, "min": 0 },
        "healthzBindAddress": "127.0.0.1:10256",
        "hostnameOverride": settings.name,
        "metricsBindAddress": "127.0.0.1:10249",
        "mode": "nftables",
    })
}

/// Names outside the cluster are refused: there is no way there.
fn corefile(settings: &Settings) -> String {
    format!(
        "cluster.local in-addr.arpa {{
    bind {address}
    errors
    ready 127.0.0.1:8181
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {STATE}/configuration/coredns.kubeconfig
    }}
    cache 5
    loadbalance
}}
",
        address = settings.subnet.node(),
    )
}

fn kubeconfig(name: &str, server: &str, authority: &Value, user: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": name, "cluster": merged(&json!({ "server": server }), authority) }],
        "users": [{ "name": name, "user": user }],
        "contexts": [{ "name": name, "context": { "cluster": name, "user": name } }],
        "current-context": name,
    })
}

fn merged(first: &Value, second: &Value) -> Value {
    let fields = |value: &Value| value.as_object().cloned().unwrap_or_default();
    fields(first)
        .into_iter()
        .chain(fields(second))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn inner_kubeconfig(client: &str) -> Value {
    let key = |name: String| format!("{STATE}/pki/{name}");
    kubeconfig(
        "cluster",
        &format!("https://127.0.0.1:{API_PORT}"),
        &json!({ "certificate-authority": key("ca.crt".into()) }),
        &json!({
            "client-certificate": key(format!("{client}.crt")),
            "client-key": key(format!("{client}.key")),
        }),
    )
}

/// The administrator's, for use on this machine, with all keys in it.
fn user_kubeconfig(directories: &Directories, settings: &Settings) -> Result<Value, Error> {
    let encoded = |name: &str| {
        let path = directories.keys().join(name);
        std::fs::read(&path)
            .map(|content| STANDARD.encode(content))
            .map_err(Error::file("read", path))
    };
    Ok(kubeconfig(
        &format!("longrun-{}", settings.name),
        &format!("https://{}:{API_PORT}", settings.subnet.node()),
        &json!({ "certificate-authority-data": encoded("ca.crt")? }),
        &json!({
            "client-certificate-data": encoded("admin.crt")?,
            "client-key-data": encoded("admin.key")?,
        }),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Subnet;

    #[test]
    fn the_texts() {
        let settings = Settings {
            name: "mine".into(),
            subnet: Subnet::first(),
            programs: "/cache/embedded/0".into(),
            runc: "/usr/sbin/runc".into(),
        };
        let json = |value: &Value| serde_json::to_string_pretty(value).unwrap();
        let texts = [
            containerd(&settings.runc),
            corefile(&settings),
            json(&cni()),
            json(&kubelet(&settings)),
            json(&kube_proxy(&settings)),
            json(&inner_kubeconfig("kubelet")),
        ];
        insta::assert_snapshot!(texts.join("\n\n"));
    }
}
