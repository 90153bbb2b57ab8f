//! What `status` says of the faults of an environment, without asking about each.

use super::*;
use crate::{cluster::CronJob, names::CHAOS_LABEL};

fn cron_job(name: &str, suspend: bool) -> CronJob {
    let spec = json!({"schedule": "* * * * *", "suspend": suspend});
    CronJob::read(&live(json!({"metadata": {"name": name}, "spec": spec}))).unwrap()
}

/// As the API server has the CronJobs, the tests' among them.
fn cron_jobs() -> Vec<CronJob> {
    vec![
        cron_job("fault-freeze-restate", true),
        cron_job("fault-kill-restate", false),
        cron_job("test", true),
    ]
}

fn read(label: &str, cron_jobs: &[CronJob], pause: Option<&Value>) -> Option<RotationStatus> {
    let namespace = namespace(&json!({CHAOS_LABEL: label}));
    RotationStatus::read("restate-chaos", &namespace, cron_jobs, pause, at(0))
}

#[test]
fn faults_have_their_turns_but_for_those_that_are_suspended() {
    let turns = read("true", &cron_jobs(), Some(&paused(0))).unwrap();
    assert_eq!(turns.faults, ["kill-restate", "freeze-restate"]);
    assert_eq!(turns.suspended, ["freeze-restate"]);
    assert_eq!((turns.pause, turns.no_go), (None, None), "it is over");
}

#[test]
fn a_pause_is_told_in_the_words_in_which_a_fault_is_skipped() {
    let turns = read("true", &cron_jobs(), Some(&paused(60))).unwrap();
    let skipped = no_go("kill-restate", |facts, _| facts.pause = Some(paused(60)));
    assert_eq!(turns.no_go, Some(skipped));
    assert_eq!(turns.pause.unwrap().until, at(60));
}

#[test]
fn a_pause_that_nobody_can_read_keeps_every_fault_away() {
    let pause = json!({"data": {"pause": "{}"}});
    let turns = read("true", &cron_jobs(), Some(&pause)).unwrap();
    assert_eq!(turns.pause, None);
    assert!(turns.no_go.unwrap().contains("cannot be read"));
}

#[test]
fn an_environment_without_faults_has_none_to_wait_for() {
    assert_eq!(
        read("false", &[cron_job("test", false)], Some(&paused(60))),
        None
    );
    // What is left of the others: there, and never injected.
    let left = read("false", &cron_jobs(), None).unwrap();
    assert!(left.no_go.unwrap().contains(CHAOS_LABEL));
    // And what is still to be deployed.
    assert_eq!(read("true", &[], None).unwrap().faults, [""; 0]);
}
