//! Faults, for real: injected by the runner in its pod, recorded before they are, and taken back whatever becomes
//! of it.

use serde_json::Value;

use crate::{
    house::{House, project},
    run::{Ran, Running},
};

mod network;
mod rights;

/// A whole environment with these faults, which happen when they are triggered: the minute of one could come in
/// between.
fn with_faults(test: &str, faults: &str) -> House {
    let house = House::whole(test);
    house.environment(&format!(
        "verification: {{replicas: 1}}\ntest: {{size: 20}}\nrestate: {{storage: 512Mi}}\nchaos: {{faults: [{faults}]}}\n"
    ));
    house.copy_all_templates();
    let cron_jobs = "templates/faults/cronjobs.yaml.hbs";
    let hourly = project(cron_jobs);
    let yearly = hourly.replace("schedule: {{quote schedule}}", "schedule: '0 0 1 1 *'");
    assert_ne!(yearly, hourly);
    house.write(cron_jobs, &yearly);
    house.deploy(&["--yes"]).exits(0);
    house
}

impl House {
    fn chaos(&self, arguments: &[&str]) -> Ran {
        self.run(&self.chaos_arguments(arguments))
    }

    fn begin_chaos(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(&self.chaos_arguments(arguments)))
    }

    fn chaos_arguments<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        [&["chaos"], arguments, &["-n", &self.name]].concat()
    }

    #[track_caller]
    fn status_says(&self, parts: &[&str]) {
        let ran = self.run(&["status", "-n", &self.name]).exits(0);
        ran.prints(parts);
    }

    /// The last entry of the ledger.
    fn last_fault(&self) -> Value {
        let data = self.field("configmap/longrun-faults", "/data");
        let last = data
            .as_object()
            .and_then(|data| data.iter().max_by_key(|(name, _)| *name));
        let text = last.and_then(|(_, value)| value.as_str()).unwrap_or("null");
        serde_json::from_str(text).expect("an entry")
    }

    fn restarts(&self) -> u64 {
        let statuses = self.field("pod/restate-0", "/status/containerStatuses");
        let statuses = statuses.as_array().cloned().unwrap_or_default();
        let mut node = statuses.iter().filter(|status| status["name"] == "restate");
        node.next()
            .and_then(|status| status["restartCount"].as_u64())
            .unwrap_or(0)
    }

    fn node_is_ready(&self) -> bool {
        let conditions = self.field("pod/restate-0", "/status/conditions");
        let conditions = conditions.as_array().cloned().unwrap_or_default();
        conditions
            .iter()
            .any(|one| one["type"] == "Ready" && one["status"] == "True")
    }

    /// The pod of the runner at work.
    fn runner(&self) -> String {
        let select = ["get", "pods", "-l", "app.kubernetes.io/component=faults"];
        let running = [
            "--field-selector",
            "status.phase=Running",
            "--output",
            "name",
        ];
        let pods = self.kubectl(&[&select[..], &running[..]].concat());
        pods.lines().next().expect("a runner").to_owned()
    }

    /// Kills the runner's process, which then cannot even be told to stop, as a deleted pod is.
    fn kill_runner(&self) {
        let runner = self.runner();
        let name = runner.trim_start_matches("pod/");
        let host = format!("HOSTNAME={name}\0");
        let processes = std::fs::read_dir("/proc").expect("processes");
        let of_pod = processes.flatten().filter_map(|process| {
            let environment = std::fs::read(process.path().join("environ")).ok()?;
            String::from_utf8_lossy(&environment)
                .contains(&host)
                .then(|| process.file_name().to_str()?.parse().ok())?
        });
        let of_pod: Vec<i32> = of_pod.collect();
        assert_eq!(of_pod.len(), 1, "the processes of {name}: {of_pod:?}");
        let process = nix::unistd::Pid::from_raw(of_pod[0]);
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL).expect("killed");
    }

    fn reasons(&self) -> Vec<String> {
        let events = self.list("events");
        let mut reasons: Vec<String> = events
            .iter()
            .filter_map(|event| event["reason"].as_str())
            .filter(|reason| reason.starts_with("Fault"))
            .map(ToOwned::to_owned)
            .collect();
        reasons.sort();
        reasons.dedup();
        reasons
    }

    /// Waits until the fault is at work.
    fn is_injected(&self) {
        self.until("the fault is injected", || {
            self.last_fault()["injected"].is_string()
        });
    }
}

#[test]
fn a_killed_node_recovers_and_the_ledger_says_so() {
    let house = with_faults("kill", "kill-restate");
    let before = house.restarts();
    house
        .chaos(&["status"])
        .exits(0)
        .prints(&["kill-restate", ":00", "go"]);
    house
        .chaos(&["trigger", "kil-restate", "--yes"])
        .exits(2)
        .says(&[
            "unknown fault `kil-restate`",
            "did you mean `kill-restate`?",
        ]);
    house
        .chaos(&["trigger", "stop-services", "--yes"])
        .exits(2)
        .says(&["stop-services is not among the faults of"]);
    house
        .chaos(&["trigger", "kill-restate"])
        .exits(2)
        .says(&["--yes"]);
    assert_eq!(house.restarts(), before, "nobody consented");

    let entry = house
        .chaos(&["trigger", "kill-restate", "--yes", "--output", "json"])
        .exits(0)
        .document();
    assert_eq!(entry["outcome"], "recovered");
    assert!(house.restarts() > before, "the process was killed");
    assert!(house.node_is_ready(), "it is healthy again");
    let kept = house.last_fault();
    assert_eq!(kept, entry);
    for time in ["began", "injected", "healed", "recovered"] {
        assert!(kept[time].is_string(), "{time}: {kept}");
    }
    assert_ne!(kept["by"], "schedule");
    assert_eq!(house.reasons(), ["FaultInjected", "FaultRecovered"]);
    let holder = house.field("lease/longrun", "/spec/holderIdentity");
    assert_eq!(holder.as_str().unwrap_or_default(), "", "the lease is held");
    house.diff().exits(0);
}

#[test]
fn nothing_is_injected_while_it_is_paused_or_a_wipe_is_not_finished() {
    let house = with_faults("no-go", "kill-restate");
    house
        .chaos(&["pause", "--reason", "a release"])
        .exits(2)
        .says(&["--for <TIME>"]);
    house
        .chaos(&["pause", "--for", "2h", "--reason", "a release"])
        .exits(0);
    house
        .chaos(&["trigger", "kill-restate", "--yes"])
        .exits(2)
        .says(&["nothing was changed", "paused until", "a release"]);
    house.status_says(&[
        "chaos          paused until ",
        "a release",
        "chaos resume -n",
    ]);
    // The runner sees for itself.
    house.kubectl(&[
        "create",
        "job",
        "scheduled",
        "--from",
        "cronjob/fault-kill-restate",
    ]);
    house.until("the runner ends", || {
        house.field("job/scheduled", "/status/succeeded") == 1
    });
    let said = house.kubectl(&["logs", "job/scheduled"]);
    assert!(said.contains("paused until"), "{said}");
    assert_eq!(house.reasons(), ["FaultSkipped"]);
    assert_eq!(house.last_fault(), Value::Null);
    house
        .chaos(&["resume"])
        .exits(0)
        .prints(&["faults happen again"]);
    house.status_says(&["chaos          1 fault an hour\n"]);

    let digest = house.digest("wipe", &[]);
    let wipe = house.begin_data("wipe", &["--approve", &digest]);
    house.until("the node stops", || {
        house.field("statefulset/restate", "/spec/replicas") == 0
    });
    wipe.signal(nix::sys::signal::Signal::SIGKILL);
    drop(wipe.end());
    house
        .chaos(&["trigger", "kill-restate", "--yes"])
        .exits(2)
        .says(&["nothing was changed", "is not finished", "operation resume"]);
    assert_eq!(
        house.field("cronjob/fault-kill-restate", "/spec/suspend"),
        true
    );
    house.operation("abort", &[]).exits(0);
    assert_ne!(
        house.field("cronjob/fault-kill-restate", "/spec/suspend"),
        true
    );
}

#[test]
fn a_frozen_node_goes_on_although_its_runner_was_killed() {
    let house = with_faults("freeze", "freeze-restate");
    let run = house.begin_chaos(&["trigger", "freeze-restate", "--yes"]);
    house.is_injected();
    house.until("the node is not ready", || !house.node_is_ready());
    house.kill_runner();
    run.end().exits(3);
    let entry = house.last_fault();
    assert_eq!(
        entry["outcome"],
        Value::Null,
        "nobody was left to say how it ended"
    );
    house
        .chaos(&["trigger", "freeze-restate", "--yes"])
        .exits(2)
        .says(&["has not ended", "create job take-back"]);

    house.kubectl(&[
        "create",
        "job",
        "next",
        "--from",
        "cronjob/fault-freeze-restate",
    ]);
    house.until("the next run takes it back", || {
        house.last_fault()["outcome"] == "healedLater"
    });
    assert!(house.node_is_ready(), "it goes on");
    assert_eq!(house.restarts(), 0, "it was never killed");
    assert!(house.reasons().contains(&"FaultHealed".to_owned()));
}

#[test]
fn stopped_services_run_again_when_their_runner_is_told_to_stop() {
    let house = with_faults("stop", "stop-services");
    let run = house.begin_chaos(&["trigger", "stop-services", "--yes"]);
    house.is_injected();
    assert_eq!(house.field("deployment/verification", "/spec/replicas"), 0);
    let runner = house.runner();
    house.kubectl(&["delete", &runner]);
    drop(run.end());
    let entry = house.last_fault();
    assert!(entry["healed"].is_string(), "{entry}");
    assert_eq!(house.field("deployment/verification", "/spec/replicas"), 1);
    house.until("the services run", || {
        house.field("deployment/verification", "/status/availableReplicas") == 1
    });
    // And whole, from beginning to end.
    house.chaos(&["trigger", "stop-services", "--yes"]).exits(0);
    assert_eq!(house.last_fault()["outcome"], "recovered");
    house.diff().exits(0);
}

#[test]
fn every_other_fault_recovers() {
    let faults = [
        "delete-restate",
        "kill-services",
        "kill-one-service",
        "restart-services",
    ];
    let house = with_faults("others", &faults.join(", "));
    for fault in faults {
        house.chaos(&["trigger", fault, "--yes"]).exits(0);
        let entry = house.last_fault();
        assert_eq!(
            (&entry["fault"], &entry["outcome"]),
            (&fault.into(), &"recovered".into())
        );
    }
    house.diff().exits(0);
}
