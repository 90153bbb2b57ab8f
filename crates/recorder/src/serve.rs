//! What is remembered, for whoever asks. Only evidence is read from the disk, which may let its reader wait; all
//! else is answered from memory, whatever the disk does.

use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Path, Query, State},
    http::{HeaderName, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use jiff::Timestamp;
use longrun_core::{
    object::Uid,
    records::{Entry, Kept, Outcome, line},
    triage::{self, Case, JobState},
};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, time::timeout};

use crate::{
    Recorder, metrics,
    records::Records,
    store::{Disk, Folder, Store},
};

/// Longer ago than this nobody has looked: something is wrong, if only with the way to the API server.
const STALE: Duration = Duration::from_secs(60);

/// How long the disk may take to give evidence.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is answered of evidence at most, in bytes: of what is older there is only the result.
const CASES: usize = 8 << 20;

const LINES: &str = "application/jsonl";
const JSON: &str = "application/json";

/// Answers requests for ever.
pub(crate) async fn serve(listener: TcpListener, recorder: Arc<Recorder>) -> io::Result<()> {
    let router = Router::new()
        .route("/live", get("live\n"))
        .route("/ready", get(readiness))
        .route("/metrics", get(metrics))
        .route("/results", get(results))
        .route("/evidence", get(evidence))
        .route("/evidence/{job}", get(evidence_of))
        .route("/cases", get(cases))
        .route("/faults", get(faults))
        .fallback((
            StatusCode::NOT_FOUND,
            "try /results?since=TIME&job=NAME, /evidence, /evidence/JOB, /cases?since=TIME, /faults, /metrics, /ready or /live\n",
        ))
        .with_state(recorder);
    axum::serve(listener, router).await
}

type Shared = State<Arc<Recorder>>;

type Page = ([(HeaderName, &'static str); 1], String);

fn page(content_type: &'static str, text: String) -> Page {
    ([(CONTENT_TYPE, content_type)], text)
}

/// Why there is no answer.
struct Refused(StatusCode, String);

impl Refused {
    fn unavailable(why: impl Into<String>) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, why.into())
    }

    fn broken(error: impl std::error::Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, self.1 + "\n").into_response()
    }
}

/// What is wanted.
#[derive(Deserialize)]
struct Wanted {
    since: Option<String>,
    job: Option<String>,
}

impl Wanted {
    fn since(&self) -> Result<Timestamp, Refused> {
        let Some(since) = &self.since else {
            return Ok(Timestamp::MIN);
        };
        since.parse().map_err(|_| {
            let why = format!("`{since}` is no time: write 2026-01-05T10:00:00Z");
            Refused(StatusCode::BAD_REQUEST, why)
        })
    }
}

async fn readiness(State(recorder): Shared) -> Result<&'static str, Refused> {
    match unready(&recorder, Instant::now()) {
        Some(why) => Err(Refused::unavailable(why)),
        None => Ok("it looks, and writes down what it sees\n"),
    }
}

/// What keeps it from its work. A disk that is slow comes first: with it everything else is late.
fn unready(recorder: &Recorder, now: Instant) -> Option<String> {
    if let Some(late) = recorder.files.late(now) {
        return Some(late);
    }
    let looks = recorder.looks.borrow();
    if let Some(trouble) = &looks.trouble {
        return Some(trouble.clone());
    }
    let is_stale = |looked| now.saturating_duration_since(looked) > STALE;
    looks
        .last
        .is_none_or(is_stale)
        .then(|| "it has not looked lately".to_owned())
}

async fn metrics(State(recorder): Shared) -> Result<Page, Refused> {
    let last = recorder.looks.borrow().last;
    let text = metrics::render(&*kept(&recorder)?, last);
    Ok(page(metrics::CONTENT_TYPE, text.map_err(Refused::broken)?))
}

/// What is kept. Until it has been read from the disk it must not be taken for nothing.
fn kept(recorder: &Recorder) -> Result<impl std::ops::Deref<Target = Records> + '_, Refused> {
    let records = recorder.records.get();
    let records =
        records.ok_or_else(|| Refused::unavailable("what is kept is still being read"))?;
    Ok(records.borrow())
}

/// By when they were made, one line each.
async fn results(State(recorder): Shared, Query(wanted): Query<Wanted>) -> Result<Page, Refused> {
    let since = wanted.since()?;
    let records = kept(&recorder)?;
    let is_wanted = |entry: &&Entry| {
        let job = wanted.job.as_ref();
        entry.created >= since && job.is_none_or(|job| entry.job == *job)
    };
    let mut wanted: Vec<_> = records.entries().filter(is_wanted).collect();
    wanted.sort_by_key(|entry| (entry.created, &entry.job));
    Ok(page(LINES, wanted.into_iter().map(line).collect()))
}

async fn evidence(State(recorder): Shared) -> Result<Page, Refused> {
    let records = kept(&recorder)?;
    let mut listed: Vec<&Kept> = records.evidence().collect();
    listed.sort_by_key(|one| std::cmp::Reverse(one.created));
    json(&listed)
}

async fn evidence_of(State(recorder): Shared, Path(job): Path<String>) -> Result<Page, Refused> {
    let evidence = from_disk(&recorder, move |store| store.evidence_of(&job)).await?;
    let missing = || {
        let why = "there is no evidence of this Job".to_owned();
        Refused(StatusCode::NOT_FOUND, why)
    };
    Ok(page(JSON, evidence.ok_or_else(missing)?))
}

async fn cases(State(recorder): Shared, Query(wanted): Query<Wanted>) -> Result<Page, Refused> {
    let since = wanted.since()?;
    let text = from_disk(&recorder, move |store| Ok(cases_of(store, since))).await?;
    Ok(page(LINES, text))
}

async fn faults(State(recorder): Shared) -> Result<Page, Refused> {
    json(&kept(&recorder)?.faults)
}

fn json(value: &impl Serialize) -> Result<Page, Refused> {
    let text = serde_json::to_string(value);
    Ok(page(JSON, text.map_err(Refused::broken)?))
}

async fn from_disk<T: Send + 'static>(
    recorder: &Recorder,
    read: impl FnOnce(&Store<Folder>) -> io::Result<T> + Send + 'static,
) -> Result<T, Refused> {
    drop(kept(recorder)?);
    let read = recorder.files.work("reading evidence", |store| read(store));
    let read = timeout(PATIENCE, read).await.map_err(|_| {
        let seconds = PATIENCE.as_secs();
        Refused::unavailable(format!("the disk has not given it within {seconds} s"))
    })?;
    read.map_err(Refused::broken)
}

/// The failures, the newest first, one line each: with the attempts where their evidence is kept, as far as there
/// is room for it in an answer, and otherwise as much as their result says.
fn cases_of(store: &Store<impl Disk>, since: Timestamp) -> String {
    let (kept, mut failed) = failures(&store.records().borrow(), since);
    let mut room = CASES;
    let mut cases = Vec::new();
    for kept in kept {
        let text = store.evidence_of(&kept.job).ok().flatten();
        let evidence = text
            .filter(|text| text.len() <= room)
            .and_then(|text| Some((text.len(), triage::read(&text).ok()?)));
        if let Some((length, evidence)) = evidence {
            room -= length;
            let mut case = evidence.case;
            // The result is written last, and knows how it ended.
            if let (Some(entry), JobState::Running) =
                (failed.remove(&case.job.uid), &case.job.state)
            {
                case.job.state = Case::from(entry).job.state;
            }
            cases.push(case);
        }
    }
    cases.extend(failed.into_values().map(Case::from));
    cases.sort_by(|one, other| {
        (other.job.created, &other.job.name).cmp(&(one.job.created, &one.job.name))
    });
    let lines = cases
        .iter()
        .filter_map(|case| serde_json::to_string(case).ok());
    lines.map(|line| line + "\n").collect()
}

/// The evidence that is kept, the newest first, and the results that are failures.
fn failures(records: &Records, since: Timestamp) -> (Vec<Kept>, BTreeMap<Uid, Entry>) {
    let mut kept: Vec<Kept> = records.evidence().cloned().collect();
    kept.retain(|kept| kept.created >= since);
    kept.sort_by(|one, other| (other.created, &other.job).cmp(&(one.created, &one.job)));
    let failed = records
        .entries
        .iter()
        .filter(|(_, entry)| entry.outcome == Outcome::Failed && entry.created >= since)
        .map(|(uid, entry)| (uid.clone(), entry.clone()))
        .collect();
    (kept, failed)
}

#[cfg(test)]
mod tests;
