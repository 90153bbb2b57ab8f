//! The only crate that talks to Kubernetes: it connects to a cluster that it has recognised, observes what
//! plans are made of, and drives plans that somebody approved. It decides nothing and prints nothing.
//!
//! ```text
//! connect → observe → (core: plan, ask) → prepare → Lease::acquire → observe → (core: renew) → drive
//! ```

mod client;
mod clock;
mod connect;
mod data;
mod direct_transfer;
mod drive;
mod exec;
mod failure;
pub mod faults;
mod heartbeat;
mod history;
mod lease;
mod observation;
mod observe;
mod owned_objects;
mod permission;
mod progress;
mod records;
mod refusal;
mod report;
mod resource;
#[cfg(test)]
mod server;
mod silence;
mod status;
mod transport;
mod triage;
mod views;
mod volumes;

pub use client::Client;
pub use connect::{Access, ConnectError, OWN_CLUSTER, connect, connect_within, identity};
pub use data::{DataError, last_operation, observe_data};
pub use direct_transfer::{Link, Visit};
pub use drive::{Stopped, drive};
pub use exec::{Ended, Exec, Stdin, Stdout};
pub use failure::{Failure, Grant};
pub use heartbeat::{Heartbeat, Over};
pub use lease::{Holder, Lease, LeaseError};
pub use observe::{ObserveError, observe};
pub use permission::{denied, to_carry_out, to_exec};
pub use progress::{OnProgress, Progress};
pub use records::{NoSnapshot, fault_ledger, pause_chaos, recorded, snapshot_failure};
pub use report::{PodReport, Report};
pub use status::{
    Attempted, Fault, Holding, Hour, Node, Numbers, Running, Status, TestJob, Workload, status,
};
pub use triage::{Found, evidence, evidence_alone, failed_tests, query, stamped, test_jobs, twin};
pub use volumes::{kept_by, stored_snapshots};
