//! The cgroups below which all pods of a cluster run, in version 1 (one tree a
//! controller) and version 2 (one tree).

use std::fs;
use std::path::{Path, PathBuf};

use crate::Error;

/// All clusters' cgroups are below this one.
const PARENT: &str = "longrun";

/// A processor's worth of `cpu.shares`; every process outside has 1024.
const SHARES: usize = 4096;

/// The path of a cluster's cgroup inside each tree, as the kubelet wants it.
pub(crate) fn root(cluster: &str) -> String {
    format!("/{PARENT}/{cluster}")
}

/// The directories where cgroup trees are mounted, and whether they are of
/// version 2.
fn trees() -> Vec<(PathBuf, bool)> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let directory = PathBuf::from(fields.next()?);
            match fields.next()? {
                "cgroup" => Some((directory, false)),
                "cgroup2" => Some((directory, true)),
                _ => None,
            }
        })
        .collect()
}

/// Makes the cluster's cgroup in every tree.
pub(crate) fn create(cluster: &str) -> Result<(), Error> {
    let trees = trees();
    let only_second = trees.iter().all(|(_, second)| *second);
    for (tree, second) in trees {
        let parent = tree.join(PARENT);
        let own = parent.join(cluster);
        // Beside the first version, the second has no controllers.
        if second && !only_second {
            continue;
        }
        fs::create_dir_all(&own).map_err(Error::file("create", &own))?;
        if second {
            for directory in [&tree, &parent, &own] {
                let file = directory.join("cgroup.subtree_control");
                fs::write(&file, "+cpu +cpuset +memory +pids")
                    .map_err(Error::file("write", &file))?;
            }
        } else {
            share(&tree, &parent, &own)?;
        }
    }
    Ok(())
}

/// A new cgroup of version 1 may use no processor until told which, and counts
/// as much as one process of the machine however many pods are in it.
fn share(tree: &Path, parent: &Path, own: &Path) -> Result<(), Error> {
    let write =
        |file: PathBuf, value: &str| fs::write(&file, value).map_err(Error::file("write", &file));
    if tree.join("cpuset.cpus").exists() {
        for name in ["cpuset.cpus", "cpuset.mems"] {
            let all = fs::read_to_string(tree.join(name))
                .map_err(Error::file("read", tree.join(name)))?;
            for directory in [parent, own] {
                write(directory.join(name), all.trim())?;
            }
        }
    }
    if tree.join("cpu.shares").exists() || own.join("cpu.shares").exists() {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        for directory in [parent, own] {
            write(
                directory.join("cpu.shares"),
                &(SHARES * processors).to_string(),
            )?;
        }
    }
    Ok(())
}

/// Removes the cluster's cgroups and, when it was the last, their parent.
/// Returns one that is still in use, if any.
pub(crate) fn remove(cluster: &str) -> Option<PathBuf> {
    let mut left = None;
    for (tree, _) in trees() {
        let parent = tree.join(PARENT);
        let own = parent.join(cluster);
        if !remove_tree(&own) {
            left = Some(own);
        }
        // Other clusters' keep it.
        let _ = fs::remove_dir(parent);
    }
    left
}

/// True when nothing is left of it. Its files cannot be removed, and go with
/// their directory.
fn remove_tree(directory: &Path) -> bool {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    fs::remove_dir(directory).is_ok() || !directory.exists()
}
