//! `triage`: tests that really fail, for three causes; seen whole, half gone and gone; kept, judged again
//! without a cluster, and ended.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    database::deployed,
    house::House,
    run::{Ran, Running},
    setting::setting,
};

impl House {
    fn triage(&self, more: &[&str]) -> Ran {
        self.data("triage", more)
    }

    /// Starts the test of a minute as its CronJob would, but one that gives up soon.
    fn test_of(&self, minute: i64, retries: u32, patience: &str) -> String {
        let name = format!("test-{minute}");
        let mut job = self.field("cronjob/test", "/spec/jobTemplate");
        job["apiVersion"] = json!("batch/v1");
        job["kind"] = json!("Job");
        job["metadata"]["name"] = json!(name);
        job["spec"]["backoffLimit"] = json!(retries);
        let args = job.pointer_mut("/spec/template/spec/containers/0/args");
        let args = args.and_then(Value::as_array_mut).expect("arguments");
        args.push(json!(format!("--patience={patience}")));
        self.apply(&job.to_string(), &[]);
        name
    }

    #[track_caller]
    fn has_failed(&self, job: &str) {
        self.until(&format!("{job} has failed"), || {
            let conditions = self.field(&format!("job/{job}"), "/status/conditions");
            let conditions = conditions.as_array().into_iter().flatten();
            conditions
                .filter(|one| one["type"] == "Failed")
                .any(|one| one["status"] == "True")
        });
    }

    fn pods_of(&self, job: &str) -> Vec<String> {
        let of_job = format!("batch.kubernetes.io/job-name={job}");
        let oldest_first = "--sort-by=.metadata.creationTimestamp";
        let pods = self.kubectl(&["get", "pods", "-l", &of_job, oldest_first, "-o", "name"]);
        pods.lines().map(str::to_owned).collect()
    }

    fn scale(&self, what: &str, replicas: u32) {
        self.kubectl(&["scale", what, &format!("--replicas={replicas}")]);
        if replicas == 0 {
            let component = what.split('/').next_back().expect("a name");
            let component = format!("app.kubernetes.io/component={component}");
            self.until("its pods are gone", || {
                let pods = self.kubectl(&["get", "pods", "-l", &component, "-o", "name"]);
                pods.is_empty()
            });
        } else {
            self.until("its pods are ready", || {
                self.field(what, "/status/readyReplicas") == replicas
            });
        }
    }
}

/// The minute in which the environment was made: its CronJob came later, and has no Job of that name.
fn minute_of(house: &House) -> i64 {
    let name = &house.name;
    let made = house.field(&format!("namespace/{name}"), "/metadata/creationTimestamp");
    let made = made.as_str().expect("a time");
    let seconds =
        crate::run::output(std::process::Command::new("date").args(["--date", made, "+%s"]));
    seconds.trim().parse::<i64>().expect("seconds") / 60
}

#[test]
fn a_failed_test_is_explained_kept_judged_again_and_ended() {
    let house = deployed("triage");
    let suspend = r#"{"spec":{"suspend":true}}"#;
    house.kubectl(&["patch", "cronjob/test", "--type=merge", "--patch", suspend]);
    house
        .triage(&[])
        .exits(0)
        .prints(&["no failed test Job is kept"]);
    let minute = minute_of(&house);
    names_of_no_job_are_refused(&house, minute);

    // An increment too many, of the root of both programs.
    let doubled = [minute, minute - 1].map(|minute| {
        house.increment_of(&format!("interpreter/0-v1-s20-all-test-{minute}"));
        // Long enough for all that the program does: one increment that is still to come would make up for it.
        house.test_of(minute, 2, "15s")
    });
    for job in &doubled {
        house.has_failed(job);
    }
    let job = &doubled[0];
    the_service_starts_again_and_a_fault_is_recorded(&house, job);
    the_whole_story_is_told(&house, job);
    let kept = what_is_kept_is_judged_as_it_was(&house, job);

    house.scale("deployment/verification", 0);
    let stranded = house.test_of(minute - 2, 1, "3s");
    house.has_failed(&stranded);
    what_is_open_is_shown_with_its_error(&house, &stranded);
    house.scale("statefulset/restate", 0);
    let refused = house.test_of(minute - 3, 1, "3s");
    house.has_failed(&refused);
    without_its_node_less_is_known_and_said(&house, &refused);

    failures_are_grouped_by_what_they_have_in_common(&house, &doubled, &stranded, &refused);
    half_of_its_pods_are_enough(&house, job);
    only_its_name_ends_it(&house, job);
    of_one_that_is_gone_the_rest_is_said(&house, job, &kept);
}

fn names_of_no_job_are_refused(house: &House, minute: i64) {
    let future = format!("test-{}", minute + 100_000);
    let gone = format!("test-{minute}");
    for (name, says) in [
        ("discover", &["is not a test Job", "test-28114121"][..]),
        ("test-28114121-6pkfw", &["is not a test Job"]),
        ("test-028114121", &["is not a test Job"]),
        (&future, &["has not come"]),
        ("test-1", &["1970-01-01 00:01 UTC", "it never was there"]),
        (
            &gone,
            &[
                "deleted, let go after it verified or as the oldest failure, or never made",
                "none was ever recorded here",
                "nothing is saved of it",
                "test Jobs that are there: test-",
            ],
        ),
    ] {
        let ran = house.triage(&[name]).exits(2).says(says);
        assert_eq!(ran.stdout, "", "{ran}");
    }
    house.triage(&["--resolve"]).exits(2).says(&["<JOB>"]);
    house.triage(&[&gone, "--resolve", "--yes"]).exits(2);
}

fn what_is_open_is_shown_with_its_error(house: &House, job: &str) {
    let ran = house.triage(&[job, "--output", "json"]).exits(0);
    let report = &ran.document()["report"];
    assert_eq!(report["verdict"], "unanswered", "{ran}");
    let open = report["invocations"]["known"].as_array();
    let open = open.unwrap_or_else(|| panic!("no invocations: {ran}"));
    assert!(
        open.iter().any(|one| {
            let target = one["target"].as_str().unwrap_or_default();
            let ours = target.ends_with(&format!("-s20-all-{job}/run"))
                || target.contains(&format!("-s20-all-{job}/"));
            ours && one["status"] == "backing-off" && one["last_failure"].is_string()
        }),
        "{ran}"
    );
}

fn without_its_node_less_is_known_and_said(house: &House, job: &str) {
    house.triage(&[job]).exits(0).prints(&[
        "NEVER RAN",
        "Restate did not take it: unavailable",
        "open invocations: ",
        "its counters in the database: ",
    ]);
}

fn failures_are_grouped_by_what_they_have_in_common(
    house: &House,
    doubled: &[String],
    stranded: &str,
    refused: &str,
) {
    let ran = house.triage(&["--output", "json"]).exits(0);
    let document = ran.document();
    let groups: Vec<&Value> = document["groups"]
        .as_array()
        .expect("groups")
        .iter()
        .map(|group| &group["jobs"])
        .collect();
    let expected = [json!(doubled), json!([stranded]), json!([refused])];
    assert_eq!(groups, expected.iter().collect::<Vec<_>>(), "{ran}");
    house.triage(&[]).exits(0).prints(&[
        "4 failed Jobs, 3 signatures",
        "2 × verify: Incorrect value for target #: expected #, got # (too high)",
        "3 attempts  stuck",
        "never ran",
    ]);
}

/// Within the minute that still belongs to the test.
fn the_service_starts_again_and_a_fault_is_recorded(house: &House, job: &str) {
    let component = "app.kubernetes.io/component=verification";
    let pods = || house.kubectl(&["get", "pods", "-l", component, "-o", "name"]);
    let before = pods();
    house.kubectl(&["delete", "pod", "-l", component, "--wait=false"]);
    house.until("the service has another pod", || {
        pods().lines().any(|pod| !before.contains(pod))
    });
    let began = house.field(&format!("job/{job}"), "/status/startTime");
    let entry = json!({"fault": "kill-restate", "by": "a person", "targets": ["Pod restate-0"], "began": began,
        "injected": began, "healed": began, "recovered": began, "outcome": "recovered", "note": null});
    let ledger = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "longrun-faults"},
        "data": {"20260101T000000Z-kill-restate": entry.to_string()}});
    house.apply(&ledger.to_string(), &[]);
}

fn the_whole_story_is_told(house: &House, job: &str) {
    let program = format!("v1-s20-all-{job}");
    let cluster = &setting().cluster;
    house.triage(&[job]).exits(0).prints(&[
        "FAILED (BackoffLimitExceeded) after 3 attempts",
        "STUCK: the last attempt came no closer",
        "which no waiting cures",
        "1 of 1 other failed Job has it too",
        "target 0 is ",
        "fault kill-restate",
        "Pod verification-",
        " is made",
        "target 0: expected ",
        "the root",
        &format!("inspect {program}"),
        &format!("-n {} --cluster {cluster} {job} --resolve", house.name),
    ]);
}

/// The directory with the evidence.
fn what_is_kept_is_judged_as_it_was(house: &House, job: &str) -> TempDir {
    let kept = TempDir::new().expect("a directory");
    let place = kept.path().display().to_string();
    let live = house
        .triage(&[job, "--save", &place, "--output", "json"])
        .exits(0)
        .document();
    let file = live["saved"].as_str().expect("a file");
    assert!(file.starts_with(&place), "{file}");
    let text = std::fs::read_to_string(file).expect("evidence");
    assert!(text.contains("mismatches"), "facts: {text}");
    assert!(!text.contains("verdict"), "no judgement: {text}");

    // Nowhere is a cluster known.
    let elsewhere = TempDir::new().expect("a directory");
    let offline = |more: &[&str]| {
        let mut command = house.command(&[&["triage", "--from", &place], more].concat());
        for variable in [
            "HOME",
            "XDG_CACHE_HOME",
            "XDG_STATE_HOME",
            "XDG_CONFIG_HOME",
        ] {
            command.env(variable, elsewhere.path());
        }
        Running::start(command).end()
    };
    let again = offline(&[job, "--output", "json"]).exits(0).document();
    assert_eq!(again["report"], live["report"]);
    offline(&[]).exits(0).prints(&["1 failed Job, 1 signature"]);
    let mut of_file = house.command(&["triage", job, "--from", file, "--output", "json"]);
    of_file.env("HOME", elsewhere.path());
    let of_file = Running::start(of_file).end().exits(0).document();
    assert_eq!(of_file["report"], live["report"]);
    offline(&["test-1"])
        .exits(2)
        .says(&["has no evidence of test-1", job]);
    std::fs::write(kept.path().join("other.json"), "{}").expect("a file");
    offline(&[]).exits(2).says(&["other.json is not evidence"]);
    std::fs::remove_file(kept.path().join("other.json")).expect("it is there");
    kept
}

fn half_of_its_pods_are_enough(house: &House, job: &str) {
    let pods = house.pods_of(job);
    assert_eq!(pods.len(), 3);
    house.kubectl(&["delete", &pods[0], &pods[1], "--wait=true"]);
    // The recorder has read their logs, and where it does not answer less is known.
    house
        .triage(&[job])
        .exits(0)
        .prints(&["STUCK: the last attempt came no closer"]);
    house.scale("deployment/recorder", 0);
    house.triage(&[job]).exits(0).prints(&[
        "2 of 3 attempts",
        "their pods are gone, and with them their logs",
        "ONE RESULT ONLY: target 0 is ",
    ]);
    house.triage(&[]).exits(0).prints(&["3 attempts, 1 left"]);
    house.scale("deployment/recorder", 1);
}

fn only_its_name_ends_it(house: &House, job: &str) {
    let elsewhere = TempDir::new().expect("a directory");
    let place = elsewhere.path().display().to_string();
    let resolve = [job, "--resolve", "--save", &place];
    for answer in [&[][..], &["--yes"], &["--approve", "000000000000"]] {
        house
            .triage(&[&resolve[..], answer].concat())
            .exits(2)
            .says(&["nothing was changed"]);
    }
    let prompt = |keys: &str| {
        let arguments = house.data_arguments("triage", &resolve);
        let mut prompt = Running::start_at_terminal(&house.command(&arguments));
        prompt.hears("To do this, type ");
        prompt.types(keys);
        prompt.end()
    };
    for near_miss in [
        "\n",
        "y\n",
        "\x04",
        &format!("{job} \n"),
        &format!("{job}0\n"),
    ] {
        prompt(near_miss).exits(2).says(&["nothing was changed"]);
    }
    assert_eq!(std::fs::read_dir(&elsewhere).expect("it").count(), 0);
    let names = |house: &House| house.kubectl(&["get", "jobs", "-o", "name"]);
    let before = names(house);

    let ran = prompt(&format!("{job}\n")).exits(0);
    assert!(ran.stdout.contains("its evidence is in "), "{ran}");
    let after = names(house);
    let gone: Vec<&str> = before
        .lines()
        .filter(|name| !after.contains(name))
        .collect();
    assert_eq!(gone, [format!("job.batch/{job}")]);
    house.until("its pods are gone too", || house.pods_of(job).is_empty());
}

fn of_one_that_is_gone_the_rest_is_said(house: &House, job: &str, kept: &TempDir) {
    // By the recorder, and where that does not answer by what somebody kept.
    house.triage(&[job]).exits(0).prints(&[
        "STUCK",
        "from the recorder: Kubernetes has let the Job go",
        "fault kill-restate",
    ]);
    house.scale("deployment/recorder", 0);
    let place = kept.path().display().to_string();
    house.triage(&[job, "--save", &place]).exits(2).says(&[
        "has no Job",
        "it was deleted, let go",
        "stuck: the last attempt came no closer",
        &format!("cargo xtask triage {job} --from {place}"),
        "faults in its half hour: kill-restate",
        "test Jobs that are there: ",
    ]);
}
