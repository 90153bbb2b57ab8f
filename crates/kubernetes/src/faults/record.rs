//! The two records of faults: the ledger and the pause. Each is read, changed and written over exactly what was
//! read.

use std::time::Duration;

use longrun_core::{
    faults::{Pause, ledger::Ledger},
    names::{LEDGER, OPERATIONS_MANAGER, PAUSE},
    object::{ObjectRef, uid},
    plan::Propagation,
};
use serde_json::Value;

use crate::{client::Client, failure::Failure};

/// How often a write is prepared anew because somebody wrote in between.
const ATTEMPTS: u32 = 5;

/// How often it is tried while the API server does not answer, and how long after each: what is not written is
/// taken for the work of a killed runner.
const TRIES: u32 = 15;
const PAUSE_BETWEEN: Duration = Duration::from_secs(1);

/// Changes the ledger.
pub(super) async fn record(
    client: &Client,
    environment: &str,
    change: impl Fn(&mut Ledger),
) -> Result<(), Failure> {
    let place = ObjectRef::namespaced("v1", "ConfigMap", environment, LEDGER);
    write(client, &place, |live| {
        let mut ledger = Ledger::read(live);
        change(&mut ledger);
        ledger.manifest(environment)
    })
    .await
}

/// Writes a pause, in place of any other.
///
/// # Errors
/// When the API server does not take it.
pub async fn pause(client: &Client, environment: &str, pause: &Pause) -> Result<(), Failure> {
    let place = ObjectRef::namespaced("v1", "ConfigMap", environment, PAUSE);
    write(client, &place, |_| pause.manifest(environment)).await
}

/// Ends the pause. Answers whether there was one.
///
/// # Errors
/// When the API server does not take it.
pub async fn resume(client: &Client, environment: &str) -> Result<bool, Failure> {
    let place = ObjectRef::namespaced("v1", "ConfigMap", environment, PAUSE);
    let Some(uid) = client.get(&place).await?.as_ref().and_then(uid) else {
        return Ok(false);
    };
    client
        .delete(&place, &uid, None, Propagation::Background)
        .await?;
    Ok(true)
}

async fn write(
    client: &Client,
    place: &ObjectRef,
    make: impl Fn(Option<&Value>) -> Value,
) -> Result<(), Failure> {
    let (mut attempts, mut tries) = (1, 0);
    loop {
        match write_once(client, place, &make).await {
            Ok(()) => return Ok(()),
            // Made, deleted or written in between.
            Err(failure) if attempts < ATTEMPTS && matches!(failure.code(), 404 | 409) => {
                attempts += 1;
            }
            Err(failure) if tries < TRIES && failure.is_passing() => {
                tries += 1;
                tokio::time::sleep(PAUSE_BETWEEN).await;
            }
            Err(failure) => return Err(failure),
        }
    }
}

async fn write_once(
    client: &Client,
    place: &ObjectRef,
    make: impl Fn(Option<&Value>) -> Value,
) -> Result<(), Failure> {
    let live = client.get(place).await?;
    let object = make(live.as_ref());
    let written = client.write_over(live.as_ref(), object, OPERATIONS_MANAGER);
    written.await?;
    Ok(())
}
