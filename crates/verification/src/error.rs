//! What ends a command without a result. No message repeats its source.

use nix::sys::signal::Signal;
use std::io;
use std::net::SocketAddr;

/// Why a command could not be carried out.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each says it in its message")]
pub enum Error {
    #[error("cannot serve")]
    Serve(#[source] io::Error),
    #[error("cannot observe")]
    Observe(#[source] io::Error),
    #[error("cannot write the result")]
    Result(#[source] io::Error),
    #[error("cannot answer at {address}")]
    Answer {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("nobody came within {0} s")]
    Nobody(u64),
    #[error("no secret came on stdin")]
    NoSecret,
    #[error("there is no stdout")]
    NoStdout(#[source] io::Error),
    #[error(transparent)]
    Send(#[from] longrun_copy::SendError),
    #[error(transparent)]
    Compare(#[from] longrun_copy::Failed),
    #[error("the thread that did it panicked")]
    Panicked,
    #[error("cannot read what runs here")]
    Processes(#[source] io::Error),
    #[error("no process here is named {0}")]
    NoProcess(String),
    #[error("cannot send {signal} to {command} ({pid})")]
    Signal {
        signal: Signal,
        command: String,
        pid: i32,
        source: nix::Error,
    },
}
