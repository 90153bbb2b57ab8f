//! What is told about a cluster to whoever asks.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::places::Directories;
use crate::processes::memory;
use crate::record::{Entries, Entry, Kind, Record, State};
use crate::{Error, files};

/// How many lines of a log are shown.
pub(crate) const LOG_END: usize = 15;

/// A cluster at this moment.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// What runs, or nothing when the cluster is down.
    pub running: Option<Running>,
    /// The UID of the namespace `kube-system`, by which a cluster is known; nothing
    /// before it was first up.
    pub kube_system_uid: Option<String>,
    /// Where its data is, also when it is down.
    pub state: PathBuf,
    /// Bytes of disk that the data takes.
    pub disk: u64,
    /// The administrator's kubeconfig, where `up` leaves it.
    pub kubeconfig: PathBuf,
}

/// A running cluster.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// When it was started.
    pub since: SystemTime,
    /// The address of the node and of the API server.
    pub address: Ipv4Addr,
    /// Bytes of memory of all its processes, pods included; pages that several
    /// processes share are counted once.
    pub memory: u64,
    /// Its components, in the order in which they start.
    pub components: Vec<ComponentStatus>,
}

/// One component of a running cluster.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentStatus {
    /// Its name, also that of its log.
    pub name: String,
    /// `running`, or what else it is doing: one phrase for people.
    pub state: String,
    /// Whether that is as it should be; waiting for the snapshot definitions
    /// to be installed is.
    pub healthy: bool,
    /// Its process on this machine, while there is one.
    pub pid: Option<u32>,
    /// How often it ended and was started again since the cluster is up.
    pub restarts: u32,
    /// How its last process ended.
    pub last_exit: Option<String>,
    /// Bytes of memory of its process.
    pub memory: u64,
    /// Its log.
    pub log: PathBuf,
    /// The last lines of its log while it is not as it should be.
    pub log_end: Option<String>,
}

/// What runs, from the two records and /proc.
pub(crate) fn running(directories: &Directories, record: &Record, entries: &Entries) -> Running {
    let members: HashMap<i32, i32> = record.supervisor.namespace_members().into_iter().collect();
    let memories: HashMap<i32, u64> = members.values().map(|pid| (*pid, memory(*pid))).collect();
    let components = entries
        .components
        .iter()
        .filter(|entry| entry.kind == Kind::Service)
        .map(|entry| {
            let pid = entry.pid.and_then(|inner| members.get(&inner)).copied();
            let log = directories.log(&entry.name);
            let healthy = is_settled(entry, entries);
            ComponentStatus {
                name: entry.name.clone(),
                state: phrase(entry),
                healthy,
                pid: pid.and_then(|pid| u32::try_from(pid).ok()),
                restarts: entry.restarts,
                last_exit: entry.last_exit.clone(),
                memory: pid.and_then(|pid| memories.get(&pid)).copied().unwrap_or(0),
                log_end: (!healthy).then(|| files::tail(&log, LOG_END)),
                log,
            }
        })
        .collect();
    Running {
        since: UNIX_EPOCH + Duration::from_secs(entries.since),
        address: record.subnet.node(),
        memory: memories.values().sum(),
        components,
    }
}

/// Whether `up` need not wait for it any longer: it runs, it is done, or only
/// the user can do what it waits for.
pub(crate) fn is_settled(entry: &Entry, entries: &Entries) -> bool {
    match entry.state {
        State::Running | State::Done => true,
        State::Waiting => entry.waits_for.iter().any(|name| {
            entries
                .components
                .iter()
                .any(|other| other.name == *name && is_unmet(other))
        }),
        State::Starting => is_unmet(entry),
        State::Restarting | State::Failing => false,
    }
}

/// A condition that was looked at and not found.
fn is_unmet(entry: &Entry) -> bool {
    entry.kind == Kind::Condition && entry.state == State::Starting && entry.waits_for.is_some()
}

fn phrase(entry: &Entry) -> String {
    let waits_for = entry.waits_for.as_deref().unwrap_or("its turn");
    match entry.state {
        State::Waiting => format!("waiting for {waits_for}"),
        State::Starting => "starting".into(),
        State::Running => "running".into(),
        State::Done => "done".into(),
        State::Restarting => "restarting".into(),
        State::Failing => format!("failing, {} times in a row", entry.exits),
    }
}

/// The error of a component that keeps failing, if there is one.
pub(crate) fn failing(directories: &Directories, entries: &Entries) -> Option<Error> {
    let entry = entries
        .components
        .iter()
        .find(|entry| entry.state == State::Failing)?;
    let log = directories.log(&entry.name);
    Some(Error::Component {
        component: entry.name.clone(),
        exits: entry.exits,
        outcome: entry.last_exit.clone().unwrap_or_default(),
        tail: files::tail(&log, LOG_END),
        log,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Subnet;
    use crate::processes::Process;

    fn entry(name: &str, state: State) -> Entry {
        Entry {
            name: name.into(),
            state,
            kind: Kind::Service,
            pid: None,
            restarts: 1,
            exits: 1,
            last_exit: Some("exit status 3".into()),
            waits_for: None,
        }
    }

    /// Snapshot definitions, which only the user can install.
    fn condition(looked_at: bool) -> Entry {
        Entry {
            kind: Kind::Condition,
            waits_for: looked_at.then(|| "the definitions".into()),
            ..entry("definitions", State::Starting)
        }
    }

    #[test]
    fn nothing_waits_for_what_only_the_user_can_do() {
        let waiting = |name: &str| Entry {
            waits_for: Some(name.into()),
            ..entry("snapshot-controller", State::Waiting)
        };
        let settled = |entry: Entry, looked_at| {
            let components = vec![condition(looked_at), waiting("etcd"), entry.clone()];
            is_settled(
                &entry,
                &Entries {
                    since: 0,
                    components,
                },
            )
        };
        assert!(settled(waiting("definitions"), true));
        assert!(!settled(waiting("definitions"), false), "it may be there");
        assert!(!settled(waiting("snapshot-controller"), true));
        assert!(settled(condition(true), true));
        assert!(!settled(condition(false), false));
        let mut starting = entry("etcd", State::Starting);
        assert!(!settled(starting.clone(), true));
        starting.waits_for = Some("its turn".into());
        assert!(!settled(starting, true), "it is not for the user to do");
    }

    #[test]
    fn a_component_that_keeps_failing_is_an_error() {
        let directories = Directories::of_state(std::path::Path::new("/nowhere"));
        let among = |state| {
            let components = vec![entry("etcd", State::Running), entry("coredns", state)];
            failing(
                &directories,
                &Entries {
                    since: 0,
                    components,
                },
            )
        };
        assert!(among(State::Restarting).is_none());
        let error = among(State::Failing).unwrap().to_string();
        assert!(
            error.contains("coredns") && error.contains("exit status 3"),
            "{error}"
        );
    }

    #[test]
    fn only_what_is_not_as_it_should_be_shows_its_log() {
        let state = std::env::temp_dir().join(format!("longrun-status-{}", std::process::id()));
        let directories = Directories::of_state(&state);
        for name in ["etcd", "coredns"] {
            files::write(&directories.log(name), "first\nlast\n").unwrap();
        }
        let me = Process::now(nix::unistd::Pid::this().as_raw()).unwrap();
        let record = Record {
            outer: me,
            supervisor: me,
            subnet: Subnet::first(),
            programs: PathBuf::new(),
        };
        let entries = Entries {
            since: 0,
            components: vec![
                entry("etcd", State::Running),
                entry("coredns", State::Restarting),
                condition(true),
            ],
        };
        let shown: Vec<Option<String>> = running(&directories, &record, &entries)
            .components
            .into_iter()
            .map(|component| component.log_end)
            .collect();
        assert_eq!(shown, [None, Some("  first\n  last".into())]);
        std::fs::remove_dir_all(state).unwrap();
    }
}
