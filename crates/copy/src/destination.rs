//! Where a copy goes: `DEST.partial` while it is made, with `DEST.partial.manifest` beside; then `DEST` and
//! `DEST.manifest`.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Failed, Refusal};
use crate::manifest::Record;
use crate::receive::{Copied, Progress, Receipt};

/// A place that can take a copy.
#[derive(Debug)]
pub struct Destination {
    pub(crate) path: PathBuf,
    pub(crate) partial: PathBuf,
    /// Beside the unfinished copy.
    pub(crate) record: PathBuf,
    /// Beside the whole one.
    pub(crate) manifest: PathBuf,
    pub(crate) source: String,
}

impl Destination {
    /// Looks whether a copy of `source` can go to `path`, and changes nothing. `source` is a name for a person, by
    /// which an unfinished copy of something else is recognised.
    ///
    /// # Errors
    /// [`Refusal`], when `path` has something, or its place for an unfinished copy has something else.
    pub fn new(path: &Path, source: &str) -> Result<Self, Refusal> {
        let name = path
            .file_name()
            .ok_or_else(|| Refusal::NoName(path.to_owned()))?;
        let beside = |suffix: &str| {
            let mut name = OsString::from(name);
            name.push(suffix);
            path.with_file_name(name)
        };
        let destination = Self {
            path: path.to_owned(),
            partial: beside(".partial"),
            record: beside(".partial.manifest"),
            manifest: beside(".manifest"),
            source: source.to_owned(),
        };
        destination.check()?;
        Ok(destination)
    }

    /// Fetches the directory: says through `to` what is here, takes the rest from `from`. `to` is dropped when all is
    /// said. When this returns, the copy is whole, every hash was checked, and all is on the disk.
    ///
    /// # Errors
    /// [`Error::Refused`] when the destination is not as it was, or another command writes it;
    /// [`Error::Interrupted`] for all else: the next run fetches only what is missing.
    pub fn receive(
        &self,
        to: impl Write,
        mut from: impl Read,
        mut progress: impl FnMut(Progress),
    ) -> Result<Copied, Error> {
        let lock = self.begin()?;
        // Compiled here, as fast as this crate is, and not for each of its callers.
        let to: Box<dyn Write + '_> = Box::new(to);
        let (from, progress): (&mut dyn Read, &mut dyn FnMut(Progress)) =
            (&mut from, &mut progress);
        Receipt::new(self, lock, progress).run(to, from)
    }

    fn check(&self) -> Result<(), Refusal> {
        match state(&self.path)? {
            State::Absent | State::Empty => {}
            State::Full => return Err(Refusal::NotEmpty(self.path.clone())),
            State::Other => return Err(Refusal::Occupied(self.path.clone())),
        }
        let record = Record::read(&self.record)
            .map_err(|error| Failed::new("read", &self.record, error))
            .map_err(Refusal::Failed)?;
        match (state(&self.partial)?, record) {
            (State::Other, _) | (State::Full, None) => Err(Refusal::NotOurs(self.partial.clone())),
            (State::Full, Some(record)) if record.source != self.source => {
                Err(Refusal::OtherSource {
                    partial: self.partial.clone(),
                    holds: record.source,
                    asked: self.source.clone(),
                })
            }
            (State::Full | State::Absent | State::Empty, _) => Ok(()),
        }
    }

    /// Makes the unfinished copy, and holds its lock: as long as the file is open, nobody else writes there.
    fn begin(&self) -> Result<File, Refusal> {
        self.check()?;
        let failed = |error| Failed::new("make", &self.partial, error);
        fs::create_dir_all(&self.partial).map_err(failed)?;
        let directory = File::open(&self.partial).map_err(failed)?;
        directory.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Refusal::Busy(self.partial.clone()),
            TryLockError::Error(error) => failed(error).into(),
        })?;
        // Whoever held the lock may just have finished.
        let locked = directory.metadata().map_err(failed)?;
        let there = fs::symlink_metadata(&self.partial).map_err(failed)?;
        if (locked.dev(), locked.ino()) != (there.dev(), there.ino()) {
            return Err(Refusal::Busy(self.partial.clone()));
        }
        self.check()?;
        // An unfinished copy has its record, and the disk may be full.
        if matches!(state(&self.partial)?, State::Full) {
            return Ok(directory);
        }
        let record = Record {
            source: self.source.clone(),
            complete: false,
            consistent: None,
            changes: Vec::new(),
            entries: Vec::new(),
        };
        record.save(&self.record)?;
        Ok(directory)
    }
}

enum State {
    Absent,
    Empty,
    Full,
    Other,
}

fn state(path: &Path) -> Result<State, Failed> {
    let failed = |error| Failed::new("look at", path, error);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(State::Absent),
        Err(error) => Err(failed(error)),
        Ok(metadata) if metadata.is_dir() => {
            let first = fs::read_dir(path).map_err(failed)?.next();
            Ok(first.map_or(State::Empty, |_| State::Full))
        }
        Ok(_) => Ok(State::Other),
    }
}
