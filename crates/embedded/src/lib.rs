//! A real Kubernetes on this Linux machine, with CSI snapshots and without
//! Docker: etcd, the Kubernetes components, containerd, CoreDNS and a storage
//! driver run as processes in namespaces of their own, below one process.
//!
//! [`Cluster::up`] starts it and leaves a kubeconfig, [`Cluster::down`] takes
//! everything away again. What is deployed into it, storage classes and custom
//! resource definitions included, is the business of whoever deploys.

mod api;
mod certificates;
mod cgroups;
mod cluster;
mod command;
mod components;
mod configuration;
mod error;
mod files;
mod images;
mod inside;
mod network;
mod packages;
mod places;
mod preflight;
mod processes;
mod programs;
mod record;
mod roles;
mod start;
mod status;
mod storage;
mod supervisor;
mod wait;

pub use cluster::{Cluster, Report, Up};
pub use error::Error;
pub use packages::{install, missing_packages};
pub use places::Places;
pub use status::{ComponentStatus, Running, Status};
pub use supervisor::supervise_main;

/// The name of the node, the container runtime and the driver share this
/// prefix with the provisioner that a StorageClass names.
pub const STORAGE_DRIVER: &str = "csi.longrun.dev";
