//! What failures have in common: their message without what differs each time.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde::Serialize;

use super::{
    attempt::{Heard, Off, Said, hear},
    evidence::{Case, JobState},
    name,
};

/// What stands in place of a number or an id.
const ANY: char = '#';

/// What ids of Restate begin with.
const IDS: [&str; 3] = ["inv_", "dp_", "prm_"];

/// The reason of a failure of which only the result was written down. Its message is its signature.
pub(crate) const RECORDED: &str = "Failed";

/// A message in which every number and every id is `#`: two failures that differ in nothing else are one.
#[must_use]
pub fn normalise(message: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut text = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(first) = rest.chars().next() {
        let length = if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        word(token, &mut text);
        rest = after;
    }
    // Decimals and addresses have as many parts as they happen to have.
    while text.contains("#.#") {
        text = text.replace("#.#", "#");
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn word(token: &str, text: &mut String) {
    if let Some(prefix) = IDS.iter().find(|prefix| token.starts_with(**prefix)) {
        text.push_str(prefix);
        text.push(ANY);
        return;
    }
    let is_hex = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    let digits = token.bytes().any(|byte| byte.is_ascii_digit());
    if digits && token.bytes().all(is_hex) {
        text.push(ANY);
        return;
    }
    let mut before = false;
    for c in token.chars() {
        let digit = c.is_ascii_digit();
        match (digit, before) {
            (false, _) => text.push(c),
            (true, false) => text.push(ANY),
            (true, true) => {}
        }
        before = digit;
    }
}

/// By what a failure is known: the last thing that an attempt said of it.
#[must_use]
pub fn signature(case: &Case) -> String {
    if let Some(operation) = &case.job.interrupted {
        return format!("interrupted by a {operation}");
    }
    let heard = hear(case);
    let said = heard.iter().rev().find_map(of_attempt);
    said.unwrap_or_else(|| match (&case.job.state, heard.last()) {
        (JobState::Succeeded, _) => "verified".to_string(),
        (JobState::Running, None) => "no pod yet".to_string(),
        (_, Some(_)) | (JobState::Failed { .. }, None) => match &case.job.state {
            JobState::Failed { reason, message } if reason == RECORDED => message.clone(),
            JobState::Failed { reason, .. } => format!("{reason}, and no attempt is known"),
            _ => "no result yet".to_string(),
        },
    })
}

fn of_attempt(heard: &Heard) -> Option<String> {
    match &heard.said {
        Said::Wrong(off) => Some(wrong(off)),
        Said::Failed {
            command,
            code,
            message,
        } => Some(format!("{command}: {code}: {}", normalise(message))),
        Said::Silent { why } => Some(format!("no result: {}", normalise(why))),
        Said::NotStarted { why } => Some(format!("not started: {}", normalise(why))),
        Said::Verified => Some("verified".to_string()),
        Said::Running | Said::Unknown { .. } => None,
    }
}

/// Lost and repeated increments are different faults, whatever the numbers.
fn wrong(off: &Off) -> String {
    let fewer = off.counters.iter().any(|one| one.actual < one.expected);
    let direction = match (fewer, off.exceeds()) {
        (true, true) => "too low and too high",
        (false, true) => "too high",
        _ => "too low",
    };
    format!("verify: Incorrect value for target #: expected #, got # ({direction})")
}

/// Failures that have one signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// What they have in common.
    pub signature: String,
    /// Their Jobs, the newest first.
    pub jobs: Vec<String>,
}

/// Cases by signature: the group with the newest Job first.
#[must_use]
pub fn group<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Vec<Group> {
    let mut signed: Vec<(&str, String)> = cases
        .into_iter()
        .map(|case| (case.job.name.as_str(), signature(case)))
        .collect();
    signed.sort_by(|(one, _), (other, _)| {
        let key = |name| (name::minute(name).ok(), name);
        key(*other).cmp(&key(*one))
    });
    let mut groups: Vec<Group> = Vec::new();
    for (job, signature) in signed {
        match groups.iter_mut().find(|group| group.signature == signature) {
            Some(group) => group.jobs.push(job.to_string()),
            None => groups.push(Group {
                signature,
                jobs: [job.to_string()].into(),
            }),
        }
    }
    groups
}
