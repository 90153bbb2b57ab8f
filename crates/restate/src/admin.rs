//! The admin interface: health, and which deployments serve which handlers.

use crate::error::Error;
use crate::http::Call;
use crate::origin::Origin;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A client of a node's admin interface (port 9070), including its SQL.
#[derive(Clone, Debug)]
pub struct Admin {
    pub(crate) origin: Origin,
    pub(crate) within: Duration,
}

/// A registered deployment.
#[derive(Clone, Debug, Deserialize)]
pub struct Deployment {
    /// Its id, `dp_…`.
    pub id: String,
    /// Where it is served; none for other kinds than HTTP.
    pub uri: Option<String>,
}

/// What a registration found or did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registration {
    /// The id of the deployment.
    pub id: String,
    /// The services as registered: name, revision, handlers and their options.
    pub services: Vec<serde_json::Value>,
    /// Whether the deployment was not known before.
    #[serde(skip)]
    pub created: bool,
}

impl Admin {
    /// A client whose requests each take at most this time; connects only when asked to.
    #[must_use]
    pub fn new(origin: Origin, within: Duration) -> Self {
        Self { origin, within }
    }

    /// Whether the admin interface answers. Not readiness: partitions may have no leader for
    /// another 20 s; see [`Node::leaders`](crate::Node::leaders).
    ///
    /// # Errors
    /// When it does not, or answers that it is unhealthy.
    pub async fn health(&self) -> Result<(), Error> {
        Call::get(&self.origin, "/health", self.within)
            .send()
            .await
            .map(drop)
    }

    /// All registered deployments.
    ///
    /// # Errors
    /// When the node cannot be asked.
    pub async fn deployments(&self) -> Result<Vec<Deployment>, Error> {
        #[derive(Deserialize)]
        struct List {
            deployments: Vec<Deployment>,
        }
        let answer = Call::get(&self.origin, "/deployments", self.within)
            .send()
            .await?;
        answer.json().map(|List { deployments }| deployments)
    }

    /// What is registered for a deployment.
    ///
    /// # Errors
    /// When the node cannot be asked, or has no such deployment.
    pub async fn deployment(&self, id: &str) -> Result<Registration, Error> {
        Call::get(&self.origin, format!("/deployments/{id}"), self.within)
            .send()
            .await?
            .json()
    }

    /// Makes the node discover the services behind a URI. A known URI keeps its registered
    /// definition unless `force`, which replaces it, also for invocations that are running.
    /// `dry_run` answers what it would do.
    ///
    /// # Errors
    /// The node answers 500 when it cannot reach the service.
    pub async fn register(
        &self,
        uri: &Origin,
        force: bool,
        dry_run: bool,
    ) -> Result<Registration, Error> {
        let body =
            serde_json::json!({ "uri": uri.to_string(), "force": force, "dry_run": dry_run });
        let body = body.to_string().into_bytes();
        let answer = Call::post(&self.origin, "/deployments", body, self.within)
            .send()
            .await?;
        // 201 for a new deployment, 200 for a known one.
        let created = answer.status.as_u16() == 201;
        answer.json().map(|registration| Registration {
            created,
            ..registration
        })
    }
}
