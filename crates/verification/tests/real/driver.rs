//! The test pod and the other commands, as a Job sees them: result lines and exit codes.

use crate::machine::{Machine, ended, eventually, get, terminate, verification};
use longrun_program::{ProgramId, Size};
use longrun_restate::{
    Admin, Object,
    process::{self, Ports},
};
use std::time::{Duration, Instant};

const SMALL: [&str; 4] = ["--size", "30", "--patience", "3m"];

fn test(job: &str) -> Vec<&str> {
    [&["test", job], SMALL.as_slice()].concat()
}

#[tokio::test]
async fn without_restate_the_result_is_unavailable_and_the_pod_fails() {
    let nobody = format!("http://127.0.0.1:{}", Ports::free().unwrap().ingress);
    let arguments = [
        "test",
        "test-1",
        "--patience",
        "1s",
        "--ingress",
        &nobody,
        "--admin",
        &nobody,
    ];
    let ran = ended(verification(&arguments).spawn().unwrap()).await;
    assert_eq!(ran.code, Some(1));
    let start = "{\"command\": \"execute\", \"test_job\": \"test-1\", \
                 \"result\": {\"code\": \"unavailable\", \"message\": \"http://127.0.0.1:";
    assert!(ran.stdout.starts_with(start), "{}", ran.stdout);
    assert!(ran.stdout.contains("Connection refused"), "{}", ran.stdout);
    assert_eq!(ran.lines.len(), 1, "what was not executed is not verified");
    assert_eq!(ran.stderr, "", "no stack trace, no noise");
}

#[tokio::test]
async fn a_job_is_named_as_kubernetes_names_one_and_a_size_is_a_number() {
    for (arguments, reason) in [
        (["test", "Not_A_Job", "--size", "300"], "is not a Job name"),
        (
            ["test", "v9-s300-all-test-1", "--size", "300"],
            "generator version 9 is not in this build",
        ),
        (["test", "test-1", "--size", "0"], "is not a program size"),
        (
            ["test", "test-1", "--patience", "soon"],
            "invalid value 'soon'",
        ),
        (
            ["test", "test-1", "--ingress", "restate"],
            "is not `http://<host>:<port>`",
        ),
    ] {
        let ran = ended(verification(&arguments).spawn().unwrap()).await;
        assert_eq!(ran.code, Some(2), "{arguments:?}");
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    }
}

/// The id is written into the Job, so that a failure of long ago still says what it ran.
#[test]
fn the_rendered_jobs_name_the_program_of_the_newest_generator() {
    for environment in ["restate", "restate-chaos"] {
        let manifest = format!("../../manifests/dev/{environment}/test/cronjob.yaml");
        let manifest = std::fs::read_to_string(&manifest).unwrap();
        let mut arguments = manifest
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- "));
        let id = arguments
            .find(|argument| argument.contains("$(TEST_JOB)"))
            .unwrap();
        let id: ProgramId = id.replace("$(TEST_JOB)", "test-1").parse().unwrap();
        assert_eq!(id, ProgramId::new("test-1".parse().unwrap(), Size::DEFAULT));
    }
}

#[tokio::test]
async fn past_its_deadline_the_result_is_deadline_exceeded_whatever_the_patience() {
    // Takes connections, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let arguments = [
        "test",
        "test-1",
        "--deadline",
        "1s",
        "--ingress",
        &silent,
        "--admin",
        &silent,
    ];
    let began = std::time::Instant::now();
    let ran = ended(verification(&arguments).spawn().unwrap()).await;
    // Its patience is 90 s.
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        ran.stdout,
        "{\"command\": \"execute\", \"test_job\": \"test-1\", \
         \"result\": {\"code\": \"deadline_exceeded\", \
         \"message\": \"Not done within the 1s that a pod has\"}}\n"
    );
}

#[tokio::test]
async fn a_test_that_is_asked_to_end_does_so_at_once_without_a_verdict() {
    let nobody = format!("http://127.0.0.1:{}", Ports::free().unwrap().ingress);
    let arguments = [
        "test",
        "--patience",
        "60s",
        "--ingress",
        &nobody,
        "--admin",
        &nobody,
    ];
    let child = verification(&arguments)
        .env("TEST_JOB", "test-1")
        .spawn()
        .unwrap();
    // Its handler of SIGTERM is there when the kernel says so: bit 14 of the caught signals.
    eventually(
        "it listens to SIGTERM",
        Duration::from_secs(10),
        async || {
            let status =
                std::fs::read_to_string(format!("/proc/{}/status", child.id().unwrap())).unwrap();
            let caught = status
                .lines()
                .find_map(|line| line.strip_prefix("SigCgt:\t"))
                .unwrap();
            u64::from_str_radix(caught, 16).unwrap() & (1 << 14) != 0
        },
    )
    .await;
    terminate(&child);
    let ran = ended(child).await;
    assert_eq!(ran.code, Some(143));
    assert_eq!(ran.stdout, "");
}

#[tokio::test]
async fn a_day_in_the_life_of_a_test() {
    a_day_with(process::VERSION).await;
}

#[tokio::test]
async fn a_day_in_the_life_of_a_test_on_the_oldest_restate() {
    a_day_with(process::OLDEST).await;
}

async fn a_day_with(version: &str) {
    let mut machine = Machine::start_with(version).await;
    a_test_succeeds_with_the_two_known_lines(&machine).await;
    a_second_pod_finds_it_executed_and_runs_nothing_twice(&machine).await;
    discovering_again_changes_nothing(&machine).await;
    verified_programs_are_cleared_after_three_hours_and_not_before(&machine).await;
    a_cleared_program_can_be_executed_again(&machine).await;
    log_lines_of_handlers_name_invocation_target_and_job(&machine);
    sigterm_drains_and_nothing_is_lost(&mut machine).await;
}

async fn a_test_succeeds_with_the_two_known_lines(machine: &Machine) {
    let ran = machine.run(&test("test-7")).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        ran.stdout,
        "{\"command\": \"execute\", \"test_job\": \"test-7\", \
         \"result\": {\"code\": \"ok\", \"message\": \"Success\"}}\n\
         {\"command\": \"verify\", \"test_job\": \"test-7\", \
         \"result\": {\"code\": \"ok\", \"message\": \"Success\", \"program\": \"v1-s30-all-test-7\"}}\n"
    );
}

async fn a_second_pod_finds_it_executed_and_runs_nothing_twice(machine: &Machine) {
    let before = machine.run(&["inspect", "v1-s30-all-test-7"]).await.lines;
    let ran = machine.run(&test("test-7")).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let after = machine.run(&["inspect", "v1-s30-all-test-7"]).await.lines;
    assert_eq!(
        before[0]["result"]["counters"],
        after[0]["result"]["counters"]
    );
    assert_eq!(after[0]["result"]["open"], serde_json::json!([]));
    assert!(after[0]["result"]["program"]["root"]["commands"].is_array());
}

async fn discovering_again_changes_nothing(machine: &Machine) {
    let ran = machine.discover().await;
    assert_eq!(
        ran.lines[0]["result"]["found"], "unchanged",
        "{}",
        ran.stdout
    );
    assert_eq!(
        ran.lines[0]["result"]["services"],
        serde_json::json!(["interpreter", "verifier"])
    );
}

async fn verified_programs_are_cleared_after_three_hours_and_not_before(machine: &Machine) {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    for (key, ago) in [
        ("v1-s30-all-test-7", 3 * 3_600 + 5),
        ("v1-s30-all-young", 3 * 3_600 - 600),
    ] {
        let verified = Object {
            service: "verifier",
            key,
            handler: "verified",
        };
        let at = now - ago;
        let () = machine
            .ingress()
            .call(verified, Some(&at), Duration::from_secs(20))
            .await
            .unwrap();
    }
    assert!(states(&machine.admin(), "v1-s30-all-test-7").await > 2);
    assert_eq!(machine.run(&test("test-8")).await.code, Some(0));
    eventually(
        "the old program has no state",
        Duration::from_secs(20),
        async || states(&machine.admin(), "v1-s30-all-test-7").await == 0,
    )
    .await;
    assert_eq!(
        states(&machine.admin(), "v1-s30-all-young").await,
        1,
        "too young to be cleared"
    );
    assert!(
        states(&machine.admin(), "v1-s30-all-test-8").await > 2,
        "its own state stays"
    );
}

/// How many values the program has in Restate's state.
async fn states(admin: &Admin, key: &str) -> u64 {
    #[derive(serde::Deserialize)]
    struct Row {
        count: u64,
    }
    let sql = format!("select count(*) as count from state where service_key like '%{key}'");
    admin.query::<Row>(&sql).await.unwrap()[0].count
}

async fn a_cleared_program_can_be_executed_again(machine: &Machine) {
    assert_eq!(
        machine.run(&["clear", "v1-s30-all-test-8"]).await.code,
        Some(0)
    );
    eventually("it has no state", Duration::from_secs(20), async || {
        states(&machine.admin(), "v1-s30-all-test-8").await == 0
    })
    .await;
    let ran = machine.run(&test("test-8")).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

fn log_lines_of_handlers_name_invocation_target_and_job(machine: &Machine) {
    let log = machine.service_log();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ran = lines
        .iter()
        .find(|line| line["fields"]["message"] == "ran")
        .unwrap();
    let span = &ran["span"];
    assert_eq!(span["test_job"], "test-7");
    assert!(
        span["restate.invocation.id"]
            .as_str()
            .unwrap()
            .starts_with("inv_")
    );
    let target = span["restate.invocation.target"].as_str().unwrap();
    assert!(target.starts_with("interpreter/"), "{target}");
    assert!(target.contains("-v1-s30-all-test-7/run"), "{target}");
}

async fn sigterm_drains_and_nothing_is_lost(machine: &mut Machine) {
    let child = machine
        .command(&["test", "test-9", "--size", "200"])
        .spawn()
        .unwrap();
    let running = tokio::spawn(ended(child));
    let admin = machine.admin();
    eventually("it runs", Duration::from_secs(30), async || {
        admin.count_open("v1-s200-all-test-9").await.unwrap() > 10
    })
    .await;
    let health = machine.health_port();
    // Without a pause between two looks: what is open may end within milliseconds.
    let draining = tokio::spawn(async move {
        let until = Instant::now() + Duration::from_secs(10);
        while get(health, "/ready").await != Some((503, "draining\n".into())) {
            assert!(Instant::now() < until, "it never said that it drains");
        }
    });
    let status = machine.terminate_service().await;
    assert_eq!(status.code(), Some(0), "{}", machine.service_log());
    draining.await.unwrap();
    assert_eq!(get(health, "/ready").await, None);
    machine.start_service().await;
    let ran = running.await.unwrap();
    assert_eq!(ran.code, Some(0), "{ran:?}");
}
