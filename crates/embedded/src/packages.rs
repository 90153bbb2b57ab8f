//! Which Debian packages the cluster needs that this machine lacks.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::command::{command, find, not_started};
use crate::files::last_lines;
use crate::{Error, Report};

/// Any of the programs will do; the package brings the first one.
const NEEDED: [(&[&str], &str); 9] = [
    (&["unshare"], "util-linux"),
    (&["mount"], "mount"),
    (&["ip"], "iproute2"),
    (&["nft"], "nftables"),
    (&["runc"], "runc"),
    (&["mkfs.btrfs"], "btrfs-progs"),
    (&["buildah", "docker", "podman"], "buildah"),
    (&["mmdebstrap"], "mmdebstrap"),
    (&["busybox"], "busybox-static"),
];

/// The Debian packages that the cluster and its images need and this machine
/// lacks, told by looking for their programs.
#[must_use]
pub fn missing_packages() -> Vec<&'static str> {
    NEEDED
        .iter()
        .filter(|(programs, _)| !programs.iter().any(|program| find(program).is_some()))
        .map(|(_, package)| *package)
        .collect()
}

/// Installs Debian packages, reporting what apt-get does.
///
/// # Errors
/// [`Error::NoPackageManager`] where there is no apt-get, [`Error::NotRoot`],
/// and [`Error::Command`] with its last lines when it fails.
pub fn install(packages: &[&str], report: Report<'_>) -> Result<(), Error> {
    if packages.is_empty() {
        return Ok(());
    }
    if find("apt-get").is_none() {
        let names = packages.iter().map(ToString::to_string).collect();
        return Err(Error::NoPackageManager(names));
    }
    crate::preflight::root()?;
    apt_get(&["update"], report)?;
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    apt_get(&arguments, report)
}

fn apt_get(arguments: &[&str], report: Report<'_>) -> Result<(), Error> {
    let mut apt = command("apt-get");
    apt.args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = apt.spawn().map_err(|error| not_started(&apt, &error))?;
    let mut printed = String::new();
    for line in child
        .stdout
        .take()
        .map(BufReader::new)
        .into_iter()
        .flat_map(BufRead::lines)
    {
        let Ok(line) = line else { break };
        report(&format!("apt-get: {line}"));
        printed.push_str(&line);
        printed.push('\n');
    }
    let status = child.wait().map_err(|error| not_started(&apt, &error))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Command {
        command: format!("apt-get {}", arguments.join(" ")),
        outcome: status.to_string(),
        output: last_lines(&printed, 20),
    })
}
