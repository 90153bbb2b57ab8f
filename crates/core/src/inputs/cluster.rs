//! Where environments run.

use alloc::{collections::BTreeMap, string::String};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Driver, KubeSystemUid, Label, Link, Name, Registry, Size, text::Literal as _};

/// A Kubernetes cluster: how it is reached and recognised, and what it offers. The file has the
/// cluster's name, and holds only what differs from the defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Cluster {
    /// How it is called here. Also the name of this file.
    pub name: Name,
    /// How it is reached.
    pub access: Access,
    /// Its identity: the UID of its namespace `kube-system`. `cargo xtask cluster trust` writes it. An
    /// embedded cluster keeps its own.
    #[serde(default)]
    pub kube_system_uid: Option<KubeSystemUid>,
    /// Where its nodes pull images from.
    pub registry: Registry,
    /// Volumes and their snapshots.
    pub storage: Storage,
    /// Where names are resolved.
    #[serde(default)]
    pub dns: Dns,
    /// Whether NetworkPolicies are enforced. Where they are not, everything reaches everything, and a fault that
    /// cuts the network would cut nothing.
    #[serde(default = "yes")]
    pub enforces_policies: bool,
    /// Who collects metrics; nobody may when it is left out.
    #[serde(default)]
    pub metrics: Option<Metrics>,
    /// Where people look at logs and metrics: a name for each, and its address. Triage fills them in.
    #[serde(default)]
    pub links: BTreeMap<Name, Link>,
}

/// How a cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum Access {
    /// It runs on this machine, and is started when it does not.
    Embedded,
    /// An EKS cluster, with the credentials of the AWS command line.
    #[serde(rename_all = "camelCase")]
    Eks {
        /// Its name in EKS.
        name: Name,
        /// The region it is in.
        region: Name,
    },
    /// A context of the user's kubeconfig.
    #[serde(rename_all = "camelCase")]
    Kubeconfig {
        /// The context's name.
        context: String,
    },
}

/// Volumes and their snapshots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Storage {
    /// The CSI driver that provides both.
    pub driver: Driver,
    /// The name of our StorageClass.
    #[serde(default = "class")]
    pub class: Name,
    /// What the class tells the driver.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Whether our class is the cluster's default.
    #[serde(default)]
    pub default: bool,
    /// Whether the driver can enlarge a volume.
    #[serde(default)]
    pub expandable: bool,
    /// No claim is larger, whatever the environment asks for.
    #[serde(default)]
    pub largest_claim: Option<Size>,
    /// The names of our VolumeSnapshotClasses.
    #[serde(default)]
    pub snapshot_classes: SnapshotClasses,
}

/// The names of the VolumeSnapshotClasses, by what becomes of the stored snapshot when the
/// VolumeSnapshot is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct SnapshotClasses {
    /// It is deleted as well.
    pub delete: Name,
    /// Kept: for those that guard a deletion.
    pub retain: Name,
}

/// Where pods resolve names: the doors of the network policies depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Dns {
    /// In pods of `kube-system` with the label `k8s-app: kube-dns`, as nearly everywhere.
    #[default]
    Pods,
    /// On the nodes themselves, whose addresses are not known beforehand.
    Node,
}

/// Who collects metrics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Metrics {
    /// The namespace that the collector is in.
    pub namespace: Name,
    /// The value of the collector's label `app.kubernetes.io/name`.
    #[serde(default = "collector")]
    pub collector: Label,
}

impl Access {
    /// Whether it is the cluster on this machine.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        *self == Self::Embedded
    }
}

fn yes() -> bool {
    true
}

fn class() -> Name {
    Name::of("longrun")
}

fn collector() -> Label {
    Label::of("prometheus")
}

impl Default for SnapshotClasses {
    fn default() -> Self {
        Self {
            delete: Name::of("longrun-delete"),
            retain: Name::of("longrun-retain"),
        }
    }
}
