//! What the recorder of an environment remembers of Jobs that Kubernetes has let go.

use longrun_core::{
    known::Known,
    plan::Target,
    records::{Entry, GONE, Outcome, merge, read},
    triage::{self, Case, Evidence, JobState, Twin},
};
use longrun_kubernetes::{Client, failed_tests, recorded, twin};

pub(crate) enum Memory {
    Evidence(Box<Evidence>),
    /// Its result, without evidence.
    Result(Box<Entry>),
    Nothing,
}

/// What it has of one Job. Which cluster it is on, whoever asks has recognised.
pub(crate) async fn memory(client: &Client, target: &Target, job: &str) -> Result<Memory, String> {
    let environment = target.environment.as_str();
    if let Some(text) = question(client, environment, &format!("evidence/{job}")).await? {
        let mut evidence =
            triage::read(&text).map_err(|error| format!("its evidence is unreadable: {error}"))?;
        evidence.target = target.clone();
        return Ok(Memory::Evidence(Box::new(evidence)));
    }
    let lines = question(client, environment, &format!("results?job={job}")).await?;
    let results = read(lines.unwrap_or_default().as_bytes()).entries;
    let last = results.into_values().max_by_key(|entry| entry.created);
    Ok(last.map_or(Memory::Nothing, |entry| Memory::Result(Box::new(entry))))
}

/// Adds to what is seen of a Job what the recorder has kept of it: pods go before their Job, and their logs with
/// them. What the node says now stays.
pub(crate) async fn complete(client: &Client, evidence: Evidence) -> Evidence {
    let job = evidence.case.job.name.clone();
    match memory(client, &evidence.target, &job).await {
        Ok(Memory::Evidence(kept)) => {
            let (invocations, counters) = (evidence.invocations.clone(), evidence.counters.clone());
            let mut merged = merge(*kept, evidence);
            if let Known::Value(_) = invocations {
                merged.invocations = invocations;
            }
            if let Known::Value(_) = counters {
                merged.counters = counters;
            }
            merged
        }
        _ => evidence,
    }
}

/// The failures that it remembers.
pub(crate) async fn cases(client: &Client, environment: &str) -> Result<Vec<Case>, String> {
    let lines = question(client, environment, "cases").await?;
    let case = |line| {
        let case: Result<Case, _> = serde_json::from_str(line);
        case.map_err(|error| format!("a case is unreadable: {error}"))
    };
    let cases: Result<Vec<Case>, String> = lines.unwrap_or_default().lines().map(case).collect();
    let mut cases = cases?;
    cases.retain(|case| matches!(case.job.state, JobState::Failed { .. }));
    Ok(cases)
}

/// In words, for a Job that is not there.
pub(crate) fn in_words(memory: &Result<Memory, String>) -> String {
    match memory {
        Ok(Memory::Evidence(_)) => "the recorder has its evidence".to_owned(),
        Ok(Memory::Nothing) => {
            "the recorder has nothing of it: it never ran, or longer ago than is kept".to_owned()
        }
        Ok(Memory::Result(entry)) => {
            let ended = entry.ended.map_or_else(String::new, |ended| {
                ended.strftime(" at %Y-%m-%d %H:%M:%S UTC").to_string()
            });
            let signature = entry.signature.as_deref().map(|text| format!(": {text}"));
            format!(
                "by the recorder it {}{ended}, {} pods{}",
                match entry.outcome {
                    Outcome::Succeeded => "succeeded",
                    Outcome::Failed => "failed",
                    Outcome::Interrupted => "was interrupted by an operation",
                    Outcome::Unknown => "was seen, and its end was not",
                },
                entry.attempts,
                signature.unwrap_or_default()
            )
        }
        Err(why) => format!("what the recorder has of it is unknown: {why}"),
    }
}

/// Gives evidence of the recorder what it does not compare with.
pub(crate) async fn compare(client: &Client, evidence: &mut Evidence, twins: &[String]) {
    let job = evidence.case.job.name.clone();
    let environment = evidence.target.environment.clone();
    for environment in twins {
        evidence.twins.push(twin(client, environment, &job).await);
    }
    let there = failed_tests(client, &environment).await;
    evidence.others = there.map_or_else(|failure| Known::Unknown(failure.words()), Known::Value);
}

/// Adds to evidence what recorders remember: other failures, and what became of the twins. What they do not
/// answer stays as it is.
pub(crate) async fn remember(client: &Client, evidence: &mut Evidence) {
    let target = &evidence.target;
    let remembered = cases(client, &target.environment).await.unwrap_or_default();
    if let Known::Value(others) = &mut evidence.others {
        for case in remembered {
            let is_same = |other: &Case| other.job.uid == case.job.uid;
            if !is_same(&evidence.case) && !others.iter().any(is_same) {
                others.push(case);
            }
        }
    }
    let job = &evidence.case.job.name;
    for Twin { environment, case } in &mut evidence.twins {
        if *case != Known::Value(None) {
            continue;
        }
        let target = Target {
            environment: environment.clone(),
            ..target.clone()
        };
        match memory(client, &target, job).await {
            Ok(Memory::Evidence(found)) => *case = Known::Value(Some(found.case)),
            Ok(Memory::Result(entry)) if entry.outcome == Outcome::Unknown => {
                *case = Known::Unknown(GONE.to_owned());
            }
            Ok(Memory::Result(entry)) => *case = Known::Value(Some((*entry).into())),
            Ok(Memory::Nothing) | Err(_) => {}
        }
    }
}

async fn question(
    client: &Client,
    environment: &str,
    question: &str,
) -> Result<Option<String>, String> {
    recorded(client, environment, question)
        .await
        .map_err(|failure| failure.words())
}
