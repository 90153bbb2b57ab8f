//! A program for people: what it is, what its counters hold, what of it is still open.

use crate::service::{Counter, VERIFIER};
use longrun_program::{Program, ProgramId};
use longrun_restate::{Admin, Error, Ingress, Object, Open};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Open invocations that are asked for at most: more than twice a program of the usual size has.
const OPEN_AT_MOST: u32 = 1_000;

/// A program and all that Restate has of it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Its commands, as a tree.
    pub program: Program,
    /// Its counters.
    pub counters: Vec<Counter>,
    /// Its open invocations, the oldest first.
    pub open: Vec<Open>,
}

/// Reads all that Restate has of a program.
///
/// # Errors
/// When Restate or the service cannot be asked.
pub async fn inspect(
    ingress: &Ingress,
    admin: &Admin,
    id: &ProgramId,
    within: Duration,
) -> Result<Report, Error> {
    Ok(Report {
        program: id.generate(),
        counters: counters(ingress, id, within).await?,
        open: open(admin, id).await?,
    })
}

/// Every counter of a program, by target.
///
/// # Errors
/// When Restate or the service cannot be asked.
pub async fn counters(
    ingress: &Ingress,
    id: &ProgramId,
    within: Duration,
) -> Result<Vec<Counter>, Error> {
    // The program in the answer is for people; here its id is known.
    #[derive(Deserialize)]
    struct Inspection {
        counters: Vec<Counter>,
    }
    let key = id.to_string();
    let Inspection { counters } = ingress
        .call(verifier(&key, "inspect"), None::<&()>, within)
        .await?;
    Ok(counters)
}

/// The oldest open invocations of a program.
///
/// # Errors
/// When the node cannot be asked.
pub async fn open(admin: &Admin, id: &ProgramId) -> Result<Vec<Open>, Error> {
    admin.open_invocations(&id.to_string(), OPEN_AT_MOST).await
}

/// Removes the state of a program, so that it can be executed again. Evidence goes with it.
///
/// # Errors
/// When Restate or the service cannot be asked. Waits behind whatever holds the verifier's key.
pub async fn clear(ingress: &Ingress, id: &ProgramId, within: Duration) -> Result<(), Error> {
    let key = id.to_string();
    ingress
        .call(verifier(&key, "clear"), None::<&()>, within)
        .await
}

fn verifier<'a>(key: &'a str, handler: &'static str) -> Object<'a> {
    Object {
        service: VERIFIER,
        key,
        handler,
    }
}
