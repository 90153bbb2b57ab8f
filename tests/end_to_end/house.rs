//! One test's environment: its inputs in a directory of its own, its namespace under a random name. What
//! is in it is told when the test fails; the namespace is deleted in any case.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    report::{note, tell},
    run::{Ran, Running, attempt, output},
    setting::{Place, furnish, kubectl, root, setting},
};

/// How long something that must come by itself may take.
const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) struct House {
    /// The environment, which is the namespace.
    pub(crate) name: String,
    inputs: TempDir,
    /// Whether anything of it may be on the cluster.
    offline: bool,
    _place: Option<Place>,
}

impl House {
    /// An environment as the project's templates make it: node, service and test.
    pub(crate) fn whole(test: &str) -> Self {
        furnish();
        let place = Place::take();
        let mut house = Self::with_inputs(test);
        house._place = Some(place);
        house
    }

    /// An environment with templates of its own: a namespace, and what the test adds.
    pub(crate) fn small(test: &str) -> Self {
        furnish();
        Self::unfurnished(test)
    }

    /// A small one that is not preceded by what all share.
    pub(crate) fn unfurnished(test: &str) -> Self {
        let house = Self::with_inputs(test);
        house.copy_templates("namespace");
        house.copy_parts();
        house
    }

    /// Inputs for commands that do not get as far as the cluster.
    pub(crate) fn offline(test: &str) -> Self {
        let mut house = Self::with_inputs(test);
        house.offline = true;
        house
    }

    fn with_inputs(test: &str) -> Self {
        let setting = setting();
        let random = RandomState::new().build_hasher().finish() & 0xffff;
        let house = Self {
            name: format!("t-{test}-{random:04x}"),
            inputs: TempDir::new().expect("a temporary directory"),
            offline: false,
            _place: None,
        };
        let local = std::fs::read_to_string(root().join("clusters/local.yaml"))
            .expect("the embedded cluster's file");
        let cluster = &setting.cluster;
        let file = local.replace("\nname: local\n", &format!("\nname: {cluster}\n"));
        house.write(&format!("clusters/{cluster}.yaml"), &file);
        house.environment(
            "verification: {replicas: 1}\ntest: {size: 20}\nrestate: {storage: 512Mi}\n",
        );
        note(format_args!("{} on {cluster}", house.name));
        house
    }

    /// Writes the environment's file, with these lines after the name and the cluster.
    pub(crate) fn environment(&self, lines: &str) {
        self.environment_on(&setting().cluster, lines);
    }

    /// The same, on another cluster.
    pub(crate) fn environment_on(&self, cluster: &str, lines: &str) {
        let name = &self.name;
        self.write(
            &format!("environments/{name}.yaml"),
            &format!("name: {name}\ncluster: {cluster}\n{lines}"),
        );
    }

    /// A second environment, `gone/elsewhere`, on a cluster that nobody can reach.
    pub(crate) fn environment_out_of_reach(&self) {
        self.write(
            "clusters/gone.yaml",
            "name: gone\naccess: {kubeconfig: {context: nowhere}}\nregistry: localhost\nstorage: {driver: none}\n",
        );
        self.write(
            "environments/elsewhere.yaml",
            "name: elsewhere\ncluster: gone\n",
        );
    }

    /// Writes a file of the inputs.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    pub(crate) fn remove(&self, path: &str) {
        std::fs::remove_file(self.path(path)).expect("the file is there");
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.inputs.path().join(path)
    }

    /// Takes what the project's templates include.
    pub(crate) fn copy_parts(&self) {
        for entry in std::fs::read_dir(root().join("templates"))
            .expect("the templates")
            .flatten()
        {
            let name = entry.file_name().display().to_string();
            if name.ends_with(".hbs") {
                self.write(
                    &format!("templates/{name}"),
                    &project(&format!("templates/{name}")),
                );
            }
        }
    }

    /// Takes all templates of the project, to change some of them.
    pub(crate) fn copy_all_templates(&self) {
        self.copy_parts();
        for entry in std::fs::read_dir(root().join("templates"))
            .expect("the templates")
            .flatten()
            .filter(|entry| entry.path().is_dir())
        {
            self.copy_templates(&entry.file_name().display().to_string());
        }
    }

    /// Takes a component's templates from the project.
    pub(crate) fn copy_templates(&self, component: &str) {
        let folder = root().join("templates").join(component);
        for entry in std::fs::read_dir(folder)
            .expect("a component's templates")
            .flatten()
        {
            let text = std::fs::read_to_string(entry.path()).expect("a template");
            self.write(
                &format!("templates/{component}/{}", entry.file_name().display()),
                &text,
            );
        }
    }

    /// The command line with these inputs, in no terminal and nobody's continuous integration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(arguments);
        command.arg("--inputs").arg(self.inputs.path());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Running::start(self.command(arguments)).end()
    }

    pub(crate) fn deploy(&self, arguments: &[&str]) -> Ran {
        self.run(&self.deployment(arguments))
    }

    pub(crate) fn diff(&self) -> Ran {
        self.run(&["diff", "-n", &self.name])
    }

    /// Begins a deployment without a terminal.
    pub(crate) fn begin(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(&self.deployment(arguments)))
    }

    /// Begins a deployment at a terminal, which asks before it begins.
    pub(crate) fn begin_at_terminal(&self) -> Running {
        Running::start_at_terminal(&self.command(&self.deployment(&[])))
    }

    fn deployment<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        [&["deploy", "-n", &self.name], arguments].concat()
    }

    /// Talks to the cluster as somebody else does, in this namespace.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        output(self.namespaced().args(arguments))
    }

    pub(crate) fn try_kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        attempt(self.namespaced().args(arguments))
    }

    /// kubectl in this namespace.
    pub(crate) fn namespaced(&self) -> Command {
        let mut command = kubectl(&setting().kubeconfig);
        command.args(["--namespace", &self.name]);
        command
    }

    /// Applies manifests as somebody else, in this namespace. Extra arguments, for example
    /// `--server-side`, come from the caller.
    pub(crate) fn apply(&self, manifest: &str, arguments: &[&str]) {
        let mut child = self
            .namespaced()
            .args(["apply", "--filename", "-"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("kubectl runs");
        child
            .stdin
            .take()
            .expect("stdin is piped")
            .write_all(manifest.as_bytes())
            .expect("kubectl reads");
        assert!(
            child.wait().expect("kubectl ends").success(),
            "not applied:\n{manifest}"
        );
    }

    /// An object as it is, `None` when there is none: `"service/verification"`.
    pub(crate) fn get(&self, object: &str) -> Option<Value> {
        let found = self.kubectl(&["get", object, "--ignore-not-found", "--output", "json"]);
        (!found.trim().is_empty())
            .then(|| serde_json::from_str(&found).expect("kubectl prints JSON"))
    }

    /// One field of an object; `Null` when there is none.
    pub(crate) fn field(&self, object: &str, pointer: &str) -> Value {
        self.get(object)
            .and_then(|object| object.pointer(pointer).cloned())
            .unwrap_or(Value::Null)
    }

    /// All objects of a kind.
    pub(crate) fn list(&self, kind: &str) -> Vec<Value> {
        let list: Value =
            serde_json::from_str(&self.kubectl(&["get", kind, "--output", "json"])).expect("JSON");
        list["items"].as_array().expect("a list").clone()
    }

    /// Waits until something holds that the cluster brings about by itself.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(
                began.elapsed() < PATIENCE,
                "{}: not after {} s: {what}",
                self.name,
                PATIENCE.as_secs()
            );
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    fn dump(&self) {
        let mut left = String::new();
        for what in [
            &[
                "get",
                "all,persistentvolumeclaims,configmaps,leases",
                "--output",
                "wide",
            ][..],
            &["get", "events", "--sort-by", ".lastTimestamp"],
            &["get", "pods,jobs", "--output", "yaml"],
        ] {
            let said = self.try_kubectl(what).unwrap_or_else(|error| error);
            left += &format!("── kubectl {}\n{}\n", what.join(" "), said.trim_end());
        }
        let pods = self
            .try_kubectl(&["get", "pods", "--output", "name"])
            .unwrap_or_default();
        for pod in pods.lines() {
            let log =
                self.try_kubectl(&["logs", pod, "--all-containers", "--prefix", "--tail", "40"]);
            let log = log.unwrap_or_else(|error| error);
            left += &format!("── log of {pod}\n{}\n", log.trim_end());
        }
        tell(&format!("what is left of {}", self.name), &left);
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if self.offline {
            return;
        }
        if std::thread::panicking() {
            self.dump();
        }
        let name = self.name.clone();
        let _ = attempt(kubectl(&setting().kubeconfig).args([
            "delete",
            "namespace",
            &name,
            "--wait=false",
            "--ignore-not-found",
        ]));
    }
}

/// The command line with the project's own inputs, in no terminal and nobody's continuous integration.
pub(crate) fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(&setting().binary);
    command.args(arguments).current_dir(root());
    for variable in ["CI", "KUBECONFIG", "LONGRUN_CLUSTER"] {
        command.env_remove(variable);
    }
    command
}

/// A file of the project.
pub(crate) fn project(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
