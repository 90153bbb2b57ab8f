//! A command in a container, over a WebSocket: its streams, and how it ended.
//!
//! A connection that breaks looks like a command that has said all (kubernetes #124571): only a status is an end,
//! and whoever reads has to know by the content whether it is whole.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use k8s_openapi::{
    api::core::v1::Pod,
    apimachinery::pkg::apis::meta::v1::{Status, StatusCause},
};
use kube::{
    Api,
    api::{AttachParams, AttachedProcess},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, ReadHalf, SimplexStream, WriteHalf},
    task::JoinHandle,
};

use crate::{client::Client, failure::Failure, silence::Silence};

/// How long it may take until the command runs.
const PATIENCE: Duration = Duration::from_secs(20);

/// How much of what the command says is under way: less, and each piece waits for its reader. The default is 1 KiB
/// (kube 5.0).
const UNDER_WAY: usize = 1 << 20;

/// How much of what it says on stderr is kept: the end, which is where programs say why.
const SAID: usize = 4 << 10;

/// A command that runs in a container. Dropped, it is left alone: its streams break off.
pub struct Exec {
    process: AttachedProcess,
    status: BoxFuture<'static, Option<Status>>,
    said: JoinHandle<Vec<u8>>,
}

/// How a command ended that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// With a code.
    #[error("the command ended with exit code {code}{}", quoted(.said))]
    Code {
        /// The code.
        code: i32,
        /// The end of what it said on stderr.
        said: String,
    },
    /// It was not run, or not to its end.
    #[error("the command was not run, or not to its end: {cause}{}", quoted(.said))]
    NotRun {
        /// In the API server's words.
        cause: String,
        /// The end of what it said on stderr.
        said: String,
    },
    /// Nobody said how.
    #[error("the connection ended without a word on how the command did{}", quoted(.said))]
    Unknown {
        /// The end of what it said on stderr.
        said: String,
    },
}

fn quoted(said: &str) -> String {
    match said.trim() {
        "" => String::new(),
        said => format!("; it said: {said}"),
    }
}

impl Client {
    /// Runs a command in a container of a pod that runs.
    ///
    /// # Errors
    /// When the API server does not let it, or does not answer.
    pub async fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        command: &[&str],
    ) -> Result<(Stdin, Stdout, Exec), Failure> {
        let asked = format!("run {} in {namespace}/{pod}/{container}", command.join(" "));
        let pods: Api<Pod> = Api::namespaced(self.upgradable(&asked)?, namespace);
        let how = AttachParams::default()
            .container(container)
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .max_stdin_buf_size(UNDER_WAY)
            .max_stdout_buf_size(UNDER_WAY);
        let process = pods.exec(pod, command.iter().copied(), &how);
        let process = tokio::time::timeout(PATIENCE, process)
            .await
            .map_err(|_| Failure::late(asked.clone(), self.server(), PATIENCE.as_secs()))?
            .map_err(|error| Failure::of(asked.clone(), self.server(), error))?;
        Exec::of(process).ok_or_else(|| Failure::Unreadable {
            asked,
            cause: "it has no streams".to_owned(),
        })
    }
}

impl Exec {
    fn of(mut process: AttachedProcess) -> Option<(Stdin, Stdout, Self)> {
        let (stdin, stdout, stderr) = (process.stdin()?, process.stdout()?, process.stderr()?);
        let status = process.take_status()?.boxed().shared();
        let stdout = Stdout {
            bytes: stdout,
            status: Some(status.clone().boxed()),
            broken: false,
            silence: Silence::default(),
        };
        let exec = Self {
            process,
            status: status.boxed(),
            // Nobody else reads it, and one full pipe stops the others.
            said: tokio::spawn(last(stderr)),
        };
        Some((Stdin(stdin), stdout, exec))
    }

    /// Waits for the command's end, for so long at most. Whoever has not read all of its stdout waits in vain.
    ///
    /// # Errors
    /// [`Ended`], unless there is a status, and it is success.
    pub async fn end(self, patience: Duration) -> Result<(), Ended> {
        let status = tokio::time::timeout(patience, self.status).await;
        self.process.abort();
        let said = tokio::time::timeout(patience, self.said).await;
        let said = said.ok().and_then(Result::ok).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        let Ok(Some(status)) = status else {
            return Err(Ended::Unknown { said });
        };
        if status.status.as_deref() == Some("Success") {
            return Ok(());
        }
        match exit_code(&status) {
            Some(code) => Err(Ended::Code { code, said }),
            None => {
                let cause = status.message.unwrap_or_default();
                Err(Ended::NotRun { cause, said })
            }
        }
    }
}

/// As the kubelet has it (Kubernetes 1.36: reason `NonZeroExitCode`, a cause `ExitCode`).
fn exit_code(status: &Status) -> Option<i32> {
    let causes = status.details.as_ref()?.causes.as_ref()?;
    let is_code = |cause: &&StatusCause| cause.reason.as_deref() == Some("ExitCode");
    causes.iter().find(is_code)?.message.as_ref()?.parse().ok()
}

/// The end of a stream, when it has ended.
async fn last(mut stream: ReadHalf<SimplexStream>) -> Vec<u8> {
    let mut said = Vec::new();
    let mut piece = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut piece).await {
        said.extend_from_slice(&piece[..count]);
        said.drain(..said.len().saturating_sub(SAID));
    }
    said
}

/// What the command reads. Dropped, it has ended.
pub struct Stdin(WriteHalf<SimplexStream>);

impl AsyncWrite for Stdin {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// A pipe of which only one half is dropped stays open (tokio 1: `simplex`). To close it never waits.
impl Drop for Stdin {
    fn drop(&mut self) {
        let _ = Pin::new(&mut self.0).poll_shutdown(&mut Context::from_waker(Waker::noop()));
    }
}

/// What the command says. Its end is only the end of a command whose status is success.
pub struct Stdout {
    bytes: ReadHalf<SimplexStream>,
    /// Until it is there, or never will be.
    status: Option<BoxFuture<'static, Option<Status>>>,
    /// Whoever fills the pipe has gone, and left it open.
    broken: bool,
    silence: Silence,
}

impl AsyncRead for Stdout {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(status) = &mut this.status
            && let Poll::Ready(known) = status.poll_unpin(context)
        {
            this.status = None;
            this.broken = known.is_none();
        }
        // After the look at the status: what was written before the break counts.
        if let Poll::Ready(read) = Pin::new(&mut this.bytes).poll_read(context, buffer) {
            this.silence.broken();
            return Poll::Ready(read);
        }
        if this.broken {
            let broken = io::Error::new(io::ErrorKind::ConnectionAborted, "it broke off");
            return Poll::Ready(Err(broken));
        }
        Poll::Ready(Err(ready!(this.silence.poll(context))))
    }
}

#[cfg(test)]
mod tests;
