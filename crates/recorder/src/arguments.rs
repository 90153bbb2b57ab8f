//! What the recorder is told.

use std::{net::SocketAddr, path::PathBuf};

use longrun_core::{
    inputs::Period, object::Uid, operations::snapshot, plan::Target, records::Wanted,
};
use longrun_kubernetes::OWN_CLUSTER;
use longrun_restate::Origin;

use crate::store::Limits;

/// Remembers what Kubernetes forgets: the result of every test, and the evidence of those that failed.
#[derive(Clone, Debug, clap::Parser)]
pub(crate) struct Arguments {
    /// The cluster that this runs on, by the name of its file.
    #[arg(long)]
    pub(crate) cluster: String,
    /// The environment, which is the namespace.
    #[arg(long)]
    pub(crate) environment: String,
    /// Where everything is kept.
    #[arg(long)]
    pub(crate) folder: PathBuf,
    /// Where `/results`, `/evidence`, `/cases`, `/faults`, `/metrics`, `/ready` and `/live` are served.
    #[arg(long)]
    pub(crate) listen: SocketAddr,
    /// The node's admin interface, which knows what a failed test left behind.
    #[arg(long)]
    pub(crate) node: Origin,
    /// How many days results and faults are kept.
    #[arg(long)]
    pub(crate) keep_days: u32,
    /// How much room evidence may take.
    #[arg(long)]
    pub(crate) evidence_bytes: u64,
    /// Take a snapshot when a test fails, of this class, which must keep what it stores.
    #[arg(long, requires = "snapshots_per_day", requires = "snapshots_kept")]
    pub(crate) snapshot_class: Option<String>,
    /// At most so many snapshots in 24 hours.
    #[arg(long)]
    pub(crate) snapshots_per_day: Option<u32>,
    /// At most so many snapshots at a time.
    #[arg(long)]
    pub(crate) snapshots_kept: Option<u32>,
    /// Pause faults for so long when a test fails.
    #[arg(long)]
    pub(crate) pause_chaos: Option<Period>,
}

impl Arguments {
    pub(crate) fn target(&self) -> Target {
        Target {
            cluster: self.cluster.clone(),
            kube_system: Uid(OWN_CLUSTER.to_owned()),
            environment: self.environment.clone(),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            days: self.keep_days,
            evidence_bytes: self.evidence_bytes,
        }
    }

    /// The class of snapshots of failures and how many there may be, if there are to be any.
    pub(crate) fn snapshots(&self) -> Option<(&str, snapshot::Limits)> {
        let limits = snapshot::Limits {
            per_day: self.snapshots_per_day?,
            kept: self.snapshots_kept?,
        };
        Some((self.snapshot_class.as_deref()?, limits))
    }

    pub(crate) fn pause(&self) -> Option<Wanted> {
        self.pause_chaos.map(|time| Wanted(time.duration()))
    }
}
