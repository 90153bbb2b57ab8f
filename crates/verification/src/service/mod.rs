//! The two virtual objects that run programs.
//!
//! Their names, handlers and keys are what the test, triage and the log pipeline rely on.

mod conduct;
mod interpreter;
mod serve;
mod verifier;

pub use conduct::{Conduct, Faithful};
pub use serve::{Addresses, serve};
pub use verifier::{Counter, Inspection, VERIFIED_STATE};

/// The service whose objects have the counters; key `<target>-<program id>`.
pub const INTERPRETER: &str = "interpreter";
/// The service that starts and verifies programs; key `<program id>`.
pub const VERIFIER: &str = "verifier";

use longrun_program::ProgramId;
use restate_sdk::prelude::{HandlerResult, TerminalError};
use tracing::Span;

/// Every log line of a handler is inside this span: the log pipeline finds a test's lines by it,
/// because lines of the SDK itself carry neither key nor invocation.
fn span_of(invocation: &str, service: &str, key: &str, handler: &str, id: &ProgramId) -> Span {
    tracing::info_span!(
        "invocation",
        "restate.invocation.id" = invocation,
        "restate.invocation.target" = format!("{service}/{key}/{handler}"),
        test_job = id.seed.as_str(),
    )
}

/// The result of a handler, and a log line in its span when it is an error.
fn logged<T>(result: HandlerResult<T>) -> HandlerResult<T> {
    result.inspect_err(|error| {
        let error: &dyn std::error::Error = error.as_ref();
        tracing::warn!(%error, "failed");
    })
}

/// Nothing that a retry could cure: a key or input that no program of this build has.
fn refused(reason: impl std::fmt::Display) -> TerminalError {
    TerminalError::new_with_code(400, reason.to_string())
}
