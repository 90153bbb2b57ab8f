//! What the node knows of a failed test. It is asked directly: the way through the API server would need a
//! permission that reaches every port of every pod.

use std::time::Duration;

use longrun_core::triage::{COUNTERS, Evidence};
use longrun_restate::{Admin, Error, OPEN_AT_MOST, Origin, one_line, open_invocations, state_of};

/// Looking goes on every few seconds, and a node that is silent is one that a test may have failed of.
const PATIENCE: Duration = Duration::from_secs(5);

/// Adds what the node knows of the program.
pub(crate) async fn ask(node: &Origin, evidence: &mut Evidence) {
    let Some(program) = evidence.program_to_ask_about() else {
        return;
    };
    let admin = Admin::new(node.clone(), PATIENCE);
    let (service, value) = COUNTERS;
    let open = open_invocations(&program, OPEN_AT_MOST);
    let kept = state_of(service, value, &program);
    let (open, kept) = tokio::join!(admin.query(&open), admin.query(&kept));
    let words = |error: Error| one_line(&error);
    evidence.answered(open.map_err(words), kept.map_err(words));
}
