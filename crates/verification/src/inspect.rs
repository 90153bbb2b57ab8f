//! A program for people: what it is, what its counters hold, what of it is still open.

use crate::service::{Counter, Inspection, VERIFIER};
use longrun_program::ProgramId;
use longrun_restate::{Admin, Error, Ingress, Object, Open};
use serde::Serialize;
use std::time::Duration;

const REQUEST: Duration = Duration::from_secs(30);
const OPEN_AT_MOST: u32 = 1_000;

/// All that Restate has of a program.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The program's id.
    pub id: ProgramId,
    /// Its commands.
    pub program: serde_json::Value,
    /// Its counters.
    pub counters: Vec<Counter>,
    /// Its open invocations, the oldest first.
    pub open: Vec<Open>,
}

/// Reads all that Restate has of a program.
///
/// # Errors
/// When Restate or the service cannot be asked.
pub async fn inspect(ingress: &Ingress, admin: &Admin, id: &ProgramId) -> Result<Report, Error> {
    let key = id.to_string();
    let object = Object {
        service: VERIFIER,
        key: &key,
        handler: "inspect",
    };
    let Inspection { program, counters } = ingress.call(object, None::<&()>, REQUEST).await?;
    let open = admin.open_invocations(&key, OPEN_AT_MOST).await?;
    Ok(Report {
        id: id.clone(),
        program,
        counters,
        open,
    })
}

/// Removes the state of a program, so that it can be executed again. Evidence goes with it.
///
/// # Errors
/// When Restate or the service cannot be asked. Waits behind whatever holds the verifier's key.
pub async fn clear(ingress: &Ingress, id: &ProgramId) -> Result<(), Error> {
    let key = id.to_string();
    let object = Object {
        service: VERIFIER,
        key: &key,
        handler: "clear",
    };
    ingress.call(object, None::<&()>, REQUEST).await
}
