//! Remembers what Kubernetes forgets: the result of every test of an environment, the evidence of those that
//! failed, and the faults. It looks every few seconds, writes to a claim of its own, and answers questions.
//!
//! A crate of its own, since it asks both Kubernetes and the node, whose clients do not know each other.

mod arguments;
mod error;
mod file_thread;
mod metrics;
mod node;
mod records;
mod serve;
mod store;
mod watch;

use std::{
    process::ExitCode,
    sync::{Arc, OnceLock},
    time::Instant,
};

use clap::Parser as _;
use longrun_core::object::Uid;
use longrun_kubernetes::{Client, connect_within};
use longrun_restate::one_line;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync,
};
use tracing_subscriber::EnvFilter;

use arguments::Arguments;
use error::{Error, Trouble};
use file_thread::{FileThread, Files, Opened};
use records::Records;

/// What is remembered, and how the work goes.
pub(crate) struct Recorder {
    pub(crate) files: Files,
    /// There when they have been read from the disk.
    pub(crate) records: OnceLock<sync::watch::Receiver<Records>>,
    pub(crate) looks: sync::watch::Sender<Looks>,
}

/// How looking at the Jobs goes.
#[derive(Default)]
pub(crate) struct Looks {
    /// When the API server last said which Jobs there are.
    pub(crate) last: Option<Instant>,
    /// What did not work the last time, if anything.
    pub(crate) trouble: Option<String>,
}

impl Recorder {
    pub(crate) fn new(files: Files) -> Self {
        Self {
            files,
            records: OnceLock::new(),
            looks: sync::watch::Sender::default(),
        }
    }

    /// What is kept has been read.
    fn opened(&self, opened: Opened) -> Vec<Uid> {
        for note in opened.notes {
            tracing::warn!("{note}");
        }
        tracing::info!(
            results = opened.records.borrow().entries.len(),
            evidence = opened.records.borrow().evidence.len(),
            "the recorder goes on"
        );
        // It is read once.
        let _ = self.records.set(opened.records);
        opened.known
    }

    /// How a look went.
    fn looked(&self, outcome: Result<(), Trouble>) {
        let trouble = outcome.err().map(|trouble| one_line(&trouble));
        self.looks.send_modify(|looks| {
            match &trouble {
                Some(trouble) if looks.trouble.as_ref() != Some(trouble) => {
                    tracing::warn!("{trouble}");
                }
                None if looks.trouble.is_some() => {
                    tracing::info!("what did not work works again");
                }
                _ => {}
            }
            looks.trouble = trouble;
        });
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("the recorder ends: {}", one_line(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let client = connect_within().map_err(Error::Connect)?;
    let address = arguments.listen;
    let listening = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listening)?;
    let folder = arguments.folder.clone();
    let FileThread { files, opened } =
        FileThread::start(folder, arguments.limits(), client.now()).map_err(Error::Thread)?;
    let recorder = Arc::new(Recorder::new(files));
    tokio::select! {
        // Why the files cannot be opened is known just before their thread has ended.
        biased;
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        ended = record(&client, &arguments, &recorder, opened) => ended,
        served = serve::serve(listener, Arc::clone(&recorder)) => served.map_err(listening),
        () = recorder.files.ended() => Err(Error::ThreadEnded),
    }
}

/// Reads what is kept, and goes on with it for ever.
async fn record(
    client: &Client,
    arguments: &Arguments,
    recorder: &Recorder,
    opened: sync::oneshot::Receiver<std::io::Result<Opened>>,
) -> Result<(), Error> {
    let opened = opened.await.map_err(|_| Error::ThreadEnded)?;
    let opened = opened.map_err(|source| Error::Folder {
        folder: arguments.folder.clone(),
        source,
    })?;
    watch::watch(client, arguments, recorder, recorder.opened(opened)).await;
    Ok(())
}
