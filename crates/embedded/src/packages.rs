//! Which Debian packages the cluster needs that this machine lacks.

use crate::command::{command, find, follow, run};
use crate::{Error, Report, preflight};

/// Any of the programs will do; the package brings the first one.
const NEEDED: [(&[&str], &str); 8] = [
    (&["unshare"], "util-linux"),
    (&["mount"], "mount"),
    (&["ip"], "iproute2"),
    (&["nft"], "nftables"),
    (&["runc"], "runc"),
    (&["mkfs.btrfs"], "btrfs-progs"),
    (&["buildah", "podman", "docker"], "buildah"),
    (&["mmdebstrap"], "mmdebstrap"),
];

/// The Debian packages that the cluster and its images need and this machine
/// lacks, told by looking for their programs.
///
/// # Errors
/// [`Error::NotLinux`] and [`Error::NotRoot`]: no package would help then.
pub fn missing_packages() -> Result<Vec<&'static str>, Error> {
    preflight::linux()?;
    preflight::root()?;
    Ok(missing(|program| match program {
        "docker" => docker_works(),
        program => find(program).is_some(),
    }))
}

/// A client alone builds nothing: it needs its engine, which may never answer.
fn docker_works() -> bool {
    let ask = ["10", "docker", "version", "--format", "{{.Server.Version}}"];
    run("timeout", &ask).is_ok()
}

fn missing(is_here: impl Fn(&str) -> bool) -> Vec<&'static str> {
    NEEDED
        .iter()
        .filter(|(programs, _)| !programs.iter().any(|program| is_here(program)))
        .map(|(_, package)| *package)
        .collect()
}

/// Installs Debian packages, reporting what apt-get does.
///
/// # Errors
/// [`Error::NoPackageManager`] where there is no apt-get, and
/// [`Error::Command`] with its last lines when it fails.
pub fn install(packages: &[&str], report: Report<'_>) -> Result<(), Error> {
    if packages.is_empty() {
        return Ok(());
    }
    if find("apt-get").is_none() {
        let names = packages.iter().map(ToString::to_string).collect();
        return Err(Error::NoPackageManager(names));
    }
    apt_get(&["update"], report)?;
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    apt_get(&arguments, report)
}

fn apt_get(arguments: &[&str], report: Report<'_>) -> Result<(), Error> {
    let mut apt = command("apt-get");
    // A new machine may be busy with its first upgrades.
    apt.args(["--option", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive");
    follow(&mut apt, |line| report(&format!("apt-get: {line}")))
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn packages_are_told_by_the_programs_that_are_not_here() {
        assert_eq!(
            missing(|_| false).join(" "),
            "util-linux mount iproute2 nftables runc btrfs-progs buildah mmdebstrap"
        );
        assert_eq!(missing(|program| program != "nft"), ["nftables"]);
        assert_eq!(missing(|program| program != "buildah"), [""; 0]);
    }
}
