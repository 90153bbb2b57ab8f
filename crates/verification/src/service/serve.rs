//! The process around the services: listens, tells whether it is ready, drains on SIGTERM.

use super::Conduct;
use super::interpreter::Interpreter;
use super::verifier::Verifier;
use crate::http::{self, Reply};
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
    let seen = Arc::clone(&ready);
    tokio::spawn(http::serve(health, move |path| match path {
        "/live" => Reply::text(200, "live"),
        "/ready" if seen.load(Ordering::Relaxed) => Reply::text(200, "ready"),
        "/ready" => Reply::text(503, "draining"),
        _ => Reply::text(404, "try /live or /ready"),
    }));

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
