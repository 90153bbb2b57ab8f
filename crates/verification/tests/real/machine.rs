//! A real Restate server and a real service as processes of this machine, for one test at a time.

use longrun_restate::process::{self, Options, Ports, Server};
use longrun_restate::{Admin, Ingress, Origin};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::future::Future;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard};

pub(crate) const VERIFICATION: &str = env!("CARGO_BIN_EXE_verification");
pub(crate) const FAULTY: &str = env!("CARGO_BIN_EXE_faulty-service");

/// Two cores run one server at a time.
static TURN: Mutex<()> = Mutex::const_new(());

pub(crate) struct Machine {
    pub(crate) directory: tempfile::TempDir,
    server: Option<Server>,
    stopped: Option<Options>,
    service: Option<Child>,
    service_ports: [u16; 2],
    _turn: MutexGuard<'static, ()>,
}

/// What a run of `verification` printed, and its exit code.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) lines: Vec<Value>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl Machine {
    /// A server with the released service, registered.
    pub(crate) async fn start() -> Self {
        Self::start_with(process::VERSION).await
    }

    /// The same with this version of the server.
    pub(crate) async fn start_with(version: &str) -> Self {
        let mut machine = Self::with_server(version).await;
        machine.start_service().await;
        machine.discover().await;
        machine
    }

    /// A server with a service that has a fault, registered.
    pub(crate) async fn start_faulty(fault: &str) -> Self {
        let mut machine = Self::with_server(process::VERSION).await;
        machine.start_faulty_service(fault).await;
        machine.discover().await;
        machine
    }

    async fn with_server(version: &str) -> Self {
        let turn = TURN.lock().await;
        let directory = tempfile::tempdir().unwrap();
        let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(
            || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"),
            PathBuf::from,
        );
        let binary = process::install(version, &cache, &|line| eprintln!("{line}")).unwrap();
        let mut server = Server::start(Options {
            binary,
            base: directory.path().join("restate"),
            node: "db".into(),
            log: directory.path().join("restate.log"),
            ports: Ports::free().unwrap(),
            settings: BTreeMap::new(),
        })
        .unwrap();
        server.ready(Duration::from_secs(60)).await.unwrap();
        let free = [0; 2].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
        let service_ports = free.map(|listener| listener.local_addr().unwrap().port());
        Self {
            directory,
            server: Some(server),
            stopped: None,
            service: None,
            service_ports,
            _turn: turn,
        }
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    pub(crate) fn ingress(&self) -> Ingress {
        self.server().ingress()
    }

    pub(crate) fn admin(&self) -> Admin {
        self.server().admin()
    }

    pub(crate) fn ports(&self) -> Ports {
        self.server().options().ports
    }

    pub(crate) async fn kill_server(&mut self) {
        self.stopped = Some(self.server.take().unwrap().kill().await.unwrap());
    }

    pub(crate) async fn restart_server(&mut self) {
        let mut server = Server::start(self.stopped.take().unwrap()).unwrap();
        server.ready(Duration::from_secs(90)).await.unwrap();
        self.server = Some(server);
    }

    pub(crate) async fn start_service(&mut self) {
        let mut command = Command::new(VERIFICATION);
        command.arg("serve");
        self.spawn_service(command).await;
    }

    pub(crate) async fn start_faulty_service(&mut self, fault: &str) {
        let mut command = Command::new(FAULTY);
        command.args(["--fault", fault]);
        self.spawn_service(command).await;
    }

    async fn spawn_service(&mut self, mut command: Command) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.directory.path().join("service.log"))
            .unwrap();
        let [services, health] = self.service_ports;
        let child = command
            .args(["--listen", &format!("127.0.0.1:{services}")])
            .args(["--health", &format!("127.0.0.1:{health}")])
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.service = Some(child);
        eventually(
            "the service is ready",
            Duration::from_secs(20),
            async || {
                get(health, "/ready")
                    .await
                    .is_some_and(|(status, _)| status == 200)
            },
        )
        .await;
    }

    pub(crate) fn health_port(&self) -> u16 {
        self.service_ports[1]
    }

    pub(crate) fn service_log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("service.log")).unwrap()
    }

    pub(crate) async fn kill_service(&mut self) {
        self.service.take().unwrap().kill().await.unwrap();
    }

    /// SIGTERM; its exit status, which must come within the drain of ten seconds.
    pub(crate) async fn terminate_service(&mut self) -> ExitStatus {
        let mut service = self.service.take().unwrap();
        terminate(&service);
        tokio::time::timeout(Duration::from_secs(12), service.wait())
            .await
            .unwrap()
            .unwrap()
    }

    pub(crate) async fn discover(&self) -> Ran {
        let deployment = Origin::local(self.service_ports[0]).to_string();
        let ran = self
            .run(&["discover", "--deployment", &deployment, "--wait", "30s"])
            .await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran
    }

    /// Runs `verification` against this server to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        ended(self.command(arguments).spawn().unwrap()).await
    }

    /// `verification` with these arguments against this server.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let ports = self.ports();
        let mut command = verification(arguments);
        command
            .env("RESTATE_INGRESS", Origin::local(ports.ingress).to_string())
            .env("RESTATE_ADMIN", Origin::local(ports.admin).to_string())
            .env("RESTATE_NODE", Origin::local(ports.node).to_string());
        command
    }
}

pub(crate) fn verification(arguments: &[&str]) -> Command {
    let mut command = Command::new(VERIFICATION);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub(crate) async fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().await.unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    Ran {
        lines: stdout
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect(),
        stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code(),
    }
}

pub(crate) fn terminate(child: &Child) {
    let id = i32::try_from(child.id().unwrap()).unwrap();
    kill(Pid::from_raw(id), Signal::SIGTERM).unwrap();
}

/// Waits for a condition; fails, naming it, when it does not come about in time.
pub(crate) async fn eventually<F: Future<Output = bool>>(
    what: &str,
    within: Duration,
    mut condition: impl FnMut() -> F,
) {
    let until = Instant::now() + within;
    while !condition().await {
        assert!(Instant::now() < until, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Status and body of a GET on this machine; none when nobody answers.
pub(crate) async fn get(port: u16, path: &str) -> Option<(u16, String)> {
    ask(port, "GET", path).await
}

/// Status and body of a request without a body on this machine; none when nobody answers.
pub(crate) async fn ask(port: u16, method: &str, path: &str) -> Option<(u16, String)> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .ok()?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
