//! Plans as text: one line a step, its changes below it, `!` a loss, `#` a note.

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::*;
use crate::{
    approval::Ask,
    object::{Uid, intent, uid},
    plan::{Effect, Guard, Plan, Target},
};

mod prune;
mod refusal;
mod replacement;
mod service;
mod takeover;
mod version;
mod world;

use world::{Cluster, image, label};

fn target() -> Target {
    Target {
        cluster: "dev".into(),
        kube_system: Uid("kube-system-1".into()),
        environment: "restate".into(),
    }
}

fn options() -> Options {
    Options {
        take_over: BTreeSet::new(),
        drain: true,
        retain_class: "retain".into(),
        now: "2026-01-05T10:20:30Z".parse().unwrap(),
    }
}

fn planned(facts: &Facts) -> Plan {
    plan(target(), facts, &options()).unwrap()
}

fn check(facts: &Facts) -> String {
    let plan = match plan(target(), facts, &options()) {
        Ok(plan) => plan,
        Err(problems) => return problems.to_string(),
    };
    let steps = plan.steps.iter().map(|step| {
        let until = json!(step.until);
        let until = match until["until"].as_str() {
            None | Some("none") => String::new(),
            Some(until) => format!(" until {until}"),
        };
        let changes: Vec<String> = step
            .changes
            .iter()
            .map(|change| format!("    {change}\n"))
            .collect();
        format!("{}{until}\n{}", step.act, changes.concat())
    });
    let loses = plan.loses.iter().map(|loss| match loss {
        crate::plan::Loss::Disruption { what } => format!("! {what}\n"),
        other => format!("! {other:?}\n"),
    });
    let notes = plan.notes.iter().map(|note| format!("# {note}\n"));
    let text: String = steps.chain(loses).chain(notes).collect();
    if text.is_empty() {
        "nothing to do".into()
    } else {
        text
    }
}

#[test]
fn a_first_deployment_ends_with_the_tests() {
    assert_snapshot!(check(&Cluster::absent().facts), @r#"
    create Namespace restate until active
    create ConfigMap longrun-inventory
    create ConfigMap settings
    create Deployment verification
    create StatefulSet restate
    wait for Deployment verification until rolledOut
    wait for StatefulSet restate until rolledOut
    note Restate 1.6.2 as the node of PersistentVolumeClaim target-restate-0
    create Job discover
    wait for Job discover until complete
    create CronJob test
    wait for CronJob test until firstSuccess
    "#);
}

#[test]
fn a_first_deployment_is_the_same_plan_once_its_namespace_is_there() {
    let shown = planned(&Cluster::absent().facts);
    let approved = Ask::new(shown).typed("y").unwrap();
    let fresh = planned(&Cluster::with_namespace_only().facts);
    approved.renew(fresh, 1).unwrap();
}

#[test]
fn a_first_deployment_stops_when_something_else_appeared_in_its_namespace() {
    let approved = Ask::new(planned(&Cluster::absent().facts))
        .typed("y")
        .unwrap();
    let mut cluster = Cluster::with_namespace_only();
    let foreign = json!({"metadata": {"uid": "foreign"}, "kind": "ConfigMap"});
    cluster.of("ConfigMap").live = Some(foreign);
    assert!(approved.renew(planned(&cluster.facts), 1).is_err());
}

#[test]
fn nothing_to_do_when_all_is_as_rendered_and_runs() {
    assert_snapshot!(check(&Cluster::up_to_date().facts), @r#"nothing to do"#);
}

#[test]
fn what_does_not_run_yet_is_waited_for_and_needs_no_consent() {
    let mut cluster = Cluster::up_to_date();
    cluster
        .of("Deployment")
        .observation
        .object
        .as_mut()
        .unwrap()["status"]["availableReplicas"] = json!(1);
    assert_snapshot!(check(&cluster.facts), @r#"wait for Deployment verification until rolledOut"#);
    assert!(Ask::new(planned(&cluster.facts)).unneeded().is_ok());
}

#[test]
fn tests_that_never_succeeded_are_waited_for() {
    let mut cluster = Cluster::up_to_date();
    cluster.live("CronJob")["status"] = json!({});
    assert_snapshot!(check(&cluster.facts), @r#"wait for CronJob test until firstSuccess"#);
}

#[test]
fn another_cron_job_is_not_waited_for() {
    let mut cluster = Cluster::with_namespace_only();
    let mut chaos = cluster.of("CronJob").clone();
    chaos.desired["metadata"]["name"] = json!("zap");
    cluster.facts.objects.push(chaos);
    let plan = check(&cluster.facts);
    let last: Vec<&str> = plan.lines().rev().take(3).collect();
    assert_eq!(
        last,
        [
            "wait for CronJob test until firstSuccess",
            "create CronJob test",
            "create CronJob zap"
        ]
    );
}

#[test]
fn a_status_never_moves_the_digest_and_an_intent_always_does() {
    let digest = |cluster: &Cluster| planned(&cluster.facts).digest();
    let before = digest(&Cluster::with_new_service());
    let mut later = Cluster::with_new_service();
    for observed in &mut later.facts.objects {
        let live = observed.live.as_mut().unwrap();
        live["status"]["lastScheduleTime"] = json!("2026-01-05T11:00:00Z");
        live["metadata"]["resourceVersion"] = json!("99");
        observed.observation.object = Some(live.clone());
    }
    let set = &mut later.of("StatefulSet").observation;
    set.object.as_mut().unwrap()["status"]["readyReplicas"] = json!(0);
    assert_eq!(digest(&later), before);
    later.live("Deployment")["spec"]["replicas"] = json!(7);
    assert_ne!(digest(&later), before);
}

#[test]
fn tests_that_are_far_apart_are_not_waited_for() {
    let end = |schedule: &str| {
        let mut cluster = Cluster::absent();
        cluster.of("CronJob").desired["spec"]["schedule"] = json!(schedule);
        let plan = check(&cluster.facts);
        plan.lines().last().unwrap_or_default().to_string()
    };
    assert_eq!(
        end("*/15 * * * *"),
        "wait for CronJob test until firstSuccess"
    );
    assert_snapshot!(end("0 * * * *"), @"# not waiting for a test: they start by the schedule `0 * * * *`; to run one now: kubectl -n restate create job --from=cronjob/test test-now");
    assert!(end("* 3 * * *").contains("not waiting for a test"));
}
