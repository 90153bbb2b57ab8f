//! What tests need of the machine: a place for their clusters, and a look at
//! all that a cluster could leave behind.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use longrun_embedded::{Cluster, Places, Running, Up};

/// One test at a time: the machine is small, and each looks at all of it.
static MACHINE: Mutex<()> = Mutex::new(());

/// Directories of a test's own, which keep its clusters away from the user's.
/// Built programs are shared with the user's, as building them takes minutes.
pub(crate) struct Place {
    name: String,
    root: PathBuf,
    _machine: MutexGuard<'static, ()>,
}

impl Place {
    pub(crate) fn new(test: &str) -> Self {
        let machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("{test}-{}", std::process::id());
        let root = std::env::temp_dir().join(format!("longrun-test-{name}"));
        let shared = Places::of_user().unwrap().cache.join("embedded");
        fs::create_dir_all(&shared).unwrap();
        fs::create_dir_all(root.join("cache/longrun")).unwrap();
        symlink(shared, root.join("cache/longrun/embedded")).unwrap();
        Self {
            name,
            root,
            _machine: machine,
        }
    }

    /// The cluster's name, told from those of other tests.
    pub(crate) fn name(&self, cluster: &str) -> String {
        format!("{}-{cluster}", self.name)
    }

    pub(crate) fn cluster(&self, name: &str) -> Cluster {
        let places = Places {
            state: self.root.join("state/longrun"),
            cache: self.root.join("cache/longrun"),
        };
        Cluster::open(&self.name(name), &places)
            .unwrap()
            .with_supervisor(env!("CARGO_BIN_EXE_longrun-embedded"))
    }

    pub(crate) fn state(&self, cluster: &str) -> PathBuf {
        self.root
            .join("state/longrun/clusters")
            .join(self.name(cluster))
    }

    /// The same places for another process.
    pub(crate) fn variables(&self) -> [(&'static str, PathBuf); 2] {
        [
            ("XDG_STATE_HOME", self.root.join("state")),
            ("XDG_CACHE_HOME", self.root.join("cache")),
        ]
    }

    /// Puts `script` in place of a program, in this test's place only.
    pub(crate) fn replace_program(&self, program: &str, script: &str) {
        // After this they are built, here or by whoever came before.
        self.cluster("one").up(&silent).unwrap();
        self.cluster("one").down(true, &silent).unwrap();
        fs::create_dir_all(self.root.join("cache/longrun")).unwrap();
        let link = self.root.join("cache/longrun/embedded");
        let shared = fs::canonicalize(&link).unwrap();
        fs::remove_file(&link).unwrap();
        for key in fs::read_dir(shared).unwrap().flatten() {
            let own = link.join(key.file_name());
            if !key.path().is_dir() {
                continue;
            }
            fs::create_dir_all(&own).unwrap();
            for file in fs::read_dir(key.path()).unwrap().flatten() {
                if file.file_name() == program {
                    let replaced = own.join(program);
                    fs::write(&replaced, script).unwrap();
                    fs::set_permissions(replaced, fs::Permissions::from_mode(0o755)).unwrap();
                } else if file.file_name() != "in-use.lock" {
                    symlink(file.path(), own.join(file.file_name())).unwrap();
                }
            }
        }
    }

    fn run_kubectl(&self, up: &Up, arguments: &[&str]) -> std::process::Output {
        let newest = fs::read_dir(self.root.join("cache/longrun/embedded"))
            .unwrap()
            .flatten()
            .map(|entry| entry.path().join("kubernetes"))
            .find(|program| program.exists())
            .unwrap();
        Command::new(newest)
            .arg("kubectl")
            .arg("--request-timeout=5s")
            .arg("--kubeconfig")
            .arg(&up.kubeconfig)
            .args(arguments)
            .output()
            .unwrap()
    }

    /// What kubectl prints, or why it fails.
    pub(crate) fn try_kubectl(&self, up: &Up, arguments: &[&str]) -> Result<String, String> {
        let output = self.run_kubectl(up, arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }

    pub(crate) fn kubectl(&self, up: &Up, arguments: &[&str]) -> String {
        self.try_kubectl(up, arguments).unwrap()
    }

    /// Applies a manifest as soon as the cluster takes it: a new namespace has
    /// no service account for a moment.
    pub(crate) fn apply(&self, up: &Up, manifest: &str) {
        let file = self.root.join("manifest.yaml");
        fs::write(&file, manifest).unwrap();
        let file = file.to_string_lossy();
        eventually(manifest, || {
            let applied = self.try_kubectl(up, &["apply", "--server-side", "--filename", &file]);
            applied.inspect_err(|error| eprint!("{error}")).is_ok()
        });
    }
}

impl Drop for Place {
    /// Also after a failed test, whose clusters may still run.
    fn drop(&mut self) {
        let clusters = fs::read_dir(self.root.join("state/longrun/clusters"));
        for entry in clusters.into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if std::thread::panicking() {
                for log in ["supervisor", "kubelet", "kube-apiserver"] {
                    let path = entry.path().join("logs").join(format!("{log}.log"));
                    let text = fs::read_to_string(&path).unwrap_or_default();
                    let end: Vec<&str> = text.lines().rev().take(10).collect();
                    eprintln!("{}, last line first:\n{}", path.display(), end.join("\n"));
                }
            }
            if let Some(short) = name.strip_prefix(&format!("{}-", self.name)) {
                let _ = self.cluster(short).down(true, &silent);
            }
        }
        let _ = fs::remove_dir_all(&self.root);
    }
}

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

pub(crate) fn silent(_: &str) {}

pub(crate) fn running(cluster: &Cluster) -> Running {
    cluster.status().unwrap().running.expect("the cluster runs")
}

/// Looks every 100 ms until `done`.
pub(crate) fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "not within 60 s: {what}"
        );
        std::thread::sleep(Duration::from_millis(100));
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

/// The outermost process of the cluster with this state directory.
pub(crate) fn outermost(state: &Path) -> u32 {
    let record = fs::read(state.join("record.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    u32::try_from(record["outer"]["pid"].as_u64().unwrap()).unwrap()
}

pub(crate) fn kill(pid: u32) {
    let status = Command::new("kill")
        .args(["-KILL", &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Reads until a line begins with `start`.
pub(crate) fn await_line(from: impl Read, start: &str) {
    let mut seen = Vec::new();
    for line in BufReader::new(from).lines() {
        let line = line.unwrap();
        if line.starts_with(start) {
            return;
        }
        seen.push(line);
    }
    panic!("no line `{start}` in {seen:#?}");
}
