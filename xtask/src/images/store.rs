//! The directory of archives: one writer at a time, nothing unfinished under a final name, nothing kept
//! for ever.

use std::{
    fs::{File, TryLockError},
    path::Path,
    time::{Duration, SystemTime},
};

use super::{Error, Report};

/// An archive while it is written.
pub(super) const PARTIAL: &str = "partial.tar";
/// What an image is built from, while it is built.
pub(super) const STAGING: &str = "staging";
const LOCK: &str = "lock";

/// How many archives of one image are kept: enough to go back and forth between branches and clusters.
const KEPT: usize = 3;

/// Waits until nobody else builds images here, until the answer is dropped. Also removes what an
/// interrupted build left.
pub(super) async fn lock(folder: &Path, report: Report<'_>) -> Result<File, Error> {
    std::fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
    let path = folder.join(LOCK);
    let lock = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(Error::file("open", &path))?;
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => {
                report("waiting for another command that builds images");
            }
            Err(TryLockError::Error(error)) => return Err(Error::file("lock", &path)(error)),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Nothing there is the usual case.
    let _ = std::fs::remove_file(folder.join(PARTIAL));
    let _ = std::fs::remove_dir_all(folder.join(STAGING));
    Ok(lock)
}

/// Removes all archives of an image but the newest.
pub(super) fn prune(folder: &Path, name: &str) {
    let start = format!("{name}.");
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut archives: Vec<_> = entries
        .flatten()
        .filter(|entry| {
            let file = entry.file_name();
            let file = file.to_string_lossy();
            file.starts_with(&start) && file.ends_with(".tar")
        })
        .map(|entry| {
            let written = entry.metadata().and_then(|metadata| metadata.modified());
            (written.unwrap_or(SystemTime::UNIX_EPOCH), entry.path())
        })
        .collect();
    archives.sort();
    archives.truncate(archives.len().saturating_sub(KEPT));
    for (_, archive) in archives {
        // It can be built again, and is only in the way.
        let _ = std::fs::remove_file(archive);
    }
}
