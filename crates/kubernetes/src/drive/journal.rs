//! The journal in the namespace: read, and written over exactly the version that was read.

use longrun_core::{execution::RequestError, journal::Stored, names::OPERATIONS_MANAGER};
use serde_json::Value;

use crate::{client::Client, data::stored_journal, failure::Failure};

pub(super) async fn read(
    client: &Client,
    environment: &str,
) -> Result<Option<Value>, RequestError> {
    stored_journal(client, environment).await.map_err(unwritten)
}

pub(super) async fn write(
    client: &Client,
    stored: &Stored,
    over: Option<&Value>,
) -> Result<(), RequestError> {
    let object = stored.manifest();
    match client.write_over(over, object, OPERATIONS_MANAGER).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.code() == 404 => Err(RequestError::Conflict(failure.words())),
        Err(failure) => Err(unwritten(failure)),
    }
}

/// What the journal says was to be done is not done then.
fn unwritten(failure: Failure) -> RequestError {
    match failure.into() {
        RequestError::Refused(cause) => {
            RequestError::Refused(format!("cannot write the journal: {cause}"))
        }
        other => other,
    }
}
