//! What is remembered, for whoever asks: a very small HTTP/1.1 server that only reads.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use longrun_core::{
    object::Uid,
    records::{Entry, Kept, Outcome, line},
    triage::{self, Case, JobState},
};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::{Recorder, Shared, locked, metrics};

/// Longer ago than this nobody has looked: something is wrong, if only with the way to the API server.
const STALE: Duration = Duration::from_secs(60);

/// What is answered of evidence at most, in bytes: of what is older there is only the result.
const CASES: usize = 8 << 20;

const LINES: &str = "application/jsonl";
const JSON: &str = "application/json";

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    content_type: &'static str,
    pub(crate) body: String,
}

/// Answers requests for ever.
pub(crate) async fn serve(listener: TcpListener, shared: Shared) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: it passes, and must not spin.
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let reply = match *request.method() {
                    Method::GET => answer(
                        &locked(&shared),
                        request.uri().path(),
                        request.uri().query().unwrap_or_default(),
                    ),
                    _ => text(StatusCode::METHOD_NOT_ALLOWED, "only GET"),
                };
                async move { Ok::<_, Infallible>(response(reply)) }
            });
            // A client that goes away is its own business.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

pub(crate) fn answer(recorder: &Recorder, path: &str, query: &str) -> Reply {
    let ok = |content_type, body| Reply {
        status: StatusCode::OK,
        content_type,
        body,
    };
    match path {
        "/live" => text(StatusCode::OK, "live"),
        "/ready" => ready(recorder),
        "/metrics" => ok(
            "text/plain; version=0.0.4; charset=utf-8",
            metrics::render(recorder),
        ),
        "/results" => match since(query) {
            Ok(since) => ok(LINES, results(recorder, since, asked(query, "job"))),
            Err(refused) => refused,
        },
        "/evidence" => {
            let mut listed: Vec<&Kept> = recorder.store.evidence().collect();
            listed.sort_by_key(|one| std::cmp::Reverse(one.created));
            json(&listed)
        }
        "/cases" => match since(query) {
            Ok(since) => ok(LINES, cases(recorder, since)),
            Err(refused) => refused,
        },
        "/faults" => json(recorder.store.faults()),
        _ => match path.strip_prefix("/evidence/") {
            Some(job) => match recorder.store.evidence_of(job) {
                Ok(Some(evidence)) => ok(JSON, evidence),
                Ok(None) => text(StatusCode::NOT_FOUND, "there is no evidence of this Job"),
                Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
            },
            None => text(
                StatusCode::NOT_FOUND,
                "try /results?since=TIME&job=NAME, /evidence, /evidence/JOB, /cases?since=TIME, /faults, /metrics, /ready or /live",
            ),
        },
    }
}

fn ready(recorder: &Recorder) -> Reply {
    let late = recorder
        .looked
        .is_none_or(|looked| looked.elapsed() > STALE);
    match (&recorder.trouble, late) {
        (Some(trouble), _) => text(StatusCode::SERVICE_UNAVAILABLE, trouble),
        (None, true) => text(StatusCode::SERVICE_UNAVAILABLE, "it has not looked lately"),
        (None, false) => text(StatusCode::OK, "it looks, and writes down what it sees"),
    }
}

/// By when they were made, one line each.
fn results(recorder: &Recorder, since: Timestamp, job: Option<&str>) -> String {
    let entries = recorder.store.entries();
    let mut wanted: Vec<_> = entries
        .filter(|entry| entry.created >= since && job.is_none_or(|job| entry.job == job))
        .collect();
    wanted.sort_by_key(|entry| (entry.created, &entry.job));
    wanted.into_iter().map(line).collect()
}

/// The failures, the newest first, one line each: with the attempts where their evidence is kept, as far as there
/// is room for it in an answer, and otherwise as much as their result says.
fn cases(recorder: &Recorder, since: Timestamp) -> String {
    let store = &recorder.store;
    let mut kept: Vec<&Kept> = store.evidence().collect();
    kept.retain(|kept| kept.created >= since);
    kept.sort_by(|one, other| (other.created, &other.job).cmp(&(one.created, &one.job)));
    let mut failed: BTreeMap<&Uid, &Entry> = store
        .entries()
        .filter(|entry| entry.outcome == Outcome::Failed && entry.created >= since)
        .map(|entry| (&entry.uid, entry))
        .collect();
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
                case.job.state = Case::from(entry.clone()).job.state;
            }
            cases.push(case);
        }
    }
    cases.extend(failed.into_values().cloned().map(Case::from));
    cases.sort_by(|one, other| {
        (other.job.created, &other.job.name).cmp(&(one.job.created, &one.job.name))
    });
    let lines = cases
        .iter()
        .filter_map(|case| serde_json::to_string(case).ok());
    lines.map(|line| line + "\n").collect()
}

/// A value of the query. None of those that are asked for needs to be encoded.
fn asked<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn since(query: &str) -> Result<Timestamp, Reply> {
    let Some(since) = asked(query, "since") else {
        return Ok(Timestamp::MIN);
    };
    // A colon is sent as it is by some and encoded by others.
    since.replace("%3A", ":").parse().map_err(|_| {
        let why = format!("`{since}` is no time: write 2026-01-05T10:00:00Z");
        text(StatusCode::BAD_REQUEST, &why)
    })
}

fn json(value: &impl Serialize) -> Reply {
    match serde_json::to_string(value) {
        Ok(body) => Reply {
            status: StatusCode::OK,
            content_type: JSON,
            body,
        },
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn text(status: StatusCode, text: &str) -> Reply {
    Reply {
        status,
        content_type: "text/plain; charset=utf-8",
        body: format!("{text}\n"),
    }
}

fn response(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = reply.status;
    let content_type = HeaderValue::from_static(reply.content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
