//! The network between this machine and a cluster: a pair of devices and four
//! addresses of 10.88.0.0 to 10.95.255.255, of which each cluster has its own.

use std::fmt;
use std::fs::File;
use std::net::Ipv4Addr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::command::run;
use crate::processes::Process;
use crate::{Error, files};

/// A network of four addresses, known by its place in the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Subnet(u16);

const COUNT: u16 = 8 * 256;

impl Subnet {
    #[cfg(test)]
    pub(crate) fn first() -> Self {
        Self(0)
    }

    fn base(self) -> u32 {
        u32::from(Ipv4Addr::new(10, 88, 0, 0)) + (u32::from(self.0) << 8)
    }

    /// This machine's address in it.
    pub(crate) fn host(self) -> Ipv4Addr {
        Ipv4Addr::from(self.base() + 1)
    }

    /// The node's address in it.
    pub(crate) fn node(self) -> Ipv4Addr {
        Ipv4Addr::from(self.base() + 2)
    }

    /// This machine's end of the pair. The kernel allows 15 characters.
    pub(crate) fn device(self) -> String {
        format!("longrun{}", self.0)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/30", Ipv4Addr::from(self.base()))
    }
}

/// Held from choosing a network until it is taken: two clusters that start at
/// once must not choose the same one.
pub(crate) fn choosing() -> Result<File, Error> {
    files::lock(Path::new("/run/longrun-network.lock"), || {})
}

/// A network that nothing on this machine uses: the one it had before, or else
/// the first one free.
pub(crate) fn choose(before: Option<Subnet>) -> Result<Subnet, Error> {
    let routes = run("ip", &["-json", "-4", "route", "show", "table", "all"])?;
    first_free(before, &destinations(&routes))
}

fn first_free(before: Option<Subnet>, taken: &[(Ipv4Addr, u32)]) -> Result<Subnet, Error> {
    before
        .into_iter()
        .chain((0..COUNT).map(Subnet))
        .find(|subnet| !device_exists(*subnet) && is_free(*subnet, taken))
        .ok_or(Error::SubnetsTaken)
}

fn device_exists(subnet: Subnet) -> bool {
    Path::new("/sys/class/net").join(subnet.device()).exists()
}

fn is_free(subnet: Subnet, taken: &[(Ipv4Addr, u32)]) -> bool {
    !taken.iter().any(|(address, length)| {
        // A route for so large a network is a way out, not somebody's network,
        // and ours, being smaller, goes before it.
        let is_way_out = *length < 12;
        let shorter = (*length).min(30);
        let mask = u32::MAX.checked_shl(32 - shorter).unwrap_or(0);
        !is_way_out && u32::from(*address) & mask == subnet.base() & mask
    })
}

/// The networks and addresses that routes lead to.
fn destinations(routes: &str) -> Vec<(Ipv4Addr, u32)> {
    let rows: Vec<serde_json::Value> = serde_json::from_str(routes).unwrap_or_default();
    rows.iter()
        .filter_map(|row| {
            let destination = row.get("dst")?.as_str()?;
            match destination.split_once('/') {
                Some((address, length)) => Some((address.parse().ok()?, length.parse().ok()?)),
                None => Some((destination.parse().ok()?, 32)),
            }
        })
        .collect()
}

/// Makes the pair of devices between this machine and the namespaces of
/// `supervisor`, notes whose it is, and gives this end its address.
pub(crate) fn connect(subnet: Subnet, owner: &Path, supervisor: Process) -> Result<(), Error> {
    let (device, inside) = (subnet.device(), supervisor.pid.to_string());
    #[rustfmt::skip]
    run("ip", &["link", "add", &device, "type", "veth", "peer", "name", "eth0", "netns", &inside])?;
    run("ip", &["link", "set", &device, "alias", &note(owner)])?;
    run(
        "ip",
        &[
            "address",
            "add",
            &format!("{}/30", subnet.host()),
            "dev",
            &device,
        ],
    )?;
    run("ip", &["link", "set", &device, "up"])?;
    Ok(())
}

/// Removes the pair, if it is still there and the owner's. Whoever was up here before may have left a network
/// that another cluster has taken since.
pub(crate) fn disconnect(subnet: Subnet, owner: &Path) {
    if is_connected(subnet, owner) {
        // It goes away with the namespace of its other end, maybe just now.
        let _ = run("ip", &["link", "delete", &subnet.device()]);
    }
}

/// Whether the owner's end on this machine is still there.
pub(crate) fn is_connected(subnet: Subnet, owner: &Path) -> bool {
    let alias = Path::new("/sys/class/net")
        .join(subnet.device())
        .join("ifalias");
    std::fs::read_to_string(alias).is_ok_and(|noted| noted.trim() == note(owner))
}

/// What a device can carry of a path (Linux: `IFALIASZ`): its end tells clusters apart.
fn note(owner: &Path) -> String {
    let path = owner.to_string_lossy();
    let start = path.ceil_char_boundary(path.len().saturating_sub(255));
    path[start..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_a_network() {
        let subnet = Subnet(259);
        assert_eq!(subnet.to_string(), "10.89.3.0/30");
        assert_eq!(subnet.host().to_string(), "10.89.3.1");
        assert_eq!(subnet.node().to_string(), "10.89.3.2");
        assert_eq!(subnet.device(), "longrun259");
    }

    #[test]
    fn networks_of_others_are_not_chosen() {
        let taken = destinations(
            r#"[{"dst":"default"},{"dst":"10.0.0.0/8"},{"dst":"10.88.0.0/16"},
                {"type":"local","dst":"10.89.0.2"},{"dst":"10.89.1.0/30"}]"#,
        );
        let free: Vec<u16> = (0..300)
            .filter(|index| is_free(Subnet(*index), &taken))
            .collect();
        assert_eq!(free, (258..300).collect::<Vec<_>>());
    }

    #[test]
    fn a_machine_without_a_free_network_is_refused() {
        let before = Some(Subnet(7));
        assert_eq!(first_free(before, &[]).unwrap(), Subnet(7));
        let error = first_free(before, &destinations(r#"[{"dst":"10.88.0.0/13"}]"#)).unwrap_err();
        assert!(
            error.to_string().contains("`ip route show table all`"),
            "{error}"
        );
    }
}
