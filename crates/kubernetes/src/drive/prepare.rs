//! The one change that comes before the lease: the namespace in which the lease lives.

use longrun_core::{
    approval::Approved,
    journal::{Reason, moved},
    plan::{Effect, Step},
    wait::WaitStatus,
};

use super::{change_watcher::ChangeWatcher, effect};
use crate::{
    client::Client,
    observation::observation,
    progress::{OnProgress, Progress},
};

/// Does what must be done before a lease can be taken: creates the environment's namespace, when that is the
/// plan's first step. Says how many steps are done, for [`Approved::renew`].
///
/// # Errors
/// When the namespace cannot be created, or appeared meanwhile. Nothing was changed then.
pub async fn prepare(
    client: &Client,
    approved: &Approved,
    progress: OnProgress<'_>,
) -> Result<usize, Reason> {
    let plan = approved.plan();
    let creates_namespace = |step: &&Step| {
        let object = step.act.object();
        matches!(step.act, Effect::Create { .. })
            && object.is_some_and(|object| {
                object.kind == "Namespace" && object.name == plan.target.environment
            })
    };
    let Some(step) = plan.steps.first().filter(creates_namespace) else {
        return Ok(0);
    };
    let said = step.act.to_string();
    let refused = |cause: String| Reason::Refused {
        step: said.clone(),
        cause,
    };
    progress(&Progress::Step {
        index: 0,
        of: plan.steps.len(),
        step,
    });
    let seen = observation(client, step)
        .await
        .map_err(|failure| refused(failure.words()))?;
    if let Some(moved) = moved(&step.guard, &seen) {
        return Err(Reason::Moved { step: said, moved });
    }
    effect::perform(client, &step.act, &step.guard, &seen)
        .await
        .map_err(|trouble| refused(trouble.into_words()))?;
    let began = client.now();
    let mut changes = ChangeWatcher::for_step(client, step);
    loop {
        let seen = observation(client, step)
            .await
            .map_err(|failure| refused(failure.words()))?;
        match step.until.assess(&seen, began) {
            WaitStatus::Met => return Ok(1),
            WaitStatus::Failed { cause } => return Err(Reason::Waited { step: said, cause }),
            WaitStatus::Pending { cause } | WaitStatus::Unhealthy { cause } => {
                let waited = client.now().duration_since(began);
                if step
                    .until
                    .patience(&seen)
                    .is_some_and(|patience| waited >= patience)
                {
                    return Err(Reason::Waited { step: said, cause });
                }
                changes.changed().await;
            }
        }
    }
}
