//! What is written down about a running cluster: by `up` its processes and
//! network, by the supervisor the state of each component.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::files;
use crate::network::Subnet;
use crate::processes::Process;

/// Written before the supervisor may begin, so that what runs can be found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    /// `unshare`: killing it ends everything.
    pub(crate) outer: Process,
    /// The supervisor, the first process of its namespace.
    pub(crate) supervisor: Process,
    pub(crate) subnet: Subnet,
    /// The directory of the built programs.
    pub(crate) programs: std::path::PathBuf,
}

/// What the supervisor is told, in its configuration directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) subnet: Subnet,
    /// The directory of the built programs.
    pub(crate) programs: std::path::PathBuf,
    pub(crate) runc: std::path::PathBuf,
}

/// Where a component is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Something that it needs is not there yet.
    Waiting,
    /// Started, its check has not passed yet.
    Starting,
    /// Its check has passed.
    Running,
    /// A task that ended well.
    Done,
    /// Ended; it will be started again.
    Restarting,
    /// Ends again and again; it is still started, every few seconds.
    Failing,
}

/// What kind of a component it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Runs as long as the cluster does.
    Service,
    /// Ends when its work is done.
    Task,
    /// No process: something that others wait for and that `up` does not.
    Condition,
}

/// One component as the supervisor sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) state: State,
    pub(crate) kind: Kind,
    /// Its number in the cluster's own namespace.
    pub(crate) pid: Option<i32>,
    pub(crate) restarts: u32,
    /// Exits since it last ran for long enough.
    pub(crate) exits: u32,
    pub(crate) last_exit: Option<String>,
    /// What it waits for.
    pub(crate) waits_for: Option<String>,
}

/// All components, and since when the cluster runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entries {
    /// Seconds since 1970.
    pub(crate) since: u64,
    pub(crate) components: Vec<Entry>,
}

impl Entries {
    /// A cluster that is just being started.
    pub(crate) fn none_yet() -> Self {
        Self {
            since: unix_now(),
            components: Vec::new(),
        }
    }
}

/// Seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

pub(crate) fn save<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(value).map_err(|source| Error::Damaged {
        path: path.to_owned(),
        source,
    })?;
    files::write(path, text)
}

/// The record of a cluster that does not run any more. A machine that lost its
/// power may have lost what is in it, and that must not keep the cluster down.
pub(crate) fn last(path: &Path) -> Option<Record> {
    load(path).ok().flatten()
}

pub(crate) fn load<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    files::read(path)?
        .map(|content| {
            serde_json::from_slice(&content).map_err(|source| Error::Damaged {
                path: path.to_owned(),
                source,
            })
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_is_damaged_is_an_error_and_no_reason_to_stay_down() {
        let path = std::env::temp_dir().join(format!("longrun-record-{}", std::process::id()));
        assert!(load::<Record>(&path).unwrap().is_none());
        files::write(&path, "{").unwrap();
        assert!(matches!(load::<Record>(&path), Err(Error::Damaged { .. })));
        assert!(last(&path).is_none());
        std::fs::remove_file(path).unwrap();
    }
}
