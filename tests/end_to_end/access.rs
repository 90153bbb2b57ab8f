//! The way to the cluster: the wrong one is impossible, and each broken way is named. Nothing is changed.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::{
    house::House,
    run::{Ran, Running, output},
    setting::{kubectl, setting},
    templates::config_map,
};

/// The administrator's kubeconfig as JSON, which is YAML.
fn administrator() -> Value {
    let text = output(kubectl(&setting().kubeconfig).args([
        "config",
        "view",
        "--raw",
        "--flatten",
        "--output",
        "json",
    ]));
    let mut config: Value = serde_json::from_str(&text).expect("kubectl prints JSON");
    config["contexts"][0]["name"] = json!("shared");
    config
}

fn kube_system() -> String {
    output(kubectl(&setting().kubeconfig).args([
        "get",
        "namespace",
        "kube-system",
        "--output",
        "jsonpath={.metadata.uid}",
    ]))
}

const CLUSTER: &str = "clusters/shared.yaml";
const NOTE: &str = "templates/note/configmap.yaml.hbs";

/// A house on a shared cluster, that is: one reached through the user's kubeconfig, whose manifests are
/// reviewed.
pub(crate) struct Shared {
    pub(crate) house: House,
}

impl Shared {
    pub(crate) fn new(test: &str, uid: Option<&str>) -> Self {
        // It needs neither images nor what belongs to the embedded cluster.
        let house = House::unfurnished(test);
        let identity = uid
            .map(|uid| format!("kubeSystemUid: {uid}\n"))
            .unwrap_or_default();
        house.write(
            CLUSTER,
            &format!(
                "# ours\nname: shared\n{identity}access: {{kubeconfig: {{context: shared}}}} # the way\nregistry: registry.example.com/longrun\nstorage: {{driver: csi.longrun.dev}}\n"
            ),
        );
        house.environment_on("shared", "");
        house.write(NOTE, &config_map("note", "one"));
        let shared = Self { house };
        shared.kubeconfig(&administrator());
        shared.render();
        shared
    }

    pub(crate) fn trusted(test: &str) -> Self {
        Self::new(test, Some(&kube_system()))
    }

    pub(crate) fn kubeconfig(&self, config: &Value) {
        self.house.write("kubeconfig", &config.to_string());
    }

    pub(crate) fn render(&self) {
        self.house.run(&["render", &self.house.name]).exits(0);
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.house.command(arguments);
        command.env("KUBECONFIG", self.house.path("kubeconfig"));
        Running::start(command).end()
    }

    pub(crate) fn deploy(&self) -> Ran {
        self.run(&["deploy", "-n", &self.house.name, "--yes"])
    }

    /// There is no way to the cluster, for any command.
    fn is_unreachable(&self, parts: &[&str]) {
        self.is_refused(parts);
        let name = self.house.name.as_str();
        let copy = self.house.path("copy").display().to_string();
        for command in [
            &["status"][..],
            &["snapshot"],
            &["snapshot", "list"],
            &["snapshot", "delete", "some"],
            &[
                "snapshot",
                "prune",
                "--keep-last",
                "3",
                "--older-than",
                "14d",
            ],
            &["attach", "-s", "some"],
            &["copy", "-s", "some", &copy],
            &["copy", "--live", &copy],
            &["wipe"],
            &["operation", "status"],
            &["operation", "resume"],
            &["operation", "abort"],
            &["restore", "-s", "some"],
        ] {
            let ran = self.run(&[command, &["-n", name]].concat());
            ran.exits(2).says(parts);
        }
    }

    fn is_refused(&self, parts: &[&str]) {
        let name = self.house.name.as_str();
        self.deploy().exits(2).says(parts).takes_at_most(20);
        self.run(&["diff", "-n", name]).exits(2).says(parts);
        assert_eq!(
            self.house.get(&format!("namespace/{name}")),
            None,
            "nothing was changed"
        );
    }
}

/// The administrator's kubeconfig with another server or other credentials.
fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut config = administrator();
    change(&mut config);
    config
}

fn with_server(server: &str) -> Value {
    with(|config| {
        config["clusters"][0]["cluster"] =
            json!({"server": server, "insecure-skip-tls-verify": true});
    })
}

#[test]
fn a_cluster_is_deployed_to_once_it_is_trusted() {
    let shared = Shared::new("trust", None);
    let uid = kube_system();
    shared
        .deploy()
        .exits(2)
        .says(&["no kube-system UID yet", &uid, "cargo xtask cluster trust"]);

    shared
        .run(&["cluster", "trust", "shared"])
        .exits(2)
        .says(&[&uid, "nothing was done", "--yes"]);
    shared
        .run(&["cluster", "trust", "shared", "--yes"])
        .exits(0)
        .says(&["review and commit it"]);
    let file = std::fs::read_to_string(shared.house.path(CLUSTER)).expect("the cluster's file");
    assert!(
        file.starts_with(&format!("# ours\nname: shared\nkubeSystemUid: {uid}\n")),
        "{file}"
    );
    assert!(file.contains("# the way"), "comments stay: {file}");
    shared
        .run(&["cluster", "trust", "shared", "--yes"])
        .exits(0)
        .says(&["nothing to do"]);

    shared.deploy().exits(0);
    assert_eq!(shared.house.field("configmap/note", "/data/text"), "one");
}

#[test]
fn another_cluster_behind_the_right_name() {
    let other = "00000000-0000-4000-8000-000000000000";
    let shared = Shared::new("another", Some(other));
    shared.is_unreachable(&["wrong cluster; nothing was done", &kube_system(), other]);
}

#[test]
fn no_kubeconfig_and_no_such_context() {
    let shared = Shared::trusted("context");
    shared.kubeconfig(&with(|config| {
        config["contexts"][0]["name"] = json!("theirs");
    }));
    shared.is_unreachable(&["the kubeconfig has no context \"shared\"; it has theirs"]);

    shared.house.remove("kubeconfig");
    shared.is_unreachable(&["there is no kubeconfig: ", "does not exist"]);

    shared
        .house
        .write("kubeconfig", "{ this: [is no kubeconfig\n");
    shared.is_unreachable(&["cannot use the kubeconfig"]);
}

#[test]
fn an_api_server_that_is_down_or_silent() {
    let shared = Shared::trusted("down");
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        format!("https://{}", listener.local_addr().expect("an address"))
    };
    shared.kubeconfig(&with_server(&closed));
    shared.is_unreachable(&[
        "the API server",
        &closed,
        "cannot be reached",
        "Connection refused",
    ]);

    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("https://{}", silent.local_addr().expect("an address"));
    shared.kubeconfig(&with_server(&address));
    shared.is_unreachable(&[&address, "cannot be reached"]);
}

#[test]
fn credentials_that_are_not_accepted_or_not_to_be_had() {
    let shared = Shared::trusted("credentials");
    shared.kubeconfig(&with(|config| {
        config["users"][0]["user"] = json!({"token": "expired"});
    }));
    shared.is_unreachable(&["rejected the credentials", "log in again"]);

    let program = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "false",
        "interactiveMode": "Never",
    }});
    shared.kubeconfig(&with(|config| config["users"][0]["user"] = program));
    shared.is_unreachable(&["credentials", "false"]);
}

#[test]
fn what_was_not_reviewed_is_not_applied() {
    let shared = Shared::trusted("reviewed");
    let name = &shared.house.name;
    let committed = format!("manifests/shared/{name}/note/configmap.yaml");
    let text = std::fs::read_to_string(shared.house.path(&committed)).expect("a rendered file");
    shared.house.write(&committed, &text.replace("one", "two"));
    let unreviewed = [
        "the committed manifests differ from what would be applied; nothing was changed",
        committed.as_str(),
        "cargo xtask render",
    ];
    shared.is_refused(&unreviewed);

    shared.house.remove(&committed);
    shared.is_refused(&unreviewed);
    shared.render();
    shared.deploy().exits(0);
}

/// Holds a namespace back from being gone, for as long as it lives.
struct Held<'a>(&'a House);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let none = r#"{"metadata": {"finalizers": null}}"#;
        let _ = self.0.try_kubectl(&[
            "patch",
            "configmap",
            "held",
            "--type",
            "merge",
            "--patch",
            none,
        ]);
    }
}

#[test]
fn a_namespace_that_is_being_deleted_takes_nothing() {
    let house = House::small("deleted");
    house.write(NOTE, &config_map("note", "one"));
    house.deploy(&["--yes"]).exits(0);
    house.apply(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, finalizers: [example.com/held]}\n",
        &[],
    );
    let held = Held(&house);
    let namespace = format!("namespace/{}", house.name);
    house.kubectl(&["delete", &namespace, "--wait=false"]);
    house.until("it is being deleted", || {
        house.field(&namespace, "/status/phase") == "Terminating"
    });

    house.deploy(&["--yes"]).exits(2).says(&[
        "nothing was changed",
        "is being deleted",
        "deploy again",
    ]);
    house
        .run(&["status", "-n", &house.name])
        .exits(0)
        .prints(&["IS BEING DELETED"]);

    drop(held);
    house.until("it is gone", || house.get(&namespace).is_none());
    house.deploy(&["--yes"]).exits(0);
}
