//! Remembers what Kubernetes forgets: the result of every test of an environment, the evidence of those that
//! failed, and the faults. It looks every few seconds, writes to a claim of its own, and answers questions.
//!
//! A crate of its own, since it asks both Kubernetes and the node, whose clients do not know each other.

mod arguments;
mod metrics;
mod node;
mod serve;
mod store;
mod watch;

use std::{
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use clap::Parser as _;
use longrun_kubernetes::connect_within;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::Instant,
};
use tracing_subscriber::EnvFilter;

use arguments::Arguments;
use store::{Folder, Store};

/// What is remembered, and how the work goes.
pub(crate) struct Recorder {
    pub(crate) store: Store<Folder>,
    /// When the API server last said which Jobs there are.
    pub(crate) looked: Option<Instant>,
    /// What did not work the last time, if anything.
    pub(crate) trouble: Option<String>,
}

pub(crate) type Shared = Arc<Mutex<Recorder>>;

/// Nothing that holds it can leave it half changed.
pub(crate) fn locked(shared: &Shared) -> MutexGuard<'_, Recorder> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
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
            tracing::error!("the recorder ends: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let told = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|error| told("cannot wait for SIGTERM", &error))?;
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(|error| told("cannot wait for SIGINT", &error))?;
    let client =
        connect_within().map_err(|error| told("there is no way to the API server", &error))?;
    let folder = Folder::open(&arguments.folder).map_err(|error| {
        let folder = arguments.folder.display();
        told(&format!("{folder} cannot be used"), &error)
    })?;
    let (store, notes) = Store::open(folder, arguments.limits(), client.now())
        .map_err(|error| told("what is there cannot be read", &error))?;
    for note in notes {
        tracing::warn!("{note}");
    }
    tracing::info!(
        results = store.entries().count(),
        evidence = store.evidence().count(),
        "the recorder goes on"
    );
    let shared: Shared = Arc::new(Mutex::new(Recorder {
        store,
        looked: None,
        trouble: None,
    }));
    let listener = TcpListener::bind(arguments.listen)
        .await
        .map_err(|error| told(&format!("cannot listen on {}", arguments.listen), &error))?;
    tokio::select! {
        () = serve::serve(listener, Arc::clone(&shared)) => {}
        () = watch::watch(&client, &arguments, &shared) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
