//! What one attempt says: its result lines, or what became of it without them.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::evidence::{Attempt, Case, Evidence};
use crate::known::Known;

/// What an attempt says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "said")]
pub enum Said {
    /// Every counter was right.
    Verified,
    /// These counters were wrong.
    Wrong(Off),
    /// A command ended without saying anything about counters.
    Failed {
        /// `execute` or `verify`
        command: String,
        /// `internal`, `unavailable`, `deadline_exceeded`
        code: String,
        /// Its sentence.
        message: String,
    },
    /// It ended, and wrote no result.
    Silent {
        /// As far as Kubernetes knows.
        why: String,
    },
    /// Its container has not started.
    NotStarted {
        /// What it waits for, or why it never will.
        why: String,
    },
    /// It is at work.
    Running,
    /// What it wrote is not known.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// Counters that were wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Off {
    /// By target.
    pub counters: Vec<Counter>,
    /// Whether these are all of them, or only the first.
    pub complete: bool,
}

/// A wrong counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Counter {
    /// Its number.
    pub target: u32,
    /// What it holds when every increment has happened once.
    pub expected: u64,
    /// What it held.
    pub actual: u64,
}

impl Counter {
    /// How far it was off.
    #[must_use]
    pub fn distance(self) -> u64 {
        self.expected.abs_diff(self.actual)
    }
}

impl Off {
    /// How far all of them were off.
    #[must_use]
    pub fn distance(&self) -> u64 {
        let distances = self.counters.iter().map(|counter| counter.distance());
        distances.fold(0, u64::saturating_add)
    }

    /// Whether an increment happened twice: such a counter never comes right again.
    #[must_use]
    pub fn exceeds(&self) -> bool {
        let mut counters = self.counters.iter();
        counters.any(|counter| counter.actual > counter.expected)
    }

    /// Which of two is further from right. Where one is only the first wrong counter, so is the other: verify
    /// reads them in rising order, so that a lower first one is the worse.
    #[must_use]
    pub fn against(&self, other: &Self) -> Ordering {
        if self.complete && other.complete {
            return self.distance().cmp(&other.distance());
        }
        let first = |off: &Self| off.counters.iter().min().copied();
        match (first(self), first(other)) {
            (Some(one), Some(two)) => two
                .target
                .cmp(&one.target)
                .then(one.distance().cmp(&two.distance())),
            (one, two) => one.is_some().cmp(&two.is_some()),
        }
    }
}

/// An attempt with what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Heard {
    /// The pod.
    pub pod: String,
    /// When it was made.
    pub created: jiff::Timestamp,
    /// When it ended.
    pub ended: Option<jiff::Timestamp>,
    /// The container's exit code.
    pub exit: Option<i64>,
    /// Whether Restate had taken the program by then.
    pub executed: bool,
    /// The program, by its own word.
    pub program: Option<String>,
    /// The result.
    #[serde(flatten)]
    pub said: Said,
}

/// The attempts of a case with what they say, in the order in which they were made, whatever the order in
/// which they were found.
#[must_use]
pub fn hear(case: &Case) -> Vec<Heard> {
    let attempts = case.attempts.known().into_iter().flatten();
    let mut heard: Vec<Heard> = attempts.map(listen).collect();
    heard.sort_by(|one, other| (one.created, &one.pod).cmp(&(other.created, &other.pod)));
    heard
}

impl Evidence {
    /// Of two about one Job the greater is the better: of how many attempts it knows what they say, and then
    /// when it was gathered. Pods go, so that the newest may know least.
    #[must_use]
    pub fn worth(&self) -> (usize, jiff::Timestamp) {
        let heard = hear(&self.case);
        let known = heard
            .iter()
            .filter(|heard| !matches!(heard.said, Said::Unknown { .. }));
        (known.count(), self.at)
    }
}

/// A result line. What it has besides is for later readers.
#[derive(Deserialize)]
struct Line {
    command: String,
    result: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    program: Option<String>,
    #[serde(default)]
    mismatches: Vec<Counter>,
}

fn listen(attempt: &Attempt) -> Heard {
    let lines: Vec<Line> = attempt
        .log
        .known()
        .into_iter()
        .flatten()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let of = |command: &str| lines.iter().rfind(|line| line.command == command);
    let verified = of("verify").map(|line| &line.result);
    let executed = of("execute").map(|line| &line.result);
    let is_ok = |outcome: &Outcome| outcome.code == "ok";
    let said = match (verified, executed) {
        (Some(outcome), _) => outcome.said("verify"),
        (None, Some(outcome)) if !is_ok(outcome) => outcome.said("execute"),
        _ => without_result(attempt),
    };
    Heard {
        pod: attempt.pod.clone(),
        created: attempt.created,
        ended: attempt.ended,
        exit: attempt.exit,
        executed: verified.is_some() || executed.is_some_and(is_ok) || said == Said::Verified,
        program: lines
            .iter()
            .rev()
            .find_map(|line| line.result.program.clone()),
        said,
    }
}

impl Outcome {
    fn said(&self, command: &str) -> Said {
        if self.code == "ok" {
            return Said::Verified;
        }
        let mut counters = self.mismatches.clone();
        counters.sort();
        if !counters.is_empty() {
            return Said::Wrong(Off {
                counters,
                complete: true,
            });
        }
        match complaint(&self.message) {
            Some(counter) => Said::Wrong(Off {
                counters: vec![counter],
                complete: false,
            }),
            None => Said::Failed {
                command: command.to_string(),
                code: self.code.clone(),
                message: self.message.clone(),
            },
        }
    }
}

/// `…Incorrect value for target 117: expected 1, got 0`
fn complaint(message: &str) -> Option<Counter> {
    let (_, rest) = message.split_once("Incorrect value for target ")?;
    let (target, rest) = rest.split_once(": expected ")?;
    let (expected, rest) = rest.split_once(", got ")?;
    let end = rest.find(|c: char| !c.is_ascii_digit());
    let actual = &rest[..end.unwrap_or(rest.len())];
    Some(Counter {
        target: target.parse().ok()?,
        expected: expected.parse().ok()?,
        actual: actual.parse().ok()?,
    })
}

fn without_result(attempt: &Attempt) -> Said {
    let reason = attempt.reason.clone();
    match (attempt.phase.as_str(), &attempt.log) {
        ("Succeeded", _) => Said::Verified,
        (_, _) if attempt.started.is_none() => Said::NotStarted {
            why: reason.unwrap_or_else(|| attempt.phase.clone()),
        },
        ("Failed", Known::Value(_)) => {
            let reason = reason.unwrap_or_else(|| "no reason given".to_string());
            let exit = attempt.exit.map(|code| format!("exit code {code}, "));
            Said::Silent {
                why: format!("{}{reason}", exit.unwrap_or_default()),
            }
        }
        ("Failed" | "Unknown", Known::Unknown(why)) => Said::Unknown { why: why.clone() },
        _ => Said::Running,
    }
}
