//! What the node knows of a failed test. It is asked directly: the way through the API server would need a
//! permission that reaches every port of every pod.

use std::time::Duration;

use longrun_core::triage::{Asked, COUNTERS, Evidence, counters, invocations};
use longrun_restate::{Admin, Error, Origin, open_invocations, state_of};
use serde_json::Value;

/// Looking goes on every few seconds, and a node that is silent is one that a test may have failed of.
const PATIENCE: Duration = Duration::from_secs(5);

/// Open invocations that are asked for at most.
const OPEN_AT_MOST: u32 = 1_000;

/// Adds what the node knows of the program.
pub(crate) async fn ask(node: &Origin, evidence: &mut Evidence) {
    let Some(program) = &evidence.case.job.program else {
        let why = "the Job does not say which program it ran".to_owned();
        evidence.invocations = Asked::Unknown(why.clone());
        evidence.counters = Asked::Unknown(why);
        return;
    };
    let admin = Admin::new(node.clone(), PATIENCE);
    let (service, value) = COUNTERS;
    let (open, kept) = (
        open_invocations(program, OPEN_AT_MOST),
        state_of(service, value, program),
    );
    let (open, kept) = tokio::join!(admin.query::<Value>(&open), admin.query::<Value>(&kept));
    let words = |error: Error| error.to_string();
    evidence.invocations = asked(open.map_err(words).and_then(|rows| invocations(&rows)));
    evidence.counters = asked(kept.map_err(words).and_then(|rows| counters(&rows)));
}

fn asked<T>(answer: Result<T, String>) -> Asked<T> {
    answer.map_or_else(Asked::Unknown, Asked::Known)
}
