//! What templates can ask for: the inputs as they are, and what follows from them.

use alloc::{string::String, vec::Vec};

use serde::Serialize;

use crate::{
    faults::{self, GRACE, Rule},
    inputs::{Cluster, Dns, Environment, Images, Size},
    names::port,
};

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
    recorder: RecorderValues,
    port: PortValues,
    dns_pods: bool,
    faults: Vec<FaultValues>,
    fault_rules: Vec<Rule>,
    fault_grace: u32,
    fault_hold: u64,
}

#[derive(Serialize)]
struct ImageValues {
    restate: String,
    verification: String,
    recorder: String,
    faults: String,
}

/// A fault and its CronJob.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FaultValues {
    name: &'static str,
    does: &'static str,
    cron_job: String,
    schedule: String,
    deadline: u64,
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
#[serde(rename_all = "camelCase")]
struct RecorderValues {
    claim: Size,
    evidence_bytes: u64,
}

/// Where things listen.
#[derive(Serialize)]
pub(super) struct PortValues {
    ingress: u16,
    admin: u16,
    node: u16,
    service: u16,
    health: u16,
    observer: u16,
    recorder: u16,
    copy: u16,
}

pub(super) const PORTS: PortValues = PortValues {
    ingress: port::INGRESS,
    admin: port::ADMIN,
    node: port::NODE,
    service: port::SERVICE,
    health: port::HEALTH,
    observer: port::OBSERVER,
    recorder: port::RECORDER,
    copy: port::COPY,
};

#[derive(Serialize)]
pub(super) struct SharedValues<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) embedded: bool,
    pub(super) port: PortValues,
}

impl<'a> EnvironmentValues<'a> {
    pub(super) fn new(environment: &'a Environment, cluster: &'a Cluster, images: &Images) -> Self {
        let chaos = &environment.chaos;
        let hold = chaos.hold.seconds();
        let rotation = chaos.rotation();
        let image = |name| images.reference(name, &cluster.registry);
        let restate = &environment.restate;
        let claim = |wanted| match cluster.storage.largest_claim {
            Some(largest) if largest < wanted => largest,
            _ => wanted,
        };
        let recorder = claim(environment.recorder.storage);
        Self {
            environment,
            cluster,
            user: POD_USER,
            image: ImageValues {
                restate: image(&restate.image),
                verification: image(&environment.verification.image),
                faults: image(&chaos.image),
                recorder: image(&environment.recorder.image),
            },
            restate: RestateValues {
                claim: claim(restate.storage),
                grace_seconds: restate.shutdown_timeout.seconds() + GRACE_BEYOND_SHUTDOWN,
                rocksdb_memory: restate.rocksdb_memory.spelled_out(),
                query_memory: restate.query_memory.spelled_out(),
            },
            recorder: RecorderValues {
                claim: recorder,
                evidence_bytes: recorder.bytes() / 4 * 3,
            },
            port: PORTS,
            dns_pods: cluster.dns == Dns::Pods,
            fault_rules: faults::rules(rotation.iter().map(|(fault, _)| *fault)),
            faults: rotation
                .into_iter()
                .map(|(fault, minute)| FaultValues {
                    name: fault.name,
                    does: fault.does,
                    cron_job: fault.cron_job(),
                    schedule: faults::hourly(minute),
                    deadline: fault.deadline(hold),
                })
                .collect(),
            fault_grace: GRACE,
            fault_hold: hold,
        }
    }
}
