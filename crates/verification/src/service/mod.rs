//! The two virtual objects that run programs.
//!
//! Their names, handlers and keys are what the test, triage and the log pipeline rely on.

mod conduct;
mod interpreter;
mod serve;
mod verifier;

pub use conduct::{Conduct, Faithful};
pub use serve::{Addresses, serve};
pub use verifier::{Counter, VERIFIED_STATE};

/// The service whose objects have the counters; key `<target>-<program id>`.
pub const INTERPRETER: &str = "interpreter";
/// The service that starts and verifies programs; key `<program id>`.
pub const VERIFIER: &str = "verifier";

use longrun_program::ProgramId;
use restate_sdk::prelude::{HandlerResult, TerminalError};
use std::future::Future;
use tracing::{Instrument, Span};

/// Every handler that runs or judges a program does so inside this span: the log pipeline finds a
/// test's lines by it, because lines of the SDK itself carry neither key nor invocation.
fn span_of(invocation: &str, service: &str, key: &str, handler: &str, id: &ProgramId) -> Span {
    tracing::info_span!(
        "invocation",
        "restate.invocation.id" = invocation,
        "restate.invocation.target" = format!("{service}/{key}/{handler}"),
        test_job = id.seed.as_str(),
    )
}

/// Runs the body of a handler in its span, with a line in it when it ends with an error.
async fn logged<T>(span: Span, body: impl Future<Output = HandlerResult<T>>) -> HandlerResult<T> {
    async {
        body.await.inspect_err(|error| {
            let error: &dyn std::error::Error = error.as_ref();
            tracing::warn!(%error, "failed");
        })
    }
    .instrument(span)
    .await
}

/// Nothing that a retry could cure: a key or input that no program of this build has.
fn refused(reason: impl std::fmt::Display) -> TerminalError {
    TerminalError::new_with_code(400, reason.to_string())
}
