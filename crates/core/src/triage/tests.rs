//! What triage says of cases that people know, and what holds of all of them.

use crate::known::Known;
use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::{
    object::Uid,
    plan::{Effect, Guard, Loss, Plan, Target},
};

mod context;
mod judgement;
mod ledger;
mod story;

const NAME: &str = "test-28114121";

fn at(text: &str) -> Timestamp {
    format!("2023-06-15T{text}Z").parse().unwrap()
}

/// The lines that the driver writes, as verification.md has them.
fn ok(command: &str) -> String {
    format!(
        r#"{{"command": "{command}", "test_job": "{NAME}", "result": {{"code": "ok", "message": "Success"}}}}"#
    )
}

fn said(command: &str, code: &str, message: &str) -> String {
    format!(
        r#"{{"command": "{command}", "test_job": "{NAME}", "result": {{"code": "{code}", "message": "{message}"}}}}"#
    )
}

/// A verify that names all wrong counters: target, expected, actual.
fn wrong(counters: &[(u32, u64, u64)]) -> Vec<String> {
    let (target, expected, actual) = counters[0];
    let message = format!("Incorrect value for target {target}: expected {expected}, got {actual}");
    let mismatches: Vec<String> = counters
        .iter()
        .map(|(target, expected, actual)| {
            format!(r#"{{"target": {target}, "expected": {expected}, "actual": {actual}}}"#)
        })
        .collect();
    let line = format!(
        r#"{{"command": "verify", "test_job": "{NAME}", "result": {{"code": "internal", "message": "{message}", "mismatches": [{}], "open_invocations": 1}}}}"#,
        mismatches.join(", ")
    );
    vec![ok("execute"), line]
}

/// What verify wrote in the original: the first wrong counter only.
fn first_wrong(target: u32, expected: u64, actual: u64) -> Vec<String> {
    let message = format!(
        "Uncaught exception for invocation id 0188bff6d81e71859ec7de391e2068fc: Incorrect value for target {target}: expected {expected}, got {actual}"
    );
    vec![ok("execute"), said("verify", "internal", &message)]
}

/// The attempt of a minute, with what it wrote.
fn attempt(minute: u32, log: Vec<String>) -> Attempt {
    Attempt {
        pod: format!("{NAME}-{minute:05}"),
        created: at(&format!("16:{minute:02}:00")),
        started: Some(at(&format!("16:{minute:02}:01"))),
        ended: Some(at(&format!("16:{minute:02}:31"))),
        phase: "Failed".to_string(),
        exit: Some(1),
        reason: Some("Error".to_string()),
        log: Known::Value(log),
    }
}

/// A failed Job whose attempts wrote this, one a minute.
fn case(logs: Vec<Vec<String>>) -> Case {
    let attempts: Vec<Attempt> = (40..)
        .zip(logs)
        .map(|(minute, log)| attempt(minute, log))
        .collect();
    of(NAME, attempts)
}

fn of(name: &str, attempts: Vec<Attempt>) -> Case {
    Case {
        job: Job {
            name: name.to_string(),
            uid: Uid(format!("uid of {name}")),
            created: at("16:40:00"),
            started: Some(at("16:40:00")),
            ended: Some(at("16:59:00")),
            state: JobState::Failed {
                reason: "BackoffLimitExceeded".to_string(),
                message: "Job has reached the specified backoff limit".to_string(),
            },
            pods: attempts.len() as u64,
            failed: attempts.len() as u64,
            program: Some(format!("v1-s20-all-{name}")),
            interrupted: None,
        },
        attempts: Known::Value(attempts),
    }
}

fn target() -> Target {
    Target {
        cluster: "dev".to_string(),
        kube_system: Uid("k".to_string()),
        environment: "restate-chaos".to_string(),
    }
}

fn evidence(case: Case) -> Evidence {
    Evidence {
        format: FORMAT,
        at: at("17:00:00"),
        target: target(),
        case,
        others: Known::Value(vec![]),
        twins: vec![],
        pods: Known::Value(vec![]),
        events: Known::Value(vec![]),
        faults: Known::Unknown("the answer is 403".to_string()),
        invocations: Known::Value(vec![]),
        counters: Known::Value(BTreeMap::new()),
        links: BTreeMap::new(),
    }
}
