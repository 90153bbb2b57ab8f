//! What must be true of the machine before anything is changed on it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::command::run;
use crate::packages::missing_packages;

/// MiB that a started cluster with a few images needs.
const CLUSTER_SPACE: u64 = 3 * 1024;

/// Fails unless this is Linux.
pub(crate) fn linux() -> Result<(), Error> {
    match std::env::consts::OS {
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
pub(crate) fn machine(state: &Path) -> Result<(), Error> {
    let missing = missing_packages();
    if !missing.is_empty() {
        return Err(Error::MissingPackages(missing));
    }
    for module in ["overlay", "btrfs", "loop", "br_netfilter", "nf_tables"] {
        // Built into some kernels, and then there is no module to load: what
        // counts is looked at below.
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
    space(state, "a cluster", CLUSTER_SPACE)
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
