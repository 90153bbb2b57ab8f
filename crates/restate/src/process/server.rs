//! One server process on ports and a directory of its own, and the ways to end it.

use super::ports::Ports;
use crate::admin::Admin;
use crate::error::Error;
use crate::ingress::Ingress;
use crate::metrics::{Leaders, Node};
use crate::origin::Origin;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// How often a condition of the process is looked at.
const POLL: Duration = Duration::from_millis(100);
/// How long the clients of a server wait for an answer.
const REQUEST: Duration = Duration::from_secs(10);

/// How much of a log's end is read, in bytes.
const LAST: u64 = 4000;

/// How a server is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The executable, from [`install`](super::install).
    pub binary: PathBuf,
    /// Its base directory; the data is below `<base>/<node name>`.
    pub base: PathBuf,
    /// Name of the node; a data directory opens only with its own.
    pub node: String,
    /// Where its output is appended to.
    pub log: PathBuf,
    /// Where it listens.
    pub ports: Ports,
    /// Further settings of Restate, by environment variable; they go before those made here.
    pub settings: BTreeMap<String, String>,
}

/// A running server. Dropping it kills the process.
#[derive(Debug)]
pub struct Server {
    options: Options,
    child: Child,
}

impl Server {
    /// Starts the process; it may not answer yet, see [`Server::ready`].
    ///
    /// # Errors
    /// [`Error::Process`] when it cannot be started.
    pub fn start(options: Options) -> Result<Self, Error> {
        let failed = |source| Error::Process {
            reason: "cannot be started".to_owned(),
            log: options.log.clone(),
            source: Some(source),
        };
        std::fs::create_dir_all(&options.base).map_err(failed)?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&options.log)
            .map_err(failed)?;
        let errors = log.try_clone().map_err(failed)?;
        let Ports {
            ingress,
            admin,
            node,
        } = options.ports;
        let local = |port| format!("127.0.0.1:{port}");
        let child = Command::new(&options.binary)
            // Nothing of the caller's environment may configure it.
            .env_clear()
            .env("DO_NOT_TRACK", "1")
            // Its sockets are below, and their paths may have 107 bytes at most (Linux: `sun_path`).
            .current_dir(&options.base)
            .env("RESTATE_BASE_DIR", ".")
            // What it spills it leaves behind when it is killed.
            .env("TMPDIR", ".")
            .env("RESTATE_NODE_NAME", &options.node)
            .env("RESTATE_CLUSTER_NAME", "longrun")
            .env("RESTATE_LOG_FORMAT", "json")
            .env("RESTATE_BIND_ADDRESS", local(node))
            .env(
                "RESTATE_ADVERTISED_ADDRESS",
                format!("http://{}", local(node)),
            )
            .env("RESTATE_INGRESS__BIND_ADDRESS", local(ingress))
            .env("RESTATE_ADMIN__BIND_ADDRESS", local(admin))
            .env("RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE", "256MB")
            .env("RESTATE_ADMIN__QUERY_ENGINE__MEMORY_SIZE", "128MB")
            .env("RESTATE_DEFAULT_NUM_PARTITIONS", "4")
            .envs(&options.settings)
            // Ctrl-C at a terminal is for whoever started it, who ends it in order.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        Ok(Self { options, child })
    }

    /// A client of its ingress.
    #[must_use]
    pub fn ingress(&self) -> Ingress {
        Ingress::new(Origin::local(self.options.ports.ingress))
    }

    /// A client of its admin interface.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin::new(Origin::local(self.options.ports.admin), REQUEST)
    }

    /// A client of its metrics.
    #[must_use]
    pub fn node(&self) -> Node {
        Node::new(Origin::local(self.options.ports.node), REQUEST)
    }

    /// How it is run, to start it again.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Waits until every partition has a leader and the admin interface and ingress answer.
    ///
    /// # Errors
    /// [`Error::Process`] when the process ends instead or takes longer than `within`.
    pub async fn ready(&mut self, within: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + within;
        let (admin, node) = (self.admin(), self.node());
        let ingress = Origin::local(self.options.ports.ingress);
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                let words = last_words(&self.options.log);
                let words = words.map(|words| format!(", {words}")).unwrap_or_default();
                return Err(self.error(format!("ended while starting: {status}{words}")));
            }
            let led = node.leaders().await.is_ok_and(Leaders::complete);
            if led && admin.health().await.is_ok() && health_of_ingress(&ingress).await.is_ok() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(self.error(format!("has not become ready within {within:?}")));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// How the process ended, if it has.
    #[must_use]
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Kills the process as a power cut would, and waits until it is gone.
    ///
    /// # Errors
    /// When the process cannot be signalled.
    pub async fn kill(mut self) -> Result<Options, Error> {
        self.child
            .kill()
            .await
            .map_err(|source| self.refused("cannot be killed", source))?;
        Ok(self.options)
    }

    /// Kills the process as a power cut would, waits until it is gone, and starts it again; it may
    /// not answer yet, see [`Server::ready`].
    ///
    /// # Errors
    /// When the process cannot be signalled, or not be started again.
    pub async fn crash(&mut self) -> Result<(), Error> {
        let killed = self.child.kill().await;
        killed.map_err(|source| self.refused("cannot be killed", source))?;
        *self = Self::start(self.options.clone())?;
        Ok(())
    }

    /// Asks the process to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// [`Error::Process`] when it does not end within the time; it is then killed.
    pub async fn stop(mut self, within: Duration) -> Result<ExitStatus, Error> {
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            kill(Pid::from_raw(id), Signal::SIGTERM)
                .map_err(|error| self.refused("cannot be signalled", error.into()))?;
        }
        match tokio::time::timeout(within, self.child.wait()).await {
            Ok(status) => status.map_err(|source| self.refused("cannot be waited for", source)),
            Err(_) => Err(self.error(format!("has not ended within {within:?} of SIGTERM"))),
        }
    }

    fn error(&self, reason: String) -> Error {
        Error::Process {
            reason,
            log: self.options.log.clone(),
            source: None,
        }
    }

    /// The operating system said no.
    fn refused(&self, what: &str, source: std::io::Error) -> Error {
        Error::Process {
            reason: what.to_owned(),
            log: self.options.log.clone(),
            source: Some(source),
        }
    }
}

/// Why a server did not start, as its log ends.
fn last_words(log: &Path) -> Option<String> {
    let mut file = File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST)))
        .ok()?;
    let mut end = Vec::new();
    file.read_to_end(&mut end).ok()?;
    let end = String::from_utf8_lossy(&end);
    let mut lines = end.lines().rev();
    lines.find_map(|line| cause(line.trim()))
}

/// What went wrong, if a line of a log is about that.
fn cause(line: &str) -> Option<String> {
    match serde_json::from_str::<serde_json::Value>(line) {
        Ok(logged) => logged["fields"]["error"].as_str().map(str::to_owned),
        // What it says before and after it logs.
        Err(_) => (!line.is_empty()).then(|| line.to_owned()),
    }
}

async fn health_of_ingress(origin: &Origin) -> Result<(), Error> {
    crate::http::Call::get(origin, "/restate/health", Duration::from_secs(2))
        .send()
        .await
        .map(drop)
}
