//! Faults, from the side of the cluster: what is known before one, the records that are kept of them, and the
//! runner that injects one.

use longrun_core::{
    faults::{Facts, Pause},
    names::{JOURNAL, LEDGER, NODE, PAUSE, SERVICE},
    object::ObjectRef,
};

use crate::{client::Client, failure::Failure, owned_objects::OwnedObjects};

mod event;
mod progress;
mod record;
mod rotation;
mod run;
mod trigger;

pub use record::{pause, resume};
pub(crate) use rotation::rotation_status;
pub use rotation::{Chaos, Verdict, chaos};
pub use run::{Order, Ran, RunError, run};
pub use trigger::{Followed, Triggered, by_hand, trigger};

/// What is known of an environment before a fault.
async fn observe(client: &Client, environment: &str) -> Result<Facts, Failure> {
    let map = |name: &str| ObjectRef::namespaced("v1", "ConfigMap", environment, name);
    let workload =
        |kind: &str, name: &str| ObjectRef::namespaced("apps/v1", kind, environment, name);
    let namespace = ObjectRef::whole("v1", "Namespace", environment);
    let (pause, ledger, journal) = (map(PAUSE), map(LEDGER), map(JOURNAL));
    let (node, services) = (
        workload("StatefulSet", NODE),
        workload("Deployment", SERVICE),
    );
    let (namespace, pause, ledger, journal, lists) = tokio::try_join!(
        client.view(&namespace),
        client.get(&pause),
        client.get(&ledger),
        client.get(&journal),
        OwnedObjects::read(client, environment),
    )?;
    // After the lists, which may know of more than they do, and never of less.
    let (node, services) = tokio::try_join!(client.get(&node), client.get(&services))?;
    Ok(Facts {
        namespace,
        node: lists.observation(node)?,
        services: lists.observation(services)?,
        pause,
        ledger,
        journal,
    })
}

/// The pause of an environment, over or not; `None` as well where it cannot be read.
fn pause_of(facts: &Facts) -> Option<Pause> {
    Pause::read(facts.pause.as_ref()).ok().flatten()
}

#[cfg(test)]
mod tests;
