//! The screen of `cargo xtask status`.

use longrun_core::known::Known;
use longrun_core::{faults::RotationStatus, journal::Checklist};
use longrun_kubernetes::{Attempted, Running, Status, TestJob, Workload};
use serde_json::Value;

use super::hour;
use crate::drift::Drift;

/// How many tests are listed before those that failed.
const LATEST: usize = 5;

/// After so many seconds the holder of a lease is not at work any more, unless clocks differ.
const SILENT: i64 = 30;

/// The usual schedule of the tests.
const EVERY_MINUTE: &str = "* * * * *";

/// Environments that could not be looked at, for one reason.
pub(crate) fn unseen(names: &[String], why: &str) -> String {
    format!("{}  UNKNOWN: {why}", names.join(", "))
}

/// Several environments, each with its cluster: the last hour of those that are deployed, on one axis. `None` where
/// there are no two to compare.
pub(crate) fn together(all: &[(&str, &Status)]) -> Option<String> {
    let deployed = all.iter().filter_map(|(cluster, status)| {
        let title = format!("{cluster}/{}", status.environment);
        Some((title, &status.running.as_ref()?.hour))
    });
    let deployed: Vec<_> = deployed.collect();
    let (_, first) = all.first()?;
    (deployed.len() > 1).then(|| hour::together(&deployed, first.at))
}

/// One environment, with its last hour unless that is shown [`together`] with others.
pub(crate) fn status(
    cluster: &str,
    status: &Status,
    drift: Option<&Drift>,
    with_hour: bool,
) -> String {
    let environment = &status.environment;
    let title = format!("{cluster}/{environment}");
    let flags = format!("-n {environment} --cluster {cluster}");
    let Some(running) = &status.running else {
        return format!("{title}  is not deployed: cargo xtask deploy {flags}");
    };
    let mut lines = vec![if running.terminating {
        format!("{title}  IS BEING DELETED")
    } else {
        title
    }];
    lines.push(format!("  restate        {}", node(running)));
    lines.push(format!(
        "  verification   {}",
        running
            .service
            .as_ref()
            .map_or("not deployed".to_owned(), ready)
    ));
    lines.push(format!("  invocations    {}", invocations(running)));
    lines.push(format!("  operation      {}", operation(running)));
    let unfinished = reading(&running.unfinished, |list| {
        list.as_ref().map_or_else(String::new, unfinished)
    });
    if !unfinished.is_empty() {
        lines.push(format!("  NOT FINISHED   {unfinished}"));
    }
    let chaos = reading(&running.chaos, |turns| {
        turns
            .as_ref()
            .map_or_else(String::new, |turns| chaos(turns, &flags))
    });
    if !chaos.is_empty() {
        lines.push(format!("  chaos          {chaos}"));
    }
    lines.push(format!(
        "  snapshots      {}",
        reading(&running.snapshots, ToString::to_string)
    ));
    if let Some(drift) = drift {
        lines.push(format!("  drift          {}", drifted(drift, &flags)));
    }
    lines.push(format!("  tests          {}", schedule(running)));
    if with_hour {
        let hour = hour::alone(&running.hour).into_iter();
        lines.extend(hour.map(|line| format!("    {line}")));
    }
    let more = format!("what they have in common: cargo xtask triage {flags}");
    let recent = recent(&running.tests, &more).into_iter();
    lines.extend(recent.map(|line| format!("    {line}")));
    lines.join("\n")
}

fn node(running: &Running) -> String {
    let Some(node) = &running.node else {
        return "not deployed".to_owned();
    };
    let phase = node.phase.as_deref().unwrap_or("no pod");
    let image = node.image.as_deref().unwrap_or("unknown image");
    let containers = format!(
        "{}/{} containers ready",
        node.ready_containers, node.containers
    );
    format!(
        "{}, {phase}, {containers}, {} restarts, {image}",
        ready(&node.pods),
        node.restarts
    )
}

fn ready(workload: &Workload) -> String {
    format!("{}/{} ready", workload.ready, workload.wanted)
}

fn drifted(drift: &Drift, flags: &str) -> String {
    match drift {
        Drift::None => "none, all is as rendered".to_owned(),
        Drift::Differs(objects) => format!(
            "not as rendered: {}; see how: cargo xtask diff {flags}",
            objects.join(", ")
        ),
        Drift::Refused(why) => format!("a deployment would be refused: {}", indented(why)),
        Drift::Unknown(why) => format!("unknown: {}", indented(why)),
    }
}

/// Lines after the first, below the value that they belong to.
fn indented(text: &str) -> String {
    text.replace('\n', "\n                 ")
}

/// The observer's own counts of what is not completed, without those that are nothing.
fn invocations(running: &Running) -> String {
    reading(&running.invocations, |numbers| {
        let field = |name: &str| numbers.0.get(name);
        if field("known").and_then(Value::as_bool) != Some(true) {
            let why = field("error").and_then(Value::as_str);
            return format!("unknown: {}", why.unwrap_or("the observer does not say"));
        }
        let parts: Vec<String> = field("by_status")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter(|(_, count)| count.as_u64() != Some(0))
            .map(|(status, count)| format!("{count} {status}"))
            .collect();
        if parts.is_empty() {
            "none open".to_owned()
        } else {
            parts.join(", ")
        }
    })
}

fn operation(running: &Running) -> String {
    reading(&running.holder, |holder| match holder {
        None => "none".to_owned(),
        Some(holding) => {
            let silent = match holding.silent_seconds {
                Some(seconds) if seconds > SILENT => {
                    format!(", SILENT for {seconds} s: the next operation takes over")
                }
                _ => String::new(),
            };
            format!(
                "{} by {} since {}{silent}",
                holding.operation, holding.who, holding.since
            )
        }
    })
}

/// `a wipe: 7 of 19 steps; next is …`
fn unfinished(list: &Checklist) -> String {
    let ended = list.items.iter().filter(|item| item.ended.is_some());
    format!(
        "a {} {}; {} of {} steps; next: {}; see it, go on or take it back: cargo xtask operation status {}",
        list.operation,
        list.state,
        ended.count(),
        list.items.len(),
        list.next.as_deref().unwrap_or("nothing"),
        list.target.flags()
    )
}

/// `8 faults an hour`, or why there are fewer.
fn chaos(turns: &RotationStatus, flags: &str) -> String {
    let (all, off) = (turns.faults.len(), turns.suspended.len());
    let suspended = turns.suspended.join(", ");
    if let Some(why) = &turns.no_go {
        let mut text = why.clone();
        if turns.pause.is_some() {
            text.push_str(&format!("; to end that: cargo xtask chaos resume {flags}"));
        }
        if off > 0 {
            text.push_str(&format!("; SUSPENDED as well: {suspended}"));
        }
        return text;
    }
    match (all, off) {
        (0, _) => "no fault is deployed".to_owned(),
        (1, 0) => "1 fault an hour".to_owned(),
        (_, 0) => format!("{all} faults an hour"),
        _ => format!(
            "{} of {all} faults an hour; SUSPENDED: {suspended}",
            all - off
        ),
    }
}

fn schedule(running: &Running) -> String {
    let count = |result: fn(&Attempted) -> bool| {
        running
            .tests
            .iter()
            .filter(|test| result(&test.result))
            .count()
    };
    let state = match running.suspended {
        None => "not deployed",
        Some(true) => "SUSPENDED",
        Some(false) if running.schedule.as_deref() == Some(EVERY_MINUTE) => "every minute",
        Some(false) => running.schedule.as_deref().unwrap_or("no schedule"),
    };
    format!(
        "{state}; kept: {} succeeded, {} running, {} failed",
        count(|result| *result == Attempted::Succeeded),
        count(|result| *result == Attempted::Running),
        count(|result| matches!(result, Attempted::Failed(_)))
    )
}

/// The latest ones, and of those before them the failures, by why they failed.
fn recent(tests: &[TestJob], more: &str) -> Vec<String> {
    let (latest, earlier) = tests.split_at(LATEST.min(tests.len()));
    let mut lines: Vec<String> = latest.iter().map(line).collect();
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for test in earlier {
        let Some(why) = why_failed(test) else {
            continue;
        };
        match groups.iter_mut().find(|(other, _)| *other == why) {
            Some((_, names)) => names.push(&test.name),
            None => groups.push((why, vec![&test.name])),
        }
    }
    lines.extend(groups.into_iter().map(|(why, names)| {
        let count = names.len();
        format!("earlier, {count} FAILED: {why}: {}", names.join(", "))
    }));
    if tests.iter().any(|test| why_failed(test).is_some()) {
        lines.push(more.to_owned());
    }
    lines
}

fn why_failed(test: &TestJob) -> Option<&str> {
    match &test.result {
        Attempted::Failed(why) => Some(test.signature.as_deref().unwrap_or(why)),
        _ => None,
    }
}

fn line(test: &TestJob) -> String {
    let result = match &test.result {
        Attempted::Running => "running".to_owned(),
        Attempted::Succeeded => "verified".to_owned(),
        Attempted::Failed(_) => format!("FAILED: {}", why_failed(test).unwrap_or_default()),
        Attempted::Interrupted(operation) => format!("interrupted by a {operation}, no failure"),
    };
    let attempts = match test.attempts {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    };
    let took = test
        .seconds
        .map_or_else(String::new, |seconds| format!(", {seconds} s"));
    format!("{}  {result}, {attempts}{took}", test.name)
}

/// What is not known is said so, with the reason.
fn reading<T>(reading: &Known<T>, known: impl Fn(&T) -> String) -> String {
    match reading {
        Known::Value(value) => known(value),
        Known::Unknown(why) => format!("unknown: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use longrun_core::{faults::Pause, records::Cell};
    use longrun_kubernetes::Hour;

    use super::*;

    fn test(minute: u32, result: Attempted, signature: Option<&str>) -> TestJob {
        TestJob {
            name: format!("test-{minute}"),
            minute: None,
            result,
            attempts: 1,
            seconds: Some(7),
            signature: signature.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn failures_of_a_bad_night_are_told_by_what_they_have_in_common() {
        let failed = || Attempted::Failed("backoff limit".to_owned());
        let mut all = vec![test(30, failed(), Some("too low"))];
        all.extend(
            (25..29)
                .rev()
                .map(|minute| test(minute, Attempted::Succeeded, None)),
        );
        all.extend([9, 8].map(|minute| test(minute, failed(), Some("too low"))));
        all.push(test(7, failed(), None));
        all.push(test(6, Attempted::Succeeded, None));
        all.push(test(5, failed(), Some("too low")));
        assert_eq!(
            recent(&all, "see more"),
            [
                "test-30  FAILED: too low, 1 attempt, 7 s",
                "test-28  verified, 1 attempt, 7 s",
                "test-27  verified, 1 attempt, 7 s",
                "test-26  verified, 1 attempt, 7 s",
                "test-25  verified, 1 attempt, 7 s",
                "earlier, 3 FAILED: too low: test-9, test-8, test-5",
                "earlier, 1 FAILED: backoff limit: test-7",
                "see more",
            ]
        );
    }

    fn rotation_status(suspended: &[&'static str], no_go: Option<&str>) -> RotationStatus {
        RotationStatus {
            faults: vec!["kill-restate", "stop-services"],
            suspended: suspended.to_vec(),
            pause: None,
            no_go: no_go.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn an_hour_without_faults_has_a_reason() {
        let said = |turns: &RotationStatus| chaos(turns, "-n twin --cluster local");
        assert_eq!(said(&rotation_status(&[], None)), "2 faults an hour");
        let one = rotation_status(&["stop-services"], None);
        assert_eq!(
            said(&one),
            "1 of 2 faults an hour; SUSPENDED: stop-services"
        );
        let mut paused = rotation_status(
            &["stop-services"],
            Some("paused until ten by ana: a release"),
        );
        paused.pause = Some(Pause {
            until: Timestamp::UNIX_EPOCH,
            since: Timestamp::UNIX_EPOCH,
            reason: "a release".to_owned(),
            by: "ana".to_owned(),
        });
        assert_eq!(
            said(&paused),
            "paused until ten by ana: a release; to end that: cargo xtask chaos resume -n twin --cluster local; \
             SUSPENDED as well: stop-services"
        );
        let none = rotation_status(&[], Some("the namespace lacks the label"));
        assert_eq!(said(&none), "the namespace lacks the label");
    }

    #[test]
    fn where_nothing_failed_there_is_nothing_more_to_see() {
        let all = [test(1, Attempted::Running, None)];
        assert_eq!(
            recent(&all, "see more"),
            ["test-1  running, 1 attempt, 7 s"]
        );
    }

    fn looked_at(environment: &str, deployed: bool) -> Status {
        let running = Running {
            terminating: false,
            node: None,
            service: None,
            invocations: Known::Unknown("nobody answers".to_owned()),
            schedule: None,
            suspended: None,
            tests: Vec::new(),
            hour: Hour {
                cells: vec![Cell::Verified],
                missing: None,
                faults: Known::Value(Vec::new()),
            },
            holder: Known::Value(None),
            unfinished: Known::Value(None),
            chaos: Known::Value(None),
            snapshots: Known::Value(0),
        };
        Status {
            environment: environment.to_owned(),
            at: Timestamp::UNIX_EPOCH,
            running: deployed.then_some(running),
        }
    }

    #[test]
    fn strips_are_drawn_once_together_where_there_are_two_to_compare() {
        let calm = looked_at("calm", true);
        for (twin, both) in [(true, true), (false, false)] {
            let twin = looked_at("twin", twin);
            let hours = together(&[("dev", &calm), ("dev", &twin)]);
            assert_eq!(hours.is_some(), both);
            let own = status("dev", &calm, None, hours.is_none());
            assert_eq!(own.contains("the last hour"), !both, "{own}");
        }
        assert_eq!(together(&[("dev", &calm)]), None);
    }
}
