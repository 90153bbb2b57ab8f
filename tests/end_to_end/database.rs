//! The database of a whole environment as its node sees it, and what operations on it leave behind.

use serde_json::Value;

use crate::{
    house::House,
    run::{Ran, Running, attempt},
};

/// One object of the workload, whose counter is the state that must not be lost.
const OBJECT: &str = "interpreter/0-v1-s5-all-mark";

/// A whole environment that runs.
pub(crate) fn deployed(test: &str) -> House {
    let house = House::whole(test);
    house.deploy(&["--yes"]).exits(0);
    house
}

impl House {
    /// `snapshot -n ENVIRONMENT …`, `wipe -n ENVIRONMENT …`
    pub(crate) fn data(&self, verb: &str, more: &[&str]) -> Ran {
        self.run(&self.data_arguments(verb, more))
    }

    pub(crate) fn data_arguments<'a>(&'a self, verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        [&[verb, "-n", &self.name], more].concat()
    }

    /// Shows, continues or takes back the last operation.
    pub(crate) fn operation(&self, verb: &str, more: &[&str]) -> Ran {
        self.run(&[&["operation", verb, "-n", &self.name], more].concat())
    }

    /// Begins to continue it, without a terminal.
    pub(crate) fn begin_operation(&self, verb: &str) -> Running {
        Running::start(self.command(&["operation", verb, "-n", &self.name]))
    }

    /// Begins it without a terminal.
    pub(crate) fn begin_data(&self, verb: &str, more: &[&str]) -> Running {
        Running::start(self.command(&self.data_arguments(verb, more)))
    }

    /// A wipe, approved by the digest of its dry run.
    #[track_caller]
    pub(crate) fn wipe(&self) -> Ran {
        let digest = self.digest("wipe", &[]);
        self.data("wipe", &["--approve", &digest])
    }

    /// A restore, approved by the digest of its dry run.
    #[track_caller]
    pub(crate) fn restore(&self, snapshot: &str) -> Ran {
        let digest = self.digest("restore", &["-s", snapshot]);
        self.data("restore", &["-s", snapshot, "--approve", &digest])
    }

    /// The digest that a dry run prints.
    #[track_caller]
    pub(crate) fn digest(&self, verb: &str, more: &[&str]) -> String {
        let ran = self.data(verb, &[more, &["--dry-run"]].concat()).exits(0);
        let digest = ran.stdout.trim().rsplit(' ').next();
        digest.expect("a digest").to_owned()
    }

    fn ask_node(&self, method: &str, query: &str) -> Result<String, String> {
        self.ask_object(OBJECT, method, query)
    }

    fn ask_object(&self, object: &str, method: &str, query: &str) -> Result<String, String> {
        let name = &self.name;
        let place =
            format!("/api/v1/namespaces/{name}/pods/restate-0:8080/proxy/{object}/{method}{query}");
        attempt(
            self.namespaced()
                .args(["create", "--raw", &place, "--filename", "/dev/null"]),
        )
    }

    /// Writes state through Restate.
    #[track_caller]
    pub(crate) fn increment(&self) {
        self.ask_node("increment", "")
            .expect("the node takes an invocation");
    }

    /// Writes state of any object through Restate: `interpreter/0-v1-s20-all-test-1`.
    #[track_caller]
    pub(crate) fn increment_of(&self, object: &str) {
        self.ask_object(object, "increment", "")
            .expect("the node takes an invocation");
    }

    /// Whether it could be written.
    pub(crate) fn try_increment(&self) -> bool {
        self.ask_node("increment", "").is_ok()
    }

    /// Writes state through Restate, later.
    #[track_caller]
    pub(crate) fn increment_in(&self, seconds: u32) {
        self.ask_node("increment", &format!("/send?delay={seconds}s"))
            .expect("the node takes a delayed invocation");
    }

    /// The state, as soon as the node answers.
    #[track_caller]
    pub(crate) fn counter(&self) -> u64 {
        let mut counter = None;
        self.until("the node answers", || {
            let answer = self.ask_node("counter", "");
            counter = answer.ok().and_then(|text| text.trim().parse().ok());
            counter.is_some()
        });
        counter.expect("it was just read")
    }

    /// What Restate calls this database, as soon as its node is there: no two have the same.
    #[track_caller]
    pub(crate) fn fingerprint(&self) -> Value {
        let cat = ["exec", "restate-0", "-c", "restate", "--", "cat"];
        let cat = [&cat[..], &["/target/db/.cluster-marker"]].concat();
        let mut marker = Value::Null;
        self.until("the node has a database", || {
            let read = self.try_kubectl(&cat).unwrap_or_default();
            marker = serde_json::from_str(&read).unwrap_or_default();
            !marker["cluster_fingerprint"].is_null()
        });
        marker["cluster_fingerprint"].clone()
    }

    pub(crate) fn claim(&self) -> Value {
        self.field("pvc/storage-restate-0", "/metadata/uid")
    }

    pub(crate) fn snapshots(&self) -> Vec<Value> {
        let ran = self.run(&["snapshot", "list", "-n", &self.name, "--output", "json"]);
        let document = ran.exits(0).document();
        document.as_array().expect("a list").clone()
    }

    /// The copy that a wipe kept.
    #[track_caller]
    pub(crate) fn kept(&self) -> String {
        let snapshots = self.snapshots();
        let kept = snapshots.iter().find(|one| one["purpose"] == "before-wipe");
        let kept = kept.and_then(|one| one["name"].as_str());
        kept.expect("a copy").to_owned()
    }

    /// The last operation as `operation status` has it.
    pub(crate) fn last_operation(&self) -> Value {
        let status = self.operation("status", &["--output", "json"]);
        status.exits(0).document()
    }

    /// Everything is as before an operation on the database, whatever it was.
    #[track_caller]
    pub(crate) fn is_tidy(&self) {
        let made = self.kubectl(&["get", "jobs,pvc", "--output", "name"]);
        for left in ["-check", "-restored", "-source"] {
            assert!(!made.contains(left), "left behind: {made}");
        }
        let suspended = self.field("cronjob/test", "/spec/suspend");
        assert_ne!(suspended, true, "the tests are suspended");
        assert_ne!(self.field("statefulset/restate", "/spec/replicas"), 0);
        let snapshots = self.snapshots();
        // What is deleted goes when its finalizers are done.
        let temporary = snapshots
            .iter()
            .find(|one| one["purpose"] == "temporary" && one["going"] == false);
        assert_eq!(temporary, None, "a rehearsal is left");
        let holder = self.field("lease/longrun", "/spec/holderIdentity");
        assert_eq!(holder.as_str().unwrap_or_default(), "", "the lease is held");
    }
}
