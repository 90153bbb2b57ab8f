//! The way to a cluster: from a kubeconfig to a client that has seen whose cluster it is. Nothing else makes
//! a client, and nothing uses "whatever context is current".

use std::{fmt, path::PathBuf, time::Duration};

use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError, NamedContext},
};
use longrun_core::object::Uid;
use serde_json::Value;

use crate::{
    client::Client,
    failure::{Failure, Grant, whole},
    transport::Transport,
};

/// How long the first answer may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// Where the way to a cluster is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// A kubeconfig of its own, with one context.
    File(PathBuf),
    /// A context, by name, of the user's kubeconfig (`$KUBECONFIG`, or `~/.kube/config`).
    Context(String),
    /// The context that `aws eks update-kubeconfig` writes for this cluster, in the same place.
    Eks {
        /// The cluster's name in EKS.
        name: String,
        /// The region it is in.
        region: String,
    },
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no kubeconfig to read.
    #[error(
        "there is no kubeconfig: {cause}; write the cluster's context into ~/.kube/config, or point $KUBECONFIG at a file that has it"
    )]
    NoKubeconfig {
        /// What was looked for.
        cause: String,
    },
    /// The kubeconfig cannot be used.
    #[error("cannot use the kubeconfig: {cause}")]
    Kubeconfig {
        /// Why.
        cause: String,
    },
    /// The context is not in the kubeconfig.
    #[error(
        "the kubeconfig has no context {context:?}; it has {}; add it, or name one of these in the cluster's file",
        listed(.there)
    )]
    NoContext {
        /// Which one.
        context: String,
        /// Those that it has.
        there: Vec<String>,
    },
    /// The kubeconfig knows no such EKS cluster.
    #[error(
        "the kubeconfig has no context of the EKS cluster {name} in {region}; it has {}; add it: aws eks update-kubeconfig --region {region} --name {name}",
        listed(.there)
    )]
    NoEksContext {
        /// The cluster's name in EKS.
        name: String,
        /// The region it is in.
        region: String,
        /// The contexts that there are.
        there: Vec<String>,
    },
    /// The credentials are expired or wrong, or their program failed.
    #[error(
        "{server} rejected the credentials ({cause}): they have expired or belong to another cluster; log in again and rerun the command"
    )]
    Credentials {
        /// The API server's address.
        server: String,
        /// In the API server's or the program's words.
        cause: String,
    },
    /// What answers cannot prove that it is the kubeconfig's API server.
    #[error(
        "{server} is not the API server that the kubeconfig was made for: {cause}; was the cluster recreated, or does something else answer at this address?"
    )]
    AnotherServer {
        /// The API server's address.
        server: String,
        /// Why.
        cause: String,
    },
    /// Nothing answers at the API server's address.
    #[error(
        "the API server {server} cannot be reached: {cause}; is the cluster running, and the network or VPN to it?"
    )]
    Unreachable {
        /// The API server's address.
        server: String,
        /// Why.
        cause: String,
    },
    /// The cluster's identity may not be read.
    #[error(
        "the cluster cannot be recognised, because reading Namespace kube-system is forbidden: {cause}; {grant}"
    )]
    Forbidden {
        /// In the API server's words.
        cause: String,
        /// What to grant.
        grant: Box<Grant>,
    },
    /// Another cluster answers.
    #[error(
        "wrong cluster; nothing was done: {server} has the kube-system UID {found}, expected {expected}; correct the context, or if the cluster was recreated, run `cargo xtask cluster trust NAME`"
    )]
    AnotherCluster {
        /// The API server's address.
        server: String,
        /// The UID that is expected.
        expected: Uid,
        /// The UID that answered.
        found: Uid,
    },
    /// Nobody has recorded which cluster is meant.
    #[error(
        "the cluster's file has no kube-system UID yet: {server} has {found}; compare it and record it with `cargo xtask cluster trust NAME`"
    )]
    Untrusted {
        /// The API server's address.
        server: String,
        /// The UID that answered.
        found: Uid,
    },
    /// The API server answered something else.
    #[error("the cluster cannot be recognised: {0}")]
    Other(#[source] Failure),
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// Connects to the cluster with the expected identity, and to no other.
///
/// # Errors
/// When there is no way to it, it does not answer within seconds, or it is another one.
pub async fn connect(access: &Access, expected: Option<&Uid>) -> Result<Client, ConnectError> {
    let (transport, server, found) = recognise(access).await?;
    match expected {
        None => Err(ConnectError::Untrusted { server, found }),
        Some(expected) if *expected != found => Err(ConnectError::AnotherCluster {
            server,
            expected: expected.clone(),
            found,
        }),
        Some(_) => Ok(Client::recognised(transport, server, found)),
    }
}

/// Stands for the identity of a cluster that was not asked for it.
pub const OWN_CLUSTER: &str = "the cluster that runs this pod";

/// Connects a program that runs in a pod to the cluster that runs it. That is no matter of trust: address,
/// authority and token are from the kubelet, no other server can prove to be that one, and none other takes the
/// token. So the UID of `kube-system` is not read, which would take a permission in a namespace that is not ours.
///
/// # Errors
/// When this is not a pod, or the pod has no account's token.
pub fn connect_within() -> Result<Client, ConnectError> {
    let mut config = Config::incluster_env().map_err(|error| ConnectError::Kubeconfig {
        cause: format!("this is not a pod with an account: {}", whole(&error)),
    })?;
    bound(&mut config);
    let server = config.cluster_url.to_string();
    let server = server.trim_end_matches('/').to_owned();
    let transport = Transport::new(config)
        .map_err(|error| refusal(&server, Failure::of("connect", &server, error)))?;
    let own = Uid(OWN_CLUSTER.to_owned());
    Ok(Client::recognised(transport, server, own))
}

/// The identity of the cluster behind an access and its API server's address: what `cluster trust` shows,
/// asks about and records.
///
/// # Errors
/// When there is no way to it, or it does not answer within seconds.
pub async fn identity(access: &Access) -> Result<(Uid, String), ConnectError> {
    let (_, server, found) = recognise(access).await?;
    Ok((found, server))
}

async fn recognise(access: &Access) -> Result<(Transport, String, Uid), ConnectError> {
    let config = configuration(access).await?;
    let server = config.cluster_url.to_string();
    let server = server.trim_end_matches('/').to_owned();
    let refused = |failure| refusal(&server, failure);
    let asked = "read Namespace kube-system";
    let transport =
        Transport::new(config).map_err(|error| refused(Failure::of(asked, &server, error)))?;
    let unreadable = |cause: String| Failure::Unreadable {
        asked: asked.to_owned(),
        cause,
    };
    let request = http::Request::get("/api/v1/namespaces/kube-system")
        .body(Vec::new())
        .map_err(|error| refused(unreadable(error.to_string())))?;
    let namespace: Value = tokio::time::timeout(PATIENCE, transport.kube.request(request))
        .await
        .map_err(|_| refused(Failure::late(asked, &server, PATIENCE.as_secs())))?
        .map_err(|error| refused(Failure::of(asked, &server, error)))?;
    let uid = longrun_core::object::uid(&namespace)
        .ok_or_else(|| refused(unreadable("it has no UID".to_owned())))?;
    Ok((transport, server, uid))
}

impl Access {
    /// The name of the context that is meant.
    fn context_in(&self, kubeconfig: &Kubeconfig) -> Result<String, ConnectError> {
        let meant = |there: &&NamedContext| match self {
            Self::File(_) => false,
            Self::Context(name) => there.name == *name,
            // The ARN, `arn:aws:eks:<region>:<account>:cluster/<name>`, whatever the context is called.
            Self::Eks { name, region } => there.context.as_ref().is_some_and(|context| {
                context
                    .cluster
                    .starts_with(&format!("arn:aws:eks:{region}:"))
                    && context.cluster.ends_with(&format!(":cluster/{name}"))
            }),
        };
        let found = kubeconfig.contexts.iter().find(meant);
        found.map(|there| there.name.clone()).ok_or_else(|| {
            let there = kubeconfig
                .contexts
                .iter()
                .map(|there| there.name.clone())
                .collect();
            match self {
                Self::Eks { name, region } => {
                    let (name, region) = (name.clone(), region.clone());
                    ConnectError::NoEksContext {
                        name,
                        region,
                        there,
                    }
                }
                Self::File(_) | Self::Context(_) => {
                    let context = self.to_string();
                    ConnectError::NoContext { context, there }
                }
            }
        })
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Context(name) => f.write_str(name),
            Self::Eks { name, region } => write!(f, "{name} in {region}"),
        }
    }
}

async fn configuration(access: &Access) -> Result<Config, ConnectError> {
    let kubeconfig = match access {
        Access::File(path) => Kubeconfig::read_from(path),
        Access::Context(_) | Access::Eks { .. } => Kubeconfig::read(),
    };
    let kubeconfig = kubeconfig.map_err(unreadable)?;
    let context = match access {
        Access::File(_) => None,
        Access::Context(_) | Access::Eks { .. } => Some(access.context_in(&kubeconfig)?),
    };
    let options = KubeConfigOptions {
        context,
        ..KubeConfigOptions::default()
    };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(unreadable)?;
    bound(&mut config);
    Ok(config)
}

fn bound(config: &mut Config) {
    config.connect_timeout = Some(Duration::from_secs(5));
    // Retries hide for minutes that the API server is gone; whoever can wait says so.
    config.default_retry = false;
}

fn unreadable(error: KubeconfigError) -> ConnectError {
    match error {
        KubeconfigError::ReadConfig(cause, path)
            if cause.kind() == std::io::ErrorKind::NotFound =>
        {
            ConnectError::NoKubeconfig {
                cause: format!("{} does not exist", path.display()),
            }
        }
        KubeconfigError::FindPath => ConnectError::NoKubeconfig {
            cause: "neither $KUBECONFIG nor a home directory is set".to_owned(),
        },
        error => ConnectError::Kubeconfig {
            cause: whole(&error),
        },
    }
}

fn refusal(server: &str, failure: Failure) -> ConnectError {
    let server = server.to_owned();
    match failure {
        Failure::NoAnswer { cause, .. } if cause.contains("certificate") => {
            ConnectError::AnotherServer { server, cause }
        }
        Failure::NoAnswer { cause, .. } => ConnectError::Unreachable { server, cause },
        Failure::Credentials { cause, .. } => ConnectError::Credentials { server, cause },
        Failure::Refused { status, .. } if status.code == 401 => ConnectError::Credentials {
            server,
            cause: status.message.clone(),
        },
        Failure::Refused { status, asked } if status.code == 403 => match Grant::missing(&status) {
            Some(grant) => ConnectError::Forbidden {
                cause: status.message.clone(),
                grant: Box::new(grant),
            },
            None => ConnectError::Other(Failure::Refused { asked, status }),
        },
        failure => ConnectError::Other(failure),
    }
}
