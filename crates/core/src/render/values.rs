//! What templates can ask for: the inputs as they are, and what follows from them.

use alloc::string::String;

use serde::Serialize;

use crate::inputs::{Cluster, Dns, Environment, Images, Size};

/// The user and group of every container of ours, and so of the files of the database: whoever opens a
/// restored volume must be this user.
pub const POD_USER: u32 = 65532;

/// How much longer than Restate's own time to stop Kubernetes waits before it kills: Restate gives up
/// first, and says why.
const GRACE_BEYOND_SHUTDOWN: u64 = 15;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EnvironmentValues<'a> {
    environment: &'a Environment,
    cluster: &'a Cluster,
    user: u32,
    image: ImageValues,
    restate: RestateValues,
    dns_pods: bool,
}

#[derive(Serialize)]
struct ImageValues {
    restate: String,
    verification: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RestateValues {
    claim: Size,
    grace_seconds: u64,
    rocksdb_memory: String,
    query_memory: String,
}

#[derive(Serialize)]
pub(super) struct SharedValues<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) embedded: bool,
}

impl<'a> EnvironmentValues<'a> {
    pub(super) fn new(environment: &'a Environment, cluster: &'a Cluster, images: &Images) -> Self {
        let image = |name| images.reference(name, &cluster.registry);
        let restate = &environment.restate;
        let claim = match cluster.storage.largest_claim {
            Some(largest) if largest < restate.storage => largest,
            _ => restate.storage,
        };
        Self {
            environment,
            cluster,
            user: POD_USER,
            image: ImageValues {
                restate: image(&restate.image),
                verification: image(&environment.verification.image),
            },
            restate: RestateValues {
                claim,
                grace_seconds: restate.shutdown_timeout.seconds() + GRACE_BEYOND_SHUTDOWN,
                rocksdb_memory: restate.rocksdb_memory.spelled_out(),
                query_memory: restate.query_memory.spelled_out(),
            },
            dns_pods: cluster.dns == Dns::Pods,
        }
    }
}
