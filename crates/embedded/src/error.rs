//! Everything that can go wrong, each with what to do about it.

use std::path::PathBuf;

/// Why an operation on an embedded cluster did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name cannot be a node's name, a directory and part of a cgroup.
    #[error(
        "`{0}` cannot name a cluster: use 1 to 40 lower-case letters, digits and inner hyphens"
    )]
    Name(String),
    /// Nowhere to keep state.
    #[error("neither {0} nor HOME says where to keep a cluster's files: set one of them")]
    NoHome(&'static str),
    /// Namespaces, cgroups and mounts are Linux's.
    #[error(
        "the embedded cluster needs Linux, this is {0}: use a cluster file that names another cluster"
    )]
    NotLinux(&'static str),
    /// Namespaces and mounts need root.
    #[error("the embedded cluster needs root, this is user {0}: run the command again with sudo")]
    NotRoot(u32),
    /// Debian packages are missing.
    #[error("programs are missing: install the packages {}", .0.join(", "))]
    MissingPackages(Vec<&'static str>),
    /// There is no apt-get.
    #[error("apt-get is not here to install {}: install what these Debian packages hold, then try again", .0.join(", "))]
    NoPackageManager(Vec<String>),
    /// The kernel lacks a file system.
    #[error("this kernel has no {0} file system: load or build its module, then try again")]
    NoFileSystem(&'static str),
    /// The kernel has no loop devices.
    #[error(
        "/dev/loop-control is missing, and volumes are kept on a loop device: run `modprobe loop`, or allow loop devices to this container"
    )]
    NoLoopDevice,
    /// Too little space.
    #[error("{} has {free} MiB free and {purpose} needs {needed} MiB: free some space, then try again", .path.display())]
    DiskFull {
        /// A path on the file system in question.
        path: PathBuf,
        /// What the space is for.
        purpose: &'static str,
        /// MiB needed.
        needed: u64,
        /// MiB free.
        free: u64,
    },
    /// No Go tool.
    #[error(
        "`go` is not on the PATH, and the cluster's programs are built with it: install Go {0} or newer from https://go.dev/dl/"
    )]
    GoMissing(String),
    /// The Go tool is too old.
    #[error(
        "Go {found} is too old to build the cluster's programs: install Go {needed} or newer from https://go.dev/dl/"
    )]
    GoTooOld {
        /// The version found.
        found: String,
        /// The lowest version that will do.
        needed: String,
    },
    /// `go build` failed.
    #[error("the cluster's programs did not build:\n{0}")]
    Build(String),
    /// Other interfaces or routes use all addresses.
    #[error(
        "every network between 10.88.0.0/30 and 10.95.255.0/30 is in use on this machine (`ip route show table all` lists them): remove one"
    )]
    SubnetsTaken,
    /// A program that was run failed.
    #[error("`{command}` failed ({outcome}){}{output}", if .output.is_empty() { "" } else { ":\n" })]
    Command {
        /// The command line.
        command: String,
        /// Its exit status, or why it did not start.
        outcome: String,
        /// What it printed, the last lines.
        output: String,
    },
    /// A file operation failed.
    #[error("cannot {action} {}", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file of the cluster's state is not what was written.
    #[error("{} is damaged: take the cluster down and start it again", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        source: serde_json::Error,
    },
    /// A component keeps exiting.
    #[error("{component} keeps failing, {exits} times so far, last with {outcome}; the end of {}:\n{tail}", .log.display())]
    Component {
        /// Its name.
        component: String,
        /// How often in a row it ended.
        exits: u32,
        /// Its last exit status.
        outcome: String,
        /// Its log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// The cluster did not get ready.
    #[error("the cluster `{cluster}` stopped making progress for {seconds} s while waiting for {what}; logs are in {}{tail}", .logs.display())]
    NotReady {
        /// The cluster.
        cluster: String,
        /// What did not happen.
        what: String,
        /// For how long.
        seconds: u64,
        /// The directory of all logs.
        logs: PathBuf,
        /// The last lines of the one log that matters, if one does.
        tail: String,
    },
    /// The supervising process ended.
    #[error("the cluster's supervisor ended; the end of {}:\n{tail}", .log.display())]
    SupervisorEnded {
        /// Its log.
        log: PathBuf,
        /// The last lines.
        tail: String,
    },
    /// Something of a stopped cluster is still there.
    #[error(
        "the cluster `{cluster}` is down, but {what} did not go away within {seconds} s: try `down` again"
    )]
    Left {
        /// The cluster.
        cluster: String,
        /// What is left.
        what: String,
        /// For how long it was awaited.
        seconds: u64,
    },
    /// An operation needs a running cluster.
    #[error("the cluster `{0}` is not running: start it first")]
    NotRunning(String),
    /// A certificate could not be made.
    #[error("cannot make the certificate `{name}`")]
    Certificate {
        /// Whose.
        name: String,
        /// Why not.
        source: rcgen::Error,
    },
    /// The API server could not be asked.
    #[error("the API server at {address} did not answer: {reason}")]
    Api {
        /// Where.
        address: String,
        /// Why not.
        reason: String,
    },
}

impl Error {
    /// For `map_err`: the error of a file operation.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}
