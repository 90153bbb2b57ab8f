//! A look at all that a cluster could leave behind on the machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::Place;

/// What a cluster could leave on a machine. Others may use the machine at the
/// same time, with clusters of their own, so each list names its owners.
#[derive(Debug)]
pub(crate) struct Trace {
    mounts: BTreeSet<String>,
    devices: BTreeSet<String>,
    loops: BTreeSet<String>,
    rules: String,
    tunables: String,
}

impl Trace {
    pub(crate) fn of_machine() -> Self {
        let lines = |text: String| text.lines().map(String::from).collect();
        Self {
            mounts: lines(fs::read_to_string("/proc/self/mounts").unwrap()),
            devices: lines(printed("ip", &["-brief", "address"])),
            loops: lines(printed(
                "losetup",
                &["--noheadings", "--output=NAME,BACK-FILE"],
            )),
            rules: printed("nft", &["list", "ruleset"]),
            tunables: [
                "vm/overcommit_memory",
                "kernel/panic",
                "kernel/panic_on_oops",
                "net/ipv4/ip_forward",
            ]
            .map(|name| fs::read_to_string(format!("/proc/sys/{name}")).unwrap())
            .concat(),
        }
    }

    /// Fails when `after` has anything more, except for what other clusters
    /// and image builds, known by their own names, have begun meanwhile.
    pub(crate) fn assert_same(&self, after: &Self, place: &Place) {
        let new =
            |before: &BTreeSet<String>, after: &BTreeSet<String>, others: &str| -> Vec<String> {
                after
                    .difference(before)
                    .filter(|line| line.contains(&place.name) || !line.contains(others))
                    .cloned()
                    .collect()
            };
        assert_eq!(
            new(&self.mounts, &after.mounts, "containers/storage"),
            [""; 0]
        );
        assert_eq!(new(&self.loops, &after.loops, "volumes.btrfs"), [""; 0]);
        let devices: Vec<String> = new(&self.devices, &after.devices, "longrun")
            .into_iter()
            .chain(
                after
                    .devices
                    .iter()
                    .filter(|line| line.starts_with("longrun") && line.contains("DOWN"))
                    .cloned(),
            )
            .collect();
        assert_eq!(devices, [""; 0]);
        assert_eq!(self.rules, after.rules);
        assert_eq!(self.tunables, after.tunables);
        assert_eq!(processes_of(&place.root), [0_u32; 0]);
        assert_eq!(cgroups_of(&place.name), Vec::<PathBuf>::new());
    }
}

fn printed(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}");
    String::from_utf8(output.stdout).unwrap()
}

/// All processes that see something below `root` mounted, or that were started
/// with it as an argument.
fn processes_of(root: &Path) -> Vec<u32> {
    let text = root.to_string_lossy();
    let mentions = |path: PathBuf| {
        fs::read(path).is_ok_and(|content| String::from_utf8_lossy(&content).contains(&*text))
    };
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| {
            mentions(entry.path().join("mountinfo")) || mentions(entry.path().join("cmdline"))
        })
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn cgroups_of(name: &str) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    mounts
        .lines()
        .filter(|line| line.starts_with("cgroup"))
        .filter_map(|line| fs::read_dir(Path::new(line.split(' ').nth(1)?).join("longrun")).ok())
        .flat_map(Iterator::flatten)
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains(name))
        .collect()
}
