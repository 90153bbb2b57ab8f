//! A place of a test's own for its clusters, and what it does in them.

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

/// What volumes need of a cluster.
pub(crate) const DISK: &str = "
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: csi.longrun.dev}
spec: {attachRequired: false, podInfoOnMount: false}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: disk}
provisioner: csi.longrun.dev
volumeBindingMode: WaitForFirstConsumer
";

/// A claim, filled from `source`, and a pod that uses it, of the one image that
/// every cluster has.
pub(crate) fn pod_with_volume(name: &str, source: &str) -> String {
    format!(
        "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: {name}}}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: disk
  resources: {{requests: {{storage: 64Mi}}}}
  {source}
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  automountServiceAccountToken: false
  containers:
  - name: pause
    image: longrun.dev/pause:1
    imagePullPolicy: Never
    volumeMounts: [{{name: data, mountPath: /data}}]
  volumes: [{{name: data, persistentVolumeClaim: {{claimName: {name}}}}}]
"
    )
}

/// Directories of a test's own, which keep its clusters away from the user's.
/// Built programs are shared with the user's, as building them takes minutes.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) root: PathBuf,
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

    fn run_kubectl(&self, kubeconfig: &Path, arguments: &[&str]) -> Result<String, String> {
        let newest = fs::read_dir(self.root.join("cache/longrun/embedded"))
            .unwrap()
            .flatten()
            .map(|entry| entry.path().join("kubernetes"))
            .find(|program| program.exists())
            .unwrap();
        let output = Command::new(newest)
            .arg("kubectl")
            .arg("--request-timeout=5s")
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(arguments)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }

    /// What kubectl prints, or why it fails.
    pub(crate) fn try_kubectl(&self, up: &Up, arguments: &[&str]) -> Result<String, String> {
        self.run_kubectl(&up.kubeconfig, arguments)
    }

    /// Asks a server as `who`, whoever the server is.
    pub(crate) fn knock(&self, server: &str, path: &str, who: &[String]) -> Result<String, String> {
        let kubeconfig = self.root.join("nobody");
        fs::write(&kubeconfig, "apiVersion: v1\nkind: Config\n").unwrap();
        let server = format!("--server={server}");
        let mut arguments = vec!["get", "--raw", path, &server, "--insecure-skip-tls-verify"];
        arguments.extend(who.iter().map(String::as_str));
        self.run_kubectl(&kubeconfig, &arguments)
    }

    pub(crate) fn kubectl(&self, up: &Up, arguments: &[&str]) -> String {
        self.try_kubectl(up, arguments).unwrap()
    }

    pub(crate) fn await_pod(&self, up: &Up, name: &str) {
        let pod = format!("pod/{name}");
        let wait = ["wait", &pod, "--for=condition=Ready", "--timeout=1s"];
        eventually(&pod, || self.try_kubectl(up, &wait).is_ok());
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
                for log in ["supervisor", "kubelet", "kube-apiserver", "csi-driver"] {
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
