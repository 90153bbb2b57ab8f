//! The sending side: what is in a directory, after what the receiver has of it.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::libc::{ELOOP, O_NOFOLLOW, O_NONBLOCK};
use serde::Serialize;

use crate::entry::Kind;
use crate::error::{Failed, one_line};
use crate::frame::{self, Broken, DIRECTORY, OFFERS, Reader, Writer};
use crate::list::{changes, list};
use crate::path::RelativePath;
use crate::sparse::{Piece, Walk};
use crate::wire::{Begin, Contents, End, FileEnd, Hash, Offer, Tag};

/// What was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// Files that were there to be read.
    pub files: u64,
    /// Bytes of them, holes included.
    pub bytes: u64,
    /// Bytes of these that the receiver had.
    pub kept: u64,
    /// Bytes written to the stream.
    pub wire: u64,
    /// Whether nothing changed meanwhile.
    pub consistent: bool,
}

/// Why not everything was sent. The stream then has no end frame; where it could still be written, it has this
/// message.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The directory could not be read.
    #[error(transparent)]
    Directory(#[from] Failed),
    /// What the receiver has could not be understood.
    #[error("what the receiver says that it has is unreadable")]
    Offers(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The stream could not be written.
    #[error("the stream broke")]
    Stream(#[from] io::Error),
}

/// Sends `directory` through `stream`. What the receiver has comes through `offers`: nothing at all means that it
/// has nothing.
///
/// # Errors
/// [`SendError`].
pub fn send(directory: &Path, offers: impl Read, stream: impl Write) -> Result<Sent, SendError> {
    let mut frames = Writer::begin(stream, DIRECTORY)?;
    let sent = contents(directory, offers, &mut frames);
    if let Err(error @ (SendError::Directory(_) | SendError::Offers(_))) = &sent {
        // A receiver that is gone has its own error.
        let _ = frames
            .document(Tag::Failed, &one_line(error))
            .and_then(|()| frames.flush());
    }
    sent
}

fn contents<W: Write>(
    directory: &Path,
    offers: impl Read,
    frames: &mut Writer<W>,
) -> Result<Sent, SendError> {
    let mut offers = read_offers(offers)?;
    let before = list(directory)?;
    frames.lines(Tag::Entries, before.iter().map(|listed| &listed.entry))?;
    let files = before.iter().filter_map(|listed| match listed.entry.kind {
        Kind::File { size } => Some((&listed.entry.path, size)),
        _ => None,
    });
    let contents = Contents {
        entries: before.len() as u64,
        bytes: files.clone().map(|(_, size)| size).sum(),
    };
    frames.document(Tag::Contents, &contents)?;

    let mut end = End {
        files: 0,
        bytes: 0,
        changes: 0,
    };
    let mut kept = 0;
    for (path, size) in files {
        let full = directory.join(path.as_path());
        let offer = offers.remove(path).filter(|offer| offer.bytes <= size);
        match open(&full).map_err(|error| Failed::new("open", &full, error))? {
            None => frames.frame(Tag::Gone, &[])?,
            Some(file) => {
                let sent = content(&file, &full, size, offer.as_ref(), frames)?;
                kept += sent.kept;
                end.files += 1;
                end.bytes += sent.size;
            }
        }
    }

    let changes = changes(&before, &list(directory)?);
    frames.lines(Tag::Changes, changes.iter())?;
    end.changes = changes.len() as u64;
    frames.document(Tag::End, &end)?;
    frames.flush()?;
    Ok(Sent {
        files: end.files,
        bytes: end.bytes,
        kept,
        wire: frames.written,
        consistent: changes.is_empty(),
    })
}

fn read_offers(from: impl Read) -> Result<HashMap<RelativePath, Offer>, SendError> {
    let unreadable = |broken| {
        SendError::Offers(match broken {
            Broken::Ended => "it ends early".into(),
            Broken::Read(error) => error.into(),
            Broken::Other(begin) => format!("it begins with {begin}").into(),
            Broken::Corrupted(frame) => format!("frame {frame} is not as it was sent").into(),
        })
    };
    let mut offers = HashMap::new();
    let Some(mut frames) = Reader::begin(from, OFFERS).map_err(unreadable)? else {
        return Ok(offers);
    };
    loop {
        match frames.next().map_err(unreadable)? {
            (Tag::Offers, content) => {
                for offer in frame::lines::<Offer>(content) {
                    let offer = offer.map_err(|error| SendError::Offers(error.into()))?;
                    offers.insert(offer.path.clone(), offer);
                }
            }
            (Tag::End, _) => return Ok(offers),
            (tag, _) => {
                return Err(SendError::Offers(format!("{tag:?} is out of place").into()));
            }
        }
    }
}

/// The file, unless it is gone or something else by now. That is no error: the list at the end says it.
fn open(full: &Path) -> io::Result<Option<File>> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(O_NOFOLLOW | O_NONBLOCK)
        .open(full);
    match opened {
        Ok(file) => Ok(file.metadata()?.is_file().then_some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(ELOOP) => Ok(None),
        Err(error) => Err(error),
    }
}

struct SentFile {
    size: u64,
    kept: u64,
}

/// Sends a file up to the size that was listed, after what the receiver has when that is the same here.
fn content<W: Write>(
    file: &File,
    full: &Path,
    size: u64,
    offer: Option<&Offer>,
    frames: &mut Writer<W>,
) -> Result<SentFile, SendError> {
    let failed = |error| Failed::new("read", full, error);
    let mut walk = Walk::new(file);
    let mut kept = 0;
    if let Some(offer) = offer {
        let mut told = 0;
        while walk.next(offer.bytes).map_err(failed)?.is_some() {
            // Reading what need not be sent can take minutes: a silent connection is taken for dead.
            if walk.position - told >= WORKING {
                told = walk.position;
                frames.frame(Tag::Working, &[])?;
            }
        }
        if walk.position == offer.bytes && Hash::of(walk.hash.clone()) == offer.sha256 {
            kept = offer.bytes;
        } else {
            walk = Walk::new(file);
        }
    }
    frames.document(Tag::Begin, &Begin { kept })?;
    while let Some(piece) = walk.next(size).map_err(failed)? {
        match piece {
            Piece::Data(data) => frames.frame(Tag::Data, data)?,
            Piece::Hole(length) => frames.frame(Tag::Hole, &length.to_be_bytes())?,
        }
    }
    let size = walk.position;
    let sha256 = Hash::of(walk.hash);
    frames.document(Tag::FileEnd, &FileEnd { size, sha256 })?;
    Ok(SentFile { size, kept })
}

/// How many bytes are read between two signs of life.
const WORKING: u64 = 64 << 20;
