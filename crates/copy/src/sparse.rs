//! Reads a file by its data and its holes, and hashes it as if there were none.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use nix::errno::Errno;
use nix::unistd::{Whence, lseek};
use sha2::{Digest as _, Sha256};

use crate::frame::CHUNK;

/// What follows in a file, up to a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Data(u64),
    Hole(u64),
}

/// What a file holds next.
pub(crate) enum Piece<'a> {
    /// Bytes.
    Data(&'a [u8]),
    /// As many bytes of a hole.
    Hole(u64),
}

/// A hole is told in parts, so that whoever follows sees that something goes on: hashing this takes about 50 ms.
const PART: u64 = 64 << 20;

static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// Reads a file once from its beginning, and hashes it.
pub(crate) struct Walk<'a> {
    file: &'a File,
    buffer: Vec<u8>,
    extent: Extent,
    pub(crate) position: u64,
    pub(crate) hash: Sha256,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(file: &'a File) -> Self {
        Self {
            file,
            buffer: vec![0; CHUNK],
            extent: Extent::Data(0),
            position: 0,
            hash: Sha256::new(),
        }
    }

    /// What follows, not beyond `end`; `None` at `end` or where the file ends before.
    pub(crate) fn next(&mut self, end: u64) -> io::Result<Option<Piece<'_>>> {
        if self.position >= end {
            return Ok(None);
        }
        if let Extent::Data(until) | Extent::Hole(until) = self.extent
            && until <= self.position
        {
            let Some(extent) = extent(self.file, self.position)? else {
                return Ok(None);
            };
            self.extent = extent;
        }
        match self.extent {
            Extent::Data(until) => {
                let left = until.min(end) - self.position;
                let most = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
                let read = self.file.read_at(&mut self.buffer[..most], self.position)?;
                let data = &self.buffer[..read];
                self.hash.update(data);
                self.position += read as u64;
                Ok((read > 0).then_some(Piece::Data(data)))
            }
            Extent::Hole(until) => {
                let length = (until.min(end) - self.position).min(PART);
                zeros(&mut self.hash, length);
                self.position += length;
                Ok(Some(Piece::Hole(length)))
            }
        }
    }
}

/// Adds so many zeros to a hash.
pub(crate) fn zeros(hash: &mut Sha256, mut length: u64) {
    while length > 0 {
        let part = usize::try_from(length).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
        hash.update(&ZEROS[..part]);
        length -= part as u64;
    }
}

/// What is at a position; `None` at the end of the file.
fn extent(file: &File, position: u64) -> io::Result<Option<Extent>> {
    let seek = |whence| {
        let at = i64::try_from(position).map_err(|_| Errno::EOVERFLOW)?;
        lseek(file, at, whence).map(i64::cast_unsigned)
    };
    match seek(Whence::SeekData) {
        Ok(data) if data > position => Ok(Some(Extent::Hole(data))),
        Ok(_) => match seek(Whence::SeekHole) {
            Ok(hole) => Ok(Some(Extent::Data(hole))),
            Err(Errno::ENXIO) => Ok(None),
            Err(error) => Err(error.into()),
        },
        // No data from here on: a hole to the end, or the end.
        Err(Errno::ENXIO) => {
            let length = file.metadata()?.len();
            Ok((length > position).then_some(Extent::Hole(length)))
        }
        // A file system that cannot tell.
        Err(Errno::EINVAL | Errno::EOPNOTSUPP) => Ok(Some(Extent::Data(u64::MAX))),
        Err(error) => Err(error.into()),
    }
}
