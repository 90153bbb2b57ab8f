//! What keeps the recorder from its work. No message repeats its source.

use std::{io, net::SocketAddr, path::PathBuf};

use longrun_kubernetes::{ConnectError, Failure};

/// Why the recorder ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
    #[error("cannot connect to the API server")]
    Connect(#[source] ConnectError),
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("cannot start the thread that works on files")]
    Thread(#[source] io::Error),
    #[error("cannot read what is kept in {}", folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error("the thread that works on files has ended")]
    ThreadEnded,
}

/// What did not work at a look, and is tried again at the next.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(transparent)]
    Kubernetes(#[from] Failure),
    #[error("cannot copy the ledger of faults")]
    Ledger(#[source] io::Error),
    #[error("cannot keep the evidence of {job}")]
    Evidence { job: String, source: io::Error },
    #[error("cannot write the result of {job}")]
    Result { job: String, source: io::Error },
    #[error("cannot delete results that are old enough")]
    Old(#[source] io::Error),
}
