//! Looks at what one step needs: its object, and what belongs to it as far as its wait reads it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use longrun_core::{
    names::{NODE_POD, port},
    object::ObjectRef,
    plan::{Effect, Guard, Step},
    wait::{Counted, Observation, Wait},
};
use serde_json::Value;

use crate::{
    client::Client,
    failure::Failure,
    history::PodHistory,
    owned_objects::{OwnedObjects, mounting},
    volumes::{claim_of, content, snapshots, volume_of},
};

/// How long the observer may take: it answers from memory.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a step's guard and its wait need to see.
///
/// # Errors
/// When the API server does not say.
pub(crate) async fn observation(
    client: &Client,
    step: &Step,
    history: &PodHistory,
) -> Result<Observation, Failure> {
    let Some(reference) = step.act.object() else {
        return Ok(Observation::default());
    };
    let Some(namespace) = reference.namespace.as_deref() else {
        let mut observation = alone(client, &reference).await?;
        if let (Guard::Bound { .. }, Some(volume)) = (&step.guard, &observation.object) {
            observation.claim = claim_of(client, volume).await?;
        }
        if let Guard::Release(release) = &step.guard {
            let namespace = release
                .snapshot
                .as_ref()
                .and_then(|snapshot| snapshot.namespace.as_deref());
            if let Some(namespace) = namespace {
                (observation.snapshots, observation.contents) =
                    snapshots(client, namespace).await?;
            }
        }
        return Ok(observation);
    };
    let mut observation = if belongs(step) {
        // The object last: the lists may know of more than it does, and never of less.
        let lists = OwnedObjects::read(client, namespace).await?;
        let mut observation = lists.observation(client.get(&reference).await?)?;
        observation.pods_version = lists.pods_version;
        if let Wait::Stopped { claim } = &step.until {
            observation.mounts = mounting(&lists.pods, &claim.name);
        }
        observation
    } else {
        alone(client, &reference).await?
    };
    if step.until == Wait::Drained {
        observation.open_invocations = open_invocations(client, namespace).await;
    }
    if let Guard::Node { database, .. } = &step.guard {
        observation.claim = client.get(&database.claim).await?;
    }
    if let Guard::Gate(gate) = &step.guard {
        (observation.snapshots, observation.contents) = snapshots(client, namespace).await?;
        observation.volume = match &observation.object {
            Some(claim) => volume_of(client, claim).await?,
            None => None,
        };
        observation.set = client.get(&gate.set).await?;
        // Last: between this and the deletion nothing else is asked.
        let pods = client.pods(namespace).await?;
        observation.mounts = mounting(&pods.pods, &reference.name);
        observation.visitors = match &gate.since {
            Some(since) => {
                let visitors = history
                    .visitors(client, namespace, &reference.name, since, &pods)
                    .await;
                // A claim that is gone waits for nothing: then its volume stays.
                let is_gone = observation.object.is_none();
                visitors.or_else(|failure| if is_gone { Ok(None) } else { Err(failure) })?
            }
            None => None,
        };
        observation.pods_version = pods.version;
    } else if let Some(snapshot) = observation
        .object
        .as_ref()
        .filter(|_| reference.kind == "VolumeSnapshot")
    {
        observation.contents = content(client, snapshot).await?.into_iter().collect();
    }
    Ok(observation)
}

async fn alone(client: &Client, reference: &ObjectRef) -> Result<Observation, Failure> {
    Ok(Observation {
        object: client.get(reference).await?,
        ..Observation::default()
    })
}

/// Whether the step reads what belongs to its object, or the warnings about it.
fn belongs(step: &Step) -> bool {
    let reads = !matches!(
        step.until,
        Wait::None | Wait::Active | Wait::Established | Wait::Gone { .. } | Wait::Held { .. }
    );
    reads || matches!(step.act, Effect::Interrupt { .. })
}

/// How many invocations are not completed, or `None` when nobody says.
async fn open_invocations(client: &Client, namespace: &str) -> Option<Counted> {
    let asked = client.now();
    counted(&invocations(client, namespace).await.ok()?, asked)
}

/// The observer counts every few seconds and says how long ago that was: by the time when it was asked, the
/// count is at least that old.
fn counted(summary: &Value, asked: Timestamp) -> Option<Counted> {
    let age = SignedDuration::try_from_secs_f64(summary.get("age_seconds")?.as_f64()?).ok()?;
    Some(Counted {
        count: summary.get("open")?.as_u64()?,
        at: asked.checked_sub(age).ok()?,
    })
}

/// What the observer says of the node's invocations.
pub(crate) async fn invocations(client: &Client, namespace: &str) -> Result<Value, Failure> {
    let asked = format!("ask the observer of {namespace}");
    let uri = format!(
        "/api/v1/namespaces/{namespace}/pods/{NODE_POD}:{}/proxy/invocations",
        port::OBSERVER
    );
    let text = client.read(&asked, &uri, PATIENCE).await?;
    serde_json::from_str(&text).map_err(|error| Failure::Unreadable {
        asked,
        cause: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_count_is_as_old_as_the_observer_says() {
        let asked: Timestamp = "2026-01-05T10:00:10Z".parse().unwrap();
        let summary = json!({"known": true, "open": 3, "age_seconds": 2.5});
        let found = counted(&summary, asked).unwrap();
        assert_eq!(found.count, 3);
        assert_eq!(found.at.to_string(), "2026-01-05T10:00:07.5Z");
    }

    #[test]
    fn what_the_observer_does_not_know_is_not_known() {
        let asked = Timestamp::UNIX_EPOCH;
        for summary in [
            json!({"known": false, "error": "not asked yet", "by_status": {}}),
            json!({"known": false, "age_seconds": 2.5}),
            json!({"known": true, "open": 0}),
        ] {
            assert_eq!(counted(&summary, asked), None, "{summary}");
        }
    }
}
