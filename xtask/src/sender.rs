//! The sender of a copy, started, and the way on which its stream comes.

use std::time::Duration;

use longrun_core::operations::copy::{DirectTransfer, Source};
use longrun_kubernetes::{Client, Exec, Link, Stdin, Stdout, Visit};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use crate::{failure::Failure, operation::Operation};

/// The sender's stream, whatever way it comes.
pub(crate) type Stream = Box<dyn AsyncRead + Send + Unpin>;

pub(crate) struct Sender {
    /// Where it is told what is here.
    pub(crate) to: Stdin,
    pub(crate) from: Stream,
    pub(crate) links: Links,
}

/// Dropped, the streams break off.
pub(crate) struct Links {
    pub(crate) sender: Exec,
    _visit: Option<(Link, Stdout)>,
}

/// What the sender says when its door is open.
const OPEN: &[u8] = b"open\n";

const PATIENCE: Duration = Duration::from_secs(5);

impl Sender {
    /// By the short way, or else by `exec`, which is always there.
    pub(crate) async fn start(
        client: &Client,
        namespace: &str,
        source: &Source,
        operation: &Operation<'_>,
    ) -> Result<Self, Failure> {
        if let Some(door) = &source.door {
            match Self::at(door, client, namespace, source).await {
                Ok(sender) => return Ok(sender),
                Err(why) => operation.say(&format!("it takes longer by exec, since {why}")),
            }
        }
        let (to, from, sender) = run(client, namespace, source, &source.command).await?;
        Ok(Self {
            to,
            from: Box::new(from),
            links: Links {
                sender,
                _visit: None,
            },
        })
    }

    async fn at(
        door: &DirectTransfer,
        client: &Client,
        namespace: &str,
        source: &Source,
    ) -> Result<Self, String> {
        let secret = secret().map_err(|error| format!("there is no secret: {error}"))?;
        let started = run(client, namespace, source, &door.command).await;
        let (mut to, mut stdout, sender) = started.map_err(|failure| failure.message)?;
        let open = async {
            to.write_all(format!("{secret}\n").as_bytes()).await?;
            let mut said = [0; OPEN.len()];
            stdout.read_exact(&mut said).await?;
            Ok::<_, std::io::Error>(said == OPEN)
        };
        let opened = tokio::time::timeout(PATIENCE, open).await;
        let why = match opened {
            Ok(Ok(true)) => None,
            Ok(Ok(false)) => Some("it says something else".to_owned()),
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("it says nothing for {} s", PATIENCE.as_secs())),
        };
        if let Some(why) = why {
            let said = sender.end(PATIENCE).await.err();
            let said = said.map_or_else(String::new, |ended| format!(": {ended}"));
            return Err(format!("the sender opens no door: {why}{said}"));
        }
        let visit = client.visit(namespace, &source.pod, door.port, &secret);
        let (from, link): (Visit, Link) = visit.await.map_err(|error| error.to_string())?;
        Ok(Self {
            to,
            from: Box::new(from),
            links: Links {
                sender,
                _visit: Some((link, stdout)),
            },
        })
    }
}

async fn run(
    client: &Client,
    namespace: &str,
    source: &Source,
    command: &[String],
) -> Result<(Stdin, Stdout, Exec), Failure> {
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let running = client.exec(namespace, &source.pod, source.container, &command);
    running.await.map_err(Failure::refused)
}

/// Known to this process and to the sender, and used once.
fn secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
