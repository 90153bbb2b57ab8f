//! What is done to a database where it is mounted: sent, compared with a copy, or judged alone.

use std::fs::File;
use std::io::{self, BufRead as _, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use longrun_copy::{Examined, Flaw};
use tokio::sync::oneshot;

use crate::{Error, direct_transfer};

/// Sends `directory` on stdout, or to whoever comes to that address and knows the first line of stdin; after what
/// (the rest of) stdin says that the receiver has.
///
/// # Errors
/// Why not all of it was sent; the receiver knows too.
pub async fn send(directory: PathBuf, at: Option<SocketAddr>) -> Result<bool, Error> {
    let Some(address) = at else {
        // Not through Rust's stdout, which looks for line ends.
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        let stdout = stdout.map_err(Error::NoStdout)?;
        return send_to(directory, File::from(stdout)).await;
    };
    let secret = apart(|| io::stdin().lock().lines().next());
    let secret = match secret.await? {
        Some(Ok(secret)) if !secret.is_empty() => secret,
        _ => return Err(Error::NoSecret),
    };
    send_to(directory, direct_transfer::visitor(address, &secret).await?).await
}

async fn send_to(directory: PathBuf, stream: impl Write + Send + 'static) -> Result<bool, Error> {
    let sent = apart(move || longrun_copy::send(&directory, io::stdin().lock(), stream));
    let sent = sent.await??;
    tracing::info!(?sent);
    Ok(true)
}

/// What a reader found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// What it looked for.
    Same,
    /// Something else.
    Other,
    /// Nothing: the copy is empty.
    Empty,
}

/// Prints in what a copy differs from its original. Two that are empty are the same.
///
/// # Errors
/// Why it is not known.
pub async fn compare(original: PathBuf, copy: PathBuf) -> Result<Found, Error> {
    let compared = apart(move || {
        let differences = longrun_copy::compare(&original, &copy)?;
        let is_empty = !differences.is_empty() && longrun_copy::is_empty(&copy)?;
        Ok::<_, longrun_copy::Failed>((differences, is_empty))
    });
    let (differences, is_empty) = compared.await??;
    let mut out = io::stdout().lock();
    let told = if is_empty {
        writeln!(out, "the copy is empty: nothing of the original is in it")
    } else {
        differences
            .iter()
            .try_for_each(|difference| writeln!(out, "{difference}"))
    };
    told.map_err(Error::Result)?;
    Ok(match (is_empty, differences.is_empty()) {
        (true, _) => Found::Empty,
        (false, true) => Found::Same,
        (false, false) => Found::Other,
    })
}

/// Prints what database a directory holds, or why it holds none.
///
/// # Errors
/// When the result cannot be told.
pub async fn examine(directory: PathBuf) -> Result<Found, Error> {
    let examined = apart(move || longrun_copy::examine(&directory)).await?;
    let found = match &examined {
        Ok(_) => Found::Same,
        Err(Flaw::Empty) => Found::Empty,
        Err(_) => Found::Other,
    };
    let said = match examined {
        Ok(Examined {
            marker,
            files,
            bytes,
        }) => format!("{marker}: {files} files with {bytes} bytes"),
        Err(flaw) => longrun_copy::one_line(&flaw),
    };
    writeln!(io::stdout().lock(), "{said}").map_err(Error::Result)?;
    Ok(found)
}

/// Does what blocks, on a thread that nobody waits for when the process is asked to end.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let (done, result) = oneshot::channel();
    std::thread::spawn(move || drop(done.send(work())));
    result.await.map_err(|_| Error::Panicked)
}
