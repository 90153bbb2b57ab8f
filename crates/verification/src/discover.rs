//! Makes Restate know the services: registers the deployment, again where its definition changed.

use longrun_restate::{Admin, Error, Origin, Registration};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

const PAUSE: Duration = Duration::from_secs(1);

/// What was found, and done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// The deployment was not known, and is now registered.
    New,
    /// Its definition had changed, and the new one replaced the old.
    Changed,
    /// It was registered as it is.
    Unchanged,
}

/// What is registered.
#[derive(Clone, Debug, Serialize)]
pub struct Discovery {
    /// What was found, and done about it.
    pub found: Found,
    /// Restate's id of the deployment.
    pub deployment: String,
    /// Names of its services.
    pub services: Vec<String>,
}

/// Registers the services at `uri`. Waits for Restate and the service to be up, at most `within`.
///
/// # Errors
/// The last error when they did not come up in time; any that waiting cannot cure at once.
pub async fn discover(admin: &Admin, uri: &Origin, within: Duration) -> Result<Discovery, Error> {
    let until = Instant::now() + within;
    loop {
        match attempt(admin, uri).await {
            Err(error) if error.is_transient() && Instant::now() + PAUSE < until => {
                tokio::time::sleep(PAUSE).await;
            }
            result => return result,
        }
    }
}

async fn attempt(admin: &Admin, uri: &Origin) -> Result<Discovery, Error> {
    let known = admin.deployments().await?.into_iter().find(|deployment| {
        let registered = deployment.uri.as_deref().unwrap_or_default();
        registered.trim_end_matches('/') == uri.to_string()
    });
    let Some(known) = known else {
        return Ok(discovery(
            Found::New,
            admin.register(uri, false, false).await?,
        ));
    };
    // What forcing would register, against what is: only a difference is worth replacing the
    // definition for, because that makes a new revision of every service.
    let before = admin.deployment(&known.id).await?;
    let offered = admin.register(uri, true, true).await?;
    if definitions(&before) == definitions(&offered) {
        return Ok(discovery(Found::Unchanged, before));
    }
    Ok(discovery(
        Found::Changed,
        admin.register(uri, true, false).await?,
    ))
}

fn discovery(found: Found, registration: Registration) -> Discovery {
    let mut services: Vec<String> = registration
        .services
        .iter()
        .filter_map(|service| Some(service.get("name")?.as_str()?.to_owned()))
        .collect();
    services.sort();
    Discovery {
        found,
        deployment: registration.id,
        services,
    }
}

/// The services without what registering alone changes. Restate lists services and handlers in any
/// order, so they are put in one.
fn definitions(registration: &Registration) -> Value {
    let mut services = Value::Array(registration.services.clone());
    for service in services.as_array_mut().into_iter().flatten() {
        if let Some(fields) = service.as_object_mut() {
            fields.retain(|field, _| {
                !["revision", "deployment_id", "created_at"].contains(&&**field)
            });
        }
    }
    sorted(services)
}

/// The same document with its keys, and its lists of named things, in order of their names.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields
                .into_iter()
                .map(|(name, value)| (name, sorted(value)))
                .collect();
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(sorted).collect();
            let name = |item: &Value| item.get("name").map(Value::to_string);
            items.sort_by_key(name);
            Value::Array(items)
        }
        scalar => scalar,
    }
}

#[cfg(test)]
mod tests {
    use super::{Registration, definitions};
    use serde_json::{Value, json};

    fn registration(services: &Value) -> Registration {
        serde_json::from_value(json!({ "id": "dp_1", "services": services })).unwrap()
    }

    #[test]
    fn order_and_revision_are_no_change() {
        let handlers = [
            json!({ "name": "run", "ty": "Exclusive" }),
            json!({ "name": "clear" }),
        ];
        let mut reversed = handlers.clone();
        reversed.reverse();
        let before = registration(&json!([{ "name": "a", "revision": 1, "handlers": handlers }]));
        let after = registration(&json!([{ "revision": 2, "handlers": reversed, "name": "a" }]));
        assert_eq!(definitions(&before), definitions(&after));
    }

    #[test]
    fn an_option_of_a_handler_is_a_change() {
        let with =
            |ty| registration(&json!([{ "name": "a", "handlers": [{ "name": "run", "ty": ty }] }]));
        assert_ne!(
            definitions(&with("Exclusive")),
            definitions(&with("Shared"))
        );
    }
}
