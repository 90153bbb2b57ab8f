//! The judgement on evidence: what is shown on one screen, or as one document.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    vec::Vec,
};

use jiff::Timestamp;
use longrun_program::Program;
use serde::Serialize;

use super::{
    attempt::{Counter, Heard, Said, hear},
    counter_history::{CounterHistory, program, trails, wrong},
    evidence::{Case, Evidence, Invocation, Job, JobState},
    ledger::faults_in,
    name,
    ran::{images, restate_of},
    signature::signature,
    timeline::{Entry, Window, timeline, window},
    verdict::{Verdict, judge},
};
use crate::{
    inputs::Link,
    known::Known,
    names::{NODE_POD, OBSERVER, VERIFICATION_PROGRAM, port},
    plan::Target,
};

/// What the rules of this build make of evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Where.
    pub target: Target,
    /// When the evidence was gathered.
    pub at: Timestamp,
    /// The Job.
    pub job: Job,
    /// The minute it was scheduled for.
    pub minute: Option<Timestamp>,
    /// Where its attempts lead.
    pub verdict: Verdict,
    /// Why that is said.
    pub because: String,
    /// Its attempts, in order.
    pub attempts: Vec<Heard>,
    /// By what the failure is known.
    pub signature: String,
    /// The other failed Jobs that the environment kept and that have the same signature, the newest first.
    pub same: Known<Vec<String>>,
    /// How many failed Jobs that was compared with.
    pub compared: usize,
    /// What happened around it.
    pub timeline: Vec<Entry>,
    /// The time that is meant by that.
    pub window: Window,
    /// What the ledger of faults says of that time.
    pub faults: Known<String>,
    /// What the node and the service ran when the evidence was gathered: name and image, several while they roll.
    pub ran: BTreeSet<(String, String)>,
    /// The same seed elsewhere: environment and what became of it.
    pub twins: Vec<(String, String)>,
    /// What of the program had not completed.
    pub invocations: Known<Vec<Invocation>>,
    /// Its wrong counters, and where the program leads to them.
    pub trails: Known<Vec<CounterHistory>>,
    /// What the counters say by now.
    pub by_now: String,
    /// Where logs and metrics are looked at.
    pub links: BTreeMap<String, String>,
    /// What is not known, and why.
    pub missing: Vec<Missing>,
    /// What can be done, and how.
    pub next: Vec<Next>,
}

/// Something that is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Something that can be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Next {
    /// What for.
    pub to: String,
    /// The command.
    pub command: String,
}

/// The id of the program that a test ran: its attempts know better than its Job.
#[must_use]
pub fn program_of(case: &Case) -> Option<String> {
    ran(case, &hear(case)).map(ToString::to_string)
}

fn ran<'a>(case: &'a Case, attempts: &'a [Heard]) -> Option<&'a str> {
    let said = attempts.iter().rev().find_map(|one| one.program.as_deref());
    said.or(case.job.program.as_deref())
}

impl Report {
    /// Judges evidence of a Job that is there.
    #[must_use]
    pub fn of(evidence: &Evidence) -> Self {
        Self::judged(evidence, true)
    }

    /// Judges evidence of a Job that Kubernetes has let go: what needs it or its pods cannot be done any more.
    #[must_use]
    pub fn of_gone(evidence: &Evidence) -> Self {
        Self::judged(evidence, false)
    }

    fn judged(evidence: &Evidence, is_there: bool) -> Self {
        let case = &evidence.case;
        let attempts = hear(case);
        let (verdict, because) = judge(case);
        let signature = signature(case);
        let id = ran(case, &attempts);
        let program = program(id);
        let (trails, by_now) = counters(evidence, &attempts, program.as_ref());
        let others = evidence.others.known().into_iter().flatten();
        let mut others: Vec<&Case> = others
            .filter(|other| other.job.uid != case.job.uid)
            .collect();
        let is_earlier = |case: &&Case| (name::minute(&case.job.name).ok(), case.job.name.clone());
        others.sort_by_key(|case| core::cmp::Reverse(is_earlier(case)));
        let same = others
            .iter()
            .filter(|other| self::signature(other) == signature);
        let same: Vec<String> = same.map(|case| case.job.name.clone()).collect();
        let window = window(&case.job, evidence.at);
        Self {
            target: evidence.target.clone(),
            at: evidence.at,
            minute: name::minute(&case.job.name).ok(),
            verdict,
            because,
            same: match &evidence.others {
                Known::Value(_) => Known::Value(same),
                Known::Unknown(why) => Known::Unknown(why.clone()),
            },
            compared: others.len(),
            timeline: timeline(evidence),
            faults: faults_in(&evidence.faults, window, evidence.at),
            window,
            ran: images(evidence),
            twins: twins(evidence),
            invocations: invocations(evidence),
            trails,
            by_now,
            links: links(evidence, window),
            missing: missing(evidence, &attempts),
            next: next(evidence, id, &attempts, is_there),
            signature,
            attempts,
            job: case.job.clone(),
        }
    }
}

/// The wrong counters: those of the last attempt that named them all, or those of the database.
fn counters(
    evidence: &Evidence,
    attempts: &[Heard],
    program: Result<&Program, &String>,
) -> (Known<Vec<CounterHistory>>, String) {
    let program = match program {
        Ok(program) => program,
        Err(why) => return (Known::Unknown(why.clone()), String::new()),
    };
    let said = attempts.iter().rev().find_map(|heard| match &heard.said {
        Said::Wrong(off) => Some(off),
        _ => None,
    });
    let found = evidence.counters.known();
    let present = found.filter(|found| !found.is_empty());
    let by_now = match (found, present) {
        (None, _) => String::new(),
        (Some(_), None) => "the database has no counter of this program: it never ran there, or its state was cleared or wiped".to_string(),
        (Some(_), Some(found)) => match wrong(program, found).len() {
            0 => "by now every counter is right: it came right after the last attempt".to_string(),
            1 => "by now one of its counters is wrong".to_string(),
            wrong => format!("by now {wrong} of its counters are wrong"),
        },
    };
    let now_wrong = || present.map(|found| wrong(program, found));
    let off: Option<Vec<Counter>> = match said {
        Some(off) if off.complete => Some(off.counters.clone()),
        Some(off) => Some(
            now_wrong()
                .filter(|wrong| !wrong.is_empty())
                .unwrap_or_else(|| off.counters.clone()),
        ),
        None => now_wrong(),
    };
    let trails = match off {
        Some(off) => Known::Value(trails(program, &off, present)),
        None if found.is_some() => Known::Unknown(format!("no attempt named them, and {by_now}")),
        None => Known::Unknown("no attempt named them, and the database was not read".to_string()),
    };
    (trails, by_now)
}

/// What needs somebody first, then the oldest.
fn invocations(evidence: &Evidence) -> Known<Vec<Invocation>> {
    let mut open = evidence.invocations.clone();
    if let Known::Value(open) = &mut open {
        let urgent = |one: &Invocation| match one.status.as_str() {
            "paused" => 0,
            "backing-off" => 1,
            _ => 2,
        };
        open.sort_by(|one, other| {
            let older = other.age_seconds.cmp(&one.age_seconds);
            urgent(one).cmp(&urgent(other)).then(older)
        });
    }
    open
}

fn twins(evidence: &Evidence) -> Vec<(String, String)> {
    let words = |case: &Known<Option<Case>>| match case {
        Known::Unknown(why) => format!("unknown: {why}"),
        Known::Value(None) => {
            "not kept (any more): it verified and was let go, was deleted, or did not run"
                .to_string()
        }
        Known::Value(Some(case)) => match (&case.job.interrupted, &case.job.state) {
            (Some(operation), _) => format!("interrupted by a {operation}"),
            (None, JobState::Succeeded) => "verified".to_string(),
            (None, JobState::Running) => "not over".to_string(),
            (None, JobState::Failed { .. }) => {
                let same = signature(case) == signature(&evidence.case);
                let same = if same {
                    ", with the same signature"
                } else {
                    ""
                };
                let (verdict, because) = judge(case);
                format!("FAILED too{same}: {verdict}: {because}")
            }
        },
    };
    let twins = evidence.twins.iter();
    let mut twins: Vec<(String, String)> = twins
        .map(|twin| (twin.environment.clone(), words(&twin.case)))
        .collect();
    twins.sort();
    twins
}

fn links(evidence: &Evidence, window: Window) -> BTreeMap<String, String> {
    let filled = |template: &String| {
        let link: Link = template.parse().ok()?;
        let job = &evidence.case.job.name;
        Some(link.filled(window.from, window.to, job, &evidence.target.environment))
    };
    let links = evidence.links.iter();
    links
        .filter_map(|(name, template)| Some((name.clone(), filled(template)?)))
        .collect()
}

fn missing(evidence: &Evidence, attempts: &[Heard]) -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut lacks = |what: &str, why: Option<&str>| {
        missing.extend(why.map(|why| Missing {
            what: what.to_string(),
            why: why.to_string(),
        }));
    };
    let case = &evidence.case;
    lacks("its attempts", case.attempts.why_not());
    let kept = attempts.len() as u64;
    if case.attempts.known().is_some() && kept < case.job.pods {
        let gone = case.job.pods - kept;
        let why = "their pods are gone, and with them their logs: deleted, evicted with their node, or collected";
        lacks(&format!("{gone} of {} attempts", case.job.pods), Some(why));
    }
    for heard in attempts {
        if let Said::Unknown { why } = &heard.said {
            lacks(&format!("the log of {}", heard.pod), Some(why));
        }
    }
    lacks("restarts of node and service", evidence.pods.why_not());
    lacks("Events", evidence.events.why_not());
    let window = window(&case.job, evidence.at);
    let faults = faults_in(&evidence.faults, window, evidence.at);
    lacks("faults", faults.why_not());
    let hour = jiff::SignedDuration::from_hours(1);
    let old = evidence
        .at
        .checked_sub(hour)
        .is_ok_and(|old| window.from < old);
    if old && evidence.events.known().is_some() {
        lacks("older Events", Some("Kubernetes keeps them for an hour"));
    }
    lacks("open invocations", evidence.invocations.why_not());
    lacks("its counters in the database", evidence.counters.why_not());
    lacks("other failures to compare with", evidence.others.why_not());
    missing
}

fn next(
    evidence: &Evidence,
    program: Option<&str>,
    attempts: &[Heard],
    is_there: bool,
) -> Vec<Next> {
    let environment = &evidence.target.environment;
    let job = &evidence.case.job.name;
    // Which cluster is the usual one may differ from place to place, and change.
    let there = evidence.target.flags();
    let mut next = Vec::new();
    let mut add = |to: &str, command: String| {
        next.push(Next {
            to: to.to_string(),
            command,
        });
    };
    if let Some(program) = program {
        add(
            "see program, counters and open invocations as they are now",
            format!(
                "kubectl -n {environment} exec {NODE_POD} -c {OBSERVER} -- {VERIFICATION_PROGRAM} inspect {program} --ingress http://127.0.0.1:{} --admin http://127.0.0.1:{}",
                port::INGRESS,
                port::ADMIN
            ),
        );
    }
    if let Some(last) = attempts.last().filter(|_| is_there) {
        let pod = &last.pod;
        add(
            "read the last attempt's log",
            format!("kubectl -n {environment} logs {pod}"),
        );
    }
    if let Some(program) = program {
        let faults = evidence.faults.known().and_then(Option::as_ref);
        let chaos = match faults.is_some_and(|faults| !faults.is_empty()) {
            true => " --chaos",
            false => "",
        };
        let restate = restate_of(evidence)
            .map_or_else(String::new, |version| format!(" --restate {version}"));
        add(
            "run its program again on this machine, and look for a smaller one that fails too",
            format!(
                "cargo xtask reproduce {program} -n {environment}{restate}{chaos} --runs 50 --shrink"
            ),
        );
    }
    add(
        "keep the database as it is",
        format!("cargo xtask snapshot {there} --keep"),
    );
    add(
        "keep this evidence",
        format!("cargo xtask triage {there} {job} --save DIR"),
    );
    if is_there && matches!(evidence.case.job.state, JobState::Failed { .. }) {
        add(
            "end its alert when all is understood",
            format!("cargo xtask triage {there} {job} --resolve"),
        );
    }
    next
}
