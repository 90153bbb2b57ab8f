//! Which pod may reach which port, by the NetworkPolicies alone: a pure reading of Kubernetes' rules, so that
//! every pair of pods can be asked about without a cluster.
//!
//! Not modelled, because policies do not govern it: traffic within a pod, and traffic from the node that
//! a pod runs on (the kubelet's probes).

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString},
    vec::Vec,
};
use core::net::IpAddr;

use k8s_openapi::{
    api::{
        core::v1::{PodSpec, PodTemplateSpec},
        networking::v1::{IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort},
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use serde::Deserialize;
use serde_json::Value;

type Labels = BTreeMap<String, String>;

/// A pod, as policies see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// For the reader: `StatefulSet restate`, …
    pub title: String,
    /// The namespace it is in.
    pub namespace: String,
    /// Its labels.
    pub labels: Labels,
    /// The ports its containers declare.
    pub ports: BTreeSet<Port>,
}

/// A port that a container declares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// The number.
    pub number: u16,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// Its name, if it has one.
    pub name: Option<String>,
}

/// An end of a connection.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// A pod.
    Pod(&'a Pod),
    /// Anything that is no pod: the API server, a node, a host outside.
    Address(IpAddr),
}

/// The NetworkPolicies of a cluster, and the labels of its namespaces.
#[derive(Clone, Debug, Default)]
pub struct Network {
    policies: Vec<NetworkPolicy>,
    namespaces: BTreeMap<String, Labels>,
}

impl Network {
    /// Reads policies and namespaces out of any objects.
    ///
    /// # Errors
    /// A policy that is not one.
    pub fn new<'a>(
        objects: impl IntoIterator<Item = &'a Value>,
    ) -> Result<Self, serde_json::Error> {
        let mut network = Self::default();
        for object in objects {
            match object.get("kind").and_then(Value::as_str) {
                Some("NetworkPolicy") => network.policies.push(NetworkPolicy::deserialize(object)?),
                Some("Namespace") => {
                    let name = text(object, "/metadata/name");
                    network.add_namespace(&name, labels(object.pointer("/metadata/labels")));
                }
                _ => {}
            }
        }
        Ok(network)
    }

    /// Adds a namespace that is not ours. Its name is a label of it, as the API server sees to.
    pub fn add_namespace(&mut self, name: &str, mut labels: Labels) {
        labels.insert("kubernetes.io/metadata.name".to_string(), name.to_string());
        self.namespaces.insert(name.to_string(), labels);
    }

    /// Whether a connection from one place to a port of another is let through on both sides.
    #[must_use]
    pub fn lets_through(&self, from: Place<'_>, to: Place<'_>, port: u16, protocol: &str) -> bool {
        let leaves = match from {
            Place::Pod(pod) => self.allows(pod, Direction::Egress, to, to, port, protocol),
            Place::Address(_) => true,
        };
        let enters = match to {
            Place::Pod(pod) => self.allows(pod, Direction::Ingress, from, to, port, protocol),
            Place::Address(_) => true,
        };
        leaves && enters
    }

    /// Policies add up: a pod that none selects is open, one that some select is open to what any allows.
    fn allows(
        &self,
        pod: &Pod,
        direction: Direction,
        other: Place<'_>,
        to: Place<'_>,
        port: u16,
        protocol: &str,
    ) -> bool {
        let mut selected = false;
        for policy in self
            .policies
            .iter()
            .filter(|policy| policy.metadata.namespace.as_ref() == Some(&pod.namespace))
        {
            let Some(spec) = &policy.spec else { continue };
            let selects = spec
                .pod_selector
                .as_ref()
                .is_none_or(|selector| matches(selector, &pod.labels));
            if !selects
                || !direction.governed_by(spec.policy_types.as_deref(), spec.egress.is_some())
            {
                continue;
            }
            selected = true;
            let rules: Vec<_> = match direction {
                Direction::Ingress => spec
                    .ingress
                    .iter()
                    .flatten()
                    .map(|rule| (&rule.from, &rule.ports))
                    .collect(),
                Direction::Egress => spec
                    .egress
                    .iter()
                    .flatten()
                    .map(|rule| (&rule.to, &rule.ports))
                    .collect(),
            };
            let open = rules.into_iter().any(|(peers, ports)| {
                self.any_peer(peers.as_deref(), &pod.namespace, other)
                    && any_port(ports.as_deref(), to, port, protocol)
            });
            if open {
                return true;
            }
        }
        !selected
    }

    /// No peers at all is everybody.
    fn any_peer(&self, peers: Option<&[NetworkPolicyPeer]>, home: &str, other: Place<'_>) -> bool {
        match peers {
            None | Some([]) => true,
            Some(peers) => peers.iter().any(|peer| self.is_peer(peer, home, other)),
        }
    }

    fn is_peer(&self, peer: &NetworkPolicyPeer, home: &str, other: Place<'_>) -> bool {
        match other {
            Place::Address(address) => peer
                .ip_block
                .as_ref()
                .is_some_and(|block| in_block(block, address)),
            // Addresses of pods are not for policies to name: Kubernetes leaves open what that means.
            Place::Pod(_) if peer.ip_block.is_some() => false,
            Place::Pod(pod) => {
                let nowhere = Labels::new();
                let namespace = match &peer.namespace_selector {
                    Some(selector) => matches(
                        selector,
                        self.namespaces.get(&pod.namespace).unwrap_or(&nowhere),
                    ),
                    None => pod.namespace == home,
                };
                namespace
                    && peer
                        .pod_selector
                        .as_ref()
                        .is_none_or(|selector| matches(selector, &pod.labels))
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    /// Kubernetes 1.36: without `policyTypes`, a policy governs ingress, and egress if it has such rules.
    fn governed_by(self, types: Option<&[String]>, has_egress: bool) -> bool {
        match (types, self) {
            (Some(types), Self::Ingress) => types.iter().any(|name| name == "Ingress"),
            (Some(types), Self::Egress) => types.iter().any(|name| name == "Egress"),
            (None, Self::Ingress) => true,
            (None, Self::Egress) => has_egress,
        }
    }
}

/// No ports at all is every port.
fn any_port(ports: Option<&[NetworkPolicyPort]>, to: Place<'_>, port: u16, protocol: &str) -> bool {
    match ports {
        None | Some([]) => true,
        Some(ports) => ports.iter().any(|rule| {
            rule.protocol.as_deref().unwrap_or("TCP") == protocol
                && match (&rule.port, rule.end_port) {
                    (None, _) => true,
                    (Some(IntOrString::Int(first)), None) => *first == i32::from(port),
                    (Some(IntOrString::Int(first)), Some(last)) => {
                        (*first..=last).contains(&i32::from(port))
                    }
                    (Some(IntOrString::String(name)), _) => match to {
                        Place::Pod(pod) => pod.ports.iter().any(|declared| {
                            declared.name.as_ref() == Some(name)
                                && declared.number == port
                                && declared.protocol == protocol
                        }),
                        Place::Address(_) => false,
                    },
                }
        }),
    }
}

fn matches(selector: &LabelSelector, labels: &Labels) -> bool {
    let equal = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    let expressions = selector
        .match_expressions
        .iter()
        .flatten()
        .all(|expression| {
            let value = labels.get(&expression.key);
            let listed = value.is_some_and(|value| {
                expression
                    .values
                    .iter()
                    .flatten()
                    .any(|listed| listed == value)
            });
            match expression.operator.as_str() {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        });
    equal && expressions
}

fn in_block(block: &IPBlock, address: IpAddr) -> bool {
    let inside = in_range(&block.cidr, address);
    inside
        && !block
            .except
            .iter()
            .flatten()
            .any(|range| in_range(range, address))
}

/// Whether an address is in a range such as `10.0.0.0/8`; never in one that cannot be read.
fn in_range(range: &str, address: IpAddr) -> bool {
    let parsed = range
        .split_once('/')
        .and_then(|(base, bits)| Some((base.parse().ok()?, bits.parse::<u32>().ok()?)));
    match (parsed, address) {
        (Some((IpAddr::V4(base), bits)), IpAddr::V4(address)) if bits <= 32 => {
            u64::from(base.to_bits() ^ address.to_bits()) >> (32 - bits) == 0
        }
        (Some((IpAddr::V6(base), bits)), IpAddr::V6(address)) if bits <= 128 => {
            (base.to_bits() ^ address.to_bits())
                .checked_shr(128 - bits)
                .unwrap_or(0)
                == 0
        }
        _ => false,
    }
}

/// The pods that objects make: one a workload.
#[must_use]
pub fn pods<'a>(objects: impl IntoIterator<Item = &'a Value>) -> Vec<Pod> {
    objects.into_iter().filter_map(pod).collect()
}

fn pod(object: &Value) -> Option<Pod> {
    let kind = object.get("kind")?.as_str()?;
    let template = match kind {
        "CronJob" => object.pointer("/spec/jobTemplate/spec/template")?,
        _ => object.pointer("/spec/template")?,
    };
    let template = PodTemplateSpec::deserialize(template).ok()?;
    let name = text(object, "/metadata/name");
    Some(Pod {
        title: alloc::format!("{kind} {name}"),
        namespace: text(object, "/metadata/namespace"),
        labels: template
            .metadata
            .and_then(|metadata| metadata.labels)
            .unwrap_or_default(),
        ports: template.spec.as_ref().map(ports).unwrap_or_default(),
    })
}

fn ports(spec: &PodSpec) -> BTreeSet<Port> {
    let declared = spec
        .containers
        .iter()
        .flat_map(|container| container.ports.iter().flatten());
    let port = |port: &k8s_openapi::api::core::v1::ContainerPort| {
        Some(Port {
            number: u16::try_from(port.container_port).ok()?,
            protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_string()),
            name: port.name.clone(),
        })
    };
    declared.filter_map(port).collect()
}

fn text(object: &Value, pointer: &str) -> String {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_string()
}

fn labels(value: Option<&Value>) -> Labels {
    value
        .and_then(|labels| Labels::deserialize(labels).ok())
        .unwrap_or_default()
}
