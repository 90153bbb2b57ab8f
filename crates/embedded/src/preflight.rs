//! What must be true of the machine before anything is changed on it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::command::run;
use crate::packages::missing_packages;
use crate::places::Directories;

/// MiB that a start needs for what a cluster writes, images above all.
const START_SPACE: u64 = 3 * 1024;
/// MiB that the first start needs: four fifths of it are for volumes, and the
/// largest claim on an embedded cluster, 4 GiB, must fit.
const FIRST_START_SPACE: u64 = 6 * 1024;
/// What the kernel is asked for by name; the last four are for network-policies,
/// which says what it lacks.
const MODULES: [&str; 9] = [
    "overlay",
    "btrfs",
    "loop",
    "br_netfilter",
    "nf_tables",
    "nft_compat",
    "xt_NFQUEUE",
    "nfnetlink_queue",
    "nf_conntrack_netlink",
];

/// Fails unless this is Linux.
pub(crate) fn linux() -> Result<(), Error> {
    is_linux(std::env::consts::OS)
}

fn is_linux(system: &'static str) -> Result<(), Error> {
    match system {
        "linux" => Ok(()),
        other => Err(Error::NotLinux(other)),
    }
}

/// Fails unless the user is root.
pub(crate) fn root() -> Result<(), Error> {
    match nix::unistd::geteuid() {
        user if user.is_root() => Ok(()),
        user => Err(Error::NotRoot(user.as_raw())),
    }
}

/// Everything that a start needs of the machine, without changing it except
/// for loading modules of the kernel.
pub(crate) fn machine(directories: &Directories) -> Result<(), Error> {
    let missing = missing_packages()?;
    if !missing.is_empty() {
        return Err(Error::MissingPackages(missing));
    }
    for module in MODULES {
        // Built into some kernels, and then there is no module to load: what
        // counts is looked at below, or found out by who needs it.
        let _ = run("modprobe", &["--quiet", module]);
    }
    let known = fs::read_to_string("/proc/filesystems")
        .map_err(Error::file("read", "/proc/filesystems"))?;
    for needed in ["overlay", "btrfs"] {
        if !known
            .lines()
            .any(|line| line.split_whitespace().last() == Some(needed))
        {
            return Err(Error::NoFileSystem(needed));
        }
    }
    if !Path::new("/dev/loop-control").exists() {
        return Err(Error::NoLoopDevice);
    }
    let needed = if directories.volumes().exists() {
        START_SPACE
    } else {
        FIRST_START_SPACE
    };
    space(&directories.state, "a cluster", needed)
}

/// Fails when the file system of `path`, which need not exist yet, has less
/// than `needed` MiB for other users than root.
pub(crate) fn space(path: &Path, purpose: &'static str, needed: u64) -> Result<(), Error> {
    let free = free_space(path)?;
    if free >= needed {
        return Ok(());
    }
    Err(Error::DiskFull {
        path: existing(path),
        purpose,
        needed,
        free,
    })
}

/// MiB free on the file system of `path`, which need not exist yet.
pub(crate) fn free_space(path: &Path) -> Result<u64, Error> {
    let path = existing(path);
    let found = nix::sys::statvfs::statvfs(&path)
        .map_err(|error| Error::file("ask for the free space of", &path)(error.into()))?;
    Ok(found.blocks_available() * found.fragment_size() / (1024 * 1024))
}

fn existing(path: &Path) -> PathBuf {
    path.ancestors()
        .find(|candidate| candidate.exists())
        .unwrap_or(Path::new("/"))
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_system_is_refused_with_the_way_round() {
        is_linux("linux").unwrap();
        assert_eq!(
            is_linux("macos").unwrap_err().to_string(),
            "the embedded cluster needs Linux, this is macos: use a cluster file that names another cluster"
        );
    }

    #[test]
    fn a_full_disk_is_refused_with_what_is_needed() {
        let error = space(Path::new("/tmp/not/there"), "a test", u64::MAX).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("a test needs 18446744073709551615 MiB"),
            "{error}"
        );
        assert!(error.to_string().starts_with("/tmp has "), "{error}");
    }

    #[test]
    fn space_that_is_there_is_enough() {
        space(Path::new("/"), "a test", 0).unwrap();
    }
}
