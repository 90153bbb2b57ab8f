//! How the machine looks from inside a cluster's namespaces: where its files
//! are mounted and what is hidden, so that no component writes elsewhere.

use std::fs;
use std::path::Path;

use crate::Error;
use crate::command::run;
use crate::components::SERVICES;
use crate::network::Subnet;
use crate::places::Directories;
use crate::record::Settings;

/// The built programs.
pub(crate) const PROGRAMS: &str = "/run/longrun/programs";
/// The cluster's state directory.
pub(crate) const STATE: &str = "/run/longrun/state";
/// The file system that holds the volumes.
pub(crate) const VOLUMES: &str = "/run/longrun/volumes";
/// The container runtime's socket.
pub(crate) const CONTAINERD: &str = "/run/containerd/containerd.sock";

/// The part of the state directory that is mounted at its usual place.
const USUAL: [(&str, &str); 4] = [
    ("etcd", "/var/lib/etcd"),
    ("containerd", "/var/lib/containerd"),
    ("kubelet", "/var/lib/kubelet"),
    ("logs/pods", "/var/log/pods"),
];

/// What the kubelet would set for the whole machine. It looks before it
/// writes, so in here it finds its own wishes, and the machine stays as it is.
const TUNABLES: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// Settings of the new network namespace, below /proc/sys/net. Without the
/// second one, an answer between two pods would miss the way back through the
/// translation of the Service's address.
const NETWORK: [(&str, &str); 2] = [
    ("ipv4/ip_forward", "1"),
    ("bridge/bridge-nf-call-iptables", "1"),
];

/// Mounts everything. Must run in a mount namespace of its own.
pub(crate) fn mount_all(directories: &Directories, settings: &Settings) -> Result<(), Error> {
    let state = &directories.state;
    for (part, _) in USUAL {
        let part = state.join(part);
        fs::create_dir_all(&part).map_err(Error::file("create", part))?;
    }
    run("mount", &["-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"])?;
    for place in [PROGRAMS, STATE, VOLUMES, "/run/lock", "/run/sysctl"] {
        fs::create_dir_all(place).map_err(Error::file("create", place))?;
    }
    bind(state, STATE)?;
    bind(&settings.programs, PROGRAMS)?;
    // Only now, as the cluster's own directories may be below one of these.
    for hidden in ["/var/lib", "/var/log"] {
        run("mount", &["-t", "tmpfs", "-o", "mode=755", "tmpfs", hidden])?;
    }
    for (part, place) in USUAL {
        fs::create_dir_all(place).map_err(Error::file("create", place))?;
        bind(&Path::new(STATE).join(part), place)?;
    }
    let image = Path::new(STATE).join("volumes.btrfs");
    run(
        "mount",
        &[
            "-t".as_ref(),
            "btrfs".as_ref(),
            "-o".as_ref(),
            "loop,noatime".as_ref(),
            image.as_os_str(),
            VOLUMES.as_ref(),
        ],
    )?;
    for (name, value) in TUNABLES {
        let (real, fake) = (
            format!("/proc/sys/{name}"),
            format!("/run/sysctl/{}", name.replace('/', ".")),
        );
        if Path::new(&real).exists() {
            fs::write(&fake, value).map_err(Error::file("write", &fake))?;
            bind(Path::new(&fake), &real)?;
        }
    }
    Ok(())
}

fn bind(from: &Path, to: &str) -> Result<(), Error> {
    run("mount", &["--bind".as_ref(), from.as_os_str(), to.as_ref()]).map(drop)
}

/// Sets up this end of the network that `up` made.
pub(crate) fn configure_network(subnet: Subnet) -> Result<(), Error> {
    let address = format!("{}/30", subnet.node());
    run("ip", &["link", "set", "lo", "up"])?;
    run("ip", &["address", "add", &address, "dev", "eth0"])?;
    run("ip", &["link", "set", "eth0", "up"])?;
    // Services have no address on any device: their packets are translated on
    // the way out, but only if there is a way. There is none to elsewhere, so
    // that what is not in the cluster is refused at once.
    run(
        "ip",
        &["route", "add", SERVICES, "via", &subnet.host().to_string()],
    )?;
    for (name, value) in NETWORK {
        let file = Path::new("/proc/sys/net").join(name);
        if file.exists() {
            fs::write(&file, value).map_err(Error::file("write", &file))?;
        }
    }
    Ok(())
}
