//! Files written whole or not at all, locks, and the ends of logs.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::Error;

/// Creates `path` and its parents, readable by the owner only.
pub(crate) fn make_directory(path: &Path) -> Result<(), Error> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(Error::file("create", path))
}

/// Writes a file readable by the owner only. Whoever reads it sees the old or
/// the new content, never a part.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Error> {
    if let Some(directory) = path.parent() {
        make_directory(directory)?;
    }
    let partial = beside(path, ".partial");
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)
        .and_then(|mut file| file.write_all(content.as_ref()))
        .and_then(|()| fs::rename(&partial, path))
        .map_err(Error::file("write", path))
}

/// The path with `suffix` after its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The content, or nothing when there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", path)(error)),
    }
}

/// Removes a file or a directory with all it holds; nothing there is fine.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Takes the lock, or returns nothing when somebody holds it. It ends with the
/// file that is returned, or with its process.
pub(crate) fn try_lock(path: &Path) -> Result<Option<File>, Error> {
    let file = open_lock(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(Error::file("lock", path)(error)),
    }
}

/// Takes the lock; calls `waiting` once when somebody else has it.
pub(crate) fn lock(path: &Path, waiting: impl FnOnce()) -> Result<File, Error> {
    let mut waiting = Some(waiting);
    loop {
        let file = match try_lock(path)? {
            Some(file) => file,
            None => {
                if let Some(waiting) = waiting.take() {
                    waiting();
                }
                let file = open_lock(path)?;
                file.lock().map_err(Error::file("lock", path))?;
                file
            }
        };
        // Whoever had it may have deleted it with all data, and then this lock
        // is on a file that nobody else will find.
        let is_there = fs::metadata(path)
            .is_ok_and(|there| file.metadata().is_ok_and(|ours| ours.ino() == there.ino()));
        if is_there {
            return Ok(file);
        }
    }
}

fn open_lock(path: &Path) -> Result<File, Error> {
    if let Some(directory) = path.parent() {
        make_directory(directory)?;
    }
    File::create(path).map_err(Error::file("open", path))
}

/// Makes a log of more than `longest` bytes the old log, of which one is kept.
pub(crate) fn put_aside(log: &Path, longest: u64) -> std::io::Result<()> {
    if fs::metadata(log)?.len() > longest {
        fs::copy(log, beside(log, ".old"))?;
        // Its writer has it open and appends, so it is emptied in place.
        OpenOptions::new().write(true).open(log)?.set_len(0)?;
    }
    Ok(())
}

/// The last `lines` lines of a log, each indented; empty when there is none.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    const ENOUGH: u64 = 16 * 1024;
    let mut content = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(ENOUGH)))?;
        file.read_to_end(&mut content)
    });
    if read.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&content);
    last_lines(&text, lines)
}

/// The last `count` lines that are not empty, each indented.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let all: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let kept: Vec<String> = all[all.len().saturating_sub(count)..]
        .iter()
        .map(|line| format!("  {line}"))
        .collect();
    kept.join("\n")
}

/// Bytes on disk below `path`, on its own file system; what vanishes meanwhile
/// is not counted.
pub(crate) fn disk_use(path: &Path) -> u64 {
    let Ok(found) = fs::symlink_metadata(path) else {
        return 0;
    };
    let mut total = found.blocks() * 512;
    if found.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            total += disk_use(&entry.path());
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_put_aside_under_its_writer() {
        let log = std::env::temp_dir().join(format!("longrun-log-{}", std::process::id()));
        let old = beside(&log, ".old");
        let mut writer = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        writer.write_all(b"one\n").unwrap();
        put_aside(&log, 4).unwrap();
        assert!(!old.exists());
        writer.write_all(b"two\n").unwrap();
        put_aside(&log, 4).unwrap();
        writer.write_all(b"three\n").unwrap();
        assert_eq!(fs::read(&old).unwrap(), b"one\ntwo\n");
        assert_eq!(fs::read(&log).unwrap(), b"three\n");
        fs::remove_file(old).unwrap();
        fs::remove_file(log).unwrap();
    }

    #[test]
    fn the_tail_is_the_last_lines_with_content() {
        assert_eq!(last_lines("one\ntwo\n\nthree\n", 2), "  two\n  three");
        assert_eq!(last_lines("", 3), "");
    }

    #[test]
    fn what_is_written_is_the_owners_and_never_half_of_it() {
        let directory = std::env::temp_dir().join(format!("longrun-files-{}", std::process::id()));
        let path = directory.join("key");
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        write(&path, "first").unwrap();
        assert_eq!((mode(&directory), mode(&path)), (0o700, 0o600));
        let mut reader = File::open(&path).unwrap();
        write(&path, "second").unwrap();
        let mut met = String::new();
        reader.read_to_string(&mut met).unwrap();
        assert_eq!(met, "first");
        assert_eq!(read(&path).unwrap().unwrap(), b"second");
        remove(&directory).unwrap();
        assert_eq!(read(&path).unwrap(), None);
    }

    #[test]
    fn a_lock_whose_file_was_deleted_is_taken_anew() {
        let path = std::env::temp_dir().join(format!("longrun-lock-{}", std::process::id()));
        let first = try_lock(&path).unwrap().unwrap();
        assert!(try_lock(&path).unwrap().is_none());
        let inode = format!(":{} ", first.metadata().unwrap().ino());
        let file = path.clone();
        let second = lock(&path, move || {
            // Deletes the data, and the lock with it, when the next one waits for it.
            std::thread::spawn(move || {
                let waits = |line: &str| line.contains("->") && line.contains(&inode);
                let locks = || fs::read_to_string("/proc/locks").unwrap_or_default();
                let limit = std::time::Duration::from_secs(10);
                crate::wait::until(limit, || locks().lines().any(waits));
                remove(&file).unwrap();
                drop(first);
            });
        });
        let second = second.unwrap();
        assert!(try_lock(&path).unwrap().is_none(), "nobody else finds it");
        drop(second);
        remove(&path).unwrap();
    }
}
