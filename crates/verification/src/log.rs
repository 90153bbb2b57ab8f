//! Logs: JSON, one object a line, with the span of the invocation.

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// What is logged unless `RUST_LOG` says otherwise. The SDK warns of every suspension as if it were
/// a failure, without a word about whose; failures are logged by the handlers themselves.
const DEFAULT: &str = "info,restate_sdk=error";

/// Sends log lines to stderr.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let lines = fmt::layer()
        .json()
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(std::io::stderr)
        .with_filter(filter)
        // A handler is replayed from its journal; a line is written only the first time.
        .with_filter(restate_sdk::filter::ReplayAwareFilter);
    tracing_subscriber::registry().with(lines).init();
}
