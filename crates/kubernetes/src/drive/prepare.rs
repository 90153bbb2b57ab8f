//! The one change that comes before the lease: the namespace in which the lease lives.

use longrun_core::{
    approval::Approved,
    journal::{Reason, moved},
    plan::{Effect, Step},
    wait::Standing,
};

use super::{effect, wake::Wake};
use crate::{
    client::Client,
    progress::{Doing, Progress},
    sight::sight,
};

/// Does what must be done before a lease can be taken: creates the environment's namespace, when that is the
/// plan's first step. Says how many steps are done, for [`Approved::renew`].
///
/// # Errors
/// When the namespace cannot be created, or appeared meanwhile. Nothing was changed then.
pub async fn prepare(
    client: &Client,
    approved: &Approved,
    progress: Progress<'_>,
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
    progress(&Doing::Step {
        index: 0,
        of: plan.steps.len(),
        step,
    });
    let seen = sight(client, step)
        .await
        .map_err(|failure| refused(failure.words()))?;
    if let Some(moved) = moved(&step.guard, &seen) {
        return Err(Reason::Moved { step: said, moved });
    }
    effect::perform(client, &step.act, &step.guard, &seen)
        .await
        .map_err(|trouble| refused(trouble.into_words()))?;
    let began = client.now();
    let mut wake = Wake::for_step(client, step);
    loop {
        let seen = sight(client, step)
            .await
            .map_err(|failure| refused(failure.words()))?;
        match step.until.assess(&seen, began) {
            Standing::Holds => return Ok(1),
            Standing::Never { cause } => return Err(Reason::Waited { step: said, cause }),
            Standing::NotYet { cause } | Standing::Bad { cause } => {
                let waited = client.now().duration_since(began);
                if step
                    .until
                    .patience(&seen)
                    .is_some_and(|patience| waited >= patience)
                {
                    return Err(Reason::Waited { step: said, cause });
                }
                wake.changed().await;
            }
        }
    }
}
