//! Ports for processes of this machine.

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
    ops::RangeInclusive,
};

/// Ports below are for those who may bind them.
const FIRST: u16 = 1024;
/// From which the system takes ports for connections, where it does not say (RFC 6335).
const EPHEMERAL: RangeInclusive<u16> = 49_152..=u16::MAX;
/// How many are tried. Nearly all of those that are tried are free.
const TRIES: usize = 1000;

/// The ports of a server, all on the loopback address.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Calls of handlers.
    pub ingress: u16,
    /// Admin interface and SQL.
    pub admin: u16,
    /// Between nodes; also serves metrics.
    pub node: u16,
}

impl Ports {
    /// [`free_ports`].
    ///
    /// # Errors
    /// When the machine has none left.
    pub fn free() -> io::Result<Self> {
        let [ingress, admin, node] = free_ports()?;
        Ok(Self {
            ingress,
            admin,
            node,
        })
    }
}

/// Ports on which nobody listens at this moment, and that no connection is given: a process that
/// is killed, and started again on its port, finds it free.
///
/// # Errors
/// When the machine has none left.
pub fn free_ports<const N: usize>() -> io::Result<[u16; N]> {
    let ephemeral = ephemeral();
    // All are held until the last is known, so that they differ.
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let (listener, found) = one(&ephemeral)?;
        held.push(listener);
        *port = found;
    }
    Ok(ports)
}

/// At random, as others look for one at the same time.
fn one(ephemeral: &RangeInclusive<u16>) -> io::Result<(TcpListener, u16)> {
    for _ in 0..TRIES {
        let mut random = [0; 2];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let port = u16::from_ne_bytes(random);
        if port < FIRST || ephemeral.contains(&port) {
            continue;
        }
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Ok((listener, port));
        }
    }
    Err(io::Error::other(format!(
        "{TRIES} ports were tried; the system keeps {} to {} for connections",
        ephemeral.start(),
        ephemeral.end()
    )))
}

/// What the system takes ports for connections from.
fn ephemeral() -> RangeInclusive<u16> {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| range(&text))
        .unwrap_or(EPHEMERAL)
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.trim().split_once(char::is_whitespace)?;
    Some(first.parse().ok()?..=last.trim().parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_connection_is_given_them_and_they_differ() {
        let mut ports = free_ports::<50>().expect("ports");
        let ephemeral = ephemeral();
        assert!(ports.iter().all(|port| !ephemeral.contains(port)));
        ports.sort_unstable();
        assert!(ports.windows(2).all(|pair| pair[0] < pair[1]), "{ports:?}");
    }

    #[test]
    fn a_port_that_is_taken_is_not_free() {
        let held: Vec<_> = (0..50)
            .map(|_| one(&ephemeral()).expect("a port"))
            .collect();
        let taken: Vec<_> = held.iter().map(|(_, port)| *port).collect();
        let ports = free_ports::<50>().expect("ports");
        assert!(ports.iter().all(|port| !taken.contains(port)));
    }

    #[test]
    fn the_systems_words_are_understood() {
        assert_eq!(range("32768\t60999\n"), Some(32_768..=60_999));
        assert_eq!(range("32768"), None);
    }
}
