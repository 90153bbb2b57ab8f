//! What a fault finds when it is injected, and the actions it can be made of.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use jiff::{SignedDuration, Timestamp};

use super::{FaultAction, PodTarget, Signal};
use crate::{
    cluster::Pod,
    names::{NODE, NODE_POD, NODE_PROCESS, SERVICE, SERVICE_POLICY},
    object::ObjectRef,
    plan::{Effect, Target},
};

/// What is decided elsewhere and holds for the whole fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where.
    pub target: Target,
    /// How many pods the services have, by the environment's file: a number that was read while a fault was at
    /// work would be the fault's.
    pub replicas: u64,
    /// How long a fault stays that is taken back.
    pub hold: SignedDuration,
    /// Whether the cluster enforces NetworkPolicies.
    pub enforces_policies: bool,
    /// Chooses where there is a choice.
    pub seed: u64,
}

/// What a fault finds.
pub struct FaultContext<'a> {
    pub(super) settings: &'a Settings,
    /// The node's pods.
    pub(super) node: &'a [Pod],
    /// The services' pods.
    pub(super) services: &'a [Pod],
    pub(super) now: Timestamp,
}

impl FaultContext<'_> {
    fn object(&self, api_version: &str, kind: &str, name: &str) -> ObjectRef {
        let environment = &self.settings.target.environment;
        ObjectRef::namespaced(api_version, kind, environment, name)
    }

    /// A signal to the node's process.
    pub(super) fn signal(&self, signal: Signal) -> Effect {
        Effect::Inject {
            object: self.object("v1", "Pod", NODE_POD),
            action: FaultAction::Signal {
                signal,
                process: NODE_PROCESS.to_string(),
            },
        }
    }

    /// The node's pod is deleted, with the time that it asks for.
    pub(super) fn end_node(&self) -> Effect {
        Effect::Inject {
            object: self.object("apps/v1", "StatefulSet", NODE),
            action: FaultAction::End {
                pods: pod_targets(self.node),
                grace: None,
            },
        }
    }

    /// Pods of the services are killed: all, or one of them.
    ///
    /// One second of grace. With none the API server forgets the pod before its processes have ended, and the
    /// record would say of a process that still works that it is dead. With one, the kubelet cuts the
    /// container's `preStop` short and sends SIGKILL a second or two later: what runs has no time to finish,
    /// and what is gone is gone. A signal from within cannot do it: the service is process 1 of its pod.
    pub(super) fn kill_services(&self, all: bool) -> Effect {
        let mut pods = pod_targets(self.services);
        if !all && !pods.is_empty() {
            let count = u64::try_from(pods.len()).unwrap_or(1);
            let index = usize::try_from(self.settings.seed % count).unwrap_or(0);
            pods = pods.into_iter().skip(index).take(1).collect();
        }
        Effect::Inject {
            object: self.services(),
            action: FaultAction::End {
                pods,
                grace: Some(1),
            },
        }
    }

    pub(super) fn scale(&self, replicas: u64) -> Effect {
        Effect::Inject {
            object: self.services(),
            action: FaultAction::Scale { replicas },
        }
    }

    pub(super) fn roll(&self) -> Effect {
        let at: String = self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Effect::Inject {
            object: self.services(),
            action: FaultAction::Restart { at },
        }
    }

    pub(super) fn door(&self, action: FaultAction) -> Effect {
        Effect::Inject {
            object: self.object("networking.k8s.io/v1", "NetworkPolicy", SERVICE_POLICY),
            action,
        }
    }

    fn services(&self) -> ObjectRef {
        self.object("apps/v1", "Deployment", SERVICE)
    }
}

/// The pods that are not on their way out, by name.
fn pod_targets(pods: &[Pod]) -> Vec<PodTarget> {
    let mut marked: Vec<PodTarget> = pods
        .iter()
        .filter(|pod| !pod.metadata.is_going())
        .map(|pod| PodTarget {
            name: pod.metadata.name.clone(),
            uid: pod.metadata.uid.clone(),
        })
        .collect();
    marked.sort_by(|one, other| one.name.cmp(&other.name));
    marked
}
