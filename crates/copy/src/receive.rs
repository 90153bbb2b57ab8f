//! The receiving side: takes frame by frame, believes none, writes below the unfinished copy.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use nix::libc::O_NOFOLLOW;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::destination::Destination;
use crate::entry::{Change, Entry, Kind};
use crate::error::{Error, Failed, Interrupted, Problem, Rejected, State};
use crate::finish;
use crate::flush::Flush;
use crate::frame::{self, Broken, DIRECTORY, OFFERS, Reader, Writer};
use crate::inventory::{Inventory, Part};
use crate::manifest::{Manifest, Record, Recorded};
use crate::path::RelativePath;
use crate::sparse::zeros;
use crate::wire::{Begin, Contents, End, FileEnd, Hash, Offer, Tag};

/// How far a copy is. Holes count, and so does what was here before: a rate is a difference of two of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are here.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

/// A copy that is done.
#[derive(Debug, Serialize)]
pub struct Copied {
    /// Where it is.
    pub directory: PathBuf,
    /// What it has, with hashes.
    pub manifest: PathBuf,
    /// Files of it.
    pub files: u64,
    /// Bytes of them, holes included.
    pub bytes: u64,
    /// Bytes of these that were here from a run before.
    pub kept: u64,
    /// Bytes that came through the stream.
    pub wire: u64,
    /// Whether the directory stood still while it was copied.
    pub consistent: bool,
    /// What changed while it was copied.
    pub changes: Vec<Change>,
    /// Sockets, pipes and devices, which are not copied.
    pub special: Vec<RelativePath>,
}

/// One run towards a copy.
pub(crate) struct Receipt<'a, P> {
    destination: &'a Destination,
    /// Held until the copy has its name.
    _lock: File,
    progress: P,
    at: Progress,
    kept: u64,
    /// Bytes that the unfinished copy has, once it is known which of them are still wanted.
    here: Option<u64>,
}

impl<'a, P: FnMut(Progress)> Receipt<'a, P> {
    pub(crate) fn new(destination: &'a Destination, lock: File, progress: P) -> Self {
        Self {
            destination,
            _lock: lock,
            progress,
            at: Progress { done: 0, total: 0 },
            kept: 0,
            here: None,
        }
    }

    pub(crate) fn run(mut self, to: impl Write, from: impl Read) -> Result<Copied, Error> {
        self.fetch(to, from).map_err(|problem| {
            let state = State {
                partial: self.destination.partial.clone(),
                done: self.here.map(|here| (here, self.at.total)),
            };
            Error::Interrupted(Box::new(Interrupted { problem, state }))
        })
    }

    fn fetch(&mut self, to: impl Write, from: impl Read) -> Result<Copied, Problem> {
        let mut inventory = Inventory::take(&self.destination.partial)?;
        let offered = offer(&inventory, to);
        let Some(mut frames) = Reader::begin(from, DIRECTORY).map_err(broken)? else {
            // Whoever did not listen has nothing to say either.
            return Err(offered.err().map_or(Problem::Cut, Problem::Connection));
        };
        let manifest = read_manifest(&mut frames)?;
        self.at.total = manifest.bytes;
        inventory.keep_only(&manifest, &self.destination.partial)?;
        self.here = Some(inventory.parts.values().map(|part| part.bytes).sum());
        let record = self.record(manifest.clone(), HashMap::new(), None);
        record.save(&self.destination.record)?;

        let flush = Flush::start();
        let mut ends = HashMap::new();
        let mut bytes = 0;
        let mut short = Vec::new();
        for (path, size) in manifest.files() {
            let part = inventory.parts.remove(path);
            let received = self.file(&mut frames, path, size, part, &flush)?;
            if received.as_ref().is_none_or(|end| end.size < size) {
                short.push(path);
            }
            if let Some(end) = received {
                bytes += end.size;
                ends.insert(path.clone(), end);
            }
        }
        let (changes, end) = read_end(&mut frames)?;
        let files = ends.len() as u64;
        let received = End {
            files,
            bytes,
            changes: changes.len() as u64,
        };
        if end != received {
            return Err(Rejected::Totals.into());
        }
        let changed: HashSet<_> = changes.iter().map(|change| &change.path).collect();
        if let Some(path) = short.into_iter().find(|path| !changed.contains(path)) {
            return Err(Rejected::TooShort(path.clone()).into());
        }

        flush.end()?;
        let special = manifest.special();
        let record = self.record(manifest, ends, Some(changes));
        let directory = self.destination.path.clone();
        finish::finish(self.destination, &record)?;
        Ok(Copied {
            directory,
            manifest: self.destination.manifest.clone(),
            files,
            bytes,
            kept: self.kept,
            wire: frames.read,
            consistent: record.changes.is_empty(),
            changes: record.changes,
            special,
        })
    }

    /// One file: its end, unless it is gone.
    fn file<R: Read>(
        &mut self,
        frames: &mut Reader<R>,
        path: &RelativePath,
        size: u64,
        part: Option<Part>,
        flush: &Flush,
    ) -> Result<Option<FileEnd>, Problem> {
        let full = self.destination.partial.join(path.as_path());
        let failed = |error| Failed::new("write", &full, error);
        let kept = loop {
            match frames.next().map_err(broken)? {
                (Tag::Working, _) => (self.progress)(self.at),
                (Tag::Begin, content) => break document::<Begin>(content)?.kept,
                (Tag::Gone, _) => {
                    if let Some(part) = part {
                        fs::remove_file(&full).map_err(failed)?;
                        self.loses(part.bytes);
                    }
                    self.at.total -= size;
                    return Ok(None);
                }
                (tag, content) => return Err(unexpected(tag, content)),
            }
        };
        let file = OpenOptions::new()
            .write(true)
            // What no list has must not be there, as when two names differ only in case.
            .create_new(part.is_none())
            .mode(0o600)
            .custom_flags(O_NOFOLLOW)
            .open(&full)
            .map_err(failed)?;
        let (here, mut hash) = match part {
            Some(part) if kept == part.bytes && kept <= size => (part.bytes, part.hash),
            part if kept == 0 => (part.map_or(0, |part| part.bytes), Sha256::new()),
            _ => return Err(Rejected::Kept(path.clone()).into()),
        };
        file.set_len(kept).map_err(failed)?;
        self.loses(here);
        let fits = |position: u64, length: u64| {
            if length <= size - position {
                Ok(())
            } else {
                Err(Rejected::TooLong(path.clone()))
            }
        };
        self.kept += kept;
        self.advance(kept);
        let mut position = kept;
        loop {
            match frames.next().map_err(broken)? {
                (Tag::Data, data) => {
                    fits(position, data.len() as u64)?;
                    file.write_all_at(data, position).map_err(failed)?;
                    hash.update(data);
                    position += data.len() as u64;
                    self.advance(data.len() as u64);
                }
                (Tag::Hole, length) => {
                    let length = length.try_into().map_err(|_| Rejected::Hole)?;
                    let length = u64::from_be_bytes(length);
                    fits(position, length)?;
                    zeros(&mut hash, length);
                    position += length;
                    self.advance(length);
                    // The length of an unfinished file is what is here of it.
                    file.set_len(position).map_err(failed)?;
                }
                (Tag::FileEnd, content) => {
                    let end: FileEnd = document(content)?;
                    if end.size != position || end.sha256 != Hash::of(hash) {
                        return Err(Problem::Hash(path.clone()));
                    }
                    self.at.total -= size - position;
                    flush.begin(full, file);
                    return Ok(Some(end));
                }
                (tag, content) => return Err(unexpected(tag, content)),
            }
        }
    }

    fn advance(&mut self, length: u64) {
        self.at.done += length;
        self.here = self.here.map(|here| here + length);
        (self.progress)(self.at);
    }

    fn loses(&mut self, length: u64) {
        self.here = self.here.map(|here| here.saturating_sub(length));
    }

    /// What lies beside the copy. Once the changes are known, it is whole: what is gone is left out.
    fn record(
        &self,
        manifest: Manifest,
        mut ends: HashMap<RelativePath, FileEnd>,
        changes: Option<Vec<Change>>,
    ) -> Record {
        let complete = changes.is_some();
        let record = |mut entry: Entry| match (&mut entry.kind, ends.remove(&entry.path)) {
            (Kind::File { size }, Some(end)) => {
                *size = end.size;
                let sha256 = Some(end.sha256);
                Some(Recorded { entry, sha256 })
            }
            (Kind::File { .. }, None) if complete => None,
            _ => {
                let sha256 = None;
                Some(Recorded { entry, sha256 })
            }
        };
        Record {
            source: self.destination.source.clone(),
            complete,
            consistent: changes.as_ref().map(Vec::is_empty),
            changes: changes.unwrap_or_default(),
            entries: manifest.entries.into_iter().filter_map(record).collect(),
        }
    }
}

/// Says what is here.
fn offer(inventory: &Inventory, to: impl Write) -> io::Result<()> {
    let mut frames = Writer::begin(to, OFFERS)?;
    let offers = inventory.parts.iter().map(|(path, part)| Offer {
        path: path.clone(),
        bytes: part.bytes,
        sha256: Hash::of(part.hash.clone()),
    });
    frames.lines(Tag::Offers, offers)?;
    frames.frame(Tag::End, &[])?;
    frames.flush()
}

fn read_manifest<R: Read>(frames: &mut Reader<R>) -> Result<Manifest, Problem> {
    let mut manifest = Manifest::default();
    loop {
        match frames.next().map_err(broken)? {
            (Tag::Entries, content) => {
                for entry in frame::lines(content) {
                    manifest.add(entry.map_err(Rejected::Document)?)?;
                }
            }
            (Tag::Contents, content) => {
                manifest.whole(&document::<Contents>(content)?)?;
                return Ok(manifest);
            }
            (tag, content) => return Err(unexpected(tag, content)),
        }
    }
}

fn read_end<R: Read>(frames: &mut Reader<R>) -> Result<(Vec<Change>, End), Problem> {
    let mut changes = Vec::new();
    loop {
        match frames.next().map_err(broken)? {
            (Tag::Changes, content) => {
                for change in frame::lines(content) {
                    changes.push(change.map_err(Rejected::Document)?);
                }
            }
            (Tag::End, content) => return Ok((changes, document(content)?)),
            (tag, content) => return Err(unexpected(tag, content)),
        }
    }
}

fn document<T: DeserializeOwned>(content: &[u8]) -> Result<T, Rejected> {
    frame::document(content).map_err(Rejected::Document)
}

fn broken(broken: Broken) -> Problem {
    match broken {
        Broken::Ended => Problem::Cut,
        Broken::Read(error) => Problem::Connection(error),
        Broken::Other(begin) => Problem::NotACopy(begin),
        Broken::Corrupted(frame) => Problem::Corrupted(frame),
    }
}

/// A frame that does not belong where it is: the sender gave up, or does not keep the rules.
fn unexpected(tag: Tag, content: &[u8]) -> Problem {
    match (tag, frame::document::<String>(content)) {
        (Tag::Failed, Ok(message)) => Problem::Sender(message),
        (tag, _) => Rejected::out_of_place(tag).into(),
    }
}

#[cfg(test)]
mod tests;
