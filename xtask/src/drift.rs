//! Whether an environment is still as rendered.

use serde::Serialize;

use crate::deployment::Deployment;

/// What a deployment would find.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Drift {
    None,
    /// It would change these objects.
    Differs(Vec<String>),
    /// It would be refused: somebody else has changed what it would change, for example.
    Refused(String),
    /// It is not known, for this reason.
    Unknown(String),
}

/// Compares what is there with what is rendered.
pub(crate) async fn of(deployment: &Deployment) -> Drift {
    let facts = match deployment.facts().await {
        Ok(facts) => facts,
        Err(failure) => return Drift::Unknown(failure.message),
    };
    let plan = match deployment.plan_of(&facts) {
        Ok(plan) => plan,
        Err(problems) => return Drift::Refused(problems.to_string()),
    };
    let mut changed: Vec<String> = Vec::new();
    for step in plan.steps.iter().filter(|step| step.differs()) {
        let named = step.act.object().map(|object| object.to_string());
        changed.extend(named.filter(|named| !changed.contains(named)));
    }
    if changed.is_empty() {
        Drift::None
    } else {
        Drift::Differs(changed)
    }
}
