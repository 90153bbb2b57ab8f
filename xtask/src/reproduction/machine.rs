//! A Restate node and the verification service as processes of this machine. None outlives
//! a command that ends by itself or by a signal that it hears.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use longrun_program::{ProgramId, kills::Victim};
use longrun_restate::{
    Origin,
    process::{Options, Server},
};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::Instant,
};

use super::place::Listening;
use crate::failure::Failure;

/// How long a node may take to start, or to come back after a kill.
const START: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(50);

/// What is run, the same for all machines of a command.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) server: PathBuf,
    /// Further settings of the server.
    pub(crate) settings: BTreeMap<String, String>,
    /// The program of this project.
    pub(crate) verification: PathBuf,
    /// What serves, without addresses: `verification serve`, or a faulty service.
    pub(crate) service: Vec<OsString>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) whole: Duration,
    /// While nothing moves.
    pub(crate) still: Duration,
}

/// A running node with its service, registered. Dropping it kills both.
#[derive(Debug)]
pub(crate) struct Machine {
    programs: Arc<Programs>,
    directory: PathBuf,
    listening: Listening,
    server: Server,
    service: Child,
}

impl Machine {
    /// Starts both in a directory, which is empty, and makes the node know the service.
    pub(crate) async fn start(
        programs: &Arc<Programs>,
        directory: &Path,
        listening: Listening,
    ) -> Result<Self, Failure> {
        let server = Server::start(Options {
            binary: programs.server.clone(),
            base: directory.join("restate"),
            // As in the clusters: the data is in `restate/db`.
            node: "db".into(),
            log: directory.join("restate.log"),
            ports: listening.node,
            settings: programs.settings.clone(),
        })
        .map_err(|error| Failure::half_way(Failure::chain(&error)))?;
        let service = serve(programs, directory, listening)?;
        let mut machine = Self {
            programs: Arc::clone(programs),
            directory: directory.to_path_buf(),
            listening,
            server,
            service,
        };
        machine
            .recovered(Victim::Node)
            .await
            .map_err(Failure::half_way)?;
        machine
            .recovered(Victim::Service)
            .await
            .map_err(Failure::half_way)?;
        machine.register().await?;
        Ok(machine)
    }

    async fn register(&self) -> Result<(), Failure> {
        let deployment = Origin::local(self.listening.service).to_string();
        let arguments = ["discover", "--wait", "60s", "--deployment", &deployment];
        let output = self
            .command(&arguments)
            .output()
            .await
            .map_err(|error| unstartable(&error))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Failure::half_way(format!(
            "the service could not be registered: {}",
            String::from_utf8_lossy(&output.stdout).trim()
        )))
    }

    /// Begins to execute and verify a program.
    pub(crate) fn test(&self, program: &ProgramId, patience: Patience) -> Result<Child, Failure> {
        let seconds = |duration: Duration| format!("{}s", duration.as_secs());
        let arguments = [
            "test",
            &program.to_string(),
            "--patience",
            &seconds(patience.whole),
            "--deadline",
            &seconds(patience.whole * 2),
            "--settled",
            &seconds(patience.still),
        ];
        self.command(&arguments)
            .spawn()
            .map_err(|error| unstartable(&error))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let local = |port| Origin::local(port).to_string();
        let mut command = Command::new(&self.programs.verification);
        command
            .args(arguments)
            .env("RESTATE_INGRESS", local(self.listening.node.ingress))
            .env("RESTATE_ADMIN", local(self.listening.node.admin))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }

    /// Kills a process as a power cut would, and starts it again at once.
    pub(crate) async fn kill(&mut self, victim: Victim) -> Result<(), Failure> {
        match victim {
            Victim::Node => self
                .server
                .crash()
                .await
                .map_err(|error| Failure::half_way(Failure::chain(&error))),
            Victim::Service => {
                self.service
                    .kill()
                    .await
                    .map_err(|error| unstartable(&error))?;
                self.service = serve(&self.programs, &self.directory, self.listening)?;
                Ok(())
            }
        }
    }

    /// Waits until a process that was started is at work; or why it is not.
    pub(crate) async fn recovered(&mut self, victim: Victim) -> Result<(), String> {
        match victim {
            Victim::Node => {
                let ready = self.server.ready(START).await;
                ready.map_err(|error| Failure::chain(&error))
            }
            Victim::Service => {
                let until = Instant::now() + START;
                while TcpStream::connect(("127.0.0.1", self.listening.service))
                    .await
                    .is_err()
                {
                    if let Some(ended) = self.ended() {
                        return Err(ended);
                    }
                    if Instant::now() > until {
                        return Err("the service does not listen".into());
                    }
                    tokio::time::sleep(POLL).await;
                }
                Ok(())
            }
        }
    }

    /// Whether both are, or come back to be, at work.
    pub(crate) async fn is_at_work(&mut self) -> bool {
        self.recovered(Victim::Node).await.is_ok() && self.recovered(Victim::Service).await.is_ok()
    }

    /// Which process ended by itself, and how.
    pub(crate) fn ended(&mut self) -> Option<String> {
        if let Some(status) = self.server.ended() {
            return Some(format!("restate-server ended by itself: {status}"));
        }
        let status = self.service.try_wait().ok().flatten()?;
        Some(format!("the service ended by itself: {status}"))
    }

    /// Ends both and waits until they are gone, so that their directory stands still.
    pub(crate) async fn end(mut self) {
        // What cannot be signalled is gone already.
        let _ = self.service.kill().await;
        let _ = self.server.kill().await;
    }
}

fn serve(programs: &Programs, directory: &Path, listening: Listening) -> Result<Child, Failure> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(directory.join("service.log"))
        .map_err(|error| unstartable(&error))?;
    let local = |port: u16| format!("127.0.0.1:{port}");
    let (program, arguments) = programs
        .service
        .split_first()
        .ok_or_else(|| Failure::refused("no service was named"))?;
    Command::new(program)
        .args(arguments)
        .args(["--listen", &local(listening.service)])
        .args(["--health", &local(listening.health)])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| unstartable(&error))
}

fn unstartable(error: &io::Error) -> Failure {
    Failure::half_way(format!("a process cannot be run: {error}"))
}
