//! What is done to a database where it is mounted: sent, compared with a copy, or judged alone.

use std::fs::File;
use std::io::{self, BufRead as _, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use longrun_copy::Examined;
use tokio::sync::oneshot;

use crate::direct_transfer;

/// Sends `directory` on stdout, or to whoever comes to that address and knows the first line of stdin; after what
/// (the rest of) stdin says that the receiver has.
///
/// # Errors
/// Why not all of it was sent; the receiver knows too.
pub async fn send(directory: PathBuf, at: Option<SocketAddr>) -> Result<bool, String> {
    let Some(address) = at else {
        // Not through Rust's stdout, which looks for line ends.
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        let stdout = stdout.map_err(|error| format!("there is no stdout: {error}"))?;
        return send_to(directory, File::from(stdout)).await;
    };
    let secret = apart(|| io::stdin().lock().lines().next());
    let secret = match secret.await? {
        Some(Ok(secret)) if !secret.is_empty() => secret,
        _ => return Err("no secret came on stdin".to_owned()),
    };
    send_to(directory, direct_transfer::visitor(address, &secret).await?).await
}

async fn send_to(directory: PathBuf, stream: impl Write + Send + 'static) -> Result<bool, String> {
    let sent = apart(move || longrun_copy::send(&directory, io::stdin().lock(), stream));
    let sent = sent.await?.map_err(|error| error.to_string())?;
    tracing::info!(?sent);
    Ok(true)
}

/// Prints in what two directories differ; whether they are the same.
///
/// # Errors
/// Why it is not known.
pub async fn compare(one: PathBuf, other: PathBuf) -> Result<bool, String> {
    let compared = apart(move || longrun_copy::compare(&one, &other)).await?;
    let differences = compared.map_err(|error| error.to_string())?;
    let mut out = io::stdout().lock();
    differences
        .iter()
        .try_for_each(|difference| writeln!(out, "{difference}"))
        .map_err(|error| format!("cannot write the result: {error}"))?;
    Ok(differences.is_empty())
}

/// Prints what database a directory holds, or why it holds none; whether it does.
///
/// # Errors
/// When the result cannot be told.
pub async fn examine(directory: PathBuf) -> Result<bool, String> {
    let examined = apart(move || longrun_copy::examine(&directory)).await?;
    let is_database = examined.is_ok();
    let said = match examined {
        Ok(Examined {
            marker,
            files,
            bytes,
        }) => format!("{marker}: {files} files with {bytes} bytes"),
        Err(flaw) => flaw.to_string(),
    };
    writeln!(io::stdout().lock(), "{said}")
        .map_err(|error| format!("cannot write the result: {error}"))?;
    Ok(is_database)
}

/// Does what blocks, on a thread that nobody waits for when the process is asked to end.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    let (done, result) = oneshot::channel();
    std::thread::spawn(move || drop(done.send(work())));
    result
        .await
        .map_err(|_| "the thread that did it panicked".to_owned())
}
