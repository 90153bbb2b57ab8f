//! Frames: tag, length, content, and the SHA-256 of this and all frames before. So a flipped byte, a lost, a doubled
//! and a swapped frame are found before anything of the frame is believed. The bytes of files are no part of that:
//! the hash of their file, which is in a later frame, covers them, and to hash everything twice takes longer than to
//! send it.
//!
//! Content is compressed with zstd; the bytes of files where that takes less time than it saves.

use std::io::{self, BufReader, Read, Write};
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use zstd::bulk::{Compressor, Decompressor};

use crate::pace::Pace;
use crate::wire::Tag;

/// The most that a frame holds, unpacked. What a reader keeps in memory is about twice that.
pub(crate) const CHUNK: usize = 1 << 20;

/// zstd's fastest usual level: most of a database is packed already, and any level packs the rest.
const LEVEL: i32 = 1;

/// Says what follows, to a person too. Another layout is another number.
const VERSION: &str = "longrun-copy/2 ";
/// What a sender writes.
pub(crate) const DIRECTORY: &str = "directory\n";
/// What a receiver writes.
pub(crate) const OFFERS: &str = "offers\n";

/// In the byte of a tag: the content is packed. Tags are ASCII.
const PACKED: u8 = 0x80;

/// Writes frames.
pub(crate) struct Writer<W> {
    to: W,
    chain: [u8; 32],
    compressor: Compressor<'static>,
    pace: Pace,
    packed: Vec<u8>,
    whole: Vec<u8>,
    /// Bytes written.
    pub(crate) written: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a stream of `what`.
    pub(crate) fn begin(mut to: W, what: &str) -> io::Result<Self> {
        to.write_all(VERSION.as_bytes())?;
        to.write_all(what.as_bytes())?;
        Ok(Self {
            to,
            chain: [0; 32],
            compressor: Compressor::new(LEVEL)?,
            pace: Pace::default(),
            packed: Vec::with_capacity(zstd::zstd_safe::compress_bound(CHUNK)),
            whole: Vec::new(),
            written: (VERSION.len() + what.len()) as u64,
        })
    }

    /// Writes a frame with at most [`CHUNK`] bytes.
    pub(crate) fn frame(&mut self, tag: Tag, content: &[u8]) -> io::Result<()> {
        debug_assert!(content.len() <= CHUNK, "the reader refuses larger ones");
        let packed = tag != Tag::Data || self.pace.packs();
        let body = if packed {
            self.packed.clear();
            let began = Instant::now();
            self.compressor
                .compress_to_buffer(content, &mut self.packed)?;
            if tag == Tag::Data {
                let (from, to) = (content.len(), self.packed.len());
                self.pace.packed(from, to, began.elapsed());
            }
            &self.packed
        } else {
            content
        };
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        let mut head = [tag.byte(), 0, 0, 0, 0];
        if packed {
            head[0] |= PACKED;
        }
        head[1..].copy_from_slice(&length.to_be_bytes());
        self.chain = link(&self.chain, &head, chained(tag, body));
        // One write, so that a frame is on its way when this returns, without a buffer behind it.
        self.whole.clear();
        for part in [&head[..], body, &self.chain] {
            self.whole.extend_from_slice(part);
        }
        self.written += self.whole.len() as u64;
        let began = Instant::now();
        self.to.write_all(&self.whole)?;
        if tag == Tag::Data {
            self.pace.written(self.whole.len(), began.elapsed());
        }
        Ok(())
    }

    /// Writes a frame with one document.
    pub(crate) fn document(&mut self, tag: Tag, document: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_vec(document)?;
        self.frame(tag, &text)
    }

    /// Writes as many frames as are needed for these documents, one a line.
    pub(crate) fn lines<T: Serialize>(
        &mut self,
        tag: Tag,
        documents: impl Iterator<Item = T>,
    ) -> io::Result<()> {
        let mut text = Vec::new();
        for document in documents {
            let line = serde_json::to_vec(&document)?;
            if text.len() + line.len() >= CHUNK {
                self.frame(tag, &text)?;
                text.clear();
            }
            text.extend_from_slice(&line);
            text.push(b'\n');
        }
        if text.is_empty() {
            return Ok(());
        }
        self.frame(tag, &text)
    }

    #[cfg(test)]
    pub(crate) fn into_inner(self) -> W {
        self.to
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn link(chain: &[u8; 32], head: &[u8], body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(chain);
    hash.update(head);
    hash.update(body);
    hash.finalize().into()
}

/// What of a frame's body is hashed with it.
fn chained(tag: Tag, body: &[u8]) -> &[u8] {
    if tag == Tag::Data { &[] } else { body }
}

/// Why there is no next frame.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The stream ended.
    Ended,
    /// The stream could not be read.
    Read(io::Error),
    /// It begins otherwise: with this, as text.
    Other(String),
    /// This frame, counted from 1, is not as it was sent.
    Corrupted(u64),
}

/// Reads frames.
pub(crate) struct Reader<R> {
    from: BufReader<R>,
    chain: [u8; 32],
    decompressor: Decompressor<'static>,
    /// The body of the latest frame is at its beginning.
    body: Vec<u8>,
    content: Vec<u8>,
    frames: u64,
    /// Bytes read.
    pub(crate) read: u64,
}

/// How much of a stream that is something else is shown.
const SHOWN: u64 = 400;

impl<R: Read> Reader<R> {
    /// Reads the beginning of a stream of `what`; `None` where there is not one byte.
    pub(crate) fn begin(from: R, what: &str) -> Result<Option<Self>, Broken> {
        let expected = [VERSION, what].concat().into_bytes();
        let mut from = BufReader::with_capacity(1 << 16, from);
        let mut begin = Vec::new();
        from.by_ref()
            .take(expected.len() as u64)
            .read_to_end(&mut begin)
            .map_err(Broken::Read)?;
        if begin.is_empty() {
            return Ok(None);
        }
        if begin != expected {
            if expected.starts_with(&begin) {
                return Err(Broken::Ended);
            }
            // What can be had of the message of whoever answered instead.
            let _ = from.take(SHOWN).read_to_end(&mut begin);
            return Err(Broken::Other(crate::path::escape(begin.trim_ascii())));
        }
        Ok(Some(Self {
            from,
            chain: [0; 32],
            decompressor: Decompressor::new().map_err(Broken::Read)?,
            body: Vec::new(),
            content: Vec::with_capacity(CHUNK),
            frames: 0,
            read: expected.len() as u64,
        }))
    }

    /// The next frame, with what it holds.
    pub(crate) fn next(&mut self) -> Result<(Tag, &[u8]), Broken> {
        let corrupted = Broken::Corrupted(self.frames + 1);
        let mut head = [0; 5];
        self.fill(&mut head)?;
        let [byte, length @ ..] = head;
        let length = u32::from_be_bytes(length) as usize;
        let packed = byte & PACKED != 0;
        let Some(tag) = Tag::of(byte & !PACKED) else {
            return Err(corrupted);
        };
        let most = if packed {
            zstd::zstd_safe::compress_bound(CHUNK)
        } else {
            CHUNK
        };
        if length > most {
            return Err(corrupted);
        }
        let mut body = std::mem::take(&mut self.body);
        if body.len() < length {
            body.resize(length, 0);
        }
        self.fill(&mut body[..length])?;
        self.body = body;
        let mut sent = [0; 32];
        self.fill(&mut sent)?;
        let body = &self.body[..length];
        let chain = link(&self.chain, &head, chained(tag, body));
        if chain != sent {
            return Err(corrupted);
        }
        self.chain = chain;
        self.frames += 1;
        self.read += (head.len() + length + sent.len()) as u64;
        if !packed {
            return Ok((tag, &self.body[..length]));
        }
        self.content.clear();
        // No more than the capacity is unpacked, whatever the frame says that it holds.
        let unpacked = self
            .decompressor
            .decompress_to_buffer(&self.body[..length], &mut self.content);
        if unpacked.is_err() {
            return Err(corrupted);
        }
        Ok((tag, &self.content))
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Broken> {
        self.from.read_exact(buffer).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                Broken::Ended
            } else {
                Broken::Read(error)
            }
        })
    }
}

/// The document in a frame.
pub(crate) fn document<T: DeserializeOwned>(content: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(content)
}

/// The documents in a frame, one a line.
pub(crate) fn lines<T: DeserializeOwned>(
    content: &[u8],
) -> impl Iterator<Item = Result<T, serde_json::Error>> {
    serde_json::Deserializer::from_slice(content).into_iter()
}
