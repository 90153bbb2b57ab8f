//! The last steps of a copy, when every hash was right: links, times, modes, all on the disk, then the name.

use std::fs::{self, File, FileTimes, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::destination::Destination;
use crate::entry::{Entry, Kind};
use crate::error::Failed;
use crate::manifest::Record;

/// Gives the copy its name. Killed anywhere, the next run comes here again: its files are whole.
pub(crate) fn finish(destination: &Destination, record: &Record) -> Result<(), Failed> {
    let Destination {
        path,
        partial,
        record: beside,
        manifest,
        ..
    } = destination;
    // The other way round, so that a directory is as it should be only after what is in it.
    let entries: Vec<&Entry> = record.entries.iter().map(|one| &one.entry).rev().collect();
    for some in entries.chunks(AT_A_TIME) {
        settle_all(partial, some)?;
    }
    sync(partial)?;
    record.save(beside)?;
    let named = |from: &Path, to: &Path| {
        fs::rename(from, to).map_err(|error| Failed::new("rename to", to, error))
    };
    named(partial, path)?;
    named(beside, manifest)?;
    match path.parent() {
        Some(parent) if parent != Path::new("") => sync(parent),
        _ => sync(Path::new(".")),
    }
}

/// How many files are open at a time.
const AT_A_TIME: usize = 256;

/// First all that is to be written down and then that it be so: a file system writes it together for the first that
/// asks, and the others need not wait. A file may have become unreadable, and is held open for it.
fn settle_all(partial: &Path, entries: &[&Entry]) -> Result<(), Failed> {
    let mut settled = Vec::new();
    for entry in entries {
        let full = partial.join(entry.path.as_path());
        let file = settle(&full, entry).map_err(|error| Failed::new("finish", &full, error))?;
        settled.extend(file.map(|file| (full, file)));
    }
    for (full, file) in settled {
        file.sync_all()
            .map_err(|error| Failed::new("sync", &full, error))?;
    }
    Ok(())
}

fn settle(full: &Path, entry: &Entry) -> io::Result<Option<File>> {
    match &entry.kind {
        Kind::Symlink { target } => symlink(target.as_path(), full).map(|()| None),
        Kind::Special => Ok(None),
        Kind::Directory | Kind::File { .. } => {
            let file = File::open(full)?;
            file.set_times(FileTimes::new().set_modified(time(entry.modified)))?;
            file.set_permissions(Permissions::from_mode(entry.mode.permissions()))?;
            Ok(Some(file))
        }
    }
}

/// A time that no clock here knows is the beginning of time.
fn time((seconds, nanoseconds): (i64, u32)) -> SystemTime {
    let epoch = SystemTime::UNIX_EPOCH;
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 {
        epoch.checked_sub(whole)
    } else {
        epoch.checked_add(whole)
    };
    time.and_then(|time| time.checked_add(Duration::from_nanos(nanoseconds.into())))
        .unwrap_or(epoch)
}

fn sync(directory: &Path) -> Result<(), Failed> {
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(|error| Failed::new("sync", directory, error))
}
