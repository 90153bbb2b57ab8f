//! Failed tests as people read them: the whole story on a screen.

use std::fmt::Write as _;

use jiff::Timestamp;
use longrun_core::known::Known;
use longrun_core::triage::{
    Case, Counter, CounterHistory, Entry, Group, Heard, JobState, Kind, Report, in_words, judge,
    minute,
};

use super::data::between;

/// More than this is in the document only.
const JOBS: usize = 10;
/// Of what happened: the beginning, and the end, where the last attempts and the Job's failure are.
const FIRST: usize = 10;
const LAST: usize = 14;
const TRAILS: usize = 5;
const NODES: usize = 3;
const INVOCATIONS: usize = 6;
const NAMED: usize = 6;
/// Behind a Job of which only the recorder has something.
const GONE: &str = " (the Job is gone, resolved or let go; from the recorder)";
/// Texts of others are cut here.
const WIDEST: usize = 160;

/// The failed Jobs of an environment, or of a directory, by signature.
/// `one` is the command that tells about one of them, up to its name.
/// Those that are remembered are so by the recorder alone.
pub(crate) fn failures(
    place: &str,
    one: &str,
    groups: &[Group],
    cases: &[Case],
    remembered: &[String],
) -> String {
    if cases.is_empty() {
        return format!("{place}: no failed test Job is kept\n");
    }
    let gone = match remembered.len() {
        0 => String::new(),
        gone => format!("; {gone} of them gone, and no alert any more"),
    };
    let mut text = format!(
        "{place}: {}, {}{gone}\n",
        counted(cases.len(), "failed Job"),
        counted(groups.len(), "signature")
    );
    for group in groups {
        let _ = writeln!(text, "{} × {}", group.jobs.len(), group.signature);
        for name in group.jobs.iter().take(JOBS) {
            for case in cases.iter().filter(|case| case.job.name == *name) {
                let (verdict, because) = judge(case);
                let minute = minute(name).map(day).unwrap_or_default();
                let _ = writeln!(
                    text,
                    "    {name}  {minute}  {}  {verdict}: {}{}",
                    left(case),
                    cut(&because),
                    if remembered.contains(name) { GONE } else { "" }
                );
            }
        }
        if let Some(oldest) = group.jobs.get(JOBS..).and_then(<[_]>::last) {
            let more = group.jobs.len() - JOBS;
            let minute = minute(oldest).map(day).unwrap_or_default();
            let _ = writeln!(
                text,
                "    … {more} more in --output json, the oldest {oldest}  {minute}"
            );
        }
    }
    if let Some(newest) = groups.first().and_then(|group| group.jobs.first()) {
        let _ = writeln!(text, "all of one: {one} {newest}");
    }
    text
}

/// `7 attempts`, or how many of them have left something.
fn left(case: &Case) -> String {
    let all = counted(number(case.job.pods), "attempt");
    match case.attempts.known().map(Vec::len) {
        Some(kept) if kept as u64 >= case.job.pods => all,
        Some(kept) => format!("{all}, {kept} left"),
        None => format!("{all}, which are unknown"),
    }
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

pub(crate) fn report(report: &Report) -> String {
    let mut text = format!(
        "{} {}  {}\n",
        report.target,
        report.job.name,
        outcome(report)
    );
    let verdict = report.verdict.to_string().to_uppercase();
    field(
        &mut text,
        "verdict",
        &format!("{verdict}: {}", report.because),
    );
    field(&mut text, "signature", &report.signature);
    field(&mut text, "", &occurred(report));
    for (environment, twin) in &report.twins {
        field(&mut text, "twin", &format!("{environment}: {twin}"));
    }
    if let Known::Value(faults) = &report.faults {
        field(&mut text, "faults", faults);
    }
    for (name, image) in &report.ran {
        field(&mut text, "ran", &format!("{name}: {image}"));
    }
    field(
        &mut text,
        "attempts",
        &format!("{} left", report.attempts.len()),
    );
    for (number, heard) in (1..).zip(&report.attempts) {
        let _ = writeln!(text, "    {number}  {}", attempt(heard));
    }
    timeline(report, &mut text);
    counters(report, &mut text);
    invocations(report, &mut text);
    for (name, link) in &report.links {
        field(&mut text, "look at", &format!("{name}: {link}"));
    }
    for missing in &report.missing {
        field(
            &mut text,
            "missing",
            &format!("{}: {}", missing.what, cut(&missing.why)),
        );
    }
    for next in &report.next {
        field(&mut text, "next", &format!("{}:", next.to));
        let _ = writeln!(text, "                 {}", next.command);
    }
    text
}

fn field(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name:12} {value}");
}

fn outcome(report: &Report) -> String {
    let job = &report.job;
    let became = match &job.state {
        JobState::Running => "not over".to_owned(),
        JobState::Succeeded => "verified".to_owned(),
        JobState::Failed { reason, .. } => format!("FAILED ({reason})"),
    };
    let began = job.started.unwrap_or(job.created);
    let took = between(began, job.ended.unwrap_or(report.at));
    let minute = report.minute.map(day).unwrap_or_default();
    format!(
        "{became} after {}, {took}; its minute was {minute}",
        counted(number(job.pods), "attempt")
    )
}

fn occurred(report: &Report) -> String {
    match &report.same {
        Known::Unknown(why) => format!("whether it occurred before is unknown: {why}"),
        Known::Value(_) if report.compared == 0 => "no other failed Job is kept".to_owned(),
        Known::Value(same) if same.is_empty() => format!(
            "not that of {} that the environment keeps",
            counted(report.compared, "other failed Job")
        ),
        Known::Value(same) => {
            let named: Vec<&str> = same.iter().take(NAMED).map(String::as_str).collect();
            format!(
                "{} of {} {} it too: {}{}",
                same.len(),
                counted(report.compared, "other failed Job"),
                if same.len() == 1 { "has" } else { "have" },
                named.join(", "),
                more(same.len(), NAMED)
            )
        }
    }
}

fn attempt(heard: &Heard) -> String {
    let took = heard
        .ended
        .map_or_else(String::new, |ended| between(heard.created, ended));
    let exit = heard
        .exit
        .map_or_else(|| "no exit".to_owned(), |exit| format!("exit {exit}"));
    format!(
        "{}  {took:>10}  {exit:7}  {}  {}",
        clock(heard.created),
        heard.pod,
        cut(&in_words(&heard.said))
    )
}

/// The begins of attempts are told above.
fn timeline(report: &Report, text: &mut String) {
    let entries = report.timeline.iter();
    let told: Vec<_> = entries
        .filter(|entry| entry.kind != Kind::Attempt || entry.text.contains(" ends"))
        .collect();
    let window = format!(
        "{} to {} UTC",
        day_and_time(report.window.from),
        clock(report.window.to)
    );
    field(text, "timeline", &window);
    let tell = |entries: &[&Entry], text: &mut String| {
        for entry in entries {
            let at = report.window.clock(entry.at);
            let _ = writeln!(text, "    {at}  {}", cut(&entry.text));
        }
    };
    let left_out = told.len().saturating_sub(FIRST + LAST);
    // One line says no less than that it is left out.
    if left_out < 2 {
        return tell(&told, text);
    }
    tell(&told[..FIRST], text);
    let _ = writeln!(text, "    … {left_out} left out here, in --output json");
    tell(&told[FIRST + left_out..], text);
}

fn counters(report: &Report, text: &mut String) {
    match &report.trails {
        Known::Unknown(why) => field(text, "counters", &format!("unknown: {why}")),
        Known::Value(trails) => {
            let by_now = match report.by_now.as_str() {
                "" => String::new(),
                by_now => format!("; {by_now}"),
            };
            field(text, "counters", &format!("{} wrong{by_now}", trails.len()));
            for one in trails.iter().take(TRAILS) {
                trail(one, text);
            }
            rest(trails.len(), TRAILS, text);
        }
    }
}

fn trail(trail: &CounterHistory, text: &mut String) {
    let Counter {
        target,
        expected,
        actual,
    } = trail.counter;
    let now = trail
        .now
        .map_or_else(String::new, |now| format!(", now {now}"));
    let _ = writeln!(
        text,
        "    target {target}: expected {expected}, got {actual}{now}"
    );
    for node in trail.nodes.iter().take(NODES) {
        let way = match node.calls.is_empty() {
            true => "the root".to_owned(),
            false => node.calls.join(", "),
        };
        let lock = if node.locks { "with" } else { "without" };
        let _ = writeln!(
            text,
            "      {}  {way}; +{} {lock} its lock",
            node.path, node.increments
        );
        if let Some(behind) = &node.behind {
            let _ = writeln!(
                text,
                "        look first at its caller {behind}, which is wrong too"
            );
        }
    }
    rest(trail.nodes.len(), NODES, text);
}

fn invocations(report: &Report, text: &mut String) {
    // Where they are unknown, it is said among what is missing.
    let Known::Value(open) = &report.invocations else {
        return;
    };
    field(text, "invocations", &format!("{} open", open.len()));
    for one in open.iter().take(INVOCATIONS) {
        let error = one
            .last_failure
            .as_deref()
            .map_or_else(String::new, |error| format!(": {}", cut(error)));
        let _ = writeln!(
            text,
            "    {}  {}  {} for {} s, {}{error}",
            one.id,
            one.target,
            one.status,
            one.age_seconds,
            counted(number(one.retry_count), "retry")
        );
    }
    rest(open.len(), INVOCATIONS, text);
}

fn rest(all: usize, shown: usize, text: &mut String) {
    if all > shown {
        let _ = writeln!(text, "    … {} more in --output json", all - shown);
    }
}

fn more(all: usize, shown: usize) -> String {
    match all.checked_sub(shown) {
        None | Some(0) => String::new(),
        Some(more) => format!(", {more} more"),
    }
}

/// `1 failed Job`, `2 failed Jobs`
fn counted(count: usize, what: &str) -> String {
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {what}s"),
    }
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn day_and_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

fn cut(text: &str) -> String {
    let line = text.replace('\n', " ");
    match line.char_indices().nth(WIDEST) {
        None => line,
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::SignedDuration;
    use longrun_core::{
        object::Uid,
        plan::Target,
        triage::{Evidence, FORMAT, Fault, group},
    };
    use serde_json::json;

    use super::*;

    fn at(second: usize) -> Timestamp {
        let begin: Timestamp = "2026-01-05T10:00:00Z".parse().expect("a time");
        begin + SignedDuration::from_secs(second as i64)
    }

    /// The timeline of a Job that began and failed with so many faults in between.
    fn told(faults: usize) -> Vec<String> {
        let mut case = failed(29_460_120);
        case.job.created = at(0);
        case.job.ended = Some(at(900));
        let fault = |number: usize| Fault {
            name: format!("f{number}"),
            began: at(number),
            taken_back: None,
            healed: None,
        };
        let unknown = || "not asked".to_owned();
        let evidence = Evidence {
            format: FORMAT,
            at: at(960),
            target: Target {
                cluster: "a".to_owned(),
                kube_system: Uid("k".to_owned()),
                environment: "b".to_owned(),
            },
            case,
            others: Known::Unknown(unknown()),
            twins: Vec::new(),
            pods: Known::Unknown(unknown()),
            events: Known::Unknown(unknown()),
            faults: Known::Value(Some((1..=faults).map(fault).collect())),
            invocations: Known::Unknown(unknown()),
            counters: Known::Unknown(unknown()),
            links: BTreeMap::new(),
        };
        let mut text = String::new();
        timeline(&Report::of(&evidence), &mut text);
        text.lines().skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn of_a_long_story_the_beginning_and_the_end_are_told() {
        let all = told(23);
        assert_eq!(all.len(), 25, "{all:?}");

        let some = told(60);
        assert_eq!(some.len(), FIRST + 1 + LAST, "{some:?}");
        assert!(some[0].contains("Job test-29460120 begins"), "{some:?}");
        assert!(some[9].contains("fault f9,"), "{some:?}");
        assert_eq!(some[10], "    … 38 left out here, in --output json");
        assert!(some[11].contains("fault f48,"), "{some:?}");
        assert!(some[24].contains("Job test-29460120 failed"), "{some:?}");
    }

    fn failed(minute: u32) -> Case {
        let entry = json!({"job": format!("test-{minute}"), "uid": minute.to_string(), "program": null,
            "created": "2026-01-05T10:00:00Z", "started": null, "ended": null, "outcome": "failed",
            "attempts": 7, "signature": "too low"});
        let entry: longrun_core::records::Entry = serde_json::from_value(entry).expect("a result");
        entry.into()
    }

    #[test]
    fn of_many_failures_the_newest_are_listed_and_the_oldest_is_named() {
        let listed = |count: u32| {
            let cases: Vec<Case> = (0..count).map(|index| failed(29_930_900 - index)).collect();
            failures("a/b", "triage", &group(&cases), &cases, &[])
        };
        let ten = listed(10);
        assert_eq!(ten.matches("    test-").count(), 10, "{ten}");
        assert!(!ten.contains("more"), "{ten}");

        let twelve = listed(12);
        assert_eq!(twelve.matches("    test-").count(), 10, "{twelve}");
        let more =
            "\n    … 2 more in --output json, the oldest test-29930889  2026-11-28 08:09 UTC\n";
        assert!(twelve.contains(more), "{twelve}");
        assert!(
            twelve.starts_with("a/b: 12 failed Jobs, 1 signature\n12 × too low\n"),
            "{twelve}"
        );
    }
}
