//! Wakes a waiting step when something that it waits for changes, so that nothing is polled busily and
//! nothing is noticed late.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use longrun_core::{plan::Step, wait::Wait};
use tokio::{sync::Notify, task::JoinSet};

use crate::{
    client::{Client, named},
    resource::Collection,
};

/// Without any change, look again after this: warnings and the observer are not watched, and a watch may
/// have broken off.
const AT_LATEST: Duration = Duration::from_secs(2);

/// Changes come in bursts; one look serves them all.
const BURST: Duration = Duration::from_millis(150);

/// The watches of one waiting step. Dropping it ends them.
pub(super) struct ChangeWatcher {
    changed: Arc<Notify>,
    _watches: JoinSet<()>,
}

impl ChangeWatcher {
    pub(super) fn for_step(client: &Client, step: &Step) -> Self {
        let changed = Arc::new(Notify::new());
        let mut watches = JoinSet::new();
        for (collection, query) in watched(step) {
            watches.spawn(watch(
                client.clone(),
                collection,
                query,
                Arc::clone(&changed),
            ));
        }
        Self {
            changed,
            _watches: watches,
        }
    }

    /// Ends when something changed, or after a short while.
    pub(super) async fn changed(&mut self) {
        tokio::time::sleep(BURST).await;
        let _ = tokio::time::timeout(AT_LATEST, self.changed.notified()).await;
    }
}

fn watched(step: &Step) -> Vec<(Collection, String)> {
    let Some(object) = step.act.object() else {
        return Vec::new();
    };
    let mut watched = vec![(Collection::of(&object), named(&object.name))];
    let Some(namespace) = &object.namespace else {
        return watched;
    };
    let pods = Collection::in_namespace("v1", "Pod", namespace);
    let jobs = Collection::in_namespace("batch/v1", "Job", namespace);
    match step.until {
        Wait::RolledOut
        | Wait::Complete
        | Wait::Verified
        | Wait::Stopped { .. }
        | Wait::Renewed { .. } => {
            watched.push((pods, String::new()));
        }
        Wait::FirstSuccess => watched.extend([(pods, String::new()), (jobs, String::new())]),
        Wait::Drained | Wait::Ended => watched.push((jobs, String::new())),
        _ => {}
    }
    watched
}

async fn watch(client: Client, collection: Collection, query: String, changed: Arc<Notify>) {
    loop {
        if let Ok(mut changes) = client.changes(&collection, &query).await {
            while changes.next().await.is_some() {
                changed.notify_one();
            }
        }
        tokio::time::sleep(AT_LATEST).await;
    }
}
