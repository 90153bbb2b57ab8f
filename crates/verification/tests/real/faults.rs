//! The canary: a service with a fault makes verify fail, and says where. Without this test a
//! verification that never notices anything would pass all others.

use crate::machine::{FAULTY, Machine, VERIFICATION, ask, ended, verification};
use longrun_program::{ProgramId, Size, Target};
use std::collections::BTreeMap;
use tokio::process::Command;

const SIZE: u32 = 40;

fn expected(job: &str) -> BTreeMap<Target, u64> {
    ProgramId::new(job.parse().unwrap(), Size::new(SIZE).unwrap())
        .generate()
        .expected()
}

#[tokio::test]
async fn a_lost_or_doubled_increment_fails_verify_with_its_target_and_values() {
    let lost = (
        "lost-1",
        *expected("lost-1").keys().nth(3).unwrap(),
        "lose-increment",
        0,
    );
    let doubled = (
        "doubled-1",
        *expected("doubled-1").keys().nth(2).unwrap(),
        "double-increment",
        2,
    );
    let mut machine = Machine::start_faulty(&format!("{}={}", lost.2, lost.1)).await;
    fails_verify(&machine, lost.0, lost.1, lost.3).await;
    a_mismatch_has_what_of_its_target_is_open(&machine, lost.0, lost.1).await;

    machine.kill_service().await;
    machine
        .start_faulty_service(&format!("{}={}", doubled.2, doubled.1))
        .await;
    fails_verify(&machine, doubled.0, doubled.1, doubled.3).await;
}

async fn fails_verify(machine: &Machine, job: &str, target: Target, growth: u64) {
    let size = SIZE.to_string();
    let ran = machine
        .run(&["test", job, "--size", &size, "--patience", "20s"])
        .await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.lines[0]["result"]["code"], "ok");
    let wanted = expected(job)[&target];
    let got = wanted * growth;
    let start = format!(
        "{{\"command\": \"verify\", \"test_job\": \"{job}\", \"result\": {{\"code\": \"internal\", \
         \"message\": \"Incorrect value for target {target}: expected {wanted}, got {got}\""
    );
    assert!(
        ran.stdout.lines().nth(1).unwrap().starts_with(&start),
        "{}",
        ran.stdout
    );
    let mismatches = ran.lines[1]["result"]["mismatches"].as_array().unwrap();
    assert_eq!(
        mismatches.len(),
        1,
        "only that target is wrong: {mismatches:?}"
    );
    assert_eq!(
        ran.lines[1]["result"]["open_invocations"], 0,
        "nothing is left that could cure it"
    );
}

/// Something that has not completed could still change the counter. Triage wants to see it.
async fn a_mismatch_has_what_of_its_target_is_open(machine: &Machine, job: &str, wrong: Target) {
    let id = ProgramId::new(job.parse().unwrap(), Size::new(SIZE).unwrap());
    let right = expected(job).into_keys().find(|target| *target != wrong);
    for target in [wrong, right.unwrap()] {
        let key = id.key_of(target);
        let path = format!("/interpreter/{key}/increment/send?delay=1h");
        let sent = ask(machine.ports().ingress, "POST", &path).await.unwrap();
        assert_eq!(sent.0, 202, "{}", sent.1);
    }
    let size = SIZE.to_string();
    let ran = machine
        .run(&["test", job, "--size", &size, "--patience", "5s"])
        .await;
    let result = &ran.lines[1]["result"];
    assert_eq!(result["open_invocations"], 2, "{ran:?}");
    assert_eq!(result["mismatches"].as_array().unwrap().len(), 1, "{ran:?}");
    let open = result["mismatches"][0]["open"].as_array().unwrap();
    assert_eq!(open.len(), 1, "that of the wrong target: {open:?}");
    let target = format!("interpreter/{}/increment", id.key_of(wrong));
    assert_eq!(open[0]["target"], target);
    assert_eq!(open[0]["status"], "scheduled");
}

#[tokio::test]
async fn the_released_program_has_no_fault_in_it() {
    let refused = ended(
        verification(&["serve", "--fault", "lose-increment=1"])
            .spawn()
            .unwrap(),
    );
    let refused = refused.await;
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("unexpected argument '--fault'"),
        "{}",
        refused.stderr
    );

    let has = |program: &str| {
        let bytes = std::fs::read(program).unwrap();
        bytes
            .windows(b"lose-increment".len())
            .any(|window| window == b"lose-increment")
    };
    assert!(has(FAULTY), "the search finds what is there");
    assert!(!has(VERIFICATION));
}

#[tokio::test]
async fn the_faulty_service_refuses_a_fault_that_it_does_not_know() {
    for fault in ["", "lose-increment", "lose-increment=x", "eat-increment=1"] {
        let output = Command::new(FAULTY)
            .args([
                "--fault",
                fault,
                "--listen",
                "127.0.0.1:0",
                "--health",
                "127.0.0.1:0",
            ])
            .output()
            .await
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{fault}");
    }
}
