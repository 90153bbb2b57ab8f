//! The process around the services: listens, tells whether it is ready, drains on SIGTERM.

use super::Conduct;
use super::interpreter::Interpreter;
use super::verifier::Verifier;
use axum::http::StatusCode;
use axum::{Router, routing::get};
use restate_sdk::prelude::{Endpoint, HttpServer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Where a service listens.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Addresses {
    /// Where Restate reaches the services: HTTP/2 with prior knowledge, which no probe speaks.
    #[arg(long, env = "VERIFICATION_LISTEN", default_value = "0.0.0.0:9080")]
    pub listen: SocketAddr,
    /// Where probes reach `/live` and `/ready` (HTTP/1.1).
    #[arg(long, env = "VERIFICATION_HEALTH", default_value = "0.0.0.0:9081")]
    pub health: SocketAddr,
}

/// Serves until SIGTERM or SIGINT; then is no longer ready, lets open requests end for up to ten
/// seconds, and returns.
///
/// # Errors
/// When an address cannot be listened on.
pub async fn serve(addresses: Addresses, conduct: Arc<dyn Conduct>) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let services = TcpListener::bind(addresses.listen).await?;
    let health = TcpListener::bind(addresses.health).await?;

    let ready = Arc::new(AtomicBool::new(true));
    let probes = axum::serve(health, probes(Arc::clone(&ready)));
    tokio::spawn(probes.into_future());

    let endpoint = Endpoint::builder()
        .bind(Interpreter::new(conduct))
        .bind(Verifier)
        .build();
    let ending = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        ready.store(false, Ordering::Relaxed);
    };
    // The SDK itself only knows SIGINT, and as process 1 of a container an unhandled SIGTERM is
    // ignored. It drains for up to ten seconds.
    HttpServer::new(endpoint)
        .serve_with_cancel(services, ending)
        .await;
    Ok(())
}

fn probes(ready: Arc<AtomicBool>) -> Router {
    let readiness = async move || {
        if ready.load(Ordering::Relaxed) {
            (StatusCode::OK, "ready\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
        }
    };
    Router::new()
        .route("/live", get("live\n"))
        .route("/ready", get(readiness))
        .fallback((StatusCode::NOT_FOUND, "try /live or /ready\n"))
}
