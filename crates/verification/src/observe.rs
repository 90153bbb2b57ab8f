//! What a Restate node does not tell by itself: how many invocations are stuck, and whether every
//! partition has a leader. Runs beside the node.

mod metrics;
mod snapshot;
#[cfg(test)]
mod tests;

pub use snapshot::{Oldest, ServiceSummary, Summary};

use crate::duration;
use axum::extract::State;
use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use longrun_restate::{Admin, Node, Origin};
use snapshot::Snapshot;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior};

/// What an observer needs to know.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The node's admin interface.
    #[arg(long, env = "RESTATE_ADMIN", default_value = "http://127.0.0.1:9070")]
    pub admin: Origin,
    /// The node's own port, which has its metrics.
    #[arg(long, env = "RESTATE_NODE", default_value = "http://127.0.0.1:5122")]
    pub node: Origin,
    /// Where `/metrics`, `/invocations`, `/ready` and `/live` are served.
    #[arg(long, env = "OBSERVE_LISTEN", default_value = "0.0.0.0:9091")]
    pub listen: SocketAddr,
    /// How often the node is asked for its invocations.
    #[arg(long, env = "OBSERVE_EVERY", default_value = "5s", value_parser = duration::parse)]
    pub every: Duration,
}

/// Observes until SIGTERM or SIGINT.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn observe(options: Options) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind(options.listen).await?;
    let latest = Arc::new(RwLock::new(Snapshot::default()));
    let observed = Observed {
        latest: Arc::clone(&latest),
        stale_after: options.every * 4,
    };
    let answers = axum::serve(listener, router(observed)).into_future();
    tokio::select! {
        served = answers => served?,
        () = poll_leaders(&options, &latest) => {}
        () = poll_invocations(&options, &latest) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// What is served.
#[derive(Clone)]
struct Observed {
    latest: Arc<RwLock<Snapshot>>,
    stale_after: Duration,
}

impl Observed {
    fn ask<T>(&self, about: impl FnOnce(&Snapshot, Instant, Duration) -> T) -> T {
        let snapshot = self.latest.read().unwrap_or_else(PoisonError::into_inner);
        about(&snapshot, Instant::now(), self.stale_after)
    }
}

fn router(observed: Observed) -> Router {
    Router::new()
        .route("/live", get("live\n"))
        .route("/ready", get(readiness))
        .route("/metrics", get(exposition))
        .route("/invocations", get(invocations))
        .fallback((
            StatusCode::NOT_FOUND,
            "try /metrics, /invocations, /ready or /live\n",
        ))
        .with_state(observed)
}

async fn readiness(State(observed): State<Observed>) -> (StatusCode, String) {
    match observed.ask(Snapshot::readiness) {
        Ok(()) => (StatusCode::OK, "every partition has a leader\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason + "\n"),
    }
}

async fn exposition(State(observed): State<Observed>) -> Response {
    page(metrics::CONTENT_TYPE, observed.ask(metrics::render))
}

async fn invocations(State(observed): State<Observed>) -> Response {
    let summary = observed.ask(Snapshot::summary);
    page("application/json", serde_json::to_string(&summary))
}

fn page(content_type: &'static str, body: Result<String, impl std::error::Error>) -> Response {
    match body {
        Ok(body) => ([(CONTENT_TYPE, content_type)], body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Asks for leaders every second: readiness decides when traffic comes, and one answer is cheap.
async fn poll_leaders(options: &Options, latest: &RwLock<Snapshot>) {
    let node = Node::new(options.node.clone(), Duration::from_secs(2));
    let mut ticks = tokio::time::interval(Duration::from_secs(1).min(options.every));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let leaders = node.leaders().await;
        let mut latest = latest.write().unwrap_or_else(PoisonError::into_inner);
        latest.leaders_polled(leaders, Instant::now());
    }
}

async fn poll_invocations(options: &Options, latest: &RwLock<Snapshot>) {
    let admin = Admin::new(options.admin.clone(), Duration::from_secs(10));
    let mut ticks = tokio::time::interval(options.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let began = Instant::now();
        let counts = admin.open_counts().await;
        let mut latest = latest.write().unwrap_or_else(PoisonError::into_inner);
        latest.invocations_polled(counts, began, Instant::now());
    }
}
