//! What is in the frames. Both directions end with [`Tag::End`].

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::path::RelativePath;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// Receiver: [`Offer`]s, one a line.
    Offers,
    /// Entries of the manifest, one a line.
    Entries,
    /// The manifest is whole: [`Contents`] of its files follow, in its order.
    Contents,
    /// A file begins: [`Begin`].
    Begin,
    /// The next bytes of the file.
    Data,
    /// The next bytes of the file are a hole: how many, as eight bytes, the highest first.
    Hole,
    /// The file ends: [`FileEnd`].
    FileEnd,
    /// The file is not there any more.
    Gone,
    /// Nothing yet, but at work.
    Working,
    /// What changed since the manifest, one a line.
    Changes,
    /// The sender gave up: its message.
    Failed,
    /// All is said: [`End`], or nothing from the receiver.
    End,
}

impl Tag {
    const ALL: [(Self, u8); 12] = [
        (Self::Offers, b'O'),
        (Self::Entries, b'M'),
        (Self::Contents, b'C'),
        (Self::Begin, b'B'),
        (Self::Data, b'D'),
        (Self::Hole, b'H'),
        (Self::FileEnd, b'F'),
        (Self::Gone, b'G'),
        (Self::Working, b'W'),
        (Self::Changes, b'V'),
        (Self::Failed, b'X'),
        (Self::End, b'.'),
    ];

    pub(crate) fn byte(self) -> u8 {
        let row = Self::ALL.iter().find(|(tag, _)| *tag == self);
        row.map_or(0, |(_, byte)| *byte)
    }

    pub(crate) fn of(byte: u8) -> Option<Self> {
        let row = Self::ALL.iter().find(|(_, letter)| *letter == byte);
        row.map(|(tag, _)| *tag)
    }
}

/// The first bytes of a file that the receiver has.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Offer {
    pub(crate) path: RelativePath,
    pub(crate) bytes: u64,
    pub(crate) sha256: Hash,
}

/// Totals of the manifest.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Contents {
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

/// Where the content of a file begins: after what the receiver has of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Begin {
    pub(crate) kept: u64,
}

/// What was read of a file: all of it, holes as zeros.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FileEnd {
    pub(crate) size: u64,
    pub(crate) sha256: Hash,
}

/// Totals of what was sent.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct End {
    /// Files that were there to be read.
    pub(crate) files: u64,
    /// Bytes of them, with holes and with what the receiver had.
    pub(crate) bytes: u64,
    /// Changes that were named.
    pub(crate) changes: u64,
}

/// A SHA-256; in text 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hash(pub(crate) [u8; 32]);

impl Hash {
    pub(crate) fn of(state: Sha256) -> Self {
        Self(state.finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let byte = |at: usize| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok();
        let mut hash = [0; 32];
        let all = hash.iter_mut().enumerate().try_for_each(|(at, place)| {
            *place = byte(at)?;
            Some(())
        });
        match all {
            Some(()) if text.len() == 64 => Ok(Self(hash)),
            _ => Err(D::Error::custom(format_args!("`{text}` is no SHA-256"))),
        }
    }
}
