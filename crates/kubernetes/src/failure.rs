//! Why a request was not answered as asked, and what a missing permission is called.

use std::fmt;

use kube::core::Status;
use longrun_core::{cluster::Unreadable, object::ObjectRef};
use serde::Serialize;

/// A request that failed. Its text says what was asked of what, and what came back.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The API server answered, and said no.
    #[error("{asked}: {}", said(.status))]
    Refused {
        /// `read Deployment verification`
        asked: String,
        /// The answer.
        status: Box<Status>,
    },
    /// There was no answer: nothing is known of what became of the request.
    #[error("{asked}: {server} does not answer: {cause}")]
    NoAnswer {
        /// What was asked.
        asked: String,
        /// The API server's address.
        server: String,
        /// Why.
        cause: String,
    },
    /// The credentials could not be obtained, for example because their program failed.
    #[error("{asked}: cannot get credentials: {cause}")]
    Credentials {
        /// What was asked.
        asked: String,
        /// Why.
        cause: String,
    },
    /// An object has a field that is not what Kubernetes writes there.
    #[error(transparent)]
    Object(#[from] Unreadable),
    /// The answer makes no sense.
    #[error("{asked}: the answer is unreadable: {cause}")]
    Unreadable {
        /// What was asked.
        asked: String,
        /// Why.
        cause: String,
    },
}

fn said(status: &Status) -> String {
    let text = if status.message.is_empty() {
        format!("{} (HTTP {})", status.reason, status.code)
    } else {
        status.message.clone()
    };
    match (status.code, Grant::missing(status)) {
        (401, _) => format!(
            "{text}: the API server rejected the credentials; renew them and rerun the command"
        ),
        (403, Some(grant)) => format!("{text}; {grant}"),
        _ => text,
    }
}

impl Failure {
    /// The API server's answer, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Refused { status, .. } => Some(status),
            _ => None,
        }
    }

    /// What came back, without what was asked, where the reader knows that already.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Refused { status, .. } => said(status),
            Self::NoAnswer { server, cause, .. } => format!("{server} does not answer: {cause}"),
            Self::Credentials { cause, .. } => format!("cannot get credentials: {cause}"),
            Self::Object(unreadable) => unreadable.to_string(),
            Self::Unreadable { cause, .. } => format!("the answer is unreadable: {cause}"),
        }
    }

    /// The HTTP code of the answer; 0 without one.
    pub(crate) fn code(&self) -> u16 {
        self.status().map_or(0, |status| status.code)
    }

    /// Whether the same request may well succeed in a moment. A store that has just changed its leader and a
    /// webhook that does not answer are a 500, and the program that brings credentials needs a network too.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Refused { status, .. } => {
                matches!(status.code, 408 | 429 | 500 | 502 | 503 | 504)
            }
            Self::NoAnswer { .. } | Self::Credentials { .. } => true,
            Self::Object(_) | Self::Unreadable { .. } => false,
        }
    }

    pub(crate) fn of(asked: impl Into<String>, server: &str, error: kube::Error) -> Self {
        let asked = asked.into();
        match error {
            kube::Error::Api(status) => Self::Refused { asked, status },
            kube::Error::Auth(error) => Self::Credentials {
                asked,
                cause: whole(&error),
            },
            kube::Error::SerdeError(error) => Self::Unreadable {
                asked,
                cause: error.to_string(),
            },
            kube::Error::FromUtf8(error) => Self::Unreadable {
                asked,
                cause: error.to_string(),
            },
            error => Self::NoAnswer {
                asked,
                server: server.to_owned(),
                cause: root(&error),
            },
        }
    }

    pub(crate) fn late(asked: impl Into<String>, server: &str, seconds: u64) -> Self {
        Self::NoAnswer {
            asked: asked.into(),
            server: server.to_owned(),
            cause: format!("no answer within {seconds} s"),
        }
    }
}

/// An error and its causes, each said once.
pub(crate) fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}

/// The innermost cause: `Connection refused (os error 111)` rather than the layers around it.
fn root(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// What was asked of an object, for a failure's text.
pub(crate) fn asked(verb: &str, object: &ObjectRef) -> String {
    match &object.namespace {
        Some(namespace) => format!("{verb} {object} in {namespace}"),
        None => format!("{verb} {object}"),
    }
}

/// A permission that is missing, and the rule that grants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// `create`, …
    pub verb: String,
    /// `deployments`, with `/subresource` where one is meant.
    pub resource: String,
    /// Empty for the core group.
    pub group: String,
    /// Absent when it is missing for the whole cluster.
    pub namespace: Option<String>,
}

impl Grant {
    /// The permission that a refusal is about. Quotas and admission answer 403 too, in other words
    /// (Kubernetes 1.36: `… is forbidden: User "u" cannot create resource "r" in API group "g" …`).
    #[must_use]
    pub fn missing(status: &Status) -> Option<Self> {
        if status.code != 403 {
            return None;
        }
        let (_, after) = status.message.split_once(" cannot ")?;
        let (verb, after) = after.split_once(" resource \"")?;
        let (resource, after) = after.split_once('"')?;
        let quoted = |lead: &str| {
            let (_, after) = after.split_once(lead)?;
            Some(after.split_once('"')?.0.to_owned())
        };
        Some(Self {
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            group: quoted("in API group \"").unwrap_or_default(),
            namespace: quoted("in the namespace \""),
        })
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            verb,
            resource,
            group,
            namespace,
        } = self;
        match namespace {
            Some(namespace) => write!(f, "grant it with a Role in {namespace}")?,
            None => f.write_str("grant it with a ClusterRole")?,
        }
        write!(
            f,
            " that has the rule {{apiGroups: [{group:?}], resources: [{resource:?}], verbs: [{verb:?}]}}"
        )
    }
}
