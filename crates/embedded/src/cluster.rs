//! A cluster by its name: up, down, and what it is doing.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::api::Api;
use crate::components::API_PORT;
use crate::network;
use crate::places::Directories;
use crate::record::{self, Entries, Record};
use crate::status::{self, LOG_END, Status, failing, is_settled};
use crate::{Error, Places, cgroups, files, images, preflight, programs, start, storage, wait};

/// Is told what is being done, each time that changes.
pub type Report<'report> = &'report dyn Fn(&str);

/// Without any change of a component for so long, a start has failed. On a
/// machine that compiles something at the same time a step can take a minute.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long components and containers together may take to end.
const STOP_PATIENCE: Duration = Duration::from_secs(45);
/// How long the kernel may take to remove what ended processes used.
const KERNEL_PATIENCE: Duration = Duration::from_secs(20);

/// An embedded cluster, running or not.
#[derive(Debug, Clone)]
pub struct Cluster {
    name: String,
    directories: Directories,
    supervisor: Option<PathBuf>,
}

/// A cluster that is ready for use.
#[derive(Debug, Clone)]
pub struct Up {
    /// False when it was running already.
    pub started: bool,
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// The UID of the namespace `kube-system`, by which a cluster is known.
    pub kube_system_uid: String,
}

impl Cluster {
    /// The cluster of this name; starts nothing. Its node has the same name.
    ///
    /// # Errors
    /// [`Error::Name`] unless the name is a DNS label of at most 40 characters.
    pub fn open(name: &str, places: &Places) -> Result<Self, Error> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_label = !name.starts_with('-') && !name.ends_with('-') && name.bytes().all(allowed);
        if !is_label || name.is_empty() || name.len() > 40 {
            return Err(Error::Name(name.into()));
        }
        Ok(Self {
            name: name.into(),
            directories: Directories::new(places, name),
            supervisor: None,
        })
    }

    /// Supervises with `program`, whose `main` begins with
    /// [`crate::supervise_main`], instead of with the running one.
    #[must_use]
    pub fn with_supervisor(self, program: impl Into<PathBuf>) -> Self {
        Self {
            supervisor: Some(program.into()),
            ..self
        }
    }

    /// Starts the cluster unless it runs, and waits until its node is ready.
    /// Interrupted at any point, it goes on from there when called again.
    ///
    /// # Errors
    /// What the machine lacks, before anything is changed; a component that
    /// keeps failing, with the end of its log, after everything that this call
    /// started has been stopped again.
    pub fn up(&self, report: Report<'_>) -> Result<Up, Error> {
        preflight::linux()?;
        preflight::root()?;
        let _lock = self.lock(report)?;
        let started = self.record()?.is_none();
        if started {
            preflight::machine(&self.directories)?;
            let programs = programs::ensure(&self.directories.programs, report)?;
            report("starting the cluster");
            self.remove_leftovers()?;
            self.start(programs).inspect_err(|_| self.undo(report))?;
        }
        match self.await_ready(report) {
            Ok(kube_system_uid) => {
                files::write(&self.directories.identity(), &kube_system_uid)?;
                Ok(Up {
                    started,
                    kubeconfig: self.directories.kubeconfig(),
                    kube_system_uid,
                })
            }
            Err(error) => {
                if started {
                    self.undo(report);
                }
                Err(error)
            }
        }
    }

    /// The administrator's kubeconfig, where [`Self::up`] leaves it.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.directories.kubeconfig()
    }

    /// The UID of `kube-system` while the cluster runs, ready or not. It reads two small files;
    /// [`Self::status`] adds up the memory of every process and the disk use of every file.
    ///
    /// # Errors
    /// When the cluster's records cannot be read.
    pub fn running_uid(&self) -> Result<Option<String>, Error> {
        match self.record()? {
            Some(_) => self.identity(),
            None => Ok(None),
        }
    }

    /// What runs, and how it does.
    ///
    /// # Errors
    /// When the cluster's records cannot be read.
    pub fn status(&self) -> Result<Status, Error> {
        let running = match self.record()? {
            Some(record) => {
                // There are none in the moment before the first component starts.
                let entries = self.entries()?.unwrap_or_else(Entries::none_yet);
                Some(status::running(&self.directories, &record, &entries))
            }
            None => None,
        };
        Ok(Status {
            running,
            kube_system_uid: self.identity()?,
            state: self.directories.state.clone(),
            disk: files::disk_use(&self.directories.state),
            kubeconfig: self.directories.kubeconfig(),
        })
    }

    /// Stops everything and removes all traces but the data, and that too if
    /// `delete_data`. Returns whether anything ran.
    ///
    /// # Errors
    /// [`Error::Left`] when something of it does not go away.
    pub fn down(&self, delete_data: bool, report: Report<'_>) -> Result<bool, Error> {
        preflight::linux()?;
        if !self.directories.state.exists() {
            return Ok(false);
        }
        preflight::root()?;
        let _lock = self.lock(report)?;
        let ran = self.record()?.is_some();
        if ran {
            report("stopping pods and components");
        }
        self.stop()?;
        if delete_data {
            report("deleting the data");
            files::remove(&self.directories.state)?;
            files::remove(&self.directories.cache)?;
        }
        Ok(ran)
    }

    /// Imports the images of an archive, as `docker save` and `buildah push
    /// docker-archive:` write it. They are never removed for lack of space.
    ///
    /// # Errors
    /// [`Error::NotRunning`], or [`Error::Command`] with what was wrong with it.
    pub fn import_image(&self, archive: &Path) -> Result<(), Error> {
        images::import(self.running_record()?.supervisor, archive)
    }

    /// The full references of all images that are there, `docker.io/library/…`
    /// included.
    ///
    /// # Errors
    /// [`Error::NotRunning`], or [`Error::Command`].
    pub fn images(&self) -> Result<BTreeSet<String>, Error> {
        images::references(self.running_record()?.supervisor)
    }

    /// The texts of the three custom resource definitions for snapshots, in the
    /// version that the running controllers were built for.
    ///
    /// # Errors
    /// [`Error::NotRunning`], or [`Error::File`].
    pub fn snapshot_crds(&self) -> Result<Vec<String>, Error> {
        programs::snapshot_definitions(&self.running_record()?.programs)
    }

    fn start(&self, programs: PathBuf) -> Result<(), Error> {
        let supervisor = self.supervisor.as_deref();
        start::start(&self.name, &self.directories, supervisor, programs)
    }

    /// Stops what a start that failed has begun.
    fn undo(&self, report: Report<'_>) {
        report("stopping what was started");
        // The first error is the one that says why.
        let _ = self.stop();
    }

    fn lock(&self, report: Report<'_>) -> Result<std::fs::File, Error> {
        files::lock(&self.directories.lock(), || {
            report("waiting for another command that starts or stops this cluster");
        })
    }

    /// The record of the running cluster; nothing when it does not run,
    /// whatever the file says.
    fn record(&self) -> Result<Option<Record>, Error> {
        let lock = self.directories.supervisor_lock();
        if !lock.exists() || files::try_lock(&lock)?.is_some() {
            return Ok(None);
        }
        record::load(&self.directories.record())
    }

    fn running_record(&self) -> Result<Record, Error> {
        self.record()?
            .ok_or_else(|| Error::NotRunning(self.name.clone()))
    }

    fn identity(&self) -> Result<Option<String>, Error> {
        let identity = files::read(&self.directories.identity())?;
        Ok(identity.map(|uid| String::from_utf8_lossy(&uid).into_owned()))
    }

    fn entries(&self) -> Result<Option<Entries>, Error> {
        record::load(&self.directories.components())
    }

    /// Waits for the components, then for the node, and returns the UID of
    /// kube-system.
    fn await_ready(&self, report: Report<'_>) -> Result<String, Error> {
        let mut told = String::new();
        let mut last_change = Instant::now();
        let mut seen = None;
        loop {
            let Some(record) = self.record()? else {
                let log = self.directories.log("supervisor");
                let tail = files::tail(&log, LOG_END);
                return Err(Error::SupervisorEnded { log, tail });
            };
            let entries = self.entries()?;
            let waits_for = match &entries {
                Some(entries) => self.not_ready(&record, entries)?,
                None => Err("the supervisor".into()),
            };
            let what = match waits_for {
                Ok(uid) => return Ok(uid),
                Err(what) => what,
            };
            if what != told {
                report(&format!("waiting for {what}"));
                told.clone_from(&what);
            }
            if entries != seen {
                seen = entries;
                last_change = Instant::now();
            } else if last_change.elapsed() > PATIENCE {
                return Err(self.stuck(what, seen.as_ref()));
            }
            std::thread::sleep(wait::PAUSE);
        }
    }

    /// The UID of kube-system, or what is not ready yet.
    fn not_ready(
        &self,
        record: &Record,
        entries: &Entries,
    ) -> Result<Result<String, String>, Error> {
        if let Some(error) = failing(&self.directories, entries) {
            return Err(error);
        }
        let mut unsettled: Vec<&str> = entries
            .components
            .iter()
            .filter(|entry| !is_settled(entry, entries))
            .map(|entry| entry.name.as_str())
            .collect();
        if unsettled.len() > 3 {
            let others = unsettled.len() - 2;
            unsettled.truncate(2);
            return Ok(Err(format!("{} and {others} others", unsettled.join(", "))));
        }
        if !unsettled.is_empty() {
            return Ok(Err(unsettled.join(", ")));
        }
        let address = SocketAddr::from((record.subnet.node(), API_PORT));
        let api = Api::new(address, &self.directories.keys())?;
        Ok(node_ready(&api, &self.name, entries.since).ok_or_else(|| "the node".into()))
    }

    fn stuck(&self, what: String, entries: Option<&Entries>) -> Error {
        let first = entries.and_then(|entries| {
            entries
                .components
                .iter()
                .find(|entry| !is_settled(entry, entries))
        });
        let name = first.map_or("kubelet", |entry| entry.name.as_str());
        let log = self.directories.log(name);
        Error::NotReady {
            cluster: self.name.clone(),
            what,
            seconds: PATIENCE.as_secs(),
            logs: self.directories.logs(),
            tail: format!(
                "; the end of {}:\n{}",
                log.display(),
                files::tail(&log, LOG_END)
            ),
        }
    }

    fn stop(&self) -> Result<(), Error> {
        if let Some(record) = self.record()? {
            record.supervisor.signal(Signal::SIGTERM);
            if !wait::until(STOP_PATIENCE, || !record.outer.is_alive()) {
                record.outer.signal(Signal::SIGKILL);
            }
        }
        self.remove_leftovers()
    }

    /// Removes what a cluster that does not run any more, however it ended,
    /// may have left on the machine.
    fn remove_leftovers(&self) -> Result<(), Error> {
        let Some(record) = record::last(&self.directories.record()) else {
            cgroups::remove(&self.name);
            return Ok(());
        };
        let mut left = String::new();
        let gone = wait::until(KERNEL_PATIENCE, || match self.leftover(&record) {
            Some(what) => {
                left = what;
                false
            }
            None => true,
        });
        if !gone {
            return Err(Error::Left {
                cluster: self.name.clone(),
                what: left,
                seconds: KERNEL_PATIENCE.as_secs(),
            });
        }
        files::remove(&self.directories.components())
    }

    /// Something that is still there.
    fn leftover(&self, record: &Record) -> Option<String> {
        for process in [record.supervisor, record.outer] {
            if process.is_alive() {
                process.signal(Signal::SIGKILL);
                return Some(format!("process {}", process.pid));
            }
        }
        let owner = &self.directories.state;
        network::disconnect(record.subnet, owner);
        if network::is_connected(record.subnet, owner) {
            return Some(format!("the network device {}", record.subnet.device()));
        }
        let image = self.directories.volumes();
        if let Some(device) = storage::loop_devices(&image).unwrap_or_default().pop() {
            storage::detach(&device);
            return Some(format!("the loop device {device}"));
        }
        cgroups::remove(&self.name).map(|path| format!("the cgroup {}", path.display()))
    }
}

/// The UID of kube-system, once the node has been ready since the start: right
/// after it, the API server still knows the node as it was before.
fn node_ready(api: &Api, node: &str, since: u64) -> Option<String> {
    let node = api.get(&format!("/api/v1/nodes/{node}")).ok()?.json();
    let ready = node["status"]["conditions"]
        .as_array()?
        .iter()
        .find(|condition| condition["type"] == "Ready")?;
    let heartbeat: jiff::Timestamp = ready["lastHeartbeatTime"].as_str()?.parse().ok()?;
    let is_new = u64::try_from(heartbeat.as_second()).is_ok_and(|seconds| seconds >= since);
    if ready["status"] != "True" || !is_new {
        return None;
    }
    let namespace = api.get("/api/v1/namespaces/kube-system").ok()?.json();
    Some(namespace["metadata"]["uid"].as_str()?.to_owned())
}
