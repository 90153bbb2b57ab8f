//! The names by which objects of an environment are found: labels, annotations, components, containers, records and
//! ports. Templates and code agree on them: templates are given the ports, and the specification renders every
//! environment and looks for the rest.

/// StatefulSet, container, Service and component of the node.
pub const NODE: &str = "restate";

/// The one pod of [`NODE`].
pub const NODE_POD: &str = "restate-0";

/// The process of the node: its command.
pub const NODE_PROCESS: &str = "restate-server";

/// The claim of the node's database: template `storage`, first pod of [`NODE`].
pub const CLAIM: &str = "storage-restate-0";

/// The node's directory in its base directory (template `restate`: `RESTATE_NODE_NAME`).
pub const DATABASE: &str = "db";

/// The sidecar of the node: it has the database mounted, and shares the node's processes.
pub const OBSERVER: &str = "observer";

/// Deployment, container and component of the service that the node calls.
pub const SERVICE: &str = "verification";

/// The NetworkPolicy between node and service.
pub const SERVICE_POLICY: &str = "allow-service";

/// CronJob, container and component of the recurring test.
pub const TEST: &str = "test";

/// Job, container and component of what registers the service with the node.
pub const DISCOVER: &str = "discover";

/// Deployment, container, Service, account and component of the recorder.
pub const RECORDER: &str = "recorder";

/// Component of everything that injects faults.
pub const FAULTS: &str = "faults";

/// The account of what injects faults, in the environment's namespace.
pub const FAULTS_ACCOUNT: &str = "longrun-faults";

/// Component of an attachment.
pub const ATTACH: &str = "attach";

/// Component of a Job that compares two volumes.
pub const COMPARE: &str = "compare";

/// The workload's programs, in their image.
pub const VERIFICATION_PROGRAM: &str = "/usr/local/bin/verification";

/// The Lease that keeps operations apart.
pub const LEASE: &str = "longrun";

/// The ConfigMap of the last operation's journal.
pub const JOURNAL: &str = "longrun-journal";

/// The ConfigMap of the ledger of faults.
pub const LEDGER: &str = "longrun-faults";

/// The ConfigMap of a pause of the faults.
pub const PAUSE: &str = "longrun-pause";

/// The ConfigMap that lists what was applied.
pub const INVENTORY: &str = "longrun-inventory";

/// The field manager of everything that is rendered, and the value of [`MANAGED_BY_LABEL`].
pub const FIELD_MANAGER: &str = "longrun";

/// The field manager of what operations change: suspension, replicas, the service door, the size of a claim that grows.
pub const OPERATIONS_MANAGER: &str = "longrun-operations";

/// The field manager of what is noted on claims. With that of operations, which lets them grow, the one would take away
/// what the other wrote.
pub const NOTES_MANAGER: &str = "longrun-notes";

/// What an object is an instance of.
pub const NAME_LABEL: &str = "app.kubernetes.io/name";

/// Which part of an environment an object is: [`NODE`], [`SERVICE`], …
pub const COMPONENT_LABEL: &str = "app.kubernetes.io/component";

/// [`FIELD_MANAGER`] on everything that is ours.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// On the top-level metadata of rendered objects, and on nothing else.
pub const RENDERED_LABEL: &str = "longrun/rendered";

/// On everything that belongs to an environment: its name.
pub const ENVIRONMENT_LABEL: &str = "longrun/environment";

/// On a namespace in which faults are asked for: `true`.
pub const CHAOS_LABEL: &str = "longrun/chaos";

/// On a Job that an operation interrupted: the operation. It is neither a failure nor a success.
pub const INTERRUPTED_LABEL: &str = "longrun/interrupted";

/// On a snapshot: what it was taken for. See [`Purpose`](crate::operations::snapshot::Purpose).
pub const PURPOSE_LABEL: &str = "longrun/purpose";

/// On a snapshot: the incarnation of the claim it is of.
pub const SOURCE_LABEL: &str = "longrun/source-claim-uid";

/// On a snapshot: `fenced`, when the node was stopped for it, or `crash`.
pub const CONSISTENCY_LABEL: &str = "longrun/consistency";

/// On a snapshot: `true` keeps it from retention.
pub const KEEP_LABEL: &str = "longrun/keep";

/// On a snapshot: what was found when it was read; see [`Finding`](crate::cluster::Finding). Without it, nobody has
/// compared it with anything.
pub const FOUND_LABEL: &str = "longrun/found";

/// On a claim and on a snapshot: the version of the node that has opened what it holds. A tag that is no version may be
/// longer than a label's value.
pub const OPENED_BY_ANNOTATION: &str = "longrun/opened-by";

/// On Jobs and claims that an operation makes and deletes again: the operation. The next one clears away what a
/// killed one left.
pub const TEMPORARY_LABEL: &str = "longrun/temporary";

/// On the guardian of an attachment, its claim and its pod: the snapshot's name.
pub const ATTACH_LABEL: &str = "longrun/attach";

/// On the guardian of an attachment: who attached.
pub const HOLDER_ANNOTATION: &str = "longrun/holder";

/// On the guardian of an attachment: `true` when what is attached need not be the snapshot any more.
pub const WRITABLE_ANNOTATION: &str = "longrun/writable";

/// On [`SERVICE_POLICY`]: the rules that the end of a fault puts back, as they are rendered.
pub const RULES_ANNOTATION: &str = "longrun/rules";

/// On [`LEASE`]: who holds it, for a person.
pub const WHO_ANNOTATION: &str = "longrun/who";

/// On [`LEASE`]: what its holder does.
pub const OPERATION_ANNOTATION: &str = "longrun/operation";

/// The API version of everything about snapshots.
pub const SNAPSHOT_API: &str = "snapshot.storage.k8s.io/v1";

/// Where things listen, by the names that templates know them by.
pub mod port {
    /// The node's ingress: tests call services.
    pub const INGRESS: u16 = 8080;
    /// The node's admin API and SQL.
    pub const ADMIN: u16 = 9070;
    /// The node's own, with its metrics.
    pub const NODE: u16 = 5122;
    /// The services.
    pub const SERVICE: u16 = 9080;
    /// The services' probes.
    pub const HEALTH: u16 = 9081;
    /// The observer.
    pub const OBSERVER: u16 = 9091;
    /// The recorder.
    pub const RECORDER: u16 = 9092;
    /// What is attached, when it is told to send a copy.
    pub const COPY: u16 = 9093;
}
